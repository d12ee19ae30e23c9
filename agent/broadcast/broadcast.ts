/** A broadcast from start to stop: the programme, its delivery, and how new settings are applied. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { cost, type Change } from '../config/cost.js';
import type { Settings } from '../config/settings.js';
import type { Plan } from '../../pipelines/plan.js';
import { Fault, type FaultReport } from '../errors.js';
import { jpegOf } from '../machine/files/snapshot.js';
import type { OutputStatus, WantedOutput } from '../media/messages.js';
import { Adaptation } from './bitrate/adaptation.js';
import { Delivery, type DeliveryDependencies } from './delivery.js';
import { Demo } from './demo.js';
import { runFolder } from './folder.js';
import type { Intent, Wanted } from './intent.js';
import { Programme, type ProgrammeDependencies } from './programme.js';
import type { ActualState, BroadcastStatus } from './status.js';
import { ActiveFaults } from './activefaults.js';
import { SerialQueue } from './serialqueue.js';
import { isWanted } from './wants.js';

/** A fifth: with sound and what TCP adds, 2500 kbit/s then fit through 800. Three tenths, which users of OBS ask for, do not. */
const floorShare = 0.2;

/**
 * At the end of the files, this many beats in a row must find nothing queued: where delivery or the machine stood still, the first
 * may have been sent before the last pictures were read.
 */
const emptyBeats = 2;

/** Settings of what is on the air and of where it is sent. */
const ofBroadcast = /^(video|audio|outputs|recording)\./;

/** What a broadcast needs of the machine and of the program around it. */
export interface BroadcastDependencies extends ProgrammeDependencies, DeliveryDependencies {
  readonly version: string;
  /** Where states are kept. */
  readonly data: string;
  /** What was commanded last, on the card. */
  readonly intent: Intent;
  /** A demonstration server stands in where no output is configured. */
  readonly demo: boolean;
  /** The files were played to their end, and the broadcast is over. */
  readonly ended: () => void;
}

export class Broadcast {
  readonly #programme: Programme;
  readonly #delivery: Delivery;
  readonly #demo: Demo;
  readonly #adaptation: Adaptation;
  #limitKbps: number | undefined;
  readonly #faults: ActiveFaults<'demo'>;
  #settingsProblems: readonly FaultReport[] = [];
  #folder = '';
  #demoOutput: WantedOutput | undefined;
  #state: 'idle' | 'on' | 'ended' | 'stopping' = 'idle';
  /** `start` was called; what is asked for before waits for it. */
  #begun = false;
  /** Beats since the end of the files, and how many of the last ones in a row found nothing queued. */
  #atEnd = { beats: 0, empty: 0 };
  /** The files were played, and their sessions are closed. */
  #finished = false;
  #wanted: Wanted = 'on';
  /** Off the air for a moment although it is wanted on: an update is about to end this program. */
  #paused = false;
  /** Whatever changes the state runs one at a time: a start in the middle of a stop would get lost. */
  readonly #queue = new SerialQueue();

