/** The folder of recordings: numbers them, and makes room for the next by deleting the oldest. */
import { lstat, mkdir, readdir, rm, statfs } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../../../errors.js';
import { RecordingFile } from './file.js';

export interface Limits {
  /** All recordings together. */
  readonly quotaBytes: number;
  /** What must stay free on the card for everybody else. */
  readonly minFreeBytes: number;
}

interface Recording {
  readonly name: string;
  readonly sequence: number;
  readonly bytes: number;
}

/** `makercast-000042-20260503T020100Z.mp4`. The number says the order; the time is for people, and may be wrong where there is no clock. */
const pattern = /^makercast-(\d{6,15})-\d{8}T\d{6}Z\.mp4$/;

function recordingName(sequence: number, wallMs: number): string {
  const time = new Date(wallMs).toISOString().replace(/\.\d+Z$/, 'Z');
  return `makercast-${String(sequence).padStart(6, '0')}-${time.replace(/[-:]/g, '')}.mp4`;
}

/** A limit that was lowered deletes at most one recording in this time: a typo can still be corrected. */
const paceMs = 1000;

/** The recordings in a folder, oldest first; none where it is not there. */
export async function recordingsIn(folder: string): Promise<Recording[]> {
  const found: Recording[] = [];
  for (const name of await readdir(folder)) {
    const sequence = Number(pattern.exec(name)?.[1]);
    if (Number.isNaN(sequence)) continue;
    // It may have gone in the meantime.
    const file = await lstat(path.join(folder, name)).catch(() => undefined);
    if (file?.isFile()) found.push({ name, sequence, bytes: file.size });
  }
  return found.sort((one, other) => one.sequence - other.sequence || (one.name < other.name ? -1 : 1));
}

/** How many recordings, and how much of them, limits will have deleted in `folder`, with what is there and free now. */
export async function excessIn(folder: string, limits: Limits): Promise<{ files: number; bytes: number }> {
  const none = { files: 0, bytes: 0 };
  try {
    const [recordings, disk] = await Promise.all([recordingsIn(folder), statfs(folder)]);
    const held = recordings.reduce((sum, { bytes }) => sum + bytes, 0);
    const over = Math.max(held - limits.quotaBytes, limits.minFreeBytes - disk.bavail * disk.bsize);
    // Limits that all of them cannot keep delete none.
    if (over <= 0 || over >= held) return none;
    const excess = { ...none };
    for (const { bytes } of recordings) {
      if (excess.bytes >= over) break;
      excess.files += 1;
      excess.bytes += bytes;
    }
    return excess;
  } catch {
    return none;
  }
}

export class RecordingStore {
  /** Oldest first, without the one that is being written. */
  #recordings: Recording[] = [];
  #current: RecordingFile | undefined;
  #deletedAt = -Infinity;
  /** Limits that are narrower than those before, which may be none, and have not held yet. */
  #isNarrowed = true;

  /** `now`: ms, of a steady clock. */
  constructor(
    readonly folder: string,
    private limits: Limits,
    private readonly now: () => number,
  ) {}

  /** Other limits from now on. */
  adjust(limits: Limits): void {
    const { quotaBytes, minFreeBytes } = this.limits;
    if (limits.quotaBytes < quotaBytes || limits.minFreeBytes > minFreeBytes) this.#isNarrowed = true;
    this.limits = limits;
  }

  /** Opens the next recording, in place of the one before, which is closed by then. `wallMs`: since 1970. */
  async open(wallMs: number): Promise<RecordingFile> {
    this.#current = undefined;
    await mkdir(this.folder, { recursive: true });
    this.#recordings = await recordingsIn(this.folder);
    for (let sequence = (this.#recordings.at(-1)?.sequence ?? 0) + 1; ; sequence += 1) {
      try {
        this.#current = await RecordingFile.create(path.join(this.folder, recordingName(sequence, wallMs)));
        return this.#current;
      } catch (error) {
        // Somebody else records into the same folder.
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    }
  }

  /**
   * Deletes the oldest recordings until `bytes` more may be written; for limits that have become narrower one a second at the most. Throws `recording_full` where all of them are not enough, and deletes none then.
   */
  async makeRoom(bytes: number): Promise<void> {
    const { quotaBytes, minFreeBytes } = this.limits;
    const disk = await statfs(this.folder);
    let free = disk.bavail * disk.bsize;
    const old = this.#recordings.reduce((sum, recording) => sum + recording.bytes, 0);
    const own = this.#current?.bytes ?? 0;
    let held = old + own;
    // A limit that cannot be kept, mistyped perhaps, is no reason to lose anything.
    const isTooLittle = free + old - bytes < minFreeBytes;
    if (isTooLittle || own + bytes > quotaBytes) throw this.#full(isTooLittle);
    if (held <= quotaBytes && free >= minFreeBytes) this.#isNarrowed = false;
    while (held + bytes > quotaBytes || free - bytes < minFreeBytes) {
      if (this.#isNarrowed && free > bytes && this.now() - this.#deletedAt < paceMs) return;
      const oldest = this.#recordings.shift();
      // Somebody else has deleted some that were counted.
      if (!oldest) throw this.#full(free - bytes < minFreeBytes);
      await rm(path.join(this.folder, oldest.name), { force: true });
      this.#deletedAt = this.now();
      held -= oldest.bytes;
      free += oldest.bytes;
    }
  }

  #full(byOthers: boolean): Fault {
    const gigabytes = (bytes: number): string => `${bytes / 1e9} GB`;
    const { quotaBytes, minFreeBytes } = this.limits;
    return byOthers
      ? new Fault(
          'recording_full',
          `Less than ${gigabytes(minFreeBytes)} would be free on the disk of ${this.folder}, even if every older recording were deleted.`,
          'Free some space there, name another folder (recording.folder), or lower recording.minFreeGb.',
        )
      : new Fault(
          'recording_full',
          `The quota of ${gigabytes(quotaBytes)} is too small for one recording.`,
          'Raise recording.quotaGb.',
        );
  }
}

/** What went wrong with the folder, for people. */
export function recordingFault(error: unknown, folder: string): Fault {
  if (error instanceof Fault) return error;
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new Fault(
      'recording_full',
      `No space is left for recordings in ${folder} (${code}).`,
      'Free some space there.',
    );
  }
  if (/^(EACCES|EPERM|EROFS|EEXIST|ENOTDIR|ENOENT|EISDIR|ELOOP|ENAMETOOLONG)$/.test(code)) {
    const remedy = 'Give this user permission to write there, or name another folder (recording.folder).';
    return new Fault('recording_unwritable', `The folder ${folder} cannot be written to (${code}).`, remedy);
  }
  return new Fault('recording_failed', `Writing to ${folder} failed (${code}).`, 'Check the card or disk.');
}
