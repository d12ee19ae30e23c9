/** Carries out what the delivery process is told: tags from capture go through the hub to every output, and into the recording. */
import type { Clock } from '../../clock.js';
import {
  beatMs,
  type FromDelivery,
  type OutputStatus,
  type ToDelivery,
  type WantedOutput,
  type WantedRecording,
} from '../messages.js';
import type { Peer, Work } from '../peer.js';
import { Door } from './door.js';
import type { Hub } from './hub.js';
import { Output } from './output.js';
import { Recorder } from './recording/recorder.js';
import type { Sockets } from './sockets.js';

export class Delivery implements Work<ToDelivery, FromDelivery> {
  readonly beatMs = beatMs.delivery;
  readonly #door: Door;
  readonly #outputs = new Map<string, Output>();
  /** When each destination was last left while it was live. */
  readonly #left = new Map<string, number>();
  #recorder: Recorder | undefined;

  /** `wallMs` of the clock: ms since 1970. */
  constructor(
    private readonly peer: Peer<FromDelivery>,
    private readonly hub: Hub,
    private readonly sockets: Sockets,
    private readonly clock: Clock & { readonly wallMs: () => number },
  ) {
    this.#door = new Door((pieces) => hub.accept(pieces));
  }

  async handle(message: ToDelivery): Promise<void> {
    const { peer, hub } = this;
    switch (message.type) {
      case 'hub':
        await this.#door.open(message.socket);
        return peer.send({ type: 'ready' });
      case 'outputs':
        return this.#setOutputs(message.outputs);
      case 'recording':
        return this.#setRecording(message.recording);
      case 'delay':
        if (hub.delay(message.audioMs)) peer.send({ type: 'keyframe' });
        return;
      case 'retry':
        for (const [name, output] of this.#outputs)
          if (message.output === undefined || message.output === name) output.retry();
        return;
      case 'network':
        for (const output of this.#outputs.values()) output.networkChanged();
        return;
      case 'picture': {
        const flv = hub.picture();
        return peer.send({ type: 'picture', ...(flv ? { flv: flv.toString('base64') } : {}) });
      }
      case 'halt':
        return;
    }
  }

  beat(): FromDelivery {
    this.#recorder?.measure();
    this.#door.look();
    const statuses = [...this.#outputs].map(([name, output]): [string, OutputStatus] => [name, output.status()]);
    const recording = this.#recorder ? { recording: this.#recorder.status() } : {};
    return { type: 'beat', hub: this.hub.status(), outputs: Object.fromEntries(statuses), ...recording };
  }

  async halt(): Promise<void> {
    await Promise.all([this.#recorder, ...this.#outputs.values()].map((output) => output?.close()));
  }

  /** Opens what is new, closes what is gone, reopens what has changed, and leaves the rest alone. */
  async #setOutputs(wanted: readonly WantedOutput[]): Promise<void> {
    this.peer.send({ type: 'busy' });
    const keep = new Map(wanted.map((each) => [each.name, each]));
    const closing = [...this.#outputs].filter(([name, output]) => {
      const next = keep.get(name);
      return !next || !output.take(next);
    });
    for (const [name] of closing) this.#outputs.delete(name);
    const closed = closing.map(([name, output]) => ({ name, session: output.session, done: output.close() }));
    for (const each of wanted) {
      if (this.#outputs.has(each.name)) continue;
      const output = this.#made(each);
      // The server may still hold the session that is being closed, whatever its output was called.
      const before = closed.filter(({ name, session }) => name === each.name || session === output.session);
      void Promise.all(before.map(({ done }) => done)).then(() => {
        if (this.#outputs.get(each.name) === output) output.start();
      });
    }
    await Promise.all(closed.map(({ done }) => done));
  }

  #made(wanted: WantedOutput): Output {
    const { name, liveAgoMs } = wanted;
    const tell = {
      status: () => this.peer.send({ type: 'output', name, status: output.status() }),
      keyframe: () => this.peer.send({ type: 'keyframe' }),
    };
    const output: Output = new Output(wanted, this.hub, this.sockets, this.clock, tell, this.#left);
    this.#outputs.set(name, output);
    if (liveAgoMs !== undefined && !this.#left.has(output.session))
      this.#left.set(output.session, this.clock.now() - liveAgoMs);
    return output;
  }

  /** Other limits are taken over in mid-recording; another folder is another recording. */
  async #setRecording(wanted: WantedRecording | undefined): Promise<void> {
    const before = this.#recorder;
    if (wanted && wanted.folder === before?.wanted.folder) return before.adjust(wanted);
    this.#recorder = undefined;
    if (wanted) {
      const next: Recorder = new Recorder(wanted, this.hub, this.clock, {
        status: () => this.peer.send({ type: 'recording', status: next.status() }),
        keyframe: () => this.peer.send({ type: 'keyframe' }),
      });
      this.#recorder = next;
      next.start();
    }
    await before?.close();
  }
}
