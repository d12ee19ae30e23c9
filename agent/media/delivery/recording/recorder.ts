/** The recording: one more output of the hub, which writes MP4 files and never makes the hub wait. */
import type { Clock } from '../../../clock.js';
import { Fault } from '../../../errors.js';
import { Muxer, type Fragment } from '../../../formats/mp4/muxer.js';
import type { RecordingState, RecordingStatus, WantedRecording } from '../../messages.js';
import type { Hub, Subscriber } from '../hub.js';
import type { Placed } from '../timeline.js';
import type { RecordingFile } from './file.js';
import { recordingFault, RecordingStore } from './store.js';

/** Cards pause for seconds at times. What waits longer is dropped: this is a minute at 2 Mbit/s, and bearable with 512 MB. */
const maxWaitingBytes = 16_000_000;
/** A card that is full or gone is tried again after this long. */
const retryMs = 10_000;
/** What has come is written after this long, even if nothing follows it. */
const quietMs = 2000;
/** The agent kills delivery after 3 s. */
const closeMs = 2000;
/** FAT holds no larger files. */
const maxFileBytes = 4_000_000_000;
/** So that there is always an older file to delete when the quota is used up. */
const filesInQuota = 4;

export class Recorder implements Subscriber {
  readonly #muxer: Muxer;
  readonly #store: RecordingStore;
  #state: RecordingState = 'starting';
  #fault: Fault | undefined;
  #file: RecordingFile | undefined;
  #queue: Fragment[] = [];
  #waitingBytes = 0;
  #writing: Promise<void> | undefined;
  /** Fragments are dropped up to one that begins a file, and not before this time. */
  #skipUntil: number | undefined;
  #heardAt: number;
  #frames = 0;
  #droppedFrames = 0;
  #bytes = 0;

  constructor(
    public wanted: WantedRecording,
    private readonly hub: Hub,
    /** `wallMs`: since 1970, which jumps where there is no clock; it is only for people. */
    private readonly clock: Clock & { readonly wallMs: () => number },
    private readonly tell: { status(): void; keyframe(): void },
  ) {
    this.#muxer = new Muxer(wanted.maxFileMs, clock.wallMs);
    this.#store = new RecordingStore(wanted.folder, wanted, () => clock.now());
    this.#heardAt = clock.now();
  }

  start(): void {
    for (const { tag, atMs } of this.hub.headers(0)) this.#muxer.add(tag, atMs);
    this.hub.subscribe(this);
    this.tell.keyframe();
    this.tell.status();
  }

  /** Other limits from now on; the folder is the same. */
  adjust(wanted: WantedRecording): void {
    this.wanted = wanted;
    this.#store.adjust(wanted);
    this.#muxer.maxFileMs = wanted.maxFileMs;
  }

  offer(tags: readonly Placed[]): void {
    this.#heardAt = this.clock.now();
    try {
      for (const { tag, atMs } of tags) this.#muxer.add(tag, atMs).forEach((fragment) => this.#take(fragment));
    } catch (error) {
      // A stream that cannot be understood is no reason to disturb the other outputs.
      this.#fail(Fault.from(error));
    }
  }

  /** Once a second: a stream that has paused must not be kept from the card. */
  measure(): void {
    if (this.clock.now() - this.#heardAt < quietMs) return;
    this.#muxer.flush().forEach((fragment) => this.#take(fragment));
  }

  status(): RecordingStatus {
    return {
      state: this.#state,
      ...(this.#file ? { file: this.#file.path } : {}),
      bytes: this.#bytes,
      waitingBytes: this.#waitingBytes,
      frames: this.#frames,
      droppedFrames: this.#droppedFrames,
      ...(this.#fault ? { fault: this.#fault.report() } : {}),
    };
  }

  /** Writes what is left and closes the file in order. Takes 2 s at most. */
  async close(): Promise<void> {
    this.hub.unsubscribe(this);
    this.#muxer.end().forEach((fragment) => this.#take(fragment));
    this.#enter('stopping', this.#fault);
    const done = (async () => {
      await this.#writing;
      await this.#file?.close();
    })();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, closeMs)));
    await Promise.race([done, late]);
    clearTimeout(timer);
  }

  #take(fragment: Fragment): void {
    if (this.#skipUntil !== undefined) {
      const isTime = this.clock.now() >= this.#skipUntil && this.#waitingBytes < maxWaitingBytes / 2;
      if (!isTime || fragment.bornMs === undefined) return this.#drop(fragment);
      this.#skipUntil = undefined;
    }
    if (this.#waitingBytes + fragment.bytes.length > maxWaitingBytes) {
      const what = `The disk of ${this.wanted.folder} is too slow for the recording; whole groups of pictures are left out.`;
      this.#enter('waiting', new Fault('recording_slow', what, 'Use a faster card or disk, or a lower bitrate.'));
      this.#skipUntil = this.clock.now();
      return this.#drop(fragment);
    }
    this.#queue.push(fragment);
    this.#waitingBytes += fragment.bytes.length;
    this.#writing ??= this.#write().finally(() => (this.#writing = undefined));
  }

  /** What follows could not be decoded without it: the next keyframe begins a new file. */
  #drop({ frames, file }: Fragment): void {
    this.#droppedFrames += frames;
    this.#muxer.split(file);
  }

  async #write(): Promise<void> {
    for (let next = this.#queue.shift(); next; next = this.#queue.shift()) {
      try {
        await this.#put(next);
        this.#frames += next.frames;
        this.#bytes += next.bytes.length;
        if (this.#skipUntil === undefined) this.#enter('recording', undefined);
      } catch (error) {
        this.#drop(next);
        // Somebody has deleted the folder that was just written to: the next file makes it again.
        const isDeleted = this.#file !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT';
        await this.#file?.close();
        this.#file = undefined;
        this.#fail(recordingFault(error, this.wanted.folder), isDeleted ? 0 : retryMs);
      }
      this.#waitingBytes -= next.bytes.length;
    }
  }

  async #put(fragment: Fragment): Promise<void> {
    if (fragment.bornMs !== undefined) {
      await this.#file?.close();
      this.#file = undefined;
      this.#file = await this.#store.open(fragment.bornMs);
    }
    await this.#store.makeRoom(fragment.bytes.length);
    await this.#file!.append(fragment);
    const limit = Math.min(maxFileBytes, this.wanted.quotaBytes / filesInQuota);
    const isLong = this.#file!.bytes + fragment.bytes.length > limit;
    if (isLong || (await this.#file!.isDeleted())) this.#muxer.split(fragment.file);
  }

  #fail(fault: Fault, waitMs = retryMs): void {
    for (const fragment of this.#queue) {
      this.#drop(fragment);
      this.#waitingBytes -= fragment.bytes.length;
    }
    this.#queue = [];
    this.#skipUntil = this.clock.now() + waitMs;
    this.#enter('waiting', fault);
  }

  #enter(state: RecordingState, fault: Fault | undefined): void {
    if (this.#state === 'stopping') return;
    const isNews = state !== this.#state || fault?.message !== this.#fault?.message;
    this.#state = state;
    this.#fault = fault;
    if (isNews) this.tell.status();
  }
}
