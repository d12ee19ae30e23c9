/** What can be asked for besides settings: the table of commands, and the dispatcher, which runs each once and in time, or refuses it with a reason. */
import { Fault, type FaultReport } from '../errors.js';
import type { Storage } from '../machine/storage/storage.js';
import { anything, flag, misfit, object, optional, text, type Of, type Shape } from './shape.js';

const none = object({});

/**
 * Each command and its arguments. `durable`: it ends this process or the machine, so its id is on the card before it runs.
 * `repeatable`: it says how something should be, so that it may be sent again with the same id.
 */
export const commands = {
  start: { doc: 'Go on the air, now and after every restart.', args: none },
  stop: { doc: 'Go off the air, until `start`.', args: none },
  'on-air': {
    doc: '`start` or `stop`. May be sent again with the same `id`.',
    args: object({ on: flag() }),
    repeatable: true,
  },
  adjust: {
    doc: 'Change one setting in the layer of the page, or remove it from there if no value is given; not for secrets, nor for what `config/desired` sets too. May be sent again with the same `id`.',
    args: object({ path: text('Such as video.bitrateKbps.', { maxLength: 128 }), value: optional(anything()) }),
    repeatable: true,
  },
  'restart-media': { doc: 'Build a new pipeline for the machine as it is now; the stream goes on.', args: none },
  'retry-output': {
    doc: 'Try outputs again now that are waiting for their next try.',
    args: object({ output: optional(text('The name of one output; without it, all.', { maxLength: 32 })) }),
  },
  'force-keyframe': { doc: 'Ask the encoder for a keyframe.', args: none },
  snapshot: { doc: 'The last keyframe as a JPEG (base64, in `result.jpeg`).', args: none },
  identify: { doc: "Make the board's LED blink for 20 s, to find the device among others.", args: none },
  'set-secret': {
    doc: 'Set a secret setting of this device, or forget it if no value is given. It is sent to one place only: the address `for`, or the one in force. The answer says what it is `for`, and whether it is `used` now. Over TLS only, unless `mqtt.allowPlainSecrets` is set. The command is done once the secret is applied; `config/reported` says under `secrets` whether it was proved, or rolled back.',
    args: object({
      path: text('Such as outputs.club.key.', { maxLength: 128 }),
      value: optional(text('The secret itself.', { maxLength: 4096 })),
      for: optional(
        text(
          'The address that it is for, such as rtmps://live.example.org/app; the first label of the host may be `*`.',
          {
            maxLength: 512,
          },
        ),
      ),
      insecure: optional(flag('It may be sent there even where the certificate is not checked.')),
    }),
  },
  'reset-version': {
    doc: 'Accept any version of the next document of a layer, after one that was far too high. The document can also ask for this itself: `"resetVersion": true`.',
    args: object({ layer: optional(text('`device` (the default), or `group` and its name.', { maxLength: 80 })) }),
  },
  update: {
    doc: 'Check for an update now (balena). With `force`, an update that is waiting is installed at once, after the broadcast has ended in order.',
    args: object({ force: optional(flag()) }),
    durable: true,
  },
  reboot: {
    doc: 'Reboot the machine (balena), after the broadcast has ended in order. With `force`, even while another service holds a lock.',
    args: object({ force: optional(flag()) }),
    durable: true,
  },
  lock: { doc: 'Hold off updates (balena) until `unlock`, or until the program ends.', args: none },
  unlock: { doc: 'Let updates in again, as the settings say.', args: none },
  restart: {
    doc: 'End the program, so that its supervisor (balena) restarts it; refused where there is none.',
    args: none,
    durable: true,
  },
  diagnostics: {
    doc: 'All that is known of settings and state, the pipeline, and the last 100 lines of the log; no secrets.',
    args: none,
  },
} as const satisfies Record<string, { doc: string; args: Shape<unknown>; durable?: true; repeatable?: true }>;

export type CommandName = keyof typeof commands;
export const commandNames = Object.keys(commands) as CommandName[];

const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name);

/** What each command does; the result is a map for the sender. */
export type Runs = {
  readonly [K in CommandName]: (
    args: Of<(typeof commands)[K]['args']>,
  ) => Promise<Readonly<Record<string, unknown>> | void>;
};

/** The shape of a command as it comes in. */
export const request = object({
  id: text('Chosen by the sender; a command that comes twice with the same id runs once.', {
    maxLength: 128,
    pattern: '^[^\\p{Cc}]+$',
  }),
  expires: optional(
    text('Time with its time zone (RFC 3339) after which the command is not run any more.', { maxLength: 64 }),
  ),
  args: optional({ schema: { type: 'object', description: 'The arguments of the command.' } }),
});

export interface Answer {
  /** Empty where the request has none. */
  readonly id: string;
  readonly ok: boolean;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: FaultReport;
}

/** This many answers are kept, for ids that come again. */
const rememberedAnswers = 200;
/** This many of them with their result: a picture is hundreds of kB. */
const rememberedResults = 4;
/** More commands than this at once are a flood. */
const mostAtOnce = 16;
const stateName = 'commands';
const stateFormat = 1;

export class Dispatcher {
  /** By id. */
  readonly #answers = new Map<string, { readonly name: string; readonly answer: Promise<Answer> }>();
  /** Ids of answers that hold a result, oldest first. */
  readonly #results: string[] = [];
  #running = 0;

