/** Which cameras, microphones, files and encoders may be used: one by which a plan fails is left out for a while, or for the broadcast. */
import type { Camera, Machine } from '../../../pipelines/machine.js';
import type { OnAir } from '../../../pipelines/onair.js';
import type { Plan } from '../../../pipelines/plan.js';
import type { Clock } from '../../clock.js';
import { Fault, type FaultReport } from '../../errors.js';
import type { Log } from '../../log.js';
import type { EncoderRequest, InputPart } from '../../media/messages.js';
import { type Audition, Inputs, type Same } from './inputs.js';

/** After this many crashes of the process, or failures of no particular input, in a row, something else is tried. */
const patience = 3;

export class Availability {
  readonly #inputs: Inputs;
  /** The machine that each plan was made for. */
  readonly #machine = new WeakMap<Plan, Machine>();
  /** Failures in a row for which no input is to blame. */
  #unexplained = 0;
  #needsOthers = false;

  constructor(
    private readonly log: Log,
    clock: Clock,
  ) {
    this.#inputs = new Inputs(clock);
  }

  /** A look has found the `machine` to be so. */
  looked(machine: Machine): void {
    this.#inputs.looked(machine);
  }

  /** What of `machine` may be used now. */
  usable(machine: Machine): Machine {
    return this.#inputs.usable(machine);
  }

  /** What was on the air of cameras and microphones, where only those of `usable` may be used of `machine`. */
  onAir(machine: Machine, usable: Machine): OnAir {
    return this.#inputs.onAir(machine, usable);
  }

  /** `plan`, made of `machine`, takes the place of the one `before`. */
  planned(plan: Plan, machine: Machine, before: Plan | undefined): void {
    if (before && plan.video.encoder !== before.video.encoder) this.#unexplained = 0;
    this.#machine.set(plan, machine);
  }

  /** `plan` gives pictures and sound. */
  playing(plan: Plan): void {
    const machine = this.#machine.get(plan);
    if (machine) this.#inputs.playing(plan, machine);
  }

  /** What is played has been played for a while. */
  steady(): void {
    this.#unexplained = 0;
  }

  devicesChanged(): void {
    this.#inputs.devicesChanged();
  }

  /** A camera or microphone that is no longer there has failed, even if its driver has not reported it yet. True where that is new. */
  unplugged(plan: Plan, { cameras, microphones }: Machine): boolean {
    const { camera, microphone } = plan.devices;
    const fault = (source: string) => new Fault('source_not_found', `${source} was unplugged.`, 'Plug it in again.');
    if (camera !== undefined && !cameras.some(({ path }) => path === camera))
      return this.failed(plan, 'picture', fault(plan.video.source));
    if (microphone === undefined || microphones.some(({ id }) => id === microphone)) return false;
    return this.failed(plan, 'sound', fault(plan.audio.source));
  }

  /** False where the fault is none of an input, or that input has been counted out for this plan before. */
  failed(plan: Plan, part: InputPart, fault: Fault): boolean {
    const machine = this.#machine.get(plan);
    const isKnown = fault.code === 'source_silent' && this.problems.some(({ what }) => what === fault.what);
    if (!machine || !this.#inputs.failed(part, fault, plan, machine)) return false;
    // It is tried again every few seconds, for as long as it takes.
    if (isKnown) return true;
    this.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
    return true;
  }

  /** The passed-through video of `plan` is unfit for it. True where it is encoded here from now on. */
  encodeInstead(plan: Plan, fault: Fault): boolean {
    const machine = this.#machine.get(plan);
    return machine !== undefined && this.#inputs.encodeInstead(plan, fault, machine);
  }

  /** The encoder of the camera in `plan` has refused `what`: it is not asked for that from now on. */
  refused(plan: Plan, what: EncoderRequest, why: string): void {
    const machine = this.#machine.get(plan);
    if (machine) this.#inputs.refused(plan, what, why, machine);
  }

  /**
   * `plan` failed, and no input is to blame. True where the next best way is to be taken, since it failed again and again.
   * `insisted`: its encoder is tried again after a while, since only the slate goes without it.
   */
  failedAgain(plan: Plan | undefined, fault: Fault, insisted: boolean): boolean {
    this.#unexplained += 1;
    if (insisted && this.#unexplained >= patience - 1) this.#needsOthers = true;
    return plan !== undefined && this.#unexplained >= patience && this.#doWithout(plan, fault, insisted);
  }

  /** The encoder that is insisted on is about to be left out: looks at the machine are for any, which the slate may go by. */
  get needsOthers(): boolean {
    return this.#needsOthers;
  }

  /** Silent cameras that may be asked for a picture now. */
  get auditions(): readonly Audition[] {
    return this.#inputs.auditions;
  }

  /** Whether a silent camera gave a picture when it was asked for one. */
  auditioned(camera: Camera, gives: boolean): void {
    this.#inputs.auditioned(camera, gives);
  }

  /** Something other than a silent camera may be tried again now. */
  get isDue(): boolean {
    return this.#inputs.isDue;
  }

  /** Milliseconds until something may be tried again; undefined where nothing waits. */
  get nextMs(): number | undefined {
    return this.#inputs.nextMs;
  }

  get problems(): FaultReport[] {
    return this.#inputs.problems;
  }

  /** The sources have changed: failures of the old ones say nothing about the new. `onAir` may be one of these, and then plays on. */
  forgetInputs(same: Same, onAir: Plan | undefined): void {
    this.#inputs.forget(same);
    if (onAir) this.playing(onAir);
  }

  /** A new broadcast begins with a clean record. */
  forget(): void {
    this.#inputs.forget();
    this.#unexplained = 0;
    this.#needsOthers = false;
  }

  /** By another encoder, or else with the slate; false where nothing less is left. */
  #doWithout(plan: Plan, fault: Fault, insisted: boolean): boolean {
    this.#unexplained = 0;
    const others = this.usable(this.#machine.get(plan)!).encoders.filter(
      ({ element, works }) => works && element !== plan.video.encoder,
    );
    const byImage = plan.devices.slateImage !== undefined;
    const byEncoder = !byImage && plan.video.encoder !== 'passthrough' && others.length > 0;
    const kind = byImage ? 'the picture of the slate' : plan.video.source;
    const what = byEncoder ? `the encoder ${plan.video.encoder}` : kind;
    if (byEncoder) this.#inputs.leaveOut(plan.video.encoder, fault, insisted);
    else if (!this.failed(plan, 'picture', fault)) return false;
    this.log.warn('next_best', `${what} is no longer used, because this has happened ${patience} times: ${fault.what}`);
    return true;
  }
}
