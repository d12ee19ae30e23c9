/** Keeps what is on the air equal to what is wanted: plans, two child processes, and every output. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { describe } from '../../pipelines/describe.js';
import type { Facts } from '../../pipelines/facts.js';
import { liveChanges, type Plan } from '../../pipelines/plan.js';
import type { Wish } from '../../pipelines/wanted.js';
import type { Clock } from '../clock.js';
import { cost, type Change } from '../config/cost.js';
import type { Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import { Child } from '../media/child.js';
import type { FromCapture, FromDelivery, HubStatus, ToCapture, ToDelivery, WantedOutput } from '../media/messages.js';
import { Backoff } from './backoff.js';
import { Demo } from './demo.js';
import { runFolder } from './folder.js';
import { Outputs } from './outputs.js';
import { Planner } from './planner.js';
import type { ActualState, Status } from './status.js';
import { wantedOutputs } from './wants.js';

/** What a broadcast needs of the machine and of the program around it. */
export interface Surroundings {
  readonly log: Log;
  readonly clock: Clock;
  readonly version: string;
  /** All that a child may see of our environment. */
  readonly environment: NodeJS.ProcessEnv;
  /** What relative paths of media files start from. */
  readonly folder: string;
  /** Looks at the machine. Throws a Fault where a wanted file cannot be used. */
  readonly gather: (wish: Wish) => Promise<Facts>;
  /** The program that holds a device, for people; undefined where none is found. */
  readonly holderOf: (device: string) => Promise<string | undefined>;
  /** The fault of a machine without a network, if it is one. */
  readonly networkFault: () => Fault | undefined;
  /** A demonstration server stands in where no output is configured. */
  readonly demo: boolean;
  /** The files were played to their end, and the broadcast is over. */
  readonly ended: () => void;
}

export class Broadcast {
  readonly #capture: Child<ToCapture, FromCapture>;
  readonly #delivery: Child<ToDelivery, FromDelivery>;
  readonly #demo: Demo;
  readonly #captureBackoff: Backoff;
  readonly #deliveryBackoff: Backoff;
  readonly #problems = new Map<'plan' | 'capture' | 'delivery' | 'demo', FaultReport>();
  #settingsProblems: readonly FaultReport[] = [];
  readonly #outputs: Outputs;
  readonly #planner: Planner;
  #folder = '';
  #demoOutput: WantedOutput | undefined;
  #plan: Plan | undefined;
  #planId = 0;
  #playing = false;
  /** While the format of the broadcast changes, no output is open. */
  #outputsHeld = false;
  #hub: HubStatus | undefined;
  #state: 'idle' | 'on' | 'ended' | 'stopping' = 'idle';
  /** Plans are made one after the other; a request during one is served by the next. */
  #planning: Promise<void> | undefined;
  #planAgain = false;
  #finishing = false;

