/**
 * The update lock of this service: a file that exists, which stops updates and restarts, and a flock on it, which stops the reboot of
 * a host OS update. Both are one open file here.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, unlinkSync, type Stats } from 'node:fs';
import { Fault } from '../../errors.js';
import { run, type Runner } from '../../machine/host/run.js';

/** Files of this user are the Supervisor's own (LOCKFILE_UID of its src/lib/update-lock.ts): it is at work, and will remove them. */
const supervisorUid = 65534;
const flockMs = 5000;

/** Why it was not taken: the Supervisor has it at the moment, or another process of ours. */
export type Taken = 'held' | 'supervisor' | 'other';

interface Held {
  readonly fd: number;
  readonly flocked: boolean;
}

export class UpdateLock {
  #file: Held | undefined;
  /** Counted up by each release. */
  #turn = 0;

  /** `path`: BALENA_APP_LOCK_PATH. */
  constructor(
    readonly path: string,
    private readonly runProgram: Runner = run,
  ) {}

  get isHeld(): boolean {
    return this.#file !== undefined;
  }

  /** False where only the lock file is held, because the program flock is missing or did not answer. */
  get isWhole(): boolean {
    return this.#file?.flocked ?? true;
  }

  /**
   * Takes both locks. What a run of ours that was killed has left behind is taken over. Throws `update_lock_failed` where the folder
   * does not let us.
   */
  async take(): Promise<Taken> {
    if (this.#file) return 'held';
    const turn = this.#turn;
    const opened = this.#open();
    if (typeof opened === 'string') return opened;
    const { fd, made } = opened;
    // The lock belongs to the open file, not to the program that asks for it: it stays when flock ends.
    const { code } = await this.runProgram('flock', ['-xn', '3'], { deadlineMs: flockMs, fd3: fd });
    const flocked = code === 0;
    const file = { fd, flocked };
    if (turn !== this.#turn) {
      if (made || flocked) this.#remove(file);
      else closeSync(fd);
      return 'other';
    }
    // On a file that we made, one of the two locks is better than none. On one that was there, flock tells a leftover from a lock.
    if (this.#isAt(fd) && (made || flocked)) {
      this.#file = file;
      return 'held';
    }
    closeSync(fd);
    return 'other';
  }

  /** Whether it is still what it was when it was taken: who overrides it removes the file. Where it is not, nothing is held any more. */
  check(): boolean {
    if (!this.#file) return false;
    if (this.#isAt(this.#file.fd)) return true;
    closeSync(this.#file.fd);
    this.#file = undefined;
    return false;
  }

  /** At once: also for a process that is about to end. A `take` that is under way ends without the lock. */
  release(): void {
    this.#turn += 1;
    const file = this.#file;
    this.#file = undefined;
    if (file) this.#remove(file);
  }

  #remove({ fd }: Held): void {
    try {
      // In between the Supervisor may have put a file of its own there.
      if (this.#isAt(fd)) unlinkSync(this.path);
    } catch {
      // Who took the folder away has taken the lock along.
    }
    closeSync(fd);
  }

  #open(): { fd: number; made: boolean } | 'supervisor' | 'other' {
    const { O_CREAT, O_EXCL, O_RDWR, O_RDONLY, O_NOFOLLOW } = constants;
    try {
      return { fd: openSync(this.path, O_CREAT | O_EXCL | O_RDWR, 0o644), made: true };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(this.path, error);
    }
    const there = this.#stat();
    // Removed at this moment: the next try will tell.
    if (!there) return 'other';
    if (there.uid === supervisorUid) return 'supervisor';
    if (!there.isFile()) throw unusable(this.path, { code: 'something other than a file is in its place' });
    try {
      // To lock it, reading is enough; it may be another user's.
      const fd = openSync(this.path, O_RDONLY | O_NOFOLLOW);
      if (fstatSync(fd).uid !== supervisorUid) return { fd, made: false };
      closeSync(fd);
      return 'supervisor';
    } catch (error) {
      throw unusable(this.path, error);
    }
  }

  #isAt(fd: number): boolean {
    const [mine, there] = [fstatSync(fd), this.#stat()];
    return there !== undefined && there.ino === mine.ino && there.dev === mine.dev;
  }

  #stat(): Stats | undefined {
    return lstatSync(this.path, { throwIfNoEntry: false });
  }
}

function unusable(path: string, error: unknown): Fault {
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return new Fault(
    'update_lock_failed',
    `The update lock ${path} cannot be taken (${code}): an update could interrupt the broadcast.`,
    'Let this user write to the folder, or name another path in BALENA_APP_LOCK_PATH.',
  );
}
