/** One RTMP destination, with its own pipeline, queue, state and retry. What happens to it affects no other. */
import { isIP } from 'node:net';
import type { Clock } from '../../clock.js';
import { rtmpOutput, rtmpProperties, sessionOf } from '../../../pipelines/outputs/rtmp.js';
import type { Fault } from '../../errors.js';
import { isKeyframe, stamp } from '../../formats/flv/tag.js';
import { Pipeline, type BusMessage } from '../gstreamer.js';
import type { OutputStatus, WantedOutput } from '../messages.js';
import type { Hub, Subscriber } from './hub.js';
import { Liveness, progressCheckMs, type Progress } from './liveness.js';
import { Rate } from './rate.js';
import { isForOperator, outputFault, silentFault, slowFault } from './reasons.js';
import { Retry } from './retry.js';
import { isPicture, SendQueue } from './sendqueue.js';
import type { Sockets } from './sockets.js';
import { move, type OutputState } from './states.js';
import type { Placed } from './timeline.js';

/** What was given to the connection cannot be dropped any more. Enough for a round trip of 0.3 s more than twice over. */
const maxAheadMs = 800;
/**
 * Where the bitrate follows an output, and its server takes less than that in that time, it is given what it takes in it, but always so
 * many bytes: a rate that is low because little was sent must not stay low. Where nothing follows, whole seconds may wait anyway.
 */
const leastAheadBytes = 64 * 1024;
/** A server that lags is given nothing until it lags no more than this. */
const resumeAheadMs = 300;
/** It then goes on from a keyframe that is not older, if the encoder gives one within the second time. */
const freshMs = 500;
const freshWaitMs = 1000;
/** Where the bitrate follows an output, no more than this waits before groups of pictures are left out: what comes next is smaller. */
const adaptiveQueueMs = 1200;
/** What was given and is so much older than what may wait: a new connection is the shorter way. */
const hopelessMs = 4000;
/** How often the sink is asked whether the server has accepted, while it connects. */
const connectPollMs = 25;
/** rtmp2sink gives up a server that does not shake hands after 5 s, but waits for ever for an answer to `connect` or `publish`. */
const connectMs = 7500;
/** A connection that was begun so long ago, over a network that has changed since, is begun again. */
const freshConnectMs = 1000;
/** A connection that stalls so soon after the network has changed is one of the network as it was. */
const suspectMs = 5000;
/** A server that has refused is asked no oftener by changes of the network: some machines have one every few seconds. */
const refusedMs = 20_000;
/** An encoder that can give a keyframe on demand has given it by then; else the last group of pictures is sent again. */
const joinWaitMs = 400;
/** The server's last word may never come. */
const closeMs = 1000;
/** How long a server that has lost us may take us for another publisher: nginx-rtmp pings once a minute and waits for half of one. */
const ghostMs = 180_000;
/** Looks back over one group of pictures of the usual length. */
const rateMs = 2000;

export class Output implements Subscriber {
  readonly #pipeline: Pipeline;
  /** By which its socket is known. */
  readonly #peakKbps: number;
  #state: OutputState = 'idle';
  #fault: Fault | undefined;
  readonly #queue = new SendQueue();
  /** Undefined until the first keyframe has been queued; then what every time is counted from. */
  #baseMs: number | undefined;
  #joinBy = 0;
  /** How old the first picture was that this connection began with, where no keyframe came in time. */
  #joinedLateMs: number | undefined;
  /** Nothing is given until the server has caught up. */
  #withholding = false;
  #askedAt: number | undefined;
  #frames = 0;
  #droppedFrames = 0;
  #connects = 0;
  #connectingSince = 0;
  #suspectUntil = -Infinity;
  #askedAgainAt = -Infinity;
  #deliveredKbps = 0;
  readonly #rate: Rate;
  readonly #liveness = new Liveness();
  readonly #retry: Retry;
  /** Whatever comes next: the next poll while it connects, the next look while it is live, the next try. */
  #timer: NodeJS.Timeout | undefined;
  #ended: (() => void) | undefined;

