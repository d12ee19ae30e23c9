/** Which cameras, microphones, files, drawn pictures and encoders cannot be used now, why, and when each is tried again. */
import type { Camera, Machine, Mode, SlateImage } from '../../../pipelines/machine.js';
import type { OnAir } from '../../../pipelines/onair.js';
import type { Plan } from '../../../pipelines/plan.js';
import { rawKinds } from '../../../pipelines/choose/camera.js';
import { chooseFormat } from '../../../pipelines/choose/format.js';
import type { Clock } from '../../clock.js';
import { Fault, type FaultReport } from '../../errors.js';
import type { EncoderRequest, InputPart } from '../../media/messages.js';
import { cameraKey, Shortcomings } from './shortcomings.js';

/** What is tried again after so many failures within {@link memoryMs}: first soon, then ever more seldom. */
const retryMs: readonly number[] = [2000, 4000, 8000, 16_000, 30_000];
/**
 * The same where something was plugged in or out; and one that has failed more than once and comes back must then have been there for
 * so long, without a look that missed it, before it goes on the air again.
 */
const steadyMs: readonly number[] = [300, 2000, 5000, 10_000, 30_000];
/**
 * A camera that opens and gives nothing is listened to again after so long, however often: a dongle without a signal does, and nothing
 * tells when it has one.
 */
const silentRetryMs = 2000;
/** A failure that lies so far back counts no more. */
const memoryMs = 120_000;

interface Outage {
  readonly fault: FaultReport;
  /** When it failed, within the last {@link memoryMs}. */
  readonly failures: readonly number[];
  /** When it may be tried again. */
  readonly until: number;
  /** It is on the air once more; what it did is not forgotten yet. */
  readonly over: boolean;
  /** What it was of, if a camera. */
  readonly camera?: Camera;
  /** Formats in which it opens and gives nothing: it is used again only once it was seen to give a picture in one of them. */
  readonly silentIn?: readonly Mode[];
}

/** The same camera at another port: there is nothing by which twins without a serial number could be told apart. */
const isSame = (one: Camera | undefined, other: Camera): boolean =>
  one !== undefined && one.name === other.name && one.driver === other.driver && one.byId === other.byId;

/** A question to a camera that was silent: whether it gives a picture in this format. */
export interface Audition {
  readonly camera: Camera;
  readonly mode: Mode;
}

const heardAgain = ({ silentIn: _, ...outage }: Outage): Outage => outage;

const microphoneKey = (id: string): string => `microphone ${id}`;
const encoderKey = (name: string): string => `encoder ${name}`;
const filesKey = 'files';
const testKey = 'test picture';

/** Which sources are what they were. */
export interface Same {
  readonly video: boolean;
  readonly sound: boolean;
}

export class Inputs {
  readonly #outages = new Map<string, Outage>();
  readonly #counted = new WeakSet<Plan>();
  /** What has begun to play last. */
  #onAir: Plan | undefined;
  readonly #shortcomings = new Shortcomings();
  /** Since when each camera and microphone is there. */
  readonly #since = new Map<string, number>();
  #cameraSeen = false;
  /** What was heard with the camera last. */
  #heard: OnAir['heard'];
  /** The slate's picture failed on the air, though it had looked like one: it is left out until its file changes. */
  #brokenImage: SlateImage | undefined;

  constructor(private readonly clock: Clock) {}

