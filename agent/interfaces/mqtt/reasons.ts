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
      ? 'a message with QoS 2, to which this device has not subscribed'
      : `a packet${bytes === undefined ? '' : ` of ${bytes} bytes`}, above the limit of ${maxBytes} bytes`;
  return new Fault(
    'mqtt_too_long',
    `The broker ${url} sent ${what} (${topic ?? topics.join(', ')}).`,
    'Find it with mosquitto_sub --retained-only -F "%t %l", and clear it with an empty retained message; makercast reconnects at growing intervals.',
  );
}

export const unread = (url: string): Fault =>
  new Fault(
    'mqtt_too_long',
    `The broker ${url} keeps sending, but does not read acknowledgements.`,
    'makercast reconnects at growing intervals.',
  );

/** Reason codes of DISCONNECT (MQTT 5, section 3.14.2.1), and of CONNACK where they say what this device needs. */
const said: Readonly<Record<number, string>> = {
  0x81: 'malformed packet',
  0x82: 'protocol error',
  0x87: 'this device is not authorized for what it did',
  0x89: 'it is busy',
  0x8b: 'it is shutting down',
  0x8d: 'keepalive timeout',
  0x90: 'a topic is not accepted',
  0x93: 'too many unacknowledged messages',
  0x95: 'a packet was too large',
  0x96: 'message rate too high',
  0x97: 'quota exceeded',
  0x98: 'its operator closed the connection',
  0x9a: 'it does not support retained messages',
  0x9b: 'it does not support this quality of service',
  0x9f: 'too many connections',
};
/** What makercast cannot do without: retained messages, and QoS 1. */
const lacking: readonly unknown[] = [0x9a, 0x9b];

/** The broker has closed the connection with a reason; undefined where the code is none. `text`: its own words. */
export function disconnected(url: string, code: number | undefined, text: string | undefined): Fault | undefined {
  if (code === undefined || code < 0x80) return undefined;
  const words = text === undefined ? '' : `: ${JSON.stringify(text.slice(0, 200))}`;
  const what = `The broker ${url} closed the connection: ${said[code] ?? 'reason code'} (0x${code.toString(16)})${words}.`;
  return lacking.includes(code)
    ? new Fault('mqtt_refused', what, needs)
    : new Fault(code === 0x87 ? 'mqtt_refused' : 'mqtt_unreachable', what, 'makercast reconnects by itself.');
}

const needs = 'makercast needs retained messages and QoS 1: allow both there, or use another broker.';

/** CONNACK: bad user or password, not authorized, banned; of 3.1.1 and of 5. */
const refusals: readonly unknown[] = [2, 4, 5, 0x85, 0x86, 0x87, 0x8a];

/** `error`: whatever the client gave; `clockIsSet`: whether the dates of a certificate can be judged. */
export function explained(error: unknown, wasConnected: boolean, url: string, clockIsSet: boolean): Fault {
  if (error instanceof Fault) return error;
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  const again = 'makercast reconnects by itself.';
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
      `The certificate of ${url} cannot be verified, because the clock of this machine is not set.`,
      again,
    );
  if (/CERT|SSL|TLS|SIGNATURE|ALTNAME|EPROTO/.test(name))
    return new Fault(
      'mqtt_tls',
      `A secure connection to ${url} cannot be made (${name}).`,
      'Check mqtt.ca, mqtt.cert, mqtt.key and the port.',
    );
  const why = name !== '' ? name : message !== '' ? message : wasConnected ? 'the connection was closed' : 'no answer';
  return new Fault('mqtt_unreachable', `The MQTT broker ${url} cannot be reached (${why}).`, again);
}
