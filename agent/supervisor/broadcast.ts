/** A broadcast from start to stop: the programme, the process that delivers it, and every output. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { cost, type Change } from '../config/cost.js';
import type { Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import { jpegOf } from '../machine/snapshot.js';
import { Child } from '../media/child.js';
import { memoryLimits, type MemoryLimits } from '../media/memory.js';
import type {
  FromDelivery,
  HubStatus,
  OutputStatus,
  RecordingStatus,
  ToDelivery,
  WantedOutput,
} from '../media/messages.js';
import { Adaptation } from './adaptation.js';
import { Backoff } from './backoff.js';
import { Demo } from './demo.js';
import { runFolder } from './folder.js';
import type { Intent, Wanted } from './intent.js';
import { Outputs } from './outputs.js';
import { Recording } from './recording.js';
import { Programme, type Studio } from './programme.js';
import type { ActualState, Status } from './status.js';
import { isWanted, wantedOutputs, wantedRecording } from './wants.js';

/** Of the memory of this machine: every session is lost with the process, so only when the kernel would else soon kill something. */
const deliveryShare = 0.5;
/** Delivery beats once a second, to be woken seldom. */
const hungMs = 2000;
/** Nothing was sent or recorded for so long: a server that is just coming back is not made to wait for another process. */
const quietMs = 5000;
/** A fifth: with sound and what TCP adds, 2500 kbit/s then fit through 800. Three tenths, which users of OBS ask for, do not. */
const floorShare = 0.2;

/** What a broadcast needs of the machine and of the program around it. */
export interface Surroundings extends Studio {
  readonly version: string;
  /** The fault of a machine without a network, if it is one. */
  readonly networkFault: () => Fault | undefined;
  /** Where recordings go to, unless the settings say otherwise. */
  readonly recordings: string;
  /** What was commanded last, on the card. */
  readonly intent: Intent;
  /** Of the memory of the delivery process; what this machine can do with where they are left out. */
  readonly deliveryLimits?: MemoryLimits;
  /** A demonstration server stands in where no output is configured. */
  readonly demo: boolean;
  /** The files were played to their end, and the broadcast is over. */
  readonly ended: () => void;
}

/** Delivery answers at once, or not at all. */
const pictureMs = 3000;

export class Broadcast {
  readonly #programme: Programme;
  readonly #delivery: Child<ToDelivery, FromDelivery>;
  readonly #demo: Demo;
  readonly #deliveryBackoff: Backoff;
  readonly #adaptation: Adaptation;
  #limitKbps: number | undefined;
  readonly #problems = new Map<'delivery' | 'demo', FaultReport>();
  #settingsProblems: readonly FaultReport[] = [];
  readonly #outputs: Outputs;
  readonly #recording: Recording;
  #folder = '';
  #demoOutput: WantedOutput | undefined;
  /** While the format of the broadcast changes, no output is open. */
  #outputsHeld = false;
  #hub: HubStatus | undefined;
  #state: 'idle' | 'on' | 'ended' | 'stopping' = 'idle';
  /** `start` has come: what is asked for before waits for it. */
  #begun = false;
  #finishing = false;
  #pictureWanted: ((flv: string | undefined) => void)[] = [];
  /** When something was last sent or recorded, or the broadcast began. */
  #quietSince = 0;
  #wanted: Wanted = 'on';
  /** Off the air for a moment though it is wanted: an update is about to end this program. */
  #paused = false;
  /** What changes the state goes one after the other: a start in the middle of a stop would be lost in it. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    private settings: Settings,
    private readonly around: Surroundings,
  ) {
    const { environment, log, clock } = around;
    this.#outputs = new Outputs(log, around.networkFault);
    this.#recording = new Recording(log);
    this.#deliveryBackoff = new Backoff(clock);
    this.#adaptation = new Adaptation(clock);
    this.#programme = new Programme(settings, around, {
      playing: () => this.#playing(),
      // Not before delivery has taken what is still in the socket: its next beat comes after that.
      ended: () => (this.#state = 'ended'),
    });
    const heard = {
      message: (message: FromDelivery) => this.#fromDelivery(message),
      said: (line: string) => log.warn('delivery_said', `delivery: ${line}`),
      died: (fault: Fault) => this.#deliveryDied(fault),
    };
    const limits = around.deliveryLimits ?? memoryLimits(deliveryShare);
    this.#delivery = new Child('delivery', 'delivery/main.js', hungMs, environment, heard, limits);
    this.#demo = new Demo(environment, (fault) => this.#trouble('demo', fault));
  }

  /** On the air, if that was wanted last and there is anywhere to stream to; else idle, which it says. */
  async start(): Promise<void> {
    this.#folder = await runFolder();
    this.#wanted = await this.around.intent.load();
    this.#begun = true;
    await this.#inTurn(() => this.#goOn());
  }