  constructor(
    private settings: Settings,
    private readonly around: Surroundings,
  ) {
    const { environment, log, clock } = around;
    this.#outputs = new Outputs(log, around.networkFault);
    this.#planner = new Planner(around.gather, around.folder);
    this.#captureBackoff = new Backoff(clock);
    this.#deliveryBackoff = new Backoff(clock);
    this.#capture = new Child('capture', 'capture/main.js', environment, {
      message: (message) => this.#fromCapture(message),
      said: (line) => log.warn('capture_said', `capture: ${line}`),
      died: (fault) => this.#captureDied(fault),
    });
    this.#delivery = new Child('delivery', 'delivery/main.js', environment, {
      message: (message) => this.#fromDelivery(message),
      said: (line) => log.warn('delivery_said', `delivery: ${line}`),
      died: (fault) => this.#deliveryDied(fault),
    });
    this.#demo = new Demo(environment, (fault) => this.#trouble('demo', fault));
  }

  /** On the air, if there is anywhere to stream to; else idle, which it says. */
  async start(): Promise<void> {
    this.#folder = await runFolder();
    await this.#goOn();
  }

  /** New settings, already validated. Each change is applied at its own cost; nothing else is disturbed. */
  async apply(settings: Settings): Promise<Change[]> {
    const { cost: dearest, changed } = cost(this.settings, settings);
    this.settings = settings;
    if (this.#state !== 'on') {
      if (changed.length > 0) await this.#goOn();
      return changed;
    }
    if (wantedOutputs(settings).length === 0 && !this.#demoOutput) {
      await this.#goOff();
      this.#sayIdle();
      return changed;
    }
    if (wantedOutputs(settings).length > 0 && this.#demoOutput) {
      this.#demoOutput = undefined;
      void this.#demo.stop();
    }
    const paths = new Set(changed.map((change) => change.path));
    const has = (prefix: string): boolean => [...paths].some((each) => each.startsWith(prefix));
    const formatChanges =
      dearest === 'restart' &&
      changed.some((change) => change.cost === 'restart' && /^(video|audio)\./.test(change.path));
    this.#outputsHeld ||= formatChanges;
    if (formatChanges) this.#planner.forgetFormat();
    if (formatChanges || has('outputs.')) this.#sendOutputs();
    if (has('audio.delayMs')) this.#sendDelay();
    if (dearest === 'rebuild' || formatChanges) await this.replan();
    else if (has('video.') || has('camera.') || has('audio.')) await this.#adjust();
    return changed;
  }

  /** Takes a live change over into the pipeline that runs, and into the plan that says what runs. */
  async #adjust(): Promise<void> {
    const running = this.#plan;
    const next = running && this.#planner.adjusted(this.settings);
    if (!next) return;
    const properties = liveChanges(running, next);
    if (!properties) return this.replan();
    this.#take(next);
    if (properties.length > 0) this.#capture.send({ type: 'adjust', plan: next, properties });
    const kept = next.video.bitrateKbps === undefined && this.settings.video.bitrateKbps !== 'auto';
    if (kept) this.around.log.info('bitrate_kept', `${next.video.source} encodes by itself and keeps its own bitrate.`);
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

  /** The machine has changed: plan anew, and play that if it is another plan. */
  async devicesChanged(): Promise<void> {
    if (this.#state === 'on') await this.replan(true);
  }

  /** What is wrong with the settings, for the status document. */
  settingsProblems(problems: readonly FaultReport[]): void {
    this.#settingsProblems = problems;
  }

  status(): Status {
    return {
      version: this.around.version,
      wanted: this.#state === 'on' ? 'on air' : 'idle',
      actual: this.#actual(),
      uptimeSeconds: Math.round(process.uptime()),
      problems: [...this.#settingsProblems, ...this.#problems.values()],
      ...(this.#plan ? { video: this.#plan.video, audio: this.#plan.audio, notes: this.#plan.notes } : {}),
      ...(this.#hub ? { hub: this.#hub } : {}),
      outputs: this.#outputs.document(),
    };
  }

  #actual(): ActualState {
    // Idle because of a setting that is not valid is not what was wanted.
    if (this.#state === 'idle' && this.#settingsProblems.length > 0) return 'degraded';
    if (this.#state !== 'on') return this.#state;
    const { states } = this.#outputs;
    if (this.#settingsProblems.length > 0 || this.#problems.size > 0 || states.includes('waiting')) return 'degraded';
    return this.#playing && states.length > 0 && states.every((state) => state === 'live') ? 'live' : 'starting';
  }

  async #goOn(): Promise<void> {
    if (wantedOutputs(this.settings).length === 0) {
      if (!this.around.demo) return this.#sayIdle();
      this.#demoOutput ??= await this.#demo.start(this.settings.demo.port, this.#folder);
      if (!this.#demoOutput) return this.#sayIdle();
    }
    // A stop may have come while the demonstration server started.
    if (this.#state === 'stopping') return;
    this.#state = 'on';
    this.#startDelivery();
    this.#startCapture();
    await this.replan();
  }

  async #goOff(): Promise<void> {
    await this.#end();
    this.#state = 'idle';
  }

  async #end(): Promise<void> {
    this.#captureBackoff.cancel();
    this.#deliveryBackoff.cancel();
    this.#planId += 1;
    await Promise.all([this.#delivery.stop(), this.#capture.stop()]);
    this.#plan = undefined;
    this.#planner.forgetFormat();
    this.#playing = false;
    this.#hub = undefined;
    this.#outputs.forget();
    this.#problems.clear();
  }

  #sayIdle(): void {
    this.around.log.info(
      'idle',
      'Idle: no output is configured. Set STREAM_URL and STREAM_KEY, or outputs in makercast.yml.',
    );
  }

  /** Plans from new facts and plays the plan; with `onlyIfOther`, not where the same is on already. */
  replan(onlyIfOther = false): Promise<void> {
    if (this.#planning) {
      this.#planAgain = true;
      return this.#planning;
    }
    this.#planning = this.#makePlan(onlyIfOther).finally(() => {
      this.#planning = undefined;
      if (!this.#planAgain) return undefined;
      this.#planAgain = false;
      return this.replan();
    });
    return this.#planning;
  }

  async #makePlan(onlyIfOther: boolean): Promise<void> {
    try {
      const next = await this.#planner.make(this.settings);
      if (this.#state !== 'on') return;
      this.#problems.delete('plan');
      if (onlyIfOther && this.#playing && JSON.stringify(next) === JSON.stringify(this.#plan)) return;
      this.#take(next);
      this.#play();
    } catch (error) {
      if (this.#state !== 'on') return;
      this.#trouble('plan', Fault.from(error));
      // What is on stays on: it is better than nothing. Else the device may yet be plugged in, or the file appear.
      if (!this.#playing) this.#captureBackoff.again(() => void this.replan());
    }
  }

  /** The plan from now on; what of the settings it cannot follow is said once. */
  #take(next: Plan): void {
    const said = new Set(this.#plan?.notes);
    this.#plan = next;
    for (const note of next.notes) if (!said.has(note)) this.around.log.warn('setting_not_followed', note);
  }

  #play(): void {
    if (!this.#plan) return;
    this.#planId += 1;
    this.#capture.send({ type: 'play', id: this.#planId, plan: this.#plan, batchMs: this.settings.output.batchMs });
  }

  /** What is sent before a child has come up waits for it in the channel, in order. */
  #startCapture(): void {
    this.#capture.start();
    this.#capture.send({ type: 'hub', socket: this.#socket });
    this.#play();
  }

  #startDelivery(): void {
    this.#delivery.start();
    this.#delivery.send({ type: 'hub', socket: this.#socket });
    this.#sendDelay();
    this.#sendOutputs();
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

  get #socket(): string {
    return path.join(this.#folder, 'hub.sock');
  }

  #fromCapture(message: FromCapture): void {
    switch (message.type) {
      case 'playing':
        if (message.id === this.#planId) this.#onPlaying(message.afterMs);
        return;
      case 'fault':
        if (message.id === this.#planId) void this.#onFault(message.fault);
        return;
      case 'ended':
        // Not before delivery has taken what is still in the socket: its next beat comes after that.
        if (message.id === this.#planId) this.#state = 'ended';
        return;
      case 'beat':
        if (this.#playing) this.#captureBackoff.progress();
        return;
    }
  }

  async #onFault({ code, what, mend }: FaultReport): Promise<void> {
    this.#playing = false;
    this.#captureBackoff.again(() => void this.replan());
    const device = this.#plan?.pieces[0]?.properties.find(({ property }) => property === 'device')?.value;
    const holder =
      code === 'source_busy' && device !== undefined ? await this.around.holderOf(String(device)) : undefined;
    this.#trouble('capture', new Fault(code, holder ? `${what} It is held by ${holder}.` : what, mend));
  }

  #onPlaying(afterMs: number): void {
    const first = !this.#playing;
    this.#playing = true;
    this.#problems.delete('capture');
    if (first) this.around.log.info('playing', `Picture and sound: ${describe(this.#plan!)}.`, { afterMs });
    if (!this.#outputsHeld) return;
    this.#outputsHeld = false;
    this.#sendOutputs();
  }

  #captureDied(fault: Fault): void {
    this.#playing = false;
    this.#trouble('capture', fault);
    this.#captureBackoff.again(() => this.#startCapture());
  }

  #deliveryDied(fault: Fault): void {
    this.#hub = undefined;
    this.#trouble('delivery', fault);
    this.#deliveryBackoff.again(() => this.#startDelivery());
  }

  #fromDelivery(message: FromDelivery): void {
    switch (message.type) {
      case 'ready':
        this.#problems.delete('delivery');
        return;
      case 'output':
        return this.#outputs.heard(message.name, message.status);
      case 'keyframe':
        return this.#capture.send({ type: 'keyframe' });
      case 'beat':
        this.#hub = message.hub;
        this.#deliveryBackoff.progress();
        for (const [name, status] of Object.entries(message.outputs)) this.#outputs.heard(name, status);
        if (this.#state === 'ended') void this.#finish();
        return;
    }
  }

  async #finish(): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    await this.#end();
    this.around.log.always('info', 'ended', 'The last file was played to its end; the broadcast is over.');
    this.around.ended();
  }

  #trouble(area: 'plan' | 'capture' | 'delivery' | 'demo', fault: Fault): void {
    const known = this.#problems.get(area);
    this.#problems.set(area, fault.report());
    if (known?.code === fault.code && known.what === fault.what) return;
    this.around.log.error(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  }
}
