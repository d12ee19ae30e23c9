/** What comes in: every topic of the table that others write, and what is done with it. */
import { Fault } from '../../errors.js';
import { idOf, refused, type Answer } from '../../control/commands.js';
import type { LayerName } from '../../steering/steering.js';
import { prefixOf, wordIn } from './addresses.js';
import type { Message } from './connection.js';
import { parse } from './payload.js';
import type { MqttDependencies } from './dependencies.js';
import { topics } from './topics.js';

type Topics = typeof topics;
export type Incoming = { [K in keyof Topics]: Topics[K]['direction'] extends 'in' ? K : never }[keyof Topics];

export interface InboxEvents {
  /** The name of this device in topics. */
  id(): string;
  /** Whether what comes has crossed the network encrypted. */
  isPrivate(): boolean;
  answer(command: string, answer: Answer): void;
}

export class Inbox {
  /** One handler for each topic; `word`: the group or the command that the topic names. */
  readonly #handlers: { readonly [K in Incoming]: (word: string, message: Message) => void } = {
    desired: (_, { payload }) => this.#document('device', payload),
    groupDesired: (group, { payload }) => {
      if (this.deps.steering.resolved.settings.mqtt.groups.includes(group)) this.#document(`group ${group}`, payload);
    },
    command: (name, { payload, retained }) => void this.#command(name, payload, retained),
  };

  constructor(
    private readonly deps: MqttDependencies,
    private readonly events: InboxEvents,
  ) {}

  heard(message: Message): void {
    // An empty payload takes a retained message away, and says nothing.
    if (message.payload.length === 0) return;
    const { mqtt } = this.deps.steering.resolved.settings;
    for (const name of Object.keys(this.#handlers) as Incoming[]) {
      const { topic } = topics[name];
      const start = name === 'groupDesired' ? `${mqtt.baseTopic}/v1/` : prefixOf(mqtt, this.events.id());
      const word = wordIn(start + topic, message.topic);
      if (word !== undefined) return this.#handlers[name](word, message);
    }
  }

  #document(layer: LayerName, payload: Buffer): void {
    const parsed = parse(payload);
    if ('value' in parsed) void this.deps.steering.propose(layer, parsed.value);
    else this.deps.steering.refuse(layer, parsed);
  }

  async #command(name: string, payload: Buffer, retained: boolean): Promise<void> {
    const parsed = parse(payload);
    const answer =
      'value' in parsed
        ? await this.#obey(name, parsed.value, retained)
        : refused('', new Fault('command_malformed', parsed.message));
    this.events.answer(name, answer);
  }

  #obey(name: string, given: unknown, retained: boolean): Promise<Answer> | Answer {
    if (retained) {
      const what = 'The command was retained by the broker, and would run at every connection.';
      return refused(idOf(given), new Fault('command_retained', what, 'Publish it without the retain flag.'));
    }
    const { allowPlainSecrets } = this.deps.steering.resolved.settings.mqtt;
    if (name === 'set-secret' && !this.events.isPrivate() && !allowPlainSecrets) {
      const what = 'Secrets are not accepted over a connection without TLS.';
      return refused(
        idOf(given),
        new Fault('command_failed', what, 'Use mqtts:// or wss://, or set mqtt.allowPlainSecrets.'),
      );
    }
    return this.deps.dispatcher.ask(name, given);
  }
}
