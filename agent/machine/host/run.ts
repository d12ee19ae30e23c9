/** Runs small programs (v4l2-ctl, arecord, gst-launch-1.0, ...) with a deadline, never through a shell. */
import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunOptions {
  /** The program is killed after this many milliseconds. */
  readonly deadlineMs: number;
  /** An open file that the program gets as descriptor 3. */
  readonly fd3?: number;
  /** Takes what the program writes to its descriptor 4. Answers true when it has seen enough: the program is killed. */
  readonly onFd4?: (chunk: Buffer) => boolean;
  /** The program is killed as soon as what it says, to either stream, holds this. */
  readonly until?: RegExp;
}

export interface Ran {
  /** Exit code; undefined where it was killed, or never ran. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  /** The program is not installed. */
  readonly missing: boolean;
  /** The deadline struck. */
  readonly late: boolean;
}

/** How programs are run; tests put recorded output in its place where the hardware cannot be had. */
export type Runner = (program: string, args: readonly string[], options: RunOptions) => Promise<Ran>;

/** More text than this from one program is not read: a driver gone mad must not fill the memory. */
const maxTextBytes = 4 * 1024 * 1024;

/** What of our environment a program may see: never a stream key, whatever variable holds it. */
const allowed = /^(PATH|HOME|TMPDIR|LD_LIBRARY_PATH|XDG_CACHE_HOME|XDG_RUNTIME_DIR|GST_[A-Z0-9_]+|ALSA_CONFIG[A-Z_]*)$/;

/** The environment for programs: the allow-list, and plain English so that output can be read by machine. */
export function childEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  const kept = Object.entries(env).filter(([name]) => allowed.test(name));
  return { ...Object.fromEntries(kept), LC_ALL: 'C.UTF-8' };
}

/** They end when we do: their deadlines would end with us. */
const running = new Set<ChildProcess>();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export const run: Runner = (program, args, { deadlineMs, fd3, onFd4, until }) =>
  new Promise((resolve) => {
    const channels: StdioOptions = ['ignore', 'pipe', 'pipe', fd3 ?? 'ignore', onFd4 ? 'pipe' : 'ignore'];
    let child: ChildProcess;
    try {
      child = spawn(program, args, { stdio: channels, env: childEnvironment() });
    } catch (error) {
      // Most of what keeps a program from starting comes as an `error`; that memory is short (ENOMEM) is thrown.
      return resolve({ code: undefined, stdout: '', stderr: (error as Error).message, missing: false, late: false });
    }
    // Undefined where no more files can be opened; an `error` follows.
    const stdio = (child.stdio as ChildProcess['stdio'] | undefined) ?? [];
    running.add(child);
    let stdout = '';
    let stderr = '';
    let done = false;
    const finish = (end: { code?: number; missing?: boolean; late?: boolean }): void => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      running.delete(child);
      child.kill('SIGKILL');
      // A program that hangs in its driver survives even this; nobody waits for it, and it keeps nothing of ours open.
      for (const stream of stdio) stream?.destroy();
      child.unref();
      resolve({ code: end.code, stdout, stderr, missing: end.missing ?? false, late: end.late ?? false });
    };
    const timer = setTimeout(() => finish({ late: true }), deadlineMs);
    child.on('error', (error: NodeJS.ErrnoException) => finish({ missing: error.code === 'ENOENT' }));
    child.on('close', (code) => finish(code === null ? {} : { code }));
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (until?.test(stdout) || stdout.length > maxTextBytes) finish({});
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      if (stderr.length < maxTextBytes) stderr += text;
      if (until?.test(stderr)) finish({});
    });
    const fd4 = stdio[4] as Readable | null | undefined;
    fd4?.on('error', () => undefined);
    fd4?.on('data', (chunk: Buffer) => {
      if (!done && onFd4?.(chunk)) finish({});
    });
  });
