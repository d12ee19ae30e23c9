/** Delivery as the agent sees it: its process, every output and the recording, and their states. */
import type { Clock } from '../clock.js';
import type { Change } from '../config/cost.js';
import type { Settings } from '../config/settings.js';
import type { Fault, FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import { Child } from '../media/child.js';
import { memoryLimits, type MemoryLimits } from '../media/memory.js';
import {
  beatMs,
  type FromDelivery,
  type HubStatus,
  type OutputStatus,
  type RecordingStatus,
  type ToDelivery,
  type WantedOutput,
} from '../media/messages.js';
import type { Pace } from '../media/watchdog.js';
import { Backoff } from './backoff.js';
import { Outputs } from './outputs.js';
import { Recording } from './recording.js';
import type { BroadcastStatus } from './status.js';
import { ActiveFaults } from './activefaults.js';
import { wantedOutputs, wantedRecording } from './wants.js';

/** Share of the memory of this machine: every session is lost with the process, so only when the kernel would soon kill something. */
const memoryShare = 0.5;
/**
 * glibc's own default, but fixed: where it may, it learns from large blocks that are freed (fragments of a recording, a message that a
 * server announces) to take the next ones from its heap, which then never shrinks: 53 MB of it for 14 in use after 8 minutes of faults, and 13 for 11 so.
 */
const allocation = { MALLOC_MMAP_THRESHOLD_: '131072' };
/** Two beats missed. */
const pace: Pace = { beatMs: beatMs.delivery, hungMs: 2000 };
/** Quiet is when nothing was sent or recorded for this long: a server that is just coming back need not wait for a new process. */
const quietMs = 5000;
/** Delivery answers at once, or not at all. */
const pictureMs = 3000;
/** A file begins by then, even for a server that has neither accepted nor refused. */
export const audienceMs = 5000;

/** What delivery needs of the machine and of the program around it. */
export interface DeliveryDependencies {
  readonly log: Log;
  readonly clock: Clock;
  /** All that a child may see of our environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** What relative paths start from. */
  readonly folder: string;
  /** Where recordings go to, unless the settings say otherwise. */
  readonly recordings: string;
  /** The fault of a machine without a network, if it is one. */
  readonly networkFault: () => Fault | undefined;
  /** Limits for the memory of the delivery process; by default those that fit this machine. */
  readonly deliveryLimits?: MemoryLimits;
}

export interface DeliveryEvents {
  /** An output joined and wants a keyframe. */
  keyframe(): void;
  /** Once a second. */
  beat(outputs: Readonly<Record<string, OutputStatus>>): void;
}

export class Delivery {
  readonly #child: Child<ToDelivery, FromDelivery>;
  readonly #backoff: Backoff;
  readonly #outputs: Outputs;
  readonly #recording: Recording;
  readonly #faults: ActiveFaults<'delivery'>;
  #on = false;
  #socket = '';
  #demo: WantedOutput | undefined;
  /** While the format of the broadcast changes, no output is open. */
  #held = false;
  #hub: HubStatus | undefined;
  #pictureWanted: ((flv: string | undefined) => void)[] = [];
  /** When something was last sent or recorded, or the broadcast began. */
  #quietSince = 0;
  /** Callbacks that wait for the first answers; undefined once these have come, until the next start. */
  #audience: (() => void)[] | undefined;
  #audienceTimer: NodeJS.Timeout | undefined;

  constructor(
    private settings: Settings,
    private readonly dependencies: DeliveryDependencies,
    private readonly events: DeliveryEvents,
  ) {
    const { environment, log, clock, networkFault, deliveryLimits } = dependencies;
    this.#outputs = new Outputs(log, networkFault, clock.now);
    this.#recording = new Recording(log);
    this.#faults = new ActiveFaults(log);
    this.#backoff = new Backoff(clock);
    const heard = {
      message: (message: FromDelivery) => this.#heard(message),
      said: (line: string) => log.warn('delivery_said', `delivery: ${line}`),
      died: (fault: Fault) => this.#died(fault),
    };
    const limits = deliveryLimits ?? memoryLimits(memoryShare);
    this.#child = new Child('delivery', 'delivery/main.js', pace, { ...environment, ...allocation }, heard, limits);
  }

  /** `socket`: where the hub listens. `demo`: the demonstration server, where nothing else is wanted. */
  start(settings: Settings, socket: string, demo: WantedOutput | undefined): void {
    this.settings = settings;
    this.#socket = socket;
    this.#demo = demo;
    this.#on = true;
    this.#quietSince = this.dependencies.clock.now();
    this.#audience = [];
    this.#audienceTimer = setTimeout(() => this.#assembled(), audienceMs);
    this.#begin();
  }

  /**
   * Resolves once every server has accepted or refused for the first time since the start, or has taken too long. Only then is a file
   * played: otherwise its beginning would be missing wherever connecting takes longer than a group of pictures.
   */
  audience(): Promise<void> {
    return new Promise((resolve) => (this.#audience && !this.#held ? this.#audience.push(resolve) : resolve()));
  }

  #assembled(): void {
    clearTimeout(this.#audienceTimer);
    const waiting = this.#audience ?? [];
    this.#audience = undefined;
    for (const resolve of waiting) resolve();
  }

  /** Closes every output in order. */
  async stop(): Promise<void> {
    this.#on = false;
    this.#assembled();
    this.#backoff.cancel();
    await this.#child.stop();
    this.#hub = undefined;
    this.#outputs.forget();
    this.#recording.forget();
    this.#faults.clear();
  }

  /** Takes over new settings, of which these changed. `formatChanges`: {@link hold} or {@link refresh} decides about the outputs. */
  take(settings: Settings, changed: readonly Change[], formatChanges: boolean, demo: WantedOutput | undefined): void {
    this.settings = settings;
    this.#demo = demo;
    const has = (prefix: string): boolean => changed.some(({ path }) => path.startsWith(prefix));
    if (has('recording.')) this.#sendRecording();
    const forOutputs = has('outputs.') || has('output.maxQueueSeconds') || has('video.adaptive');
    if (forOutputs && !formatChanges) this.#sendOutputs();
    if (has('audio.delayMs')) this.#sendDelay();
  }

  /** Another format follows: no output is open until {@link release}. */
  hold(): void {
    this.#held = true;
    this.#sendOutputs();
  }

  /** The outputs of the settings that were taken last. */
  refresh(): void {
    this.#sendOutputs();
  }

  /** The pictures have the new format now. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#sendOutputs();
  }

  /** Retries outputs now that wait for their next try, all or the one of that name. */
  retry(output?: string): void {
    this.#child.send({ type: 'retry', ...(output === undefined ? {} : { output }) });
  }

  /** An address or a route of this machine has changed. */
  networkChanged(): void {
    this.#child.send({ type: 'network' });
  }

  /** The last keyframe, as an FLV file in base64. */
  picture(): Promise<string | undefined> {
    return new Promise((resolve) => {
      this.#pictureWanted.push(resolve);
      this.#child.send({ type: 'picture' });
      setTimeout(() => resolve(undefined), pictureMs).unref();
    });
  }

  /** Resolves once the process has done everything it was told. */
  applied(): Promise<void> {
    return this.#child.synced();
  }

  /** Nothing has been sent or recorded for a while. */
  get isQuiet(): boolean {
    return this.dependencies.clock.now() - this.#quietSince >= quietMs;
  }

  get hasGrown(): boolean {
    return this.#child.grown !== undefined;
  }

  /** Replaces a process that has grown, at a moment when nobody notices. One that has grown too far is replaced at once (child.ts). */
  async recycle(): Promise<void> {
    const what = this.#child.grown;
    if (what === undefined || !this.#on) return;
    await this.#child.stop();
    // The program may have been told to stop meanwhile.
    if (!this.#on) return;
    this.#begin();
    this.dependencies.log.info('recycled', `${what} A new one has replaced it, while nothing was being sent.`);
  }

  get hub(): HubStatus | undefined {
    return this.#hub;
  }

  get recording(): RecordingStatus | undefined {
    return this.#recording.status;
  }

  get problems(): FaultReport[] {
    return this.#faults.reports;
  }

  /** The states of all outputs that are wanted, and of the recording. */
  get states(): string[] {
    const states: string[] = this.#outputs.states;
    if (this.settings.recording.enabled) states.push(this.#recording.status?.state ?? 'starting');
    return states;
  }

  document(): BroadcastStatus['outputs'] {
    return this.#outputs.document();
  }

  #begin(): void {
    this.#child.start();
    this.#child.send({ type: 'hub', socket: this.#socket });
    this.#sendDelay();
    this.#sendOutputs();
    this.#sendRecording();
  }

  #sendDelay(): void {
    this.#child.send({ type: 'delay', audioMs: this.settings.audio.delayMs });
  }

  #sendOutputs(): void {
    const wanted = wantedOutputs(this.settings);
    if (this.#demo) {
      const { host, port, application, stream } = this.#demo.destination;
      const url = `rtmp://${host}:${port}/${application}/${stream}`;
      this.dependencies.log.redactor.allow(url);
      wanted.push({ output: this.#demo, url });
    }
    this.#outputs.want(wanted);
    this.#child.send({
      type: 'outputs',
      outputs: this.#held ? [] : wanted.map(({ output }) => this.#outputs.again(output)),
    });
  }

  #sendRecording(): void {
    const recording = wantedRecording(this.settings, this.dependencies.folder, this.dependencies.recordings);
    if (!recording) this.#recording.forget();
    this.#child.send({ type: 'recording', ...(recording ? { recording } : {}) });
  }

  #died(fault: Fault): void {
    this.#hub = undefined;
    this.#outputs.lost();
    this.#recording.forget();
    this.#faults.add('delivery', fault);
    this.#backoff.again(() => this.#begin());
  }

  #heard(message: FromDelivery): void {
    switch (message.type) {
      case 'busy':
        return;
      case 'ready':
        this.#faults.remove('delivery');
        if (this.#outputs.haveAnswered) this.#assembled();
        return;
      case 'output':
        this.#outputs.heard(message.name, message.status);
        if (this.#outputs.haveAnswered) this.#assembled();
        return;
      case 'recording':
        return this.#heardRecording(message.status);
      case 'picture':
        for (const resolve of this.#pictureWanted.splice(0)) resolve(message.flv);
        return;
      case 'keyframe':
        return this.events.keyframe();
      case 'beat':
        this.#hub = message.hub;
        this.#backoff.progress();
        for (const [name, status] of Object.entries(message.outputs)) this.#outputs.heard(name, status);
        if (message.recording) this.#heardRecording(message.recording);
        if (this.#isBusy) this.#quietSince = this.dependencies.clock.now();
        return this.events.beat(message.outputs);
    }
  }

  get #isBusy(): boolean {
    const sends = this.#outputs.states.some((state) => state === 'live' || state === 'stalled');
    return sends || this.#recording.status?.state === 'recording';
  }

  #heardRecording(status: RecordingStatus): void {
    // A recording that was switched off may still send a last status.
    if (this.settings.recording.enabled) this.#recording.heard(status);
  }
}
