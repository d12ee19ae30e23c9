/** Runs other programs so that none outlives the test, however the test ends. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { within } from './feed.js';

export interface CommandOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Written to stdin, which is then closed; without it stdin is empty. */
  readonly input?: string | Buffer;
  /** Milliseconds until the program is killed and the call fails; 60 s if not given. */
  readonly deadlineMs?: number;
  /** Do not throw when the program fails. */
  readonly mayFail?: boolean;
}

export interface CommandResult {
  /** null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Arguments that make the kernel kill `command` when this process dies (PR_SET_PDEATHSIG survives exec, so the pid is the program's). */
export const mortal = (command: string, args: readonly string[]): [string, string[]] => [
  'setpriv',
  ['--pdeathsig', 'KILL', '--', command, ...args],
];

/** Resolves with exit code and signal once `child` is gone and its pipes are read to the end. */
export async function ended(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

/** Runs a program to its end. Throws with the end of its stderr if it fails, unless `mayFail`. */
export async function run(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const child = spawn(...mortal(command, args), {
    ...(options.env && { env: options.env }),
    ...(options.cwd && { cwd: options.cwd }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const stdout: Buffer[] = [];
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
  child.stdin.on('error', () => undefined); // It may close its input before it has read all.
  child.stdin.end(options.input ?? '');
  try {
    const { code, signal } = await within(ended(child), options.deadlineMs ?? 60_000, command);
    if (code !== 0 && !options.mayFail) {
      throw new Error(`${command} ended with ${code ?? signal}: ${stderr.trim().slice(-2000)}`);
    }
    return { code, signal, stdout: Buffer.concat(stdout), stderr };
  } finally {
    child.kill('SIGKILL');
  }
}

/** `count` different TCP ports of 127.0.0.1 that were free a moment ago. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((resolve, reject) => {
          const server = createServer().once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** A folder of its own under the system's temporary folder, and the call that removes it. */
export async function temporaryFolder(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-test-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }) };
}

/** A folder that goes with the test. */
export async function folderFor(t: TestContext): Promise<string> {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  return folder;
}
