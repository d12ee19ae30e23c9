/** What is played: the plan on the air, the one that is about to take its place, and the process that plays both. */
import type { ElementProperty, Plan } from '../../pipelines/plan.js';
import { Fault } from '../errors.js';
import { Child } from '../media/child.js';
import { memoryLimit } from '../media/memory.js';
import type { FromCapture, InputPart, ToCapture } from '../media/messages.js';

/** Of the memory of this machine. The connections outlive a capture process that is replaced, so it may be so early. */
const captureShare = 0.35;
/** Capture beats every 400 ms: three beats missed. What viewers miss begins with the first one. */
const hungMs = 1500;

export interface StageEvents {
  /** `plan` gives pictures, so many ms after it was asked for. */
  playing(plan: Plan, afterMs: number): void;
  /** A part of `plan` failed, and the plan with it. What was on before stays on where the two could overlap. */
  failed(plan: Plan, part: InputPart, fault: Fault): void;
  /** The last file was played. */
  ended(): void;
  beat(): void;
  said(line: string): void;
  /** The process ended or hung, and is gone. */
  died(fault: Fault): void;
}

interface Cast {
  readonly id: number;
  plan: Plan;
}

export class Stage {
  readonly #capture: Child<ToCapture, FromCapture>;
  #lastId = 0;
  #on: Cast | undefined;
  #coming: Cast | undefined;

  constructor(
    environment: NodeJS.ProcessEnv,
    private readonly events: StageEvents,
  ) {
    const heard = {
      message: (message: FromCapture) => this.#heard(message),
      said: (line: string) => events.said(line),
      died: (fault: Fault) => {
        this.#on = undefined;
        this.#coming = undefined;
        events.died(fault);
      },
    };
    this.#capture = new Child('capture', 'capture/main.js', hungMs, environment, heard, memoryLimit(captureShare));
  }

  /** The plan that gives pictures now. */
  get onAir(): Plan | undefined {
    return this.#on?.plan;
  }

  /** The plan that was asked for last, whether it gives pictures yet or not. */
  get wanted(): Plan | undefined {
    return (this.#coming ?? this.#on)?.plan;
  }

  /** What is sent before the process has come up waits for it in the channel, in order. `socket`: where the hub listens. */
  start(socket: string): void {
    this.#capture.start();
    this.#capture.send({ type: 'hub', socket });
  }

  /** `abrupt`: what is on goes off at once. */
  play(plan: Plan, batchMs: number, abrupt: boolean): void {
    const on = this.#on;
    const overlap = on !== undefined && !abrupt && !shareDevice(on.plan, plan);
    if (!overlap) this.#on = undefined;
    this.#lastId += 1;
    this.#coming = { id: this.#lastId, plan };
    this.#capture.send({ type: 'play', id: this.#lastId, plan, batchMs, overlap });
  }

  /** The plan that was asked for last becomes `plan` by setting `properties`. */
  adjust(plan: Plan, properties: readonly ElementProperty[]): void {
    const cast = this.#coming ?? this.#on;
    if (!cast) return;
    cast.plan = plan;
    if (properties.length > 0) this.#capture.send({ type: 'adjust', plan, properties });
  }

  keyframe(): void {
    this.#capture.send({ type: 'keyframe' });
  }

  async stop(): Promise<void> {
    await this.#capture.stop();
    this.#on = undefined;
    this.#coming = undefined;
  }

  #heard(message: FromCapture): void {
    switch (message.type) {
      case 'playing':
        if (message.id === this.#coming?.id) {
          this.#on = this.#coming;
          this.#coming = undefined;
          this.events.playing(this.#on.plan, message.afterMs);
        }
        return;
      case 'fault': {
        const cast = [this.#coming, this.#on].find((each) => each?.id === message.id);
        if (!cast) return;
        if (cast === this.#coming) this.#coming = undefined;
        else this.#on = undefined;
        const { code, what, mend } = message.fault;
        return this.events.failed(cast.plan, message.part, new Fault(code, what, mend));
      }
      case 'ended':
        if (message.id === (this.#coming ?? this.#on)?.id) this.events.ended();
        return;
      case 'beat':
        return this.events.beat();
      case 'busy':
        return;
    }
  }
}

/** A device is opened by one pipeline at a time. */
function shareDevice({ devices: one }: Plan, { devices: other }: Plan): boolean {
  const same = (a: string | undefined, b: string | undefined): boolean => a !== undefined && a === b;
  return same(one.camera, other.camera) || same(one.microphone, other.microphone);
}
