/** One RTMP destination: a pipeline of its own, with its own queue, state and retry. What happens to it touches no other. */
import type { Clock } from '../../clock.js';
import { rtmpOutput, rtmpProperties } from '../../../pipelines/outputs/rtmp.js';
import type { Fault } from '../../errors.js';
import { isKeyframe, isSequenceHeader, isVideo, stamp } from '../../flv/tag.js';
import { Pipeline, type BusMessage } from '../gstreamer.js';
import type { OutputState, OutputStatus, WantedOutput } from '../messages.js';
import { spanMs, type Hub, type Subscriber } from './hub.js';
import { Rate } from './rate.js';
import { outputFault } from './reasons.js';
import type { Placed } from './timeline.js';

/** More than this waiting is not sent late but dropped, up to the newest keyframe. */
const maxQueueMs = 4000;
/** What is in appsrc cannot be dropped any more. */
const maxAheadMs = 500;
/** How often the sink is asked whether the server has accepted, while it connects. */
const connectPollMs = 25;
/** rtmp2sink gives up a server that does not shake hands after 5 s, but waits for ever for an answer to `connect` or `publish`. */
const connectMs = 8000;
/** An encoder that can give a keyframe on demand has given it by then; else the last group of pictures is sent again. */
const joinWaitMs = 400;
/** The server's last word may never come. */
const closeMs = 1000;
const firstRetryMs = 500;
const maxRetryMs = 30_000;
/** A connection that held so long was a good one: the next wait is short again. */
const steadyMs = 30_000;

export class Output implements Subscriber {
  readonly #pipeline: Pipeline;
  #state: OutputState = 'connecting';
  #fault: Fault | undefined;
  #queue: Placed[] = [];
  /** Places of the tags that were pushed and may still be in appsrc, oldest first. */
  #pushed: number[] = [];
  /** Undefined until the first keyframe has been queued; then what every time is counted from. */
  #baseMs: number | undefined;
  #joinBy = 0;
  #frames = 0;
  #droppedFrames = 0;
  #connects = 0;
  #liveSince = 0;
  #retries = 0;
  #deliveredKbps = 0;
  readonly #rate: Rate;
  #timer: NodeJS.Timeout | undefined;
  #ended: (() => void) | undefined;