  /** The operator wants it on the air, from now on and after every restart. */
  async startBroadcast(): Promise<void> {
    this.#wanted = 'on';
    this.#paused = false;
    await this.around.intent.keep('on');
    await this.#inTurn(async () => {
      if (this.#begun && this.#wanted === 'on' && (this.#state === 'idle' || this.#state === 'ended'))
        await this.#goOn();
    });
  }

  /** The operator wants it off the air, from now on and after every restart, until `startBroadcast`. */
  async stopBroadcast(): Promise<void> {
    this.#wanted = 'idle';
    await this.around.intent.keep('idle');
    await this.#inTurn(async () => {
      if (this.#wanted !== 'idle' || this.#state !== 'on') return;
      await this.#goOff();
      this.#sayIdle();
    });
  }

  /** Off the air in order, but not for good: until `resume`, `startBroadcast` or the next start of this program. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#inTurn(async () => {
      if (this.#paused && this.#state === 'on') await this.#goOff();
    });
  }

  /** On the air again after `pause`. */
  async resume(): Promise<void> {
    this.#paused = false;
    await this.#inTurn(async () => {
      if (this.#begun && !this.#paused && this.#state === 'idle') await this.#goOn();
    });
  }

  /** New settings, already validated. Each change is applied at its own cost; nothing else is disturbed. */
  apply(settings: Settings): Promise<Change[]> {
    return this.#inTurn(() => this.#apply(settings));
  }

  /** Resolves once the media processes have done what was applied last; at once where nothing is on. */
  async settled(): Promise<void> {
    await this.#turn;
    await Promise.all([this.#delivery.settled(), this.#programme.settled()]);
  }

  /** Asks the encoder for a keyframe. False where nothing is on the air. */
  forceKeyframe(): boolean {
    if (this.#state !== 'on' || !this.#programme.isPlaying) return false;
    this.#programme.keyframe();
    return true;
  }

  /** The last keyframe as a JPEG. Throws a Fault where there is none, or it cannot be decoded. */
  async snapshot(): Promise<Buffer> {
    const flv = await new Promise<string | undefined>((resolve) => {
      if (this.#state !== 'on') return resolve(undefined);
      this.#pictureWanted.push(resolve);
      this.#delivery.send({ type: 'picture' });
      setTimeout(() => resolve(undefined), pictureMs).unref();
    });
    if (flv === undefined)
      throw new Fault('command_failed', 'There is no picture on the air.', 'Start the broadcast first.');
    return jpegOf(Buffer.from(flv, 'base64'), this.#folder);
  }

  /** A new pipeline, from what the machine is now. False where nothing is on the air. */
  async restartMedia(): Promise<boolean> {
    if (this.#state !== 'on') return false;
    await this.#programme.replan();
    return true;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #apply(settings: Settings): Promise<Change[]> {
    const { changed } = cost(this.settings, settings);
    this.settings = settings;
    if (!this.#begun) return changed;
    if (this.#state !== 'on') {
      if (changed.length > 0) await this.#goOn();
      return changed;
    }
    if (!isWanted(settings) && !this.#demoOutput) {
      await this.#goOff();
      this.#sayIdle();
      return changed;
    }
    if (isWanted(settings) && this.#demoOutput) {
      this.#demoOutput = undefined;
      void this.#demo.stop();
    }
    const paths = changed.map((change) => change.path);
    const has = (prefix: string): boolean => paths.some((each) => each.startsWith(prefix));
    const formatChanges = changed.some((change) => change.cost === 'restart' && /^(video|audio)\./.test(change.path));
    this.#outputsHeld ||= formatChanges;
    if (has('recording.')) this.#sendRecording();
    if (formatChanges || has('outputs.') || has('output.maxQueueSeconds') || has('video.adaptive')) this.#sendOutputs();
    if (has('audio.delayMs')) this.#sendDelay();
    const rebuilds = changed.some((change) => change.cost === 'rebuild');
    await this.#programme.take(settings, formatChanges ? 'restart' : rebuilds ? 'rebuild' : 'live');
    return changed;
  }

  /** Closes every output in order, and both children with them. */
  async stop(): Promise<void> {
    const wasOn = this.#state === 'on';
    this.#state = 'stopping';
    if (wasOn) this.around.log.always('info', 'stopping', 'Stopping: every output is closed in order.');
    await this.#end();
    await this.#demo.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  /** The machine has changed. */
  async devicesChanged(): Promise<void> {
    if (this.#state === 'on') await this.#programme.devicesChanged();
  }

  /** Outputs that wait for their next try, all or the one of that name, are tried now: the network has changed, or an operator asks. */
  retry(output?: string): void {
    this.#delivery.send({ type: 'retry', ...(output === undefined ? {} : { output }) });
  }

  /** What is wrong with the settings, for the status document. */
  settingsProblems(problems: readonly FaultReport[]): void {
    this.#settingsProblems = problems;
  }

  status(): Status {
    const { plan } = this.#programme;
    const { status: recording } = this.#recording;
    return {
      version: this.around.version,
      wanted: this.#state === 'on' ? 'on air' : 'idle',
      actual: this.#actual(),
      uptimeSeconds: Math.round(process.uptime()),
      problems: [...this.#settingsProblems, ...this.#programme.problems, ...this.#problems.values()],
      ...(plan ? { video: plan.video, audio: plan.audio, notes: plan.notes } : {}),
      ...(this.#hub ? { hub: this.#hub } : {}),
      outputs: this.#outputs.document(),
      ...(recording ? { recording } : {}),
    };
  }

  #actual(): ActualState {
    // Idle because of a setting that is not valid is not what was wanted.
    if (this.#state === 'idle' && this.#settingsProblems.length > 0) return 'degraded';
    if (this.#state !== 'on') return this.#state;
    const states: string[] = this.#outputs.states;
    if (this.settings.recording.enabled) states.push(this.#recording.status?.state ?? 'starting');
    const problems = this.#settingsProblems.length + this.#programme.problems.length + this.#problems.size;
    const ailing = states.some((state) => state === 'stalled' || state === 'waiting' || state === 'refused');
    if (problems > 0 || ailing) return 'degraded';
    return this.#programme.isPlaying &&
      states.length > 0 &&
      states.every((state) => state === 'live' || state === 'recording')
      ? 'live'
      : 'starting';
  }

  async #goOn(): Promise<void> {
    if (this.#paused) return;
    if (this.#wanted === 'idle') return this.#sayIdle();
    if (!isWanted(this.settings)) {
      if (!this.around.demo) return this.#sayIdle();
      this.#demoOutput ??= await this.#demo.start(this.settings.demo.port, this.#folder);
      if (!this.#demoOutput) return this.#sayIdle();
    }
    // A stop may have come while the demonstration server started.
    if (this.#state === 'stopping') return;
    this.#state = 'on';
    this.#quietSince = this.around.clock.now();
    this.#finishing = false;
    this.#startDelivery();
    await this.#programme.start(this.settings, this.#socket);
  }

  async #goOff(): Promise<void> {
    await this.#end();
    this.#demoOutput = undefined;
    await this.#demo.stop();
    // The agent may have been told to end in the meantime.
    if (this.#state === 'on') this.#state = 'idle';
  }

  async #end(): Promise<void> {
    this.#deliveryBackoff.cancel();
    await Promise.all([this.#delivery.stop(), this.#programme.stop()]);
    this.#hub = undefined;
    this.#outputs.forget();
    this.#recording.forget();
    this.#adaptation.forget();
    this.#limitKbps = undefined;
    await this.#programme.limit(undefined);
    this.#problems.clear();
  }

  #sayIdle(): void {
    if (this.#wanted === 'idle') return this.around.log.info('idle', 'Idle: the broadcast was stopped by a command.');
    this.around.log.info(
      'idle',
      'Idle: no output is configured, and recording is off. Set STREAM_URL and STREAM_KEY, or outputs in makercast.yml.',
    );
  }

  #startDelivery(): void {
    this.#delivery.start();
    this.#delivery.send({ type: 'hub', socket: this.#socket });
    this.#sendDelay();
    this.#sendOutputs();
    this.#sendRecording();
  }

  #sendDelay(): void {
    this.#delivery.send({ type: 'delay', audioMs: this.settings.audio.delayMs });
  }

  #sendOutputs(): void {
    const wanted = wantedOutputs(this.settings);
    if (this.#demoOutput) {
      const { host, port, application, stream } = this.#demoOutput.destination;
      const url = `rtmp://${host}:${port}/${application}/${stream}`;
      this.around.log.redactor.allow(url);
      wanted.push({ output: this.#demoOutput, url });
    }
    this.#outputs.want(wanted);
    this.#delivery.send({ type: 'outputs', outputs: this.#outputsHeld ? [] : wanted.map(({ output }) => output) });
  }

  #sendRecording(): void {
    const recording = wantedRecording(this.settings, this.around.folder, this.around.recordings);
    if (!recording) this.#recording.forget();
    this.#delivery.send({ type: 'recording', ...(recording ? { recording } : {}) });
  }

  get #socket(): string {
    return path.join(this.#folder, 'hub.sock');
  }

  #playing(): void {
    if (!this.#outputsHeld) return;
    this.#outputsHeld = false;
    this.#sendOutputs();
  }

  #deliveryDied(fault: Fault): void {
    this.#hub = undefined;
    this.#recording.forget();
    this.#trouble('delivery', fault);
    this.#deliveryBackoff.again(() => this.#startDelivery());
  }

  #fromDelivery(message: FromDelivery): void {
    switch (message.type) {
      case 'busy':
        return;
      case 'ready':
        this.#problems.delete('delivery');
        return;
      case 'output':
        return this.#outputs.heard(message.name, message.status);
      case 'recording':
        return this.#heardRecording(message.status);
      case 'picture':
        for (const resolve of this.#pictureWanted.splice(0)) resolve(message.flv);
        return;
      case 'keyframe':
        return this.#programme.keyframe();
      case 'beat':
        this.#hub = message.hub;
        this.#deliveryBackoff.progress();
        for (const [name, status] of Object.entries(message.outputs)) this.#outputs.heard(name, status);
        if (message.recording) this.#heardRecording(message.recording);
        this.#adapt(message.outputs);
        this.#recycle();
        if (this.#state === 'ended') void this.#finish();
        return;
    }
  }

  /** Children that have grown are replaced while nobody notices; one that has grown too far is not waited for (child.ts). */
  #recycle(): void {
    const now = this.around.clock.now();
    const sends = this.#outputs.states.some((state) => state === 'live' || state === 'stalled');
    if (sends || this.#recording.status?.state === 'recording') this.#quietSince = now;
    const isQuiet = now - this.#quietSince >= quietMs;
    this.#programme.recycle(isQuiet);
    if (isQuiet && this.#delivery.grown !== undefined) void this.#inTurn(() => this.#recycleDelivery());
  }

  async #recycleDelivery(): Promise<void> {
    const what = this.#delivery.grown;
    if (what === undefined || this.#state !== 'on') return;
    await this.#delivery.stop();
    // The agent may have been told to end in the meantime.
    if (this.#state !== 'on') return;
    this.#startDelivery();
    this.around.log.info('recycled', `${what} Another one has taken its place, while nothing was sent.`);
  }

  #heardRecording(status: RecordingStatus): void {
    // One that was switched off may still have a last word.
    if (this.settings.recording.enabled) this.#recording.heard(status);
  }

  /** The encoder is asked for what the slowest of the connections carries that it follows. */
  #adapt(outputs: Readonly<Record<string, OutputStatus>>): void {
    const { fullKbps } = this.#programme;
    if (fullKbps === undefined) return;
    const { video, audio } = this.settings;
    const floor = video.minBitrateKbps === 'auto' ? fullKbps * floorShare : video.minBitrateKbps;
    const bounds = { fullKbps, floorKbps: Math.min(Math.round(floor), fullKbps), audioKbps: audio.bitrateKbps };
    const follows = (name: string): boolean => video.adaptive && (this.settings.outputs[name]?.adaptive ?? false);
    const kbps = this.#adaptation.look(outputs, follows, bounds);
    const limit = kbps < fullKbps ? kbps : undefined;
    if (limit === this.#limitKbps) return;
    // One line as it begins and one as it ends: what is in between is in the status.
    const { log } = this.around;
    if (this.#limitKbps === undefined)
      log.warn('bitrate_lowered', `A server takes less than is sent: ${kbps} kbit/s are made in place of ${fullKbps}.`);
    if (limit === undefined) log.info('bitrate_restored', `The servers take all again: ${fullKbps} kbit/s are made.`);
    this.#limitKbps = limit;
    void this.#programme.limit(limit);
  }

  async #finish(): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    await this.#end();
    this.around.log.always('info', 'ended', 'The last file was played to its end; the broadcast is over.');
    this.around.ended();
  }

  #trouble(area: 'delivery' | 'demo', fault: Fault): void {
    const known = this.#problems.get(area);
    this.#problems.set(area, fault.report());
    if (known?.code === fault.code && known.what === fault.what) return;
    this.around.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }
}
