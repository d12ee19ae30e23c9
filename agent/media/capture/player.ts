/** Plays a plan: its pipelines one after the other, their tags to the hub, and what goes wrong as faults. */
import type { Clock } from '../../clock.js';
import type { ElementProperty } from '../../../pipelines/graph.js';
import { type Plan, withoutUnit } from '../../../pipelines/plan.js';
import { unitElement } from '../../../pipelines/sources/unit.js';
import { Fault } from '../../errors.js';
import type { StreamFormat } from '../../formats/flv/metadata.js';
import { Pipeline, type BusMessage } from '../gstreamer.js';
import type { Uplink } from './uplink.js';
import { audioTag, hasKeyframe, tagTypes, videoTag } from '../../formats/flv/tag.js';
import type { EncoderRequest, InputPart } from '../messages.js';
import { partOf, sourceFault } from './reasons.js';
import { EncoderUnit } from './unit.js';

/** A camera that has given nothing by then, and no error either, will not. */
const openingMs = 5000;
/** How often it is checked that pictures and sound still arrive; after a second of checks without any, they are lost. */
const flowCheckMs = 250;
const looksInVain = 4;
/** Platforms take 4 s from one keyframe to the next, and a little is added for the way. */
const keyframeLimit = 4;
const keyframeSlack = 1;
/** A film may stand still, and a disk may have to spin up: 10 s in which neither picture nor sound come out of a file. */
const fileLooksInVain = 40;
const checkFiles = 'Check the files and their disk.';
/** What is made here stops only where the machine has no time for it. */
const tooBusy = 'This machine is too busy: lower video.fps, video.width or video.height, or end other programs.';
/** The reason why a stream ended comes on the bus, which is read apart from the stream. */
const lastWordMs = 500;
/** How much longer than a batch sound may wait for a picture to go with: two pictures at 25 a second. */
const patienceMs = 80;

/** What a plan reports while it plays. */
export interface Listener {
  playing(): void;
  ended(): void;
  /** The playlist begins again. */
  round(): void;
  /** The camera's encoder refuses what it is asked for, and why in a few words; it goes on as it is. Said once of each. */
  refused(what: EncoderRequest, why: string): void;
  /** What a camera encodes has had no keyframe for so many seconds; said once. */
  sparse(seconds: number): void;
  /** Its devices are let go of once this returns. */
  failed(fault: Fault, part: InputPart): void;
}

/** One plan, once. */
export class Player {
  #pipeline: Pipeline | undefined;
  #unit: EncoderUnit | undefined;
  readonly #refused = new Set<EncoderRequest>();
  #index = 0;
  #over = false;
  /** When the next batch may go: on average one each `batchMs`, and one that went late may be followed by one that goes early. */
  #due = 0;
  #opening: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** Looks since a tag of each kind came last. Counted, not timed: a process that stood still saw nothing come, nor stay away. */
  readonly #inVain = { picture: 0, sound: 0 };
  /** Looks since the last keyframe of what passes through. */
  #withoutKey = 0;
  #isSparse = false;
  /** The plan's pulse at the last look. */
  #pulse: unknown;

  constructor(
    private plan: Plan,
    private readonly uplink: Uplink,
    private readonly batchMs: number,
    private readonly clock: Clock,
    private readonly listener: Listener,
  ) {}

  /** Throws what {@link Pipeline} throws; later faults go to the listener. */
  start(): void {
    this.#tellCamera();
    this.#open();
  }

