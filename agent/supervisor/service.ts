/** What is in service of cameras, microphones, files and encoders: left out for a while, or for the broadcast, when a plan fails by it. */
import type { Camera, Facts } from '../../pipelines/facts.js';
import type { Plan } from '../../pipelines/plan.js';
import type { Clock } from '../clock.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import type { EncoderRequest, InputPart } from '../media/messages.js';
import { type Audition, Inputs, type Same } from './inputs.js';

/** After so many ends of the process, or failures of nothing in particular, in a row, something else is tried. */
const patience = 3;

export class Service {
  readonly #inputs: Inputs;
  /** What each plan was made of. */
  readonly #facts = new WeakMap<Plan, Facts>();
  /** Failures in a row that point at no input. */
  #unexplained = 0;
  #needsOthers = false;

  constructor(
    private readonly log: Log,
    clock: Clock,
  ) {
    this.#inputs = new Inputs(clock);
  }

  /** A look at the machine has found `facts`. */
  looked(facts: Facts): void {
    this.#inputs.looked(facts);
  }

  /** What of `facts` may be used now. */
  usable(facts: Facts): Facts {
    return this.#inputs.usable(facts);
  }

  /** `plan`, made of `facts`, takes the place of the one `before`. */
  planned(plan: Plan, facts: Facts, before: Plan | undefined): void {
    if (before && plan.video.encoder !== before.video.encoder) this.#unexplained = 0;
    this.#facts.set(plan, facts);
  }

  /** `plan` gives pictures and sound. */
  playing(plan: Plan): void {
    const facts = this.#facts.get(plan);
    if (facts) this.#inputs.playing(plan, facts);
  }

  /** What is played has been played for a while. */
  steady(): void {
    this.#unexplained = 0;
  }

  devicesChanged(): void {
    this.#inputs.devicesChanged();
  }

  /** A camera or microphone that is not there any more has failed, even if its driver has not said so yet. True where that is news. */
  unplugged(plan: Plan, { cameras, microphones }: Facts): boolean {
    const { camera, microphone } = plan.devices;
    const fault = (source: string) => new Fault('source_not_found', `${source} was unplugged.`, 'Plug it in again.');
    if (camera !== undefined && !cameras.some(({ path }) => path === camera))
      return this.failed(plan, 'picture', fault(plan.video.source));
    if (microphone === undefined || microphones.some(({ id }) => id === microphone)) return false;
    return this.failed(plan, 'sound', fault(plan.audio.source));
  }

  /** False where the fault is none of an input, or that input has been counted out for this plan before. */
  failed(plan: Plan, part: InputPart, fault: Fault): boolean {
    const facts = this.#facts.get(plan);
    const isKnown = fault.code === 'source_silent' && this.problems.some(({ what }) => what === fault.what);
    if (!facts || !this.#inputs.failed(part, fault, plan, facts)) return false;
    // It is tried again every few seconds, for as long as it takes.
    if (isKnown) return true;
    this.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
    return true;
  }

  /** What passes through in `plan` is not fit to. True where it is encoded here from now on. */
  encodeInstead(plan: Plan, fault: Fault): boolean {
    const facts = this.#facts.get(plan);
    return facts !== undefined && this.#inputs.encodeInstead(plan, fault, facts);
  }

  /** The encoder of the camera in `plan` has refused `what`: it is not asked for that from now on. */
  refused(plan: Plan, what: EncoderRequest, why: string): void {
    const facts = this.#facts.get(plan);
    if (facts) this.#inputs.refused(plan, what, why, facts);
  }

  /**
   * `plan` failed, by nothing in particular. True where the next best way is to be taken, since the end was the same again and again.
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

  /** Something that is no silent camera may be tried again now. */
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

  /** What went wrong with other sources says nothing about those that come. `onAir` may be one of them, and then plays on. */
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
    const others = this.usable(this.#facts.get(plan)!).encoders.filter(
      ({ element, works }) => works && element !== plan.video.encoder,
    );
    const byImage = plan.devices.slateImage !== undefined;
    const byEncoder = !byImage && plan.video.encoder !== 'passthrough' && others.length > 0;
    const kind = byImage ? 'the picture of the slate' : plan.video.source;
    const what = byEncoder ? `the encoder ${plan.video.encoder}` : kind;
    if (byEncoder) this.#inputs.leaveOut(plan.video.encoder, fault, insisted);
    else if (!this.failed(plan, 'picture', fault)) return false;
    this.log.warn('next_best', `${what} is left out, since this has happened ${patience} times: ${fault.what}`);
    return true;
  }
}