  /** A look has found the `machine` to be so. */
  looked({ cameras, microphones }: Machine): void {
    const now = this.clock.now();
    const there = new Set([...cameras.map(cameraKey), ...microphones.map(({ id }) => microphoneKey(id))]);
    for (const key of [...this.#since.keys()]) if (!there.has(key)) this.#since.delete(key);
    this.#shortcomings.keep(there);
    for (const key of there) if (!this.#since.has(key)) this.#since.set(key, now);
    // One that was plugged out is another when it comes back.
    for (const [key, outage] of this.#outages) if (!there.has(key)) this.#outages.set(key, heardAgain(outage));
    // Between two looks it may have come back under another node, by which it is asked for a picture.
    for (const camera of cameras) {
      const outage = this.#outages.get(cameraKey(camera));
      if (outage?.camera) this.#outages.set(cameraKey(camera), { ...outage, camera });
    }
  }

  /** When it may go on the air again, since it was left out or because it comes and goes; one that was lost once may at once. */
  #readyAt(key: string, { until, failures }: Outage): number {
    const now = this.clock.now();
    const since = this.#since.get(key);
    const count = failures.filter((at) => now - at < memoryMs).length;
    return since === undefined || count < 2 ? until : Math.max(until, since + step(steadyMs, count));
  }

  /** What of `machine` may be used now. */
  usable(machine: Machine): Machine {
    const now = this.clock.now();
    const out = (key: string): boolean => {
      const outage = this.#outages.get(key);
      return outage !== undefined && (outage.silentIn !== undefined || this.#readyAt(key, outage) > now);
    };
    const files = this.#outages.get(filesKey);
    const test = this.#outages.get(testKey);
    const image = this.#brokenImage;
    return {
      ...machine,
      ...(test && out(testKey) ? { testFault: test.fault } : {}),
      ...(files && out(filesKey) ? { filesFault: files.fault } : {}),
      ...(image && image.version === machine.slateImage?.version ? { slateImage: image } : {}),
      cameras: machine.cameras
        .filter((camera) => !out(cameraKey(camera)))
        .map((camera) => this.#shortcomings.fit(camera)),
      microphones: machine.microphones.filter(({ id }) => !out(microphoneKey(id))),
      encoders: machine.encoders.map((encoder) =>
        out(encoderKey(encoder.element)) ? { ...encoder, works: false, why: 'it failed on the air' } : encoder,
      ),
    };
  }

  /** What was on the air of cameras and microphones, where only those of `usable` may be used of `machine`. */
  onAir(machine: Machine, usable: Machine): OnAir {
    return {
      cameraLost: this.#cameraSeen || usable.cameras.length < machine.cameras.length,
      ...(this.#heard ? { heard: this.#heard } : {}),
    };
  }

  /**
   * `part` of `plan`, which was made of `machine`, failed: it is left out for a while. False where that is nothing that can be done
   * without, or where it has been counted for this plan before (its device vanished, and then its driver said so).
   */
  failed(part: InputPart, fault: Fault, plan: Plan, machine: Machine): boolean {
    const { camera, microphone, slateImage } = plan.devices;
    const found = machine.cameras.find(({ path }) => path === camera);
    const key =
      plan.kind === 'file' && (part === 'picture' || part === 'sound')
        ? filesKey
        : part === 'picture' && found
          ? cameraKey(found)
          : part === 'sound' && microphone !== undefined
            ? microphoneKey(microphone)
            : part === 'picture' && plan.kind === 'test'
              ? testKey
              : undefined;
    const image = part === 'picture' && machine.slateImage?.path === slateImage ? machine.slateImage : undefined;
    if ((key === undefined && !image) || this.#counted.has(plan)) return false;
    this.#counted.add(plan);
    if (image) this.#brokenImage = { ...image, unfit: imageFault(image, fault).report() };
    if (key === undefined) return true;
    const ofCamera = part === 'picture' ? found : undefined;
    const failedIn = ofCamera && plan.mode ? this.#shortcomings.leaveOut(ofCamera, plan.mode, fault) : [];
    if (!failedIn) return true;
    const isSilent = ofCamera !== undefined && fault.code === 'source_silent';
    // Only of what comes and goes there may be too much, and another camera on the air is not to be disturbed.
    const isStillSilent = isSilent && (this.#onAir === undefined || this.#onAir.kind === 'slate');
    const failures = isStillSilent ? this.#recent(key) : this.#failures(key);
    const until = this.clock.now() + (isStillSilent ? silentRetryMs : step(retryMs, failures.length));
    this.#outages.set(key, {
      ...{ fault: fault.report(), failures, until, over: false },
      ...(found && { camera: found }),
      ...(isSilent && ofCamera.api === 'v4l2' && failedIn.length > 0 && { silentIn: failedIn }),
    });
    return true;
  }

  /** Silent cameras that may be asked for a picture now: to open one in the place of what is on the air would cost that, and be in vain. */
  get auditions(): readonly Audition[] {
    const now = this.clock.now();
    return [...this.#outages].flatMap(([key, outage]) => {
      const { camera, silentIn } = outage;
      return camera && silentIn?.[0] && this.#readyAt(key, outage) <= now ? [{ camera, mode: silentIn[0] }] : [];
    });
  }

  /** Whether a silent camera gave a picture when it was asked for one. */
  auditioned(camera: Camera, gives: boolean): void {
    const key = cameraKey(camera);
    const outage = this.#outages.get(key);
    if (!outage?.silentIn) return;
    const [tried, ...others] = outage.silentIn;
    const until = this.clock.now() + silentRetryMs;
    this.#outages.set(key, gives ? heardAgain(outage) : { ...outage, until, silentIn: [...others, tried!] });
  }

  /** Something other than a silent camera may be tried again now. */
  get isDue(): boolean {
    const now = this.clock.now();
    return [...this.#outages].some(
      ([key, outage]) => !outage.over && !outage.silentIn && this.#readyAt(key, outage) <= now,
    );
  }

  /** What passes through in `plan` is not fit to: the camera's H.264 is left out. False where nothing here could encode what else it gives. */
  encodeInstead(plan: Plan, { what }: Fault, machine: Machine): boolean {
    const camera = machine.cameras.find(({ path }) => path === plan.devices.camera);
    const usable = this.usable(machine);
    const raw = camera && chooseFormat(this.#shortcomings.fit(camera).formats, plan.video, rawKinds(machine));
    if (!camera || !raw || !usable.encoders.some(({ works }) => works)) return false;
    this.#shortcomings.leaveOutH264(camera, `${what} It is encoded here instead.`);
    return true;
  }

  /** The encoder of the camera in `plan` has refused `what`. `why`: a few words. */
  refused(plan: Plan, what: EncoderRequest, why: string, machine: Machine): void {
    const camera = machine.cameras.find(({ path }) => path === plan.devices.camera);
    if (camera) this.#shortcomings.refused(camera, what, why);
  }

  /** An encoder that is not used any more in this broadcast; one that is `insisted` on, for a while. */
  leaveOut(encoder: string, fault: Fault, insisted = false): void {
    const key = encoderKey(encoder);
    const failures = this.#failures(key);
    const until = insisted ? this.clock.now() + step(retryMs, failures.length) : Infinity;
    this.#outages.set(key, { fault: fault.report(), failures, until, over: false });
  }

  /** Those of late, with the one of now. */
  #failures(key: string): number[] {
    return [...this.#recent(key), this.clock.now()];
  }

  #recent(key: string): number[] {
    const now = this.clock.now();
    return (this.#outages.get(key)?.failures ?? []).filter((at) => now - at < memoryMs);
  }

  /** Something was plugged in or out: what failed may work again, but it may also have come and gone between two looks. */
  devicesChanged(): void {
    const now = this.clock.now();
    for (const [key, outage] of this.#outages) {
      if (!outage.over && this.#since.has(key)) this.#since.set(key, now);
      const soon = now + step(steadyMs, outage.failures.length);
      if (outage.until > soon && outage.until < Infinity) this.#outages.set(key, { ...outage, until: soon });
    }
  }

  /** `plan` gives pictures and sound. */
  playing(plan: Plan, machine: Machine): void {
    this.#onAir = plan;
    const camera = machine.cameras.find(({ path }) => path === plan.devices.camera);
    if (camera) {
      if (plan.mode) this.#shortcomings.worked(camera, plan.mode);
      this.#cameraSeen = true;
      const { microphone = this.#heard?.microphone } = plan.devices;
      this.#heard = microphone === undefined ? {} : { microphone };
    }
    const keys = [
      encoderKey(plan.video.encoder),
      ...(camera ? [cameraKey(camera)] : []),
      ...(plan.devices.microphone === undefined ? [] : [microphoneKey(plan.devices.microphone)]),
      ...(plan.kind === 'file' ? [filesKey] : []),
      ...(plan.kind === 'test' ? [testKey] : []),
    ];
    for (const [key, outage] of this.#outages) {
      const isMoved = camera !== undefined && !this.#since.has(key) && isSame(outage.camera, camera);
      if (keys.includes(key) || isMoved) this.#outages.set(key, { ...heardAgain(outage), over: true });
    }
  }

  /** Milliseconds until something may be tried again; undefined where nothing waits. */
  get nextMs(): number | undefined {
    const now = this.clock.now();
    const waits = [...this.#outages].flatMap(([key, outage]) => {
      const at = this.#readyAt(key, outage);
      return at > now && at < Infinity ? [at - now] : [];
    });
    return waits.length > 0 ? Math.min(...waits) : undefined;
  }

  /** The faults of what cannot be used now, not of what is back. */
  get problems(): FaultReport[] {
    return [...this.#outages.values()].filter(({ over }) => !over).map(({ fault }) => fault);
  }

  /** A new broadcast, or another source, begins with a clean record; the slate may stand in for the `same` camera all the while. */
  forget(same: Same = { video: false, sound: false }): void {
    this.#onAir = undefined;
    this.#outages.clear();
    this.#shortcomings.forget();
    this.#brokenImage = undefined;
    if (!same.video) this.#cameraSeen = false;
    if (!same.video || !same.sound) this.#heard = undefined;
  }
}

const imageFault = ({ path }: SlateImage, { what }: Fault): Fault =>
  new Fault(
    'slate_image',
    `The picture ${JSON.stringify(path)} cannot be shown: ${what}`,
    'Name another PNG or JPEG in slate.image; until then the slate shows its text.',
  );

const step = (waits: readonly number[], failures: number): number =>
  waits[Math.min(Math.max(failures, 1), waits.length) - 1]!;