  /** `wallMs`: ms since 1970. `builtAt`: no correct clock shows an earlier time. */
  constructor(
    private readonly runs: Runs,
    private readonly storage: Storage,
    private readonly time: { readonly wallMs: () => number; readonly builtAt: number },
  ) {}

  /** Reads the ids from the card of commands that ended the process that ran them. */
  async open(): Promise<void> {
    const kept = (await this.storage.readState(stateName, stateFormat, isKept)) ?? [];
    for (const { id, name } of kept) this.#keep(id, { name, answer: Promise.resolve({ id, ok: true }) });
  }

  /** Whether the machine's clock can be right. */
  get clockIsSet(): boolean {
    return this.time.wallMs() >= this.time.builtAt;
  }

  /** Runs a command, once for each id. Never throws. */
  async ask(name: string, given: unknown): Promise<Answer> {
    const wrong = misfit(request.schema, given);
    const id = idOf(given);
    if (wrong !== undefined)
      return refused(id, new Fault('command_malformed', `A command was not understood: ${wrong}.`));
    const { expires, args = {} } = given as Of<typeof request>;
    const known = this.#answers.get(id);
    if (known && !(isCommand(name) && 'repeatable' in commands[name]))
      return known.name === name ? known.answer : refused(id, taken(known.name));
    const fault = this.#refusal(name, expires, args);
    if (fault || !isCommand(name)) return refused(id, fault ?? unknown());
    if (this.#running >= mostAtOnce)
      return refused(id, new Fault('command_failed', 'Too many commands are running at once.', 'Try again later.'));
    const answer = this.#run(id, name, args as never);
    this.#keep(id, { name, answer });
    return answer;
  }

  #refusal(name: string, expires: string | undefined, args: unknown): Fault | undefined {
    if (!isCommand(name)) return unknown();
    if (expires !== undefined) {
      // Without a zone it would be read in the time zone of this machine.
      const end = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(expires) ? Date.parse(expires) : NaN;
      if (Number.isNaN(end))
        return new Fault('command_malformed', 'expires needs a time with its time zone, such as 2026-01-31T12:00:00Z.');
      if (!this.clockIsSet)
        return new Fault(
          'clock_not_set',
          'The clock of this machine is not set, so nobody knows whether the command has expired.',
          'Try again without expires, or once the clock is set.',
        );
      if (this.time.wallMs() > end) return new Fault('command_expired', `The command expired at ${expires}.`);
    }
    const wrong = misfit(commands[name].args.schema, args, 'args');
    return wrong === undefined
      ? undefined
      : new Fault('command_malformed', `The command was not understood: ${wrong}.`);
  }

  async #run(id: string, name: CommandName, args: never): Promise<Answer> {
    this.#running += 1;
    try {
      if ('durable' in commands[name]) await this.#write({ id, name });
      const result = await this.runs[name](args);
      if (result) this.#thin(id);
      return { id, ok: true, ...(result ? { result } : {}) };
    } catch (error) {
      return refused(id, Fault.from(error));
    } finally {
      this.#running -= 1;
    }
  }

  /** Written to the card before it runs: otherwise the same command, sent again, would end the next run too. With its name, as an id answers for one command only. */
  async #write(command: Asked): Promise<void> {
    const known = [...this.#answers].map(([id, { name }]) => ({ id, name }));
    const others = known.filter(({ id, name }) => isDurable(name) && id !== command.id);
    if (await this.storage.writeState(stateName, stateFormat, [...others, command])) return;
    const what = 'The command was not run: it cannot be noted in the data folder, so it could run again and again.';
    throw new Fault('state_unwritable', what, 'Free some space in the data folder, and make it writable.');
  }

  /** Drops the results of older answers. */
  #thin(id: string): void {
    this.#results.push(id);
    const old = this.#results.length > rememberedResults ? this.#results.shift() : undefined;
    const kept = old === undefined ? undefined : this.#answers.get(old);
    if (old !== undefined && kept) this.#answers.set(old, { ...kept, answer: Promise.resolve({ id: old, ok: true }) });
  }

  #keep(id: string, answer: { readonly name: string; readonly answer: Promise<Answer> }): void {
    this.#answers.set(id, answer);
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > rememberedAnswers && oldest !== undefined) this.#answers.delete(oldest);
  }
}

export const refused = (id: string, fault: Fault): Answer => ({ id, ok: false, error: fault.report() });

const unknown = (): Fault =>
  new Fault('command_unknown', 'There is no such command.', `Known commands: ${commandNames.join(', ')}.`);

/** The answer to another command says nothing about this one. */
const taken = (name: string): Fault =>
  new Fault(
    'command_malformed',
    `The id was already used for another command, ${name}.`,
    'Give each command its own id.',
  );

/** The id of a request that may be malformed. */
export function idOf(given: unknown): string {
  const id = typeof given === 'object' && given !== null && 'id' in given ? given.id : undefined;
  return typeof id === 'string' && id.length <= 128 ? id : '';
}

interface Asked {
  readonly id: string;
  readonly name: string;
}

const isDurable = (name: string): boolean => isCommand(name) && 'durable' in commands[name];

const isKept = (value: unknown): value is Asked[] =>
  Array.isArray(value) &&
  value.every((each: Partial<Asked> | null) => typeof each?.id === 'string' && typeof each.name === 'string');
