/** A child that hangs, or grows, is replaced; one that only waits for a processor is not. What it holds is measured as the kernel counts it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { describe, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../agent/errors.js';
import { run as runProgram } from '../../agent/machine/host/run.js';
import { Child } from '../../agent/media/child.js';
import { heldBytes, memoryLimit } from '../../agent/media/memory.js';
import { mortal, run } from '../helpers/command.js';
import { Feed, until } from '../helpers/feed.js';
import { processTree } from '../helpers/agent/processes.js';

const growing = '../../test/helpers/children/growing.js';

function start(
  maxBytes: number,
  env: NodeJS.ProcessEnv = {},
): {
  child: Child<{ type: string }, { type: string }>;
  died: Feed<Fault>;
  beats: Feed<object>;
} {
  const [died, beats] = [new Feed<Fault>('ends'), new Feed<object>('beats')];
  const child = new Child<{ type: string }, { type: string }>(
    'growing',
    growing,
    { beatMs: 100, hungMs: 2000 },
    { PATH: process.env['PATH'], ...env },
    { message: (message) => beats.push(message), said: () => undefined, died: (fault) => died.push(fault) },
    { quietBytes: 0.5 * maxBytes, maxBytes, everyMs: 250 },
  );
  child.start();
  return { child, died, beats };
}

test('a child that has grown past its limit is killed, with a fault that says so, and starts again', async () => {
  const { child, died, beats } = start(150e6);
  const fault = await died.waitFor(() => true, 30_000);
  assert.equal(fault.code, 'child_grown');
  assert.match(
    fault.message,
    /^The growing process uses \d+ MB of memory, more than 150 MB\. It is killed and restarted\.$/,
  );
  const seen = beats.items.length;
  child.start();
  await beats.waitFor(() => true, 30_000, seen);
  await child.stop();
});

test('one that has grown to where it is better replaced says so, and goes on until somebody does it', async () => {
  const { child, died, beats } = start(400e6);
  await until(() => child.grown !== undefined, 30_000, 'a child that has grown');
  assert.match(child.grown!, /^The growing process uses \d+ MB of memory, more than 200 MB\.$/);
  assert.deepEqual(died.items, []);
  await child.stop();
  const seen = beats.items.length;
  child.start();
  await beats.waitFor(() => true, 30_000, seen);
  assert.equal(child.grown, undefined);
  await child.stop();
});

test('one that holds ever more files open says so too', async () => {
  const { child, died } = start(2e9, { GROWS: 'files' });
  await until(() => child.grown !== undefined, 30_000, 'a child with too many files');
  assert.match(child.grown!, /^The growing process has \d+ files open, more than 400\.$/);
  assert.deepEqual(died.items, []);
  await child.stop();
});

test('one that is below its limit is left alone', async () => {
  const { child, died, beats } = start(2e9);
  await beats.waitFor((beat) => (beat as { held: number }).held >= 10, 30_000);
  assert.deepEqual(died.items, []);
  await child.stop();
});

test('where no more files can be opened, neither a child nor a program can be started, and the agent goes on', async () => {
  const crowded = fileURLToPath(new URL('../helpers/children/crowded.js', import.meta.url));
  const { stdout } = await run('prlimit', ['--nofile=64', process.execPath, crowded]);
  const { message, ...rest } = JSON.parse(stdout.toString()) as { message: string };
  assert.match(message, /^The crowded process ended unexpectedly \(.*EMFILE\)\. It is restarted automatically\.$/);
  assert.deepEqual(rest, { ran: false, missing: false });
});

test('what Node throws, since the kernel will not start it, is a start that failed: it is said, and can be tried again', async () => {
  // No argument or variable may be longer than 128 KB: of all that spawn throws (ENOMEM above all), this can be had at will.
  const tooLong = 'x'.repeat(200_000);
  const { child, died } = start(2e9, { TOO_LONG: tooLong });
  assert.match(
    (await died.waitFor(() => true, 5000)).message,
    /ended unexpectedly \(spawn E2BIG\)\. It is restarted automatically\.$/,
  );
  child.start();
  await died.waitFor(() => true, 5000, 1);
  child.start();
  await child.stop();
  await new Promise(setImmediate);
  assert.equal(died.items.length, 2, 'one that was told to stop has not died');
  const { code, missing, stderr } = await runProgram('true', [tooLong], { deadlineMs: 1000 });
  assert.deepEqual([code, missing, stderr], [undefined, false, 'spawn E2BIG']);
});

test('what a process holds, and what it may hold', async () => {
  const before = await heldBytes(process.pid);
  const ballast = Buffer.alloc(50_000_000, 1);
  const after = await heldBytes(process.pid);
  assert.ok(before && after && after - before > 40_000_000, `${before}, then ${after}`);
  assert.equal(ballast[0], 1);
  assert.equal(await heldBytes(2 ** 30), undefined);
  // Zero W, Pi 3, and a server.
  assert.deepEqual(
    [430e6, 950e6, 64e9].map((total) => memoryLimit(0.35, total) / 1e6),
    [150.5, 332.5, 800],
  );
});

describe('silent', () => {
  const pace = { beatMs: 100, hungMs: 1000 };

  /** A child that labours, once it has beaten, and when it beat. */
  async function labouring(t: TestContext, labourMs: number) {
    const [died, beats] = [new Feed<Fault>('ends'), new Feed<number>('beats')];
    const child = new Child<{ type: string }, { type: string }>(
      'labouring',
      '../../test/helpers/children/labouring.js',
      pace,
      { PATH: process.env['PATH'], LABOUR_MS: `${labourMs}` },
      { message: () => beats.push(performance.now()), said: () => undefined, died: (fault) => died.push(fault) },
    );
    t.after(() => child.stop());
    child.start();
    await beats.waitFor(() => true, 60_000, 1);
    const { pid } = await until(
      () => processTree(process.pid).find(({ command }) => command.includes('labouring.js')),
      5000,
      'the process',
    );
    return { child, died, beats, pid };
  }

  /** Keeps the first processor busy, with the child on it; of the same session, or each session would have its share of it. */
  async function crowd(t: TestContext, pid: number): Promise<void> {
    const loop = spawn(...mortal('taskset', ['-c', '0', 'sh', '-c', 'while :; do :; done']), { stdio: 'ignore' });
    t.after(() => loop.kill('SIGKILL'));
    await run('taskset', ['-a', '-p', '-c', '0', `${pid}`]);
  }

  test('a child that does not get a processor is not killed, however long it says nothing', async (t) => {
    const { child, died, beats, pid } = await labouring(t, 50);
    await crowd(t, pid);
    // By weight it now gets one part in seventy: 50 ms take 3.5 s.
    await run('renice', ['-n', '19', '-p', `${pid}`]);
    const gap = (at: number): boolean => at - (beats.items[beats.items.indexOf(at) - 1] ?? at) > 2 * pace.hungMs;
    await beats.waitFor(gap, 60_000);
    assert.deepEqual(died.items, []);
    child.send({ type: 'spin' });
    await run('renice', ['-n', '0', '-p', `${pid}`]);
    assert.equal((await died.waitFor(() => true, 180_000)).code, 'child_hung');
  });

  for (const crowded of [false, true]) {
    const where = crowded ? 'where others want its processor too' : 'alone';

    test(`one that is stopped is killed, ${where}`, async (t) => {
      const { died, pid } = await labouring(t, 0);
      if (crowded) await crowd(t, pid);
      process.kill(pid, 'SIGSTOP');
      const { code, message } = await died.waitFor(() => true, 30_000);
      assert.equal(code, 'child_hung');
      assert.match(
        message,
        /^The labouring process did not answer for [\d.]+ s[ ,\w.]*\. It is killed and restarted\.$/,
      );
    });

    test(`one that spins is killed, ${where}`, async (t) => {
      const { child, died, pid } = await labouring(t, 0);
      if (crowded) await crowd(t, pid);
      child.send({ type: 'spin' });
      const { code, message } = await died.waitFor(() => true, 180_000);
      assert.equal(code, 'child_hung');
      assert.match(
        message,
        /^The labouring process did not answer for [\d.]+ s(, [\d.]+ s of it waiting for a processor)?\. It is killed/,
      );
    });
  }
});
