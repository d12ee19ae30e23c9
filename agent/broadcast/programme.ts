/** What goes on the air: plans as much of what is wanted as this machine can do, plays it, and replans when an input fails or comes back. */
import { describe } from '../../pipelines/describe.js';
import type { Machine, Mode } from '../../pipelines/machine.js';
import type { OnAir } from '../../pipelines/onair.js';
import { liveChanges, type Plan } from '../../pipelines/plan.js';
import type { Wish } from '../../pipelines/wanted.js';
import type { Clock } from '../clock.js';
import type { Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import type { EncoderRequest, InputPart } from '../media/messages.js';
import { Backoff } from './backoff.js';
import { faultOf, Planner, type Made } from './planner.js';
import { Availability } from './inputs/availability.js';
import { Stage } from './stage.js';
import { ActiveFaults } from './activefaults.js';
import { wantedMedia } from './wants.js';

/** What the programme needs of the machine and of the program around it. */
export interface ProgrammeDependencies {
  readonly log: Log;
  readonly clock: Clock;
  /** All that a child may see of our environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** What relative paths of media files start from. */
  readonly folder: string;
  /** Looks at the machine; `failed` are the cameras that could not be used since the last look. Throws a Fault where that cannot be done. */
  readonly gather: (wish: Wish, failed: Iterable<string>) => Promise<Machine>;
  /** Whether any of these media files is another one than at the last look. */
  readonly filesChanged: (paths: readonly string[]) => Promise<boolean>;
  /** The program that holds a device, for people; undefined where none is found. */
  readonly holderOf: (device: string) => Promise<string | undefined>;
  /** Whether the camera of that node, which had fallen silent, gives a picture in that format. */
  readonly givesPicture: (node: string, mode: Mode) => Promise<boolean>;
}

/**
 * The longest pause between two searches for what is wanted and was not found: plugging something in causes an event, but a driver
 * that did not answer when asked causes none. A search costs a Zero W a second of work.
 */
const maxSearchMs = 30_000;

export class Programme {
  readonly #stage: Stage;
  readonly #planner: Planner;
  readonly #availability: Availability;
  /** Retries plans that failed. */
  readonly #backoff: Backoff;
  /** Restarts the process; apart from the above, since a plan that fails while no process runs must not cancel its restart. */
  readonly #restart: Backoff;
  readonly #search: Backoff;
  readonly #faults: ActiveFaults<'plan' | 'capture' | 'slate' | 'keyframes'>;
  /** Cameras that failed since the last look at the machine. */
  readonly #failedCameras = new Set<string>();
  #plan: Plan | undefined;
  #batchMs = 0;
  #socket = '';
  #on = false;
  #said = '';
  /** Plans are made one after the other; a request during one is served by the next. */
  #planning: Promise<void> | undefined;
  #planAgain = false;
  /** The playlist has ended, and the slate is shown. */
  #filesPlayed = false;
  /** The passed-through plan, for as long as what is on the air has its format: the plan itself, or the slate that stands in for it. */
  #passedOnAir: Plan | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Silent cameras are being asked for a picture. */
  #isAsking = false;
  /** Another format is wanted, and there is no plan with it yet. */
  #formatChanges = false;

  /**
   * `newFormat`: the pictures that come next have another format. `sameFormat`: they do not, though that was wanted. `playing`:
   * pictures have begun to come. `ended`: the files were played. `audience`: resolves when what has a beginning may begin.
   */
  constructor(
    private settings: Settings,
    private readonly dependencies: ProgrammeDependencies,
    private readonly events: {
      newFormat(): void;
      sameFormat(): void;
      playing(): void;
      ended(): void;
      audience(): Promise<void>;
    },
  ) {
    const { environment, log, clock } = dependencies;
    this.#availability = new Availability(log, clock);
    this.#faults = new ActiveFaults(log);
    this.#backoff = new Backoff(clock);
    this.#restart = new Backoff(clock);
    this.#search = new Backoff(clock, maxSearchMs);
    this.#planner = new Planner((wish) => this.#gather(wish), dependencies.folder, {
      usable: (machine) => this.#availability.usable(machine),
      onAir: (machine, usable) => this.#onAir(machine, usable),
    });
    this.#stage = new Stage(environment, {
      playing: (plan, afterMs) => this.#playing(plan, afterMs),
      failed: (plan, part, fault) => void this.#failed(plan, part, fault),
      ended: () => this.#ended(),
      round: () => void this.#round(),
      refused: (plan, what, why) => this.#refused(plan, what, why),
      sparse: (plan, seconds) => this.#sparse(plan, seconds),
      beat: () => this.#beat(),
      said: (line) => log.warn('capture_said', `capture: ${line}`),
      recycled: (what) => log.info('recycled', `${what} A new one has replaced it.`),
      died: (fault) => this.#died(fault),
    });
  }

  /** `socket`: where the hub listens. */
  async start(settings: Settings, socket: string): Promise<void> {
    this.settings = settings;
    this.#on = true;
    this.#socket = socket;
    this.#stage.start(socket);
    await this.replan();
  }

  async stop(): Promise<void> {
    this.#on = false;
    this.#backoff.cancel();
    this.#restart.cancel();
    this.#search.reset();
    clearTimeout(this.#retry);
    await this.#stage.stop();
    this.#plan = undefined;
    this.#planner.forgetFormat();
    this.#availability.forget();
    this.#filesPlayed = false;
    this.#passedOnAir = undefined;
    this.#formatChanges = false;
    this.#faults.clear();
    this.#said = '';
  }

  /** The plan that is wanted on the air. */
  get plan(): Plan | undefined {
    return this.#plan;
  }

  /** There are pictures, those of the wanted plan or of the one before. */
  get isPlaying(): boolean {
    return this.#stage.onAir !== undefined;
  }

  get problems(): FaultReport[] {
    return [...this.#faults.reports, ...this.#availability.problems];
  }

  /** Takes over new settings; `how` says what that takes: live properties, a new pipeline, or a new broadcast with another format. */
  async take(settings: Settings, how: 'live' | 'rebuild' | 'restart'): Promise<void> {
    const { video, audio } = this.settings;
    this.settings = settings;
    const isOther = JSON.stringify(programmeOf(video)) !== JSON.stringify(programmeOf(settings.video));
    if (isOther) this.#filesPlayed = false;
    if (isOther || audio.source !== settings.audio.source)
      this.#availability.forgetInputs(
        { video: video.source === settings.video.source, sound: audio.source === settings.audio.source },
        this.#stage.onAir,
      );
    if (how === 'restart') {
      this.#planner.forgetFormat();
      this.#passedOnAir = undefined;
      this.#formatChanges = true;
    }
    if (how === 'live') await this.#adjust();
    else await this.replan(how === 'rebuild');
  }

  /** The machine has changed: replans, and plays the new plan if it is a different one. */
  async devicesChanged(): Promise<void> {
    this.#availability.devicesChanged();
    if (this.#on) await this.replan(true);
    this.#retryLater();
  }

  /** kbit/s that the encoder is asked for where no connection is too slow; undefined where it cannot be asked. */
  get fullKbps(): number | undefined {
    return this.#plan?.video.bitrateKbps === undefined ? undefined : this.#planner.fullKbps;
  }

  /** Limits the encoder to what the connections carry, in kbit/s, live where it can. Undefined: no limit. */
  async limit(kbps: number | undefined): Promise<void> {
    this.#planner.limit(kbps);
    if (this.#plan?.video.bitrateKbps !== undefined) await this.#adjust();
  }

  /** Replaces a capture process that has grown, where nobody notices. `quiet`: nothing is sent or recorded. */
  recycle(quiet: boolean): void {
    this.#stage.recycle(quiet);
  }

  keyframe(): void {
    this.#stage.keyframe();
  }

  /** Resolves once what was asked for last is on the air, or has failed. */
  async applied(): Promise<void> {
    await this.#planning;
    await this.#stage.applied();
  }

  /** Looks at the machine, plans, and plays the plan; with `onlyIfOther` not if the same plan is on already. */
  replan(onlyIfOther = false): Promise<void> {
    if (this.#planning) {
      this.#planAgain = true;
      return this.#planning;
    }
    this.#planning = this.#replan(onlyIfOther).finally(() => {
      const again = this.#planAgain;
      this.#planning = undefined;
      this.#planAgain = false;
      return again ? this.replan(true) : undefined;
    });
    return this.#planning;
  }

  async #replan(onlyIfOther: boolean): Promise<void> {
    const before = this.#plan;
    const { settings } = this;
    /** Newer settings that need another look at the machine have come meanwhile: they are planned next, and this plan is out of date. */
    const isLate = (): boolean => settings !== this.settings && this.#planAgain;
    try {
      const made = await this.#planner.make(settings);
      if (this.#on && !made.plan.live) await this.events.audience();
      if (!this.#on || isLate()) return;
      // Newer settings that need none change nothing that is known of the machine.
      const { plan, machine } = settings === this.settings ? made : (this.#planner.again(this.settings) ?? made);
      if (before && this.#availability.unplugged(before, machine)) return this.#standIn();
      this.#put(plan, machine, onlyIfOther);
    } catch (error) {
      if (this.#on && !isLate()) this.#noPlan(error);
    }
  }

  /** Files that cannot be played are the slate, unless another picture is on, which is better. */
  async #gather(wish: Wish): Promise<Machine> {
    const failed = [...this.#failedCameras];
    this.#failedCameras.clear();
    const asked = this.#availability.needsOthers
      ? { ...wish, video: { ...wish.video, encoder: 'auto' as const } }
      : wish;
    const machine = await this.dependencies.gather(asked, failed);
    this.#availability.looked(machine);
    const isOn = this.isPlaying && this.#plan?.kind !== 'slate';
    if (machine.filesFault && isOn) throw faultOf(machine.filesFault);
    return machine;
  }

  /** Some input may not be used any more. */
  #standIn(): void {
    this.#retryLater();
    this.#playAnother();
  }

  /** Plans from what is known of the machine: looking at it again takes a Zero W seconds, in which nothing would be on the air. */
  #playAnother(): void {
    const made = this.#madeAgain();
    if (made) this.#put(made.plan, made.machine, true);
  }

  /** A plan from what is known of the machine; undefined where nothing is known yet, or where no plan is possible, which is reported. */
  #madeAgain(): Made | undefined {
    try {
      return this.#planner.again(this.settings);
    } catch (error) {
      this.#noPlan(error);
      return undefined;
    }
  }

  #onAir(machine: Machine, usable: Machine): OnAir {
    const passed = this.#passedOnAir;
    const { kind, devices } = this.#stage.onAir ?? {};
    // A camera that may not be used any more may still be on the air.
    const isOut = devices?.camera !== undefined && !usable.cameras.some(({ path }) => path === devices.camera);
    const picture = kind !== undefined && kind !== 'slate' && !isOut;
    return {
      ...this.#availability.onAir(machine, usable),
      filesPlayed: this.#filesPlayed,
      picture,
      ...(passed ? { passed } : {}),
    };
  }

  #put(plan: Plan, machine: Machine, onlyIfOther: boolean): void {
    // What failed on the air has already been reported, and more precisely.
    if (plan.missed && this.#availability.problems.length === 0) this.#faults.add('plan', faultOf(plan.missed));
    else this.#faults.remove('plan');
    const unfit = this.#availability.usable(machine).slateImage?.unfit;
    if (unfit) this.#faults.add('slate', faultOf(unfit));
    else this.#faults.remove('slate');
    const isAway = plan.missed && plan.devices.camera === undefined && plan.missed.code !== 'source_ended';
    if (isAway || unfit) this.#searchAgain();
    else this.#search.reset();
    const { batchMs } = this.settings.output;
    const same = batchMs === this.#batchMs && JSON.stringify(plan) === JSON.stringify(this.#plan);
    this.#batchMs = batchMs;
    this.#adopt(plan, machine);
    this.#retryLater();
    const abrupt = this.#formatChanges;
    this.#formatChanges = false;
    if (abrupt) this.events.newFormat();
    else if (onlyIfOther && same && this.#stage.wanted) return;
    this.#stage.play(plan, batchMs, abrupt);
  }

  /** Makes it the plan from now on; logs once which settings it cannot follow. */
  #adopt(plan: Plan, machine: Machine): void {
    const said = new Set(this.#plan?.notes);
    this.#availability.planned(plan, machine, this.#plan);
    this.#plan = plan;
    for (const note of plan.notes) if (!said.has(note)) this.dependencies.log.warn('setting_not_followed', note);
  }

  #noPlan(error: unknown): void {
    this.#faults.add('plan', Fault.from(error));
    if (this.#formatChanges) this.events.sameFormat();
    // What is on the air stays: it is better than nothing. Otherwise the device may still be plugged in, or the file appear.
    if (this.isPlaying) this.#searchAgain();
    else this.#backoff.again(() => void this.replan());
  }

  /** Applies a live change to the running pipeline, and to the plan that describes it. */
  async #adjust(): Promise<void> {
    const running = this.#stage.wanted;
    if (!running) return;
    // If what was wanted before this change is not available, something else is running, and stays.
    const made = this.#madeAgain();
    if (!made) return;
    const properties = liveChanges(running, made.plan);
    if (!properties) return this.replan();
    this.#adopt(made.plan, made.machine);
    this.#stage.adjust(made.plan, properties);
    const { video } = made.plan;
    const kept = video.bitrateKbps === undefined && this.settings.video.bitrateKbps !== 'auto';
    if (kept)
      this.dependencies.log.info('bitrate_kept', `${video.source} does its own encoding and keeps its bitrate.`);
  }

  #playing(plan: Plan, afterMs: number): void {
    this.#faults.remove('capture');
    this.#faults.remove('keyframes');
    this.#availability.playing(plan);
    if (plan.kind !== 'slate') this.#passedOnAir = plan.video.encoder === 'passthrough' ? plan : undefined;
    const text = describe(plan);
    if (text !== this.#said) this.dependencies.log.info('playing', `Picture and sound: ${text}.`, { afterMs });
    this.#said = text;
    this.events.playing();
  }

  #ended(): void {
    if (this.settings.video.atEnd === 'stop') return this.events.ended();
    this.#filesPlayed = true;
    this.#playAnother();
  }

  /** Files may have been replaced while they were playing: what is on the air then has the new format, and the plan the old one. */
  async #round(): Promise<void> {
    const { files } = wantedMedia(this.settings, this.dependencies.folder).video;
    if ((await this.dependencies.filesChanged(files)) && this.#on) await this.replan(true);
  }

  /** What is running goes on, under a plan that says what is now true of it. If another plan is better now, that one is played. */
  #refused(plan: Plan, what: EncoderRequest, why: string): void {
    this.#availability.refused(plan, what, why);
    const made = this.#madeAgain();
    if (!made) return;
    const isSame = JSON.stringify(made.plan.pipelines) === JSON.stringify(plan.pipelines);
    if (!isSame) return this.#put(made.plan, made.machine, true);
    this.#adopt(made.plan, made.machine);
    this.#stage.adjust(made.plan, []);
  }

  /** A camera's own H.264 goes on the air with keyframes too far apart, or without any: nobody could join. */
  #sparse(plan: Plan, seconds: number): void {
    const fault = new Fault(
      'keyframes_sparse',
      `${plan.video.source} has given no keyframe for ${seconds} s; viewers who join see nothing until the next one.`,
      'Platforms require one at least every 4 s: set the keyframe interval in the camera, or set video.encoder to auto.',
    );
    const isInsisted = this.settings.video.encoder === 'passthrough';
    if (!isInsisted && this.#availability.encodeInstead(plan, fault)) this.#playAnother();
    else this.#faults.add('keyframes', fault);
  }

  async #failed(plan: Plan, part: InputPart, fault: Fault): Promise<void> {
    const { camera } = plan.devices;
    if (part === 'picture' && camera !== undefined) this.#failedCameras.add(camera);
    let told = fault;
    if (fault.code === 'source_busy') {
      const node = part === 'picture' && camera?.startsWith('/dev/') ? camera : undefined;
      const holder = node === undefined ? undefined : await this.dependencies.holderOf(node);
      if (holder) told = new Fault(fault.code, `${fault.what} It is held by ${holder}.`, fault.remedy);
      if (!this.#on) return;
    }
    if (this.#availability.failed(plan, part, told)) return this.#standIn();
    this.#faults.add('capture', told);
    this.#failedAgain(plan, told, this.#backoff);
    // If only the slate is on, which stands in for it, the plan is retried.
    const { kind } = this.#stage.onAir ?? {};
    if (kind === undefined || kind === 'slate') this.#backoff.again(() => void this.replan());
  }

  #died(fault: Fault): void {
    this.#faults.add('capture', fault);
    this.#said = '';
    const plan = this.#plan;
    // A process that hangs does so in a driver, or at a disk that hangs; one that ends may have been unlucky.
    const hangs =
      fault.code === 'child_hung' && plan !== undefined && (plan.devices.camera !== undefined || !plan.live);
    if (hangs) {
      if (plan.devices.camera !== undefined) this.#failedCameras.add(plan.devices.camera);
      this.#availability.failed(plan, 'picture', fault);
    }
    this.#failedAgain(hangs ? undefined : plan, fault, this.#restart);
    this.#restart.again(() => {
      this.#stage.start(this.#socket);
      this.#plan = undefined;
      if (this.#availability.needsOthers) void this.replan();
      else this.#playAnother();
    });
  }

  /** What replaces a plan that failed once too often has not failed yet, and need not wait. */
  #failedAgain(plan: Plan | undefined, fault: Fault, backoff: Backoff): void {
    const insisted = plan?.video.encoder === this.settings.video.encoder;
    if (this.#availability.failedAgain(plan, fault, insisted)) backoff.reset();
    this.#retryLater();
  }

  /** Searches again for what is wanted and was not found. */
  #searchAgain(): void {
    this.#search.again(() => void this.replan(true));
  }

  #retryLater(): void {
    clearTimeout(this.#retry);
    const waitMs = this.#availability.nextMs;
    if (waitMs === undefined || !this.#on) return;
    this.#retry = setTimeout(() => void this.#tryAgain(), waitMs + 1);
  }

  /** Inputs that were left out may be used again; a silent camera is first asked for a picture, while the broadcast goes on. */
  async #tryAgain(): Promise<void> {
    // A camera that is being asked would be busy for whoever asked it meanwhile.
    const silent = this.#isAsking ? [] : this.#availability.auditions;
    this.#isAsking ||= silent.length > 0;
    const given = await Promise.all(
      silent.map(async ({ camera, mode }) => {
        const gives = await this.dependencies.givesPicture(camera.path, mode);
        this.#availability.auditioned(camera, gives);
        return gives;
      }),
    );
    if (silent.length > 0) this.#isAsking = false;
    if (!this.#on) return;
    if (silent.length === 0 || given.includes(true) || this.#availability.isDue) await this.replan(true);
    this.#retryLater();
  }

  #beat(): void {
    if (!this.isPlaying) return;
    this.#backoff.progress();
    this.#restart.progress();
    if (this.#backoff.isSteady && this.#restart.isSteady) this.#availability.steady();
  }
}

/** The settings of a programme that has an end: where any of them changes, it begins again. */
const programmeOf = ({ source, files, loop }: Settings['video']) => [source, files, loop];