  constructor(
    private wanted: WantedOutput,
    private readonly hub: Hub,
    private readonly sockets: Sockets,
    private readonly clock: Clock,
    private readonly tell: { status(): void; keyframe(): void },
    /** When each destination was last left while it was live, by whatever output: the server may not know of it yet. */
    private readonly left: Map<string, number> = new Map(),
  ) {
    this.#rate = new Rate(clock.now, rateMs);
    this.#retry = new Retry(clock);
    this.#peakKbps = sockets.mark();
    this.#pipeline = new Pipeline(
      { text: rtmpOutput().text, properties: rtmpProperties(wanted.destination, this.#peakKbps) },
      (message) => this.#heard(message),
    );
  }

  start(): void {
    this.#connect();
  }

  /** Which session it is: {@link sessionOf} its destination. */
  get session(): string {
    return sessionOf(this.wanted.destination);
  }

  /** Takes `wanted` over while it runs; false where that is another destination, which takes another output. */
  take(wanted: WantedOutput): boolean {
    if (sessionOf(wanted.destination) !== this.session) return false;
    this.wanted = wanted;
    return true;
  }

  /** An address or a route of this machine has changed. */
  networkChanged(): void {
    const now = this.clock.now();
    this.#suspectUntil = now + suspectMs;
    if (this.#state === 'refused') {
      if (now - this.#askedAgainAt < refusedMs) return;
      this.#askedAgainAt = now;
    }
    this.retry();
  }

  /** What has failed, or seems about to, is tried again at once: the network has changed, or the operator asks for it. */
  retry(): void {
    if (this.#state === 'stalled') this.#fail(silentFault(this.#place));
    const stuck = this.#state === 'connecting' && this.clock.now() - this.#connectingSince >= freshConnectMs;
    if (stuck) this.#fail(this.#lateFault());
    if (this.#state !== 'waiting' && this.#state !== 'refused') return;
    this.#retry.forget();
    this.#connect();
  }

  /** Closes in order: the server sees the stream end before the connection does. Takes 1 s at most. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    // One that is stalled may take it yet: perhaps it was this machine that stood still.
    const wasConnected = this.#isConnected;
    if (wasConnected) this.left.set(this.session, this.clock.now());
    this.#enter('stopping');
    this.#leave();
    if (wasConnected) {
      const ended = new Promise<void>((resolve) => (this.#ended = resolve));
      this.#pipeline.sendEos();
      const late = new Promise<void>((resolve) => (this.#timer = setTimeout(resolve, closeMs)));
      await Promise.race([ended, late]);
      clearTimeout(this.#timer);
    }
    this.#pipeline.destroy();
    this.#enter('idle');
  }

  offer(tags: readonly Placed[]): void {
    if (this.#baseMs !== undefined) this.#add(tags, this.#baseMs);
    else if (!this.#join(tags)) return;
    this.#feed();
  }

  /** What was delayed, and is from before `baseMs`, the session knows no time for. */
  #add(tags: readonly Placed[], baseMs: number): void {
    const later = tags.filter(({ atMs }) => atMs >= baseMs);
    this.#queue.add(later, this.clock.now());
  }

  status(): OutputStatus {
    // What was acknowledged since the last look waits no more.
    if (this.#isConnected) this.#noteProgress();
    return {
      state: this.#state,
      deliveredKbps: this.#deliveredKbps,
      queuedMs: Math.round(this.#queue.behindMs(this.clock.now())),
      frames: this.#frames,
      droppedFrames: this.#droppedFrames,
      connects: this.#connects,
      ...(this.#joinedLateMs === undefined ? {} : { joinedLateMs: this.#joinedLateMs }),
      ...(this.#fault ? { fault: this.#fault.report() } : {}),
    };
  }

  #sentBytes(): number {
    return Number(/out-bytes-total=\(guint64\)(\d+)/.exec(String(this.#pipeline.element('sink')['stats']))?.[1] ?? 0);
  }

  get #place(): string {
    const { host, port } = this.wanted.destination;
    return `${host}:${port}`;
  }

  get #isConnected(): boolean {
    return this.#state === 'live' || this.#state === 'stalled';
  }

  #connect(): void {
    clearTimeout(this.#timer);
    this.#enter('connecting');
    this.#connectingSince = this.clock.now();
    this.#suspectUntil = -Infinity;
    this.#pipeline.play();
    this.#awaitServer();
  }

  /** rtmp2sink posts nothing when the server has accepted; its counter then leaves 0. */
  #awaitServer(): void {
    this.#timer = setTimeout(() => {
      const now = this.clock.now();
      if (this.#sentBytes() === 0) {
        if (now - this.#connectingSince < connectMs) this.#awaitServer();
        else this.#fail(this.#lateFault());
        return;
      }
      this.#connects += 1;
      this.#fault = undefined;
      this.#rate.reset();
      this.#liveness.reset();
      this.#baseMs = undefined;
      this.#withholding = false;
      this.#joinBy = now + joinWaitMs;
      this.#joinedLateMs = undefined;
      this.hub.subscribe(this);
      this.tell.keyframe();
      this.#enter('live');
      this.#look();
    }, connectPollMs);
  }

  /** Why a connection has come to nothing by now. Where none was even begun, the name has not been resolved. */
  #lateFault(): Fault {
    const { host, port } = this.wanted.destination;
    const begun = isIP(host) !== 0 || this.sockets.find(port, this.#peakKbps) || this.sockets.isReaching(port);
    return outputFault(begun ? 'timed out' : 'Error resolving', this.#place, false);
  }

  /** Queues headers and the first keyframe; false while there is none to begin with. */
  #join(tags: readonly Placed[]): boolean {
    const first = tags.findIndex(({ tag }) => isKeyframe(tag));
    const isDue = first < 0 && this.clock.now() >= this.#joinBy;
    const begin =
      first >= 0 ? [...this.hub.headers(tags[first]!.atMs), ...tags.slice(first)] : isDue ? this.hub.join() : [];
    this.#baseMs = begin[0]?.atMs;
    if (this.#baseMs === undefined) return false;
    this.#joinedLateMs = isDue ? Math.round(begin.at(-1)!.atMs - this.#baseMs) : undefined;
    this.#add(begin, this.#baseMs);
    return true;
  }

  /** Twice a second: what was acknowledged, whether the connection lives, and whether it is worth keeping. */
  #look(): void {
    this.#timer = setTimeout(() => {
      const now = this.clock.now();
      const progress = this.#noteProgress();
      this.#deliveredKbps = Math.round((this.#rate.perSecond(progress.acked) * 8) / 1000);
      const due = !this.#queue.isAcknowledged || (!this.#withholding && !this.#queue.isEmpty);
      const pulse = this.#liveness.look(progress, due);
      this.#retry.progress(pulse === 'fine');
      if (pulse === 'dead') return this.#fail(silentFault(this.#place));
      // One that takes nothing is not slow: how long it may do so is counted in looks, not by the clock.
      if (pulse === 'fine' && this.#queue.givenBehindMs(now) > this.wanted.maxQueueMs + hopelessMs)
        return this.#fail(slowFault(this.#place));
      const state = pulse === 'fine' ? 'live' : 'stalled';
      if (state !== this.#state) this.#enter(state);
      if (state === 'stalled' && now < this.#suspectUntil) return this.retry();
      this.#feed();
      this.#look();
    }, progressCheckMs);
  }

  /** Takes note of what the server has acknowledged. */
  #noteProgress(): Progress {
    const socket = this.sockets.find(this.wanted.destination.port, this.#peakKbps);
    const inSource = Number(this.#pipeline.element('tags')['current-level-buffers']);
    this.#queue.acknowledge(inSource, socket ? socket.written - socket.acked : 0);
    // A kernel that does not tell leaves what was handed to it.
    return socket ?? { acked: this.#sentBytes() };
  }

  #feed(): void {
    if (!this.#isConnected || this.#baseMs === undefined) return;
    const { maxQueueMs } = this.wanted;
    const mayWaitMs = this.#isFollowed ? Math.min(adaptiveQueueMs, maxQueueMs) : maxQueueMs;
    const now = this.clock.now();
    if (!this.#withholding && this.#queue.behindMs(now) > mayWaitMs) {
      this.#noteProgress();
      this.#withholding = this.#queue.behindMs(now) > mayWaitMs;
    }
    if (this.#withholding && !this.#mayResume()) return;
    for (;;) {
      if (this.#isAhead) this.#noteProgress();
      if (this.#isAhead) return;
      const next = this.#queue.take();
      if (!next) return;
      stamp(next.tag, next.atMs - this.#baseMs);
      this.#pipeline.push('tags', next.tag);
      if (isPicture(next.tag)) this.#frames += 1;
    }
  }

  /** The encoder makes less for it when it lags. */
  get #isFollowed(): boolean {
    return this.wanted.adaptive && this.hub.isEncoded;
  }

  /** Whether the connection was given as much as it may be. */
  get #isAhead(): boolean {
    if (this.#queue.aheadMs >= maxAheadMs) return true;
    // Nothing is known of its rate at first.
    if (!this.#isFollowed || this.#deliveredKbps === 0) return false;
    return this.#queue.aheadBytes >= Math.max(leastAheadBytes, (this.#deliveredKbps / 8) * maxAheadMs);
  }

  /** Gives up whole groups of pictures for as long as the server lags; true once it does no more, and there is a keyframe to go on with. */
  #mayResume(): boolean {
    this.#droppedFrames += this.#queue.shed((atMs) => this.hub.headers(atMs));
    this.#noteProgress();
    if (this.#queue.aheadMs > resumeAheadMs) return false;
    const now = this.clock.now();
    if (this.#queue.waitingMs > freshMs) {
      if (this.#askedAt === undefined) {
        this.#askedAt = now;
        this.tell.keyframe();
      }
      if (now - this.#askedAt < freshWaitMs) return false;
    }
    this.#askedAt = undefined;
    this.#withholding = false;
    return true;
  }

  #heard(message: BusMessage): void {
    if (message.type === 'eos') this.#ended?.();
    if (message.type !== 'error') return;
    this.#ended?.();
    // The first error of a connection is its reason; what follows it is its echo.
    if (this.#state !== 'connecting' && !this.#isConnected) return;
    this.#fail(outputFault(`${message.message} ${message.debug}`, this.#place, this.#isConnected));
  }

  #fail(fault: Fault): void {
    clearTimeout(this.#timer);
    const now = this.clock.now();
    if (this.#isConnected) this.left.set(this.session, now);
    this.#fault = fault;
    this.#leave();
    this.#pipeline.stop();
    const wasLive = now - (this.left.get(this.session) ?? -Infinity) < ghostMs;
    // Our own ghost, or a server that is just coming back behind what speaks TLS for it.
    const passes = wasLive && fault.code !== 'output_denied';
    const refused = isForOperator(fault) && !passes && !this.#isConnected;
    this.#timer = setTimeout(() => this.#connect(), this.#retry.waitMs(refused));
    this.#enter(refused ? 'refused' : 'waiting');
  }

  #leave(): void {
    this.hub.unsubscribe(this);
    this.#queue.clear();
    this.#deliveredKbps = 0;
  }

  #enter(state: OutputState): void {
    this.#state = move(this.#state, state);
    this.tell.status();
  }
}