  #tellCamera(): void {
    const { encoderUnit } = this.plan;
    if (!encoderUnit) return;
    this.#unit = new EncoderUnit(encoderUnit);
    const why = this.#unit.configure();
    if (why === undefined) return;
    this.plan = withoutUnit(this.plan);
    this.listener.refused('setup', why);
  }

  /** Makes the plan that plays another one by setting `properties`; the pipelines that follow are played as `plan` has them. */
  adjust(plan: Plan, properties: readonly ElementProperty[]): void {
    this.plan = plan;
    for (const each of properties) this.#set(each);
  }

  #set(property: ElementProperty): void {
    if (property.element !== unitElement) return this.#pipeline?.set(property);
    const what = property.property === 'keyframe' ? 'keyframe' : 'bitrate';
    const why = this.#unit?.set(property);
    if (why === undefined || this.#refused.has(what)) return;
    this.#refused.add(what);
    this.listener.refused(what, why);
  }

  forceKeyframe(): void {
    const { keyframe } = this.plan;
    if (keyframe) this.#set(keyframe);
    else this.#pipeline?.forceKeyframe('tags');
  }

  stop(): void {
    this.#end();
    this.#pipeline?.destroy();
    this.#pipeline = undefined;
    this.#unit?.close();
  }

  #end(): void {
    this.#over = true;
    clearTimeout(this.#opening);
    clearInterval(this.#looking);
  }

  /** What to do about a part that is silent; `first`: about a device. */
  #remedy(part: InputPart, first: string): string {
    const { live, devices } = this.plan;
    if (!live) return checkFiles;
    const isDevice = (part === 'sound' ? devices.microphone : devices.camera) !== undefined;
    return isDevice ? `${first}, or choose another ${part === 'sound' ? 'audio' : 'video'}.source.` : tooBusy;
  }

  #open(): void {
    const text = this.plan.pipelines[this.#index]!;
    const pipeline = new Pipeline(text, (message) => this.#heard(pipeline, message));
    this.#pipeline = pipeline;
    pipeline.play();
    this.#opening = setTimeout(
      () =>
        this.#fail(
          new Fault(
            'source_silent',
            `${this.plan.video.source} delivers no pictures.`,
            this.#remedy('picture', 'Unplug it and plug it in again'),
          ),
          'picture',
        ),
      openingMs,
    );
    void this.#drain(pipeline);
  }

  /** Hands tags on from the first picture until the stream ends: sound that comes before it has nothing to go with. */
  async #drain(pipeline: Pipeline): Promise<void> {
    let waiting: Buffer[] | undefined = [];
    for (;;) {
      const minMs = Math.max(0, this.#due - this.clock.now());
      const tags = await pipeline.pull('tags', minMs, minMs + patienceMs);
      if (this.#over || pipeline !== this.#pipeline) return;
      if (tags === null) return this.#next();
      this.#due = Math.max(this.#due + this.batchMs, this.clock.now() - this.batchMs);
      this.#seen(tags);
      if (!waiting) {
        this.uplink.send(tags);
        continue;
      }
      waiting.push(tags);
      if (![...tagTypes(tags)].includes(videoTag)) continue;
      clearTimeout(this.#opening);
      // What was on until now goes off with this call.
      this.listener.playing();
      this.uplink.begin(formatOf(this.plan));
      this.uplink.send(Buffer.concat(waiting));
      waiting = undefined;
      this.#look();
    }
  }

  #seen(tags: Buffer): void {
    for (const type of tagTypes(tags)) {
      if (type === videoTag && !this.plan.pulse) this.#inVain.picture = 0;
      if (type === audioTag) this.#inVain.sound = 0;
    }
    if (this.#isJudged && hasKeyframe(tags)) this.#withoutKey = 0;
  }

  /**
   * A driver may go on without an error and give nothing: frozen cameras do, and `alsasrc` does where its card is gone. So does a
   * file on a disk or a server that hangs.
   */
  #look(): void {
    clearInterval(this.#looking);
    this.#looking = setInterval(() => {
      const inVain = this.#inVain;
      this.#feel();
      this.#judge();
      inVain.picture += 1;
      inVain.sound += 1;
      if (!this.plan.live && Math.min(inVain.picture, inVain.sound) <= fileLooksInVain) return;
      for (const part of ['picture', 'sound'] as const) {
        if (inVain[part] <= looksInVain) continue;
        const source = part === 'sound' ? this.plan.audio.source : this.plan.video.source;
        const remedy = this.#remedy(part, 'Check its cable and power');
        return this.#fail(new Fault('source_silent', `${source} stopped delivering data.`, remedy), part);
      }
    }, flowCheckMs);
  }

  /** A camera whose encoder cannot be told how, or may not comply; the keyframes of files were checked before. */
  get #isJudged(): boolean {
    const { kind, video, encoderUnit } = this.plan;
    return (
      kind === 'camera' &&
      video.encoder === 'passthrough' &&
      (video.bitrateKbps === undefined || encoderUnit !== undefined)
    );
  }

  /** How many checks without a keyframe are too many. An interval that was asked for is never too long. */
  get #looksForKey(): number {
    const limit = Math.max(keyframeLimit, this.plan.encoderUnit?.keyframeSeconds ?? 0);
    return ((limit + keyframeSlack) * 1000) / flowCheckMs;
  }

  #judge(): void {
    if (!this.#isJudged || this.#isSparse || ++this.#withoutKey <= this.#looksForKey) return;
    this.#isSparse = true;
    this.listener.sparse(Math.round((this.#withoutKey * flowCheckMs) / 1000));
  }

  /** Whether the source has given a picture since the last look: on the air the one before would be repeated. */
  #feel(): void {
    const { pulse } = this.plan;
    if (!pulse) return;
    const now = this.#pipeline?.element(pulse.element)[pulse.property];
    if (now !== this.#pulse) this.#inVain.picture = 0;
    this.#pulse = now;
  }

  /** The next pipeline, or the end. No pipeline plays two files: what a file is decoded with differs from file to file. */
  #next(): void {
    clearTimeout(this.#opening);
    if (this.plan.live) {
      // Some drivers end the stream in order when their device is pulled. Others say why, and only a little later.
      const stopped = (): void =>
        this.#fail(
          new Fault(
            'source_failed',
            `${this.plan.video.source} stopped.`,
            'Check its cable and power, or choose another video.source.',
          ),
          'picture',
        );
      this.#opening = setTimeout(stopped, lastWordMs);
      return;
    }
    clearInterval(this.#looking);
    this.#pipeline?.destroy();
    this.#pipeline = undefined;
    this.#index += 1;
    if (this.#index >= this.plan.pipelines.length) {
      if (!this.plan.loop) {
        this.#over = true;
        return this.listener.ended();
      }
      this.#index = 0;
      this.listener.round();
    }
    try {
      this.#open();
    } catch (error) {
      this.#fail(Fault.from(error), 'other');
    }
  }

  #heard(pipeline: Pipeline, message: BusMessage): void {
    if (message.type !== 'error' || pipeline !== this.#pipeline) return;
    this.#fail(sourceFault(message, this.plan), partOf(message));
  }

  #fail(fault: Fault, part: InputPart): void {
    if (this.#over) return;
    this.#end();
    // Reported before the devices are closed, in which a driver may hang for good: nobody would ever hear why.
    this.listener.failed(fault, part);
    this.stop();
  }
}

function formatOf({ video, audio }: Plan): StreamFormat {
  return {
    width: video.width,
    height: video.height,
    fps: video.fps,
    ...(video.bitrateKbps === undefined ? {} : { videoKbps: video.bitrateKbps }),
    audioRate: audio.rate,
    audioChannels: audio.channels,
  };
}