  constructor(
    readonly wanted: WantedOutput,
    private readonly hub: Hub,
    private readonly clock: Clock,
    private readonly tell: { status(): void; keyframe(): void },
  ) {
    this.#rate = new Rate(clock.now);
    this.#pipeline = new Pipeline(
      { text: rtmpOutput().text, properties: rtmpProperties(wanted.destination) },
      (message) => this.#heard(message),
    );
  }

  start(): void {
    this.#connect();
  }

  /** Closes in order: the server sees the stream end before the connection does. Takes 1 s at most. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const wasLive = this.#state === 'live';
    this.#enter('stopping');
    this.hub.unsubscribe(this);
    this.#queue = [];
    if (wasLive) {
      const ended = new Promise<void>((resolve) => (this.#ended = resolve));
      this.#pipeline.sendEos();
      const late = new Promise<void>((resolve) => (this.#timer = setTimeout(resolve, closeMs)));
      await Promise.race([ended, late]);
      clearTimeout(this.#timer);
    }
    this.#pipeline.destroy();
  }

  offer(tags: readonly Placed[]): void {
    if (this.#baseMs !== undefined) this.#queue.push(...tags);
    else if (!this.#join(tags)) return;
    this.#shed();
    this.#feed();
  }

  status(): OutputStatus {
    return {
      state: this.#state,
      deliveredKbps: this.#deliveredKbps,
      queuedMs: Math.round(spanMs(this.#queue) + this.#aheadMs()),
      frames: this.#frames,
      droppedFrames: this.#droppedFrames,
      connects: this.#connects,
      ...(this.#fault ? { fault: this.#fault.report() } : {}),
    };
  }

  /** Once a second: what has left for the server. */
  measure(): void {
    const live = this.#state === 'live';
    this.#deliveredKbps = live ? Math.round((this.#rate.perSecond(this.#sentBytes()) * 8) / 1000) : 0;
    if (live && this.clock.now() - this.#liveSince >= steadyMs) this.#retries = 0;
  }

  #connect(): void {
    this.#enter('connecting');
    this.#pipeline.play();
    this.#awaitServer(this.clock.now() + connectMs);
  }

  /** rtmp2sink posts nothing when the server has accepted; its counter then leaves 0. */
  #awaitServer(untilMs: number): void {
    this.#timer = setTimeout(() => {
      if (this.#state !== 'connecting') return;
      if (this.#sentBytes() === 0) {
        return this.clock.now() < untilMs ? this.#awaitServer(untilMs) : this.#fail('timed out');
      }
      this.#connects += 1;
      this.#liveSince = this.clock.now();
      this.#fault = undefined;
      this.#rate.reset();
      this.#baseMs = undefined;
      this.#pushed = [];
      this.#joinBy = this.clock.now() + joinWaitMs;
      this.hub.subscribe(this);
      this.tell.keyframe();
      this.#enter('live');
    }, connectPollMs);
  }

  /** Queues headers and the first keyframe; false while there is none to begin with. */
  #join(tags: readonly Placed[]): boolean {
    const first = tags.findIndex(({ tag }) => isKeyframe(tag));
    if (first >= 0) {
      const at = tags[first]!.atMs;
      this.#queue = [...this.hub.headers(at), ...tags.slice(first)];
    } else if (this.clock.now() >= this.#joinBy) {
      this.#queue = this.hub.join();
    }
    this.#baseMs = this.#queue[0]?.atMs;
    return this.#baseMs !== undefined;
  }

  /** Gives up what the server is too slow for: whole groups of pictures, never a frame that another needs. */
  #shed(): void {
    if (spanMs(this.#queue) <= maxQueueMs) return;
    const newest = this.#queue.findLastIndex(({ tag }) => isKeyframe(tag));
    if (newest <= 0) return;
    const gone = this.#queue.slice(0, newest);
    this.#droppedFrames += gone.filter(({ tag }) => isVideo(tag) && !isSequenceHeader(tag)).length;
    this.#queue = [...this.hub.headers(this.#queue[newest]!.atMs), ...this.#queue.slice(newest)];
  }

  #feed(): void {
    if (this.#state !== 'live') return;
    while (this.#queue[0] && this.#aheadMs() < maxAheadMs) {
      const { tag, atMs } = this.#queue.shift()!;
      stamp(tag, atMs - this.#baseMs!);
      this.#pipeline.push('tags', tag);
      this.#pushed.push(atMs);
      if (isVideo(tag) && !isSequenceHeader(tag)) this.#frames += 1;
    }
  }

  /** Milliseconds of media in appsrc. */
  #aheadMs(): number {
    const level = Number(this.#pipeline.element('tags')['current-level-buffers']);
    if (this.#pushed.length > level) this.#pushed.splice(0, this.#pushed.length - level);
    return this.#pushed.length === 0 ? 0 : this.#pushed.at(-1)! - this.#pushed[0]!;
  }

  #sentBytes(): number {
    return Number(/out-bytes-total=\(guint64\)(\d+)/.exec(String(this.#pipeline.element('sink')['stats']))?.[1] ?? 0);
  }

  #heard(message: BusMessage): void {
    if (message.type === 'eos') this.#ended?.();
    if (message.type !== 'error') return;
    this.#ended?.();
    // The first error of a connection is its reason; what follows it is its echo.
    if (this.#state === 'connecting' || this.#state === 'live') this.#fail(`${message.message} ${message.debug}`);
  }

  #fail(text: string): void {
    clearTimeout(this.#timer);
    const { host, port } = this.wanted.destination;
    this.#fault = outputFault(text, `${host}:${port}`, this.#state === 'live');
    this.hub.unsubscribe(this);
    this.#queue = [];
    this.#pipeline.stop();
    const ceiling = Math.min(maxRetryMs, firstRetryMs * 2 ** this.#retries);
    this.#retries += 1;
    // Half of the wait is chance, so that many devices and many outputs do not come back in one moment.
    this.#timer = setTimeout(() => this.#connect(), ceiling / 2 + (this.clock.random() * ceiling) / 2);
    this.#enter('waiting');
  }

  #enter(state: OutputState): void {
    this.#state = state;
    if (state !== 'live') this.#deliveredKbps = 0;
    this.tell.status();
  }
}
