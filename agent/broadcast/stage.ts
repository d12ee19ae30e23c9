/** The stage: the plan on the air, the one that is about to replace it, and the process that plays both. */
import type { ElementProperty } from '../../pipelines/graph.js';
import type { Plan } from '../../pipelines/plan.js';
import { Fault } from '../errors.js';
import { Child } from '../media/child.js';
import { memoryLimits, type MemoryLimits } from '../media/memory.js';
import { beatMs, type FromCapture, type EncoderRequest, type InputPart, type ToCapture } from '../media/messages.js';
import type { Pace } from '../media/watchdog.js';

/** Of the memory of this machine. The connections outlive a capture process that is replaced, so it may be so early. */
const captureShare = 0.35;
/** Three beats missed. What viewers miss begins with the first one. */
const pace: Pace = { beatMs: beatMs.capture, hungMs: 1500 };

export interface StageEvents {
  /** `plan` gives pictures, `afterMs` after it was asked for. */
  playing(plan: Plan, afterMs: number): void;
  /** A part of `plan` failed, and the plan with it. What was on before stays on where the two could overlap. */
  failed(plan: Plan, part: InputPart, fault: Fault): void;
  /** The last file was played. */
  ended(): void;
  /** The last file was played, and the first one begins again. */
  round(): void;
  /** The camera's encoder refuses what `plan`, which plays or is about to, asks of it. */
  refused(plan: Plan, what: EncoderRequest, why: string): void;
  /** The passed-through video of `plan`, which is on the air, has had no keyframe for this many seconds. */
  sparse(plan: Plan, seconds: number): void;
  beat(): void;
  said(line: string): void;
  /** A process that had grown, as `what` says, was replaced. */
  recycled(what: string): void;
  /** The process ended by itself, or was killed because it hung. */
  died(fault: Fault): void;
}

/** A plan that plays or is about to, by the id of its `play` message. */
interface Playing {
  readonly id: number;
  plan: Plan;
}

export class Stage {
  #capture: Child<ToCapture, FromCapture>;
  /** The process that is to replace it: it loads while the other goes on. */
  #fresh: Child<ToCapture, FromCapture> | undefined;
  /** The process that has replaced it, and waits until the old one has released the devices. */
  #waits: Child<ToCapture, FromCapture> | undefined;
  #socket = '';
  #batchMs = 0;
  #lastId = 0;
  #on: Playing | undefined;
  #coming: Playing | undefined;
  #waiting: (() => void)[] = [];

  constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly events: StageEvents,
    private readonly limits: MemoryLimits = memoryLimits(captureShare),
  ) {
    this.#capture = this.#child();
  }

  #child(): Child<ToCapture, FromCapture> {
    const heard = {
      message: (message: FromCapture) => {
        if (child === this.#capture) this.#heard(message);
        else if (child === this.#fresh && message.type === 'ready') void this.#swap(child);
      },
      said: (line: string) => this.events.said(line),
      died: (fault: Fault) => {
        if (child === this.#fresh) this.#fresh = undefined;
        if (child !== this.#capture) return;
        this.#waits = undefined;
        this.#on = undefined;
        this.#came();
        this.events.died(fault);
      },
    };
    const { environment, limits } = this;
    const child: Child<ToCapture, FromCapture> = new Child(
      'capture',
      'capture/main.js',
      pace,
      environment,
      heard,
      limits,
    );
    return child;
  }

  /** The plan that gives pictures now. */
  get onAir(): Plan | undefined {
    return this.#on?.plan;
  }

  /** The plan that was asked for last, whether it gives pictures yet or not. */
  get wanted(): Plan | undefined {
    return (this.#coming ?? this.#on)?.plan;
  }

  /** Messages that are sent before the process is up wait in the channel, in order. `socket`: where the hub listens. */
  start(socket: string): void {
    this.#socket = socket;
    this.#capture.start();
    this.#capture.send({ type: 'hub', socket });
  }

  /** Plays `plan`. `abrupt`: what is on the air goes off at once. */
  play(plan: Plan, batchMs: number, abrupt: boolean): void {
    this.#batchMs = batchMs;
    const on = this.#on;
    const overlap = on !== undefined && !abrupt && !shareDevice(on.plan, plan);
    if (!overlap) this.#on = undefined;
    this.#lastId += 1;
    this.#coming = { id: this.#lastId, plan };
    if (!this.#waits) this.#capture.send({ type: 'play', id: this.#lastId, plan, batchMs, overlap });
  }

  /** The plan that was asked for last becomes `plan` by setting `properties`. */
  adjust(plan: Plan, properties: readonly ElementProperty[]): void {
    const playing = this.#coming ?? this.#on;
    if (!playing) return;
    playing.plan = plan;
    if (properties.length > 0 && !this.#waits) this.#capture.send({ type: 'adjust', plan, properties });
  }

  keyframe(): void {
    this.#capture.send({ type: 'keyframe' });
  }

  /**
   * Replaces a process that has grown, where nobody notices: `quiet` means that nothing is sent or recorded. Otherwise only a picture
   * that is drawn can go on in a new process, with no more of a gap than any splice has; a camera would have to be reopened, and a
   * file would start from its beginning.
   */
  recycle(quiet: boolean): void {
    const plan = this.#on?.plan;
    if (!plan?.live || this.#coming || this.#fresh || this.#capture.grown === undefined) return;
    if (!quiet && (plan.devices.camera ?? plan.devices.microphone) !== undefined) return;
    this.#fresh = this.#child();
    this.#fresh.start();
  }

  async #swap(fresh: Child<ToCapture, FromCapture>): Promise<void> {
    const before = this.#capture;
    const what = before.grown;
    this.#fresh = undefined;
    this.#capture = fresh;
    this.#waits = fresh;
    await before.stop();
    // It may itself have ended by now, or been told to.
    if (this.#waits !== fresh) return;
    this.#waits = undefined;
    fresh.send({ type: 'hub', socket: this.#socket });
    const plan = this.wanted;
    if (plan) this.play(plan, this.#batchMs, true);
    if (what !== undefined) this.events.recycled(what);
  }

  async stop(): Promise<void> {
    const fresh = this.#fresh;
    this.#fresh = undefined;
    this.#waits = undefined;
    await Promise.all([this.#capture.stop(), fresh?.stop()]);
    this.#on = undefined;
    this.#came();
  }

  /** Resolves once the process has done everything it was told, and the plan that was asked for last gives pictures or has failed. */
  async applied(): Promise<void> {
    await this.#capture.synced();
    if (this.#coming) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The coming plan is on, or will not come. */
  #came(): void {
    this.#coming = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  #heard(message: FromCapture): void {
    switch (message.type) {
      case 'playing':
        if (message.id === this.#coming?.id) {
          this.#on = this.#coming;
          this.#came();
          this.events.playing(this.#on.plan, message.afterMs);
        }
        return;
      case 'fault': {
        const playing = [this.#coming, this.#on].find((each) => each?.id === message.id);
        if (!playing) return;
        if (playing === this.#coming) this.#came();
        else this.#on = undefined;
        const { code, what, remedy } = message.fault;
        return this.events.failed(playing.plan, message.part, new Fault(code, what, remedy));
      }
      case 'ended':
        if (message.id === (this.#coming ?? this.#on)?.id) this.events.ended();
        return;
      case 'round':
        if (message.id === (this.#coming ?? this.#on)?.id) this.events.round();
        return;
      case 'sparse':
        if (message.id === this.#on?.id) this.events.sparse(this.#on.plan, message.seconds);
        return;
      case 'refused': {
        const playing = this.#coming ?? this.#on;
        if (message.id === playing?.id) this.events.refused(playing.plan, message.what, message.why);
        return;
      }
      case 'beat':
        return this.events.beat();
      case 'busy':
      case 'ready':
        return;
    }
  }
}

/** A device is opened by one pipeline at a time. */
function shareDevice({ devices: one }: Plan, { devices: other }: Plan): boolean {
  const same = (a: string | undefined, b: string | undefined): boolean => a !== undefined && a === b;
  return same(one.camera, other.camera) || same(one.microphone, other.microphone);
}
