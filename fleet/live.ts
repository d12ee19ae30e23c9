/** What devices say of themselves at this moment, by MQTT: their state, which the broker keeps, and the next of their figures. */
import { randomUUID } from 'node:crypto';
import { systemClock } from '../agent/clock.js';
import type { MqttSettings } from '../agent/config/settings.js';
import { Fault } from '../agent/errors.js';
import { Connection, type Message } from '../agent/interfaces/mqtt/connection.js';
import { topics, type Payload } from '../agent/interfaces/mqtt/topics.js';

/** What is left out was not heard. */
export interface Live {
  /** As in the status document, or `stopped`, or `lost`: disconnected without notice. */
  readonly state?: string;
  /** What balena has for it, such as `update_pending`, and when that will interrupt the broadcast. */
  readonly update?: string;
  readonly updateAt?: string;
  /** Time of the figures by the clock of the device. */
  readonly at?: string;
  /** °C. */
  readonly temperature?: number;
  readonly fps?: number;
  readonly kbps?: number;
  readonly bitrateKbps?: number;
  readonly outputs?: Readonly<Record<string, OutputFigures>>;
}

export type OutputFigures = Pick<Payload<'telemetry'>['outputs'][string], 'state' | 'deliveredKbps'>;

/** A broker that answers at all does so within this. */
const connectMs = 5000;
/** What a broker keeps it sends right after its answer to the subscription: who is not heard of by then has never been there. */
const keptMs = 1000;

/**
 * What the devices `ids` (names in topics) say: what the broker keeps, and figures until all have sent some, or for `waitMs` after the
 * connection. `heard` is told how many it is so far. Throws the Fault of a broker that cannot be reached or refuses us.
 */
export async function live(
  broker: MqttSettings,
  ids: readonly string[],
  waitMs: number,
  heard: (count: number) => void,
): Promise<Map<string, Live>> {
  const states = new Map<string, Live>();
  const measured = new Map<string, Live>();
  const prefix = `${broker.baseTopic}/v1/`;
  const wanted = new Set(ids);
  let end: (fault?: Fault) => void = () => undefined;
  const ended = new Promise<void>((resolve, reject) => {
    end = (fault) => (fault ? reject(fault) : resolve());
  });
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number, work: () => void): void => void timers.push(setTimeout(work, ms));
  let keptIsHeard = false;
  // By name: there are brokers (RabbitMQ) that give nothing retained to who subscribes with a wildcard.
  const asked = [...ids.map((id) => `${prefix}${id}/${topics.state.topic}`), `${prefix}+/${topics.telemetry.topic}`];
  const answered = new Set<string>();
  const look = (): void => {
    heard(measured.size);
    // Who is gone, or was never there, sends none.
    const isDone = (id: string): boolean =>
      measured.has(id) || [undefined, 'lost', 'stopped'].includes(states.get(id)?.state);
    if (keptIsHeard && ids.every(isDone)) end();
  };
  const connection = new Connection(
    broker,
    `makercast-fleet-${randomUUID().slice(0, 8)}`,
    undefined,
    {
      subscriptions: () => asked.map((topic) => ({ topic })),
      connected: () => after(Math.max(keptMs, waitMs), () => end()),
      message: ({ topic, payload }: Message) => {
        const [id = '', name] = topic.startsWith(prefix) ? topic.slice(prefix.length).split('/') : [];
        const said = wanted.has(id) ? parsed(payload) : undefined;
        if (!said) return;
        const isFigures = name === topics.telemetry.topic;
        if (isFigures) measured.set(id, figures(said));
        states.set(id, { ...(isFigures && states.get(id)), ...words(said, ['state', 'update', 'updateAt']) });
        look();
      },
      // Whether it was granted: what is not heard is said in the end.
      subscribed: (topic) => {
        answered.add(topic);
        if (answered.size < asked.length) return;
        after(keptMs, () => {
          keptIsHeard = true;
          look();
        });
      },
      lost: (fault) => end(fault),
      takenOver: () => undefined,
    },
    systemClock,
    () => true,
  );
  after(connectMs, () => {
    if (connection.isConnected) return;
    end(new Fault('mqtt_unreachable', `The MQTT broker ${broker.url} does not answer within ${connectMs / 1000} s.`));
  });
  connection.start();
  try {
    await ended;
    const known = ids.filter((id) => states.has(id));
    return new Map(known.map((id) => [id, { ...states.get(id), ...measured.get(id) }]));
  } finally {
    timers.forEach(clearTimeout);
    await connection.stop();
  }
}

type Document = Readonly<Record<string, unknown>>;

const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parsed(payload: Buffer): Document | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString());
    return isDocument(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Field by field, not by the schema: the device may be of a later release than this tool. */
function words(said: Document, names: readonly ('state' | 'update' | 'updateAt' | 'at')[]): Live {
  return Object.fromEntries(names.flatMap((name) => (typeof said[name] === 'string' ? [[name, said[name]]] : [])));
}

const numbers = ['temperature', 'fps', 'kbps', 'bitrateKbps'] as const;

function figures(said: Document): Live {
  const outputs = isDocument(said['outputs']) ? Object.entries(said['outputs']) : [];
  return {
    ...words(said, ['at']),
    ...Object.fromEntries(numbers.flatMap((name) => (typeof said[name] === 'number' ? [[name, said[name]]] : []))),
    outputs: Object.fromEntries(
      outputs.flatMap(([name, output]): [string, OutputFigures][] => {
        if (!isDocument(output)) return [];
        const { state, deliveredKbps } = output;
        return typeof state === 'string' && typeof deliveredKbps === 'number' ? [[name, { state, deliveredKbps }]] : [];
      }),
    ),
  };
}
