/** Why a connection to a broker failed, in words: from its reason codes, from TLS and sockets, and from what it has sent. */
import { Fault } from '../../errors.js';
import type { Excess } from './packets.js';

/** `topics`: those that the device reads. `maxBytes`: of a packet. */
export function excessive(
  { why, bytes, topic }: Excess,
  { url, topics, maxBytes }: { readonly url: string; readonly topics: readonly string[]; readonly maxBytes: number },
): Fault {
  const what =
    why === 'unasked'
      ? 'a message with QoS 2, which nobody has subscribed to'
      : `a packet${bytes === undefined ? '' : ` of ${bytes} bytes`}, and at most ${maxBytes} bytes are taken`;
  return new Fault(
    'mqtt_too_long',
    `The broker ${url} has sent ${what} (${topic ?? topics.join(', ')}).`,
    'Look for it with mosquitto_sub --retained-only -F "%t %l", and clear it with an empty retained message; it is tried again ever more seldom.',
  );
}

export const unread = (url: string): Fault =>
  new Fault(
    'mqtt_too_long',
    `The broker ${url} sends on and on, and takes no acknowledgement.`,
    'It is tried again ever more seldom.',
  );

/** Reason codes of DISCONNECT (MQTT 5, section 3.14.2.1), and of CONNACK where they say what this device needs. */
const said: Readonly<Record<number, string>> = {
  0x81: 'a packet was malformed',
  0x82: 'a packet was against the protocol',
  0x87: 'this device may not do what it did',
  0x89: 'it is busy',
  0x8b: 'it shuts down',
  0x8d: 'it has heard nothing for too long',
  0x90: 'a topic is not allowed',
  0x93: 'too much is not acknowledged yet',
  0x95: 'a packet was too long',
  0x96: 'too many messages',
  0x97: 'the quota is used up',
  0x98: 'its operator closed the connection',
  0x9a: 'it supports no retained messages',
  0x9b: 'it does not support this quality of service',
  0x9f: 'too many connections',
};
/** What makercast does not work without: retained messages, and QoS 1. */
const lacking: readonly unknown[] = [0x9a, 0x9b];

/** The broker has closed the connection with a reason; undefined where the code is none. `text`: its own words. */
export function disconnected(url: string, code: number | undefined, text: string | undefined): Fault | undefined {
  if (code === undefined || code < 0x80) return undefined;
  const words = text === undefined ? '' : `: ${JSON.stringify(text.slice(0, 200))}`;
  const what = `The broker ${url} has closed the connection: ${said[code] ?? 'reason code'} (0x${code.toString(16)})${words}.`;
  return lacking.includes(code)
    ? new Fault('mqtt_refused', what, needs)
    : new Fault(code === 0x87 ? 'mqtt_refused' : 'mqtt_unreachable', what, 'It is tried again.');
}

const needs = 'makercast needs retained messages and QoS 1: allow both there, or use another broker.';

/** CONNACK: bad user or password, not authorized, banned; of 3.1.1 and of 5. */
const refusals: readonly unknown[] = [2, 4, 5, 0x85, 0x86, 0x87, 0x8a];

/** `error`: whatever the client gave; `clockIsSet`: whether the dates of a certificate can be judged. */
export function explained(error: unknown, wasConnected: boolean, url: string, clockIsSet: boolean): Fault {
  if (error instanceof Fault) return error;
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  const again = 'It is tried again.';
  if (refusals.includes(code))
    return new Fault(
      'mqtt_refused',
      `The broker ${url} refuses this device (${message}).`,
      'Check mqtt.username, mqtt.password and the client certificate.',
    );
  if (lacking.includes(code))
    return new Fault(
      'mqtt_refused',
      `The broker ${url} refuses this device: ${said[code as number]} (0x${(code as number).toString(16)}).`,
      needs,
    );
  const name = typeof code === 'string' ? code : '';
  if (/^CERT_(NOT_YET_VALID|HAS_EXPIRED)$/.test(name) && !clockIsSet)
    return new Fault(
      'clock_not_set',
      `The certificate of ${url} cannot be judged, because the clock is not set.`,
      again,
    );
  if (/CERT|SSL|TLS|SIGNATURE|ALTNAME|EPROTO/.test(name))
    return new Fault(
      'mqtt_tls',
      `No secure connection to ${url} (${name}).`,
      'Check mqtt.ca, mqtt.cert, mqtt.key and the port.',
    );
  const why = name !== '' ? name : message !== '' ? message : wasConnected ? 'the connection was closed' : 'no answer';
  return new Fault('mqtt_unreachable', `The MQTT broker ${url} cannot be reached (${why}).`, again);
}
