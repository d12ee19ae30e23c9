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
  mend: text('The same under its name in 0.1; removed in 0.3.'),
});

const complaint = object({
  path: text('Dotted path of the setting.'),
  code: text('One of docs/errors.md.'),
  message: text('Where it is, what is wrong, and what is allowed.'),
});

const decision = {
  version: whole('Version of the last document that was decided; 0 if there was none.'),
  status: oneOf(
    ['none', ...decisionStatuses],
    'none: no decision yet. pending: being applied. applied: the media processes have confirmed it. rejected: nothing has changed. rolled_back: it was applied, and the last good settings have been restored.',
  ),
  proved: flag(
    'The stream was live after it and, if `mqtt.*` was changed, the broker was reached and lets the device read its `config/desired` and `cmd`.',
  ),
  hash: optional(text('Hash of its content.')),
  release: optional(text('Release of makercast that decided.')),
  by: optional(text('`by` of the document.')),
  errors: list(complaint, 'All problems of the document.'),
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
      'A later document that was refused without a decision, and why.',
    ),
  ),
};

const desired = object({
  version: whole(
    'Above that of the last document, by at most 1,000,000; or milliseconds since 1970, at most a day ahead.',
    1,
  ),
  config: any('The whole layer, as in docs/settings.schema.json, without secrets; at most 300 names. `{}` clears it.'),
  by: optional(text('Author of the change, for people.', { maxLength: 256 })),
  base: optional(whole('Apply the document only if this was the last version decided; for several controllers.')),
  resetVersion: optional(
    flag('Decide it whatever version was decided last; for use after a version that was far too high.'),
  ),
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
        '`lost` is published by the broker when the device has disconnected without notice.',
      ),
      wanted: optional(oneOf(['on air', 'idle'], 'The last command, `start` or `stop`; it survives restarts.')),
      update: optional(
        oneOf(updates, 'Update from balena. update_pending: an update waits until it may interrupt the broadcast.'),
      ),
      updateAt: optional(text('When the pending update will interrupt the broadcast (RFC 3339), if that is known.')),
      boot: text('Boot id: a new one at each start of the program.'),
    }),
    doc: 'State of the device, at every change.',
  }),
  info: topic({
    topic: 'info',
    direction: 'out',
    qos: 1,
    retain: true,
    payload: object({
      id: text(),
      boot: text(),
      release: text('Release of makercast.'),
      node: text(),
      architecture: text(),
      board: optional(text('Model, if the device tree names it.')),
      protocol: oneOf(['5', '3.1.1'], 'MQTT version of this connection.'),
      groups: list(text()),
      commands: list(oneOf(commandNames)),
    }),
    doc: 'What the device is and can do, at every connection.',
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
    doc: 'The settings of every device whose `mqtt.groups` names the group, below those of the device itself. Settings that a release does not know are ignored.',
  }),
  reported: topic({
    topic: 'config/reported',
    direction: 'out',
    qos: 1,
    retain: true,
    payload: object({
      ...decision,
      groups: map(object(decision), 'The same for each group.'),
      page: optional(object(decision, 'The same for settings that were changed one at a time (`adjust`).')),
      secrets: optional(
        object(
          decision,
          'The same for what `set-secret` has set; each secret counts as a version, and there is no hash.',
        ),
      ),
      config: optional(
        any(
          'All settings in force, without secrets; left out if the document would exceed 256 KB, or what the broker accepts.',
        ),
      ),
      origin: optional(map(text(), 'The layer that each setting comes from; left out with `config`.')),
      ignored: list(object({ layer: text(), path: text() }), 'Settings in layers that this release does not know.'),
      deletes: optional(
        object(
          { files: whole(), bytes: whole() },
          'Recordings that a lower limit will delete, one a second, once the change is proved.',
        ),
      ),
      held: list(complaint, 'Outputs without a stream key for their new address.'),
    }),
    doc: 'What became of `config/desired`, and what is in force.',
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
      id: text('`id` of the command.'),
      ok: flag(),
      result: optional(any('Result of the command.')),
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
      temperature: optional(number('Temperature of the processor in °C.')),
      strain: optional(
        object(
          { underVoltage: optional(when), hot: optional(when), throttled: optional(when) },
          'What slows a Raspberry Pi down, or has done so since the program started; left out if nothing has.',
        ),
      ),
      memoryMb: number('Resident memory of the agent process.'),
      fps: optional(number('Frames per second from the camera.')),
      kbps: optional(number('Picture and sound, in kbit/s.')),
      bitrateKbps: optional(number('Bitrate that the encoder is set to, in kbit/s.')),
      outputs: map(
        object({
          state: text('One of docs/states.md.'),
          deliveredKbps: number(),
          queuedMs: number(),
          droppedFrames: whole(),
        }),
      ),
    }),
    doc: 'Measurements, every `mqtt.telemetrySeconds`; dropped while there is no connection.',
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
      event: text('Stable name of the event.'),
      message: text('A sentence for people.'),
      leftOut: optional(whole('Number of events before this one that were lost while there was no connection.')),
    }),
    doc: 'Log lines, except status lines. Some wait for a connection; lost ones are counted.',
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
