/** Tries an update lock as balenaOS does, in a second process: the Supervisor by the existence of the file, a host OS update by flock. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mortal, run } from '../command.js';

export interface Attempt {
  /** The lock file could be made. It is removed again. */
  readonly file: boolean;
  /** The flock could be had. */
  readonly flock: boolean;
}

/** Takes each of the two for a moment. */
export async function lockAttempt(path: string): Promise<Attempt> {
  // A file that is there is not locked further: `flock` alone would make one.
  const flock = await run('sh', ['-c', '[ ! -e "$0" ] || flock -xn "$0" true', path], { mayFail: true });
  // noclobber is O_CREAT | O_EXCL; a file that was just made by another process stays.
  const file = await run('sh', ['-c', 'set -C; : > "$0" && rm "$0"', path], { mayFail: true });
  return { file: file.code === 0, flock: flock.code === 0 };
}

/** Another process that holds the flock until it is told to stop; the file stays. */
export async function holdLock(path: string): Promise<AsyncDisposable & { stop(): Promise<void> }> {
  const holder = spawn(...mortal('flock', ['-x', path, 'sh', '-c', 'echo held; cat']), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const closed = once(holder, 'close');
  await once(holder.stdout, 'data');
  const stop = async (): Promise<void> => {
    holder.stdin.end();
    await closed;
  };
  return { stop, [Symbol.asyncDispose]: stop };
}
