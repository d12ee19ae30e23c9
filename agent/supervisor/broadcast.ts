/** A broadcast from start to stop: the programme, the process that delivers it, and every output. */
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { cost, type Change } from '../config/cost.js';
import type { Settings } from '../config/settings.js';
import type { Fault } from '../errors.js';
import { type FaultReport } from '../errors.js';
import { Child } from '../media/child.js';
import type { FromDelivery, HubStatus, OutputStatus, ToDelivery, WantedOutput } from '../media/messages.js';
import { Adaptation } from './adaptation.js';
import { Backoff } from './backoff.js';
import { Demo } from './demo.js';
import { runFolder } from './folder.js';
import { Outputs } from './outputs.js';
import { Programme, type Studio } from './programme.js';
import type { ActualState, Status } from './status.js';
import { wantedOutputs } from './wants.js';

/** What a broadcast needs of the machine and of the program around it. */
export interface Surroundings extends Studio {
  readonly version: string;
  /** The fault of a machine without a network, if it is one. */
  readonly networkFault: () => Fault | undefined;
  /** A demonstration server stands in where no output is configured. */
  readonly demo: boolean;
  /** The files were played to their end, and the broadcast is over. */
  readonly ended: () => void;
}

/**
 * A fifth: with sound and what TCP adds, 2500 kbit/s then fit through 800. Three tenths, which users of OBS ask for, do not.
 */
const floorShare = 0.2;

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
  #folder = '';
  #demoOutput: WantedOutput | undefined;
  /** While the format of the broadcast changes, no output is open. */
  #outputsHeld = false;
  #hub: HubStatus | undefined;
  #state: 'idle' | 'on' | 'ended' | 'stopping' = 'idle';
  #finishing = false;

  constructor(
    private settings: Settings,
    private readonly around: Surroundings,
  ) {
    const { environment, log, clock } = around;
    this.#outputs = new Outputs(log, around.networkFault);
    this.#deliveryBackoff = new Backoff(clock);
    this.#adaptation = new Adaptation(clock);
    this.#programme = new Programme(settings, around, {
      playing: () => this.#playing(),
      // Not before delivery has taken what is still in the socket: its next beat comes after that.
      ended: () => (this.#state = 'ended'),
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
    const { changed } = cost(this.settings, settings);
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
    const paths = changed.map((change) => change.path);
    const has = (prefix: string): boolean => paths.some((each) => each.startsWith(prefix));
    const formatChanges = changed.some((change) => change.cost === 'restart' && /^(video|audio)\./.test(change.path));
    this.#outputsHeld ||= formatChanges;
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
    return {
      version: this.around.version,
      wanted: this.#state === 'on' ? 'on air' : 'idle',
      actual: this.#actual(),
      uptimeSeconds: Math.round(process.uptime()),
      problems: [...this.#settingsProblems, ...this.#programme.problems, ...this.#problems.values()],
      ...(plan ? { video: plan.video, audio: plan.audio, notes: plan.notes } : {}),
      ...(this.#hub ? { hub: this.#hub } : {}),
      outputs: this.#outputs.document(),
    };
  }

  #actual(): ActualState {
    // Idle because of a setting that is not valid is not what was wanted.
    if (this.#state === 'idle' && this.#settingsProblems.length > 0) return 'degraded';
    if (this.#state !== 'on') return this.#state;
    const { states } = this.#outputs;
    const problems = this.#settingsProblems.length + this.#programme.problems.length + this.#problems.size;
    const ailing = states.some((state) => state === 'stalled' || state === 'waiting' || state === 'refused');
    if (problems > 0 || ailing) return 'degraded';
    return this.#programme.isPlaying && states.length > 0 && states.every((state) => state === 'live')
      ? 'live'
      : 'starting';
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
    await this.#programme.start(this.settings, this.#socket);
  }

  async #goOff(): Promise<void> {
    await this.#end();
    this.#state = 'idle';
  }

  async #end(): Promise<void> {
    this.#deliveryBackoff.cancel();
    await Promise.all([this.#delivery.stop(), this.#programme.stop()]);
    this.#hub = undefined;
    this.#outputs.forget();
    this.#adaptation.forget();
    this.#limitKbps = undefined;
    await this.#programme.limit(undefined);
    this.#problems.clear();
  }

  #sayIdle(): void {
    this.around.log.info(
      'idle',
      'Idle: no output is configured. Set STREAM_URL and STREAM_KEY, or outputs in makercast.yml.',
    );
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

  #playing(): void {
    if (!this.#outputsHeld) return;
    this.#outputsHeld = false;
    this.#sendOutputs();
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
        return this.#programme.keyframe();
      case 'beat':
        this.#hub = message.hub;
        this.#deliveryBackoff.progress();
        for (const [name, status] of Object.entries(message.outputs)) this.#outputs.heard(name, status);
        this.#adapt(message.outputs);
        if (this.#state === 'ended') void this.#finish();
        return;
    }
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
