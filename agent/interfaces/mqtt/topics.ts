/** Every topic, one entry each: who writes it, how, and what its payload is; inbox.ts has a handler for each that others write. The documentation is made from this. */
import { commandNames, request } from '../../control/commands.js';
import { decisionStatuses } from '../../steering/decision.js';
import {
  any,
  flag,
  list,
  map,
  number,
  object,
  oneOf,
  optional,
  text,
  whole,
  type JsonSchema,
  type Of,
  type Shape,
} from '../../control/shape.js';

export interface Topic<T = unknown, D extends 'in' | 'out' = 'in' | 'out'> {
  /** Below the device's own `<base>/v1/<id>/`, but for groups. Words in braces are parameters. */
  readonly topic: string;
  /** `in`: the device reads it. `out`: it alone writes it. */
  readonly direction: D;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly payload: Shape<T>;
  readonly doc: string;
}

/** Those of the status document. */
const states = ['idle', 'starting', 'live', 'degraded', 'ended', 'stopping', 'updating'] as const;

/** Of what slows the board down: now, or since the program started. */
const when = oneOf(['now', 'earlier']);

/** Those of the status document that are worth a message. */
export const updates = ['downloading', 'update_pending', 'applying'] as const;

const topic = <T, const D extends 'in' | 'out'>(entry: Topic<T, D>): Topic<T, D> => entry;

const fault = object({
  code: text('One of docs/errors.md.'),
  what: text('What happened, where.'),
  remedy: text('What to do.'),
  mend: text('The same by its name in 0.1, which 0.3 no longer has.'),
});

const complaint = object({
  path: text('Dotted path of the setting.'),
  code: text('One of docs/errors.md.'),
  message: text('Where, what, and what is allowed.'),
});

const decision = {
  version: whole('Of the last document that was decided; 0 where there was none.'),
  status: oneOf(
    ['none', ...decisionStatuses],
    'none: nothing was decided yet. pending: being applied. applied: the media processes have confirmed it. rejected: nothing has changed. rolled_back: it was applied, and the last good settings are back.',
  ),
  proved: flag(
    'The stream was live after it, and where `mqtt.*` was changed the broker was reached and lets the device read what steers it.',
  ),
  hash: optional(text('Of its content.')),
  release: optional(text('The release that decided.')),
  by: optional(text('Who wanted it.')),
  errors: list(complaint, 'Everything that is wrong with it.'),
  reason: optional(fault),
  refused: optional(
    object(
      {
        version: optional(whole()),
        path: text(),
        code: text(
          '`stale`, `version_too_high`, `version_conflict`, `base_conflict`, `document_malformed`, `state_unwritable` or `internal`.',
        ),
        message: text(),
      },
      'A later document that was not decided at all, and why.',
    ),
  ),
};

const desired = object({
  version: whole(
    'Above that of the last document, by 1,000,000 at most; or milliseconds since 1970, a day ahead at most.',
    1,
  ),
  config: any('The whole layer, as in docs/settings.schema.json, without secrets; at most 300 names. `{}` clears it.'),
  by: optional(text('Who wants it, for people.', { maxLength: 256 })),
  base: optional(whole('Only where this is the last version decided: for two controllers.')),
  resetVersion: optional(flag('Decide it whatever version was decided last: after one that was far too high.')),
});

