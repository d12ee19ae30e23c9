/** Carries out what the capture process is told: a plan plays, another takes its place, and their tags go to the hub. */
import type { Clock } from '../../clock.js';
import { Fault } from '../../errors.js';
import { beatMs, type FromCapture, type ToCapture } from '../messages.js';
import type { Peer, Work } from '../peer.js';
import { Player } from './player.js';
import { Uplink } from './uplink.js';

type Play = Extract<ToCapture, { type: 'play' }>;

export class Capture implements Work<ToCapture, FromCapture> {
  readonly beatMs = beatMs.capture;
  #uplink: Uplink | undefined;
  /** What is on. */
  #player: Player | undefined;
  /** What is to take its place as soon as it gives something. */
  #next: Player | undefined;

  constructor(
    private readonly peer: Peer<FromCapture>,
    private readonly clock: Clock,
  ) {}

  handle(message: ToCapture): void {
    switch (message.type) {
      case 'hub':
        this.#uplink = new Uplink(message.socket, () => this.#player?.forceKeyframe());
        return;
      case 'play':
        return this.#play(message);
      case 'adjust':
        return (this.#next ?? this.#player)?.adjust(message.plan, message.properties);
      case 'keyframe':
        return this.#player?.forceKeyframe();
      case 'halt':
        return;
    }
  }

  beat(): FromCapture {
    this.#uplink?.look();
    return { type: 'beat' };
  }

  halt(): Promise<void> {
    this.#next?.stop();
    this.#player?.stop();
    this.#uplink?.close();
    return Promise.resolve();
  }

  #play({ id, plan, batchMs, overlap }: Play): void {
    const { peer } = this;
    if (!this.#uplink) throw new Fault('internal', 'A plan arrived before the address of the hub.');
    peer.send({ type: 'busy' });
    const asked = this.clock.now();
    this.#next?.stop();
    this.#next = undefined;
    if (!overlap) {
      this.#player?.stop();
      this.#player = undefined;
    }
    const coming = new Player(plan, this.#uplink, batchMs, this.clock, {
      playing: () => {
        if (this.#next === coming) this.#swap(coming);
        peer.send({ type: 'playing', id, afterMs: Math.round(this.clock.now() - asked) });
      },
      ended: () => peer.send({ type: 'ended', id }),
      round: () => peer.send({ type: 'round', id }),
      refused: (what, why) => peer.send({ type: 'refused', id, what, why }),
      sparse: (seconds) => peer.send({ type: 'sparse', id, seconds }),
      failed: (fault, part) => {
        if (this.#next === coming) this.#next = undefined;
        peer.send({ type: 'fault', id, part, fault: fault.report() });
      },
    });
    this.#next = coming;
    try {
      coming.start();
    } catch (error) {
      this.#next = undefined;
      peer.send({ type: 'fault', id, part: 'other', fault: Fault.from(error).report() });
      coming.stop();
    }
  }

  #swap(coming: Player): void {
    // A camera may take long to be closed.
    this.peer.send({ type: 'busy' });
    this.#player?.stop();
    this.#player = coming;
    this.#next = undefined;
  }
}