  constructor(
    private settings: Settings,
    private readonly dependencies: BroadcastDependencies,
  ) {
    const { environment, log, clock } = dependencies;
    this.#faults = new ActiveFaults(log);
    this.#adaptation = new Adaptation(clock);
    this.#programme = new Programme(settings, dependencies, {
      newFormat: () => this.#delivery.hold(),
      sameFormat: () => this.#delivery.refresh(),
      playing: () => this.#delivery.release(),
      // What delivery has not sent yet, or not even read, is waited for.
      ended: () => {
        this.#state = 'ended';
        this.#atEnd = { beats: 0, empty: 0 };
      },
      audience: () => this.#delivery.audience(),
    });
    this.#delivery = new Delivery(settings, dependencies, {
      keyframe: () => this.#programme.keyframe(),
      beat: (outputs) => this.#beat(outputs),
    });
    this.#demo = new Demo(environment, (fault) =>
      fault ? this.#faults.add('demo', fault) : this.#faults.remove('demo'),
    );
  }

  /** Goes on the air, if that was wanted last and there is a destination; otherwise logs that it is idle. */
  async start(): Promise<void> {
    this.#wanted = await this.dependencies.intent.load();
    this.#folder = await runFolder(this.dependencies.data);
    this.#begun = true;
    await this.#queue.run(() => this.#goOn());
  }

  /** The operator wants it on the air, from now on and after every restart. */
  async startBroadcast(): Promise<void> {
    this.#wanted = 'on';
    this.#paused = false;
    await this.dependencies.intent.keep('on');
    await this.#queue.run(async () => {
      if (this.#begun && this.#wanted === 'on' && (this.#state === 'idle' || this.#state === 'ended'))
        await this.#goOn();
    });
  }

  /** The operator wants it off the air, from now on and after every restart, until `startBroadcast`. */
  async stopBroadcast(): Promise<void> {
    this.#wanted = 'idle';
    await this.dependencies.intent.keep('idle');
    await this.#queue.run(async () => {
      if (this.#wanted !== 'idle' || this.#state !== 'on') return;
      await this.#goOff();
      this.#sayIdle();
    });
  }

  /** Goes off the air in order, but not for good: until `resume`, `startBroadcast` or the next start of this program. */
  async pause(): Promise<void> {
    this.#paused = true;
    await this.#queue.run(async () => {
      if (this.#paused && this.#state === 'on') await this.#goOff();
    });
  }

  /** On the air again after `pause`. */
  async resume(): Promise<void> {
    this.#paused = false;
    await this.#queue.run(async () => {
      if (this.#begun && !this.#paused && this.#state === 'idle') await this.#goOn();
    });
  }

  /** New settings, already validated. Each change is applied at its own cost; nothing else is disturbed. */
  apply(settings: Settings): Promise<Change[]> {
    return this.#queue.run(() => this.#apply(settings));
  }

  /** Resolves once the media processes have done what was applied last; at once where nothing is on the air. */
  async applied(): Promise<void> {
    await this.#queue.done();
    await Promise.all([this.#delivery.applied(), this.#programme.applied()]);
  }

  /** Asks the encoder for a keyframe. False where nothing is on the air. */
  forceKeyframe(): boolean {
    if (this.#state !== 'on' || !this.#programme.isPlaying) return false;
    this.#programme.keyframe();
    return true;
  }

  /** The last keyframe as a JPEG. Throws a Fault where there is none, or it cannot be decoded. */
  async snapshot(): Promise<Buffer> {
    const flv = this.#state === 'on' ? await this.#delivery.picture() : undefined;
    if (flv === undefined) {
      const remedy =
        this.#state === 'on' ? 'The first one is on its way: ask again in a moment.' : 'Start the broadcast first.';
      throw new Fault('command_failed', 'There is no picture on the air.', remedy);
    }
    return jpegOf(Buffer.from(flv, 'base64'), this.#folder);
  }

  /** Builds a new pipeline for the machine as it is now. False where nothing is on the air. */
  async restartMedia(): Promise<boolean> {
    if (this.#state !== 'on') return false;
    await this.#programme.replan();
    return true;
  }

  async #apply(settings: Settings): Promise<Change[]> {
    const { changed } = cost(this.settings, settings);
    this.settings = settings;
    if (!this.#begun) return changed;
    if (this.#state !== 'on') {
      // Files that were played to their end do not start again because the log level changes.
      const begins = this.#state !== 'ended' || changed.some((change) => ofBroadcast.test(change.path));
      if (changed.length > 0 && begins) await this.#goOn();
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
    const formatChanges = changed.some((change) => change.cost === 'restart' && /^(video|audio)\./.test(change.path));
    this.#delivery.take(settings, changed, formatChanges, this.#demoOutput);
    const rebuilds = changed.some((change) => change.cost === 'rebuild');
    await this.#programme.take(settings, formatChanges ? 'restart' : rebuilds ? 'rebuild' : 'live');
    return changed;
  }

  /** Closes every output in order, and both children with them. */
  async stop(): Promise<void> {
    const wasOn = this.#state === 'on';
    this.#state = 'stopping';
    if (wasOn) this.dependencies.log.always('info', 'stopping', 'Stopping: closing every output in order.');
    await this.#end();
    await this.#demo.stop();
    if (this.#folder) await rm(this.#folder, { recursive: true, force: true });
  }

  /** The machine has changed. */
  async devicesChanged(): Promise<void> {
    if (this.#state === 'on') await this.#programme.devicesChanged();
  }

  /** Retries outputs now that wait for their next try, all or the one of that name: an operator asks for it. */
  retry(output?: string): void {
    this.#delivery.retry(output);
  }

  /** An address or a route of this machine has changed. Without any network there is nothing to retry. */
  networkChanged(): void {
    if (!this.dependencies.networkFault()) this.#delivery.networkChanged();
  }

  /** What is wrong with the settings, for the status document. */
  settingsProblems(problems: readonly FaultReport[]): void {
    this.#settingsProblems = problems;
  }

  /** What is wanted on the air, as pipelines; none in it holds a key. */
  get plan(): Plan | undefined {
    return this.#programme.plan;
  }

  status(): BroadcastStatus {
    const { plan } = this.#programme;
    const { hub, recording } = this.#delivery;
    return {
      version: this.dependencies.version,
      wanted: this.#wanted === 'on' ? 'on air' : 'idle',
      actual: this.#actual(),
      uptimeSeconds: Math.round(process.uptime()),
      problems: [...this.#settingsProblems, ...this.#problems],
      ...(plan ? { video: plan.video, audio: plan.audio, notes: plan.notes } : {}),
      ...(hub ? { hub } : {}),
      outputs: this.#delivery.document(),
      ...(recording ? { recording } : {}),
    };
  }

  get #problems(): FaultReport[] {
    return [...this.#programme.problems, ...this.#delivery.problems, ...this.#faults.reports];
  }

  #actual(): ActualState {
    // Being idle because of an invalid setting is not what was wanted.
    if (this.#state === 'idle' && !this.#paused && this.#settingsProblems.length > 0) return 'degraded';
    const isToBegin = !this.#begun && this.#wanted === 'on' && isWanted(this.settings);
    if (this.#state !== 'on') return this.#state === 'idle' && isToBegin ? 'starting' : this.#state;
    const { states } = this.#delivery;
    const problems = this.#settingsProblems.length + this.#problems.length;
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
      if (!this.dependencies.demo) return this.#sayIdle();
      this.#demoOutput ??= await this.#demo.start(this.settings.demo.port, this.#folder);
      if (!this.#demoOutput) return this.#sayIdle();
    }
    // Right at the end of the files the sessions, and with them the children, may still be open.
    if (this.#state === 'ended' && !this.#finished) await this.#end();
    // The program may have been told to stop meanwhile.
    if (this.#state === 'stopping') return;
    this.#state = 'on';
    this.#finished = false;
    const socket = path.join(this.#folder, 'hub.sock');
    this.#delivery.start(this.settings, socket, this.#demoOutput);
    await this.#programme.start(this.settings, socket);
  }

  async #goOff(): Promise<void> {
    await this.#end();
    this.#demoOutput = undefined;
    await this.#demo.stop();
    // The program may have been told to stop meanwhile.
    if (this.#state === 'on') this.#state = 'idle';
  }

  async #end(): Promise<void> {
    await Promise.all([this.#delivery.stop(), this.#programme.stop()]);
    this.#adaptation.forget();
    this.#limitKbps = undefined;
    await this.#programme.limit(undefined);
    this.#faults.clear();
  }

  #sayIdle(): void {
    if (this.#wanted === 'idle')
      return this.dependencies.log.info('idle', 'Idle: the broadcast was stopped by a command.');
    this.dependencies.log.info(
      'idle',
      'Idle: no output is configured, and recording is off. Set STREAM_URL and STREAM_KEY, or outputs in makercast.yml.',
    );
  }

  #beat(outputs: Readonly<Record<string, OutputStatus>>): void {
    this.#adapt(outputs);
    const { isQuiet, hasGrown } = this.#delivery;
    this.#programme.recycle(isQuiet);
    if (isQuiet && hasGrown)
      void this.#queue.run(() => (this.#state === 'on' ? this.#delivery.recycle() : Promise.resolve()));
    if (this.#state === 'ended' && this.#isSent(outputs)) void this.#queue.run(() => this.#finish());
  }

  /** Whether every connected server has received the last picture, or pictures may not be queued any longer. */
  #isSent(outputs: Readonly<Record<string, OutputStatus>>): boolean {
    const waits = Object.values(outputs).some(
      ({ state, queuedMs }) => (state === 'live' || state === 'stalled') && queuedMs > 0,
    );
    this.#atEnd.beats += 1;
    this.#atEnd.empty = waits ? 0 : this.#atEnd.empty + 1;
    return this.#atEnd.empty >= emptyBeats || this.#atEnd.beats > this.settings.output.maxQueueSeconds;
  }

  /** Asks the encoder for the bitrate that the slowest of the connections carries which it follows. */
  #adapt(outputs: Readonly<Record<string, OutputStatus>>): void {
    const { fullKbps } = this.#programme;
    if (fullKbps === undefined) return;
    const { video, audio } = this.settings;
    const floor = video.minBitrateKbps === 'auto' ? fullKbps * floorShare : video.minBitrateKbps;
    const bounds = { fullKbps, floorKbps: Math.min(Math.round(floor), fullKbps), audioKbps: audio.bitrateKbps };
    const follows = (name: string): boolean => {
      const output = this.settings.outputs[name];
      return video.adaptive && output !== undefined && output.enabled && output.adaptive;
    };
    const kbps = this.#adaptation.look(outputs, follows, bounds);
    const limit = kbps < fullKbps ? kbps : undefined;
    if (limit === this.#limitKbps) return;
    // One line when it begins and one when it ends; the status has what is in between.
    const { log } = this.dependencies;
    if (this.#limitKbps === undefined)
      log.warn(
        'bitrate_lowered',
        `A server accepts less than is sent: lowering the bitrate from ${fullKbps} to ${kbps} kbit/s.`,
      );
    if (limit === undefined)
      log.info('bitrate_restored', `No server limits the bitrate any more: it is back at ${fullKbps} kbit/s.`);
    this.#limitKbps = limit;
    void this.#programme.limit(limit);
  }

  async #finish(): Promise<void> {
    if (this.#state !== 'ended' || this.#finished) return;
    await this.#end();
    this.#finished = true;
    this.dependencies.log.always('info', 'ended', 'The last file was played to its end; the broadcast is over.');
    this.dependencies.ended();
  }
}