export const topics = {
  state: topic({
    topic: 'state',
    direction: 'out',
    qos: 1,
    retain: true,
    payload: object({
      state: oneOf(
        [...states, 'stopped', 'lost'],
        '`lost` comes from the broker, when the device is gone without a word.',
      ),
      wanted: optional(oneOf(['on air', 'idle'], 'What was commanded last: `start` or `stop`, over restarts too.')),
      update: optional(
        oneOf(
          updates,
          'What balena has for this device. update_pending: an update waits until it may interrupt the broadcast.',
        ),
      ),
      updateAt: optional(
        text('When an update that waits will interrupt the broadcast (RFC 3339), where that is known.'),
      ),
      boot: text('Another one with each start of the program.'),
    }),
    doc: 'How it is, at every change.',
  }),
  info: topic({
    topic: 'info',
    direction: 'out',
    qos: 1,
    retain: true,
    payload: object({
      id: text(),
      boot: text(),
      release: text('Of makercast.'),
      node: text(),
      architecture: text(),
      board: optional(text('Model, where the device tree tells it.')),
      protocol: oneOf(['5', '3.1.1'], 'MQTT version of this connection.'),
      groups: list(text()),
      commands: list(oneOf(commandNames)),
    }),
    doc: 'What it is and can do, at every connection.',
  }),
  desired: topic({
    topic: 'config/desired',
    direction: 'in',
    qos: 1,
    retain: true,
    payload: desired,
    doc: 'The settings of this device: the whole layer, which replaces the one before. An empty payload is ignored.',
  }),
  groupDesired: topic({
    topic: '_group/{group}/config/desired',
    direction: 'in',
    qos: 1,
    retain: true,
    payload: desired,
    doc: 'The settings of every device whose `mqtt.groups` names the group, below those of the device itself. Names that a release does not know are set aside.',
  }),
  reported: topic({
    topic: 'config/reported',
    direction: 'out',
    qos: 1,
    retain: true,
    payload: object({
      ...decision,
      groups: map(object(decision), 'The same of each group.'),
      page: optional(object(decision, 'The same of what was adjusted one by one.')),
      secrets: optional(
        object(decision, 'The same of what `set-secret` has set, each of which counts as a version; without a hash.'),
      ),
      config: optional(
        any(
          'All settings that are in force, without secrets; left out where all would be longer than 256 KB, or than the broker takes.',
        ),
      ),
      origin: optional(map(text(), 'Which layer gave each setting; left out with `config`.')),
      ignored: list(object({ layer: text(), path: text() }), 'What layers say that this release does not know.'),
      deletes: optional(
        object(
          { files: whole(), bytes: whole() },
          'Recordings that a narrower limit will have deleted, one a second, once the change is proved.',
        ),
      ),
      held: list(complaint, 'Outputs that no stream key was given for at the address that they are to have.'),
    }),
    doc: 'What became of `desired`, and what is in force.',
  }),
  command: topic({
    topic: 'cmd/{command}',
    direction: 'in',
    qos: 1,
    retain: false,
    payload: request,
    doc: `A command: ${commandNames.join(', ')}. One that is retained is refused (over 3.1.1: at the next connection).`,
  }),
  ack: topic({
    topic: 'cmd/{command}/ack',
    direction: 'out',
    qos: 1,
    retain: false,
    payload: object({
      id: text('That of the command.'),
      ok: flag(),
      result: optional(any('What the command gives.')),
      error: optional(fault),
    }),
    doc: 'The answer to a command.',
  }),
  telemetry: topic({
    topic: 'telemetry',
    direction: 'out',
    qos: 0,
    retain: false,
    payload: object({
      at: text('Time (RFC 3339) by the clock of the device.'),
      boot: text(),
      uptimeSeconds: whole(),
      state: oneOf(states),
      temperature: optional(number('°C of the processor.')),
      strain: optional(
        object(
          { underVoltage: optional(when), hot: optional(when), throttled: optional(when) },
          'What slows a Raspberry Pi down, or did since the program started; nothing where nothing did.',
        ),
      ),
      memoryMb: number('Resident memory of the agent process.'),
      fps: optional(number('Frames a second from the camera.')),
      kbps: optional(number('kbit/s of picture and sound.')),
      bitrateKbps: optional(number('kbit/s that the encoder is asked for.')),
      outputs: map(
        object({
          state: text('One of docs/states.md.'),
          deliveredKbps: number(),
          queuedMs: number(),
          droppedFrames: whole(),
        }),
      ),
    }),
    doc: 'Figures, every `mqtt.telemetrySeconds`; dropped while there is no connection.',
  }),
  event: topic({
    topic: 'event',
    direction: 'out',
    qos: 1,
    retain: false,
    payload: object({
      at: text('Time (RFC 3339) by the clock of the device.'),
      boot: text(),
      level: oneOf(['error', 'warn', 'info', 'debug']),
      event: text('A stable name.'),
      message: text('A sentence for people.'),
      leftOut: optional(whole('So many events before this one were lost while there was no connection.')),
    }),
    doc: 'What the log says, but for its status lines. Some wait for a connection; what is lost is counted.',
  }),
} as const;

/** The fields of all payloads that hold one, or several, of a few fixed words. */
export const fixed: ReadonlySet<string> = new Set(
  Object.values(topics).flatMap(({ payload }) => enumerated(payload.schema)),
);

function enumerated(schema: JsonSchema, name = ''): string[] {
  const { properties = {}, items, additionalProperties: each } = schema as Nested;
  if (schema['enum']) return [name];
  return [
    ...Object.entries(properties).flatMap(([below, field]) => enumerated(field, below)),
    ...(items ? enumerated(items, name) : []),
    ...(typeof each === 'object' ? enumerated(each) : []),
  ];
}

interface Nested {
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly additionalProperties?: boolean | JsonSchema;
}

export type Payload<K extends keyof typeof topics> = Of<(typeof topics)[K]['payload']>;
