/** A child that grows, in memory or in files, is replaced before the kernel has to choose, and what it holds is measured as the kernel counts it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Fault } from '../../agent/errors.js';
import { run as runProgram } from '../../agent/machine/run.js';
import { Child } from '../../agent/media/child.js';
import { heldBytes, memoryLimit } from '../../agent/media/memory.js';
import { run } from '../helpers/command.js';
import { Feed, until } from '../helpers/feed.js';

const growing = '../../test/helpers/growing.js';

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
    2000,
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
    /^The growing process has grown to \d+ MB, above 150 MB\. It is killed and started again\.$/,
  );
  const seen = beats.items.length;
  child.start();
  await beats.waitFor(() => true, 30_000, seen);
  await child.stop();
});

test('one that has grown to where it is better replaced says so, and goes on until somebody does it', async () => {
  const { child, died, beats } = start(400e6);
  await until(() => child.grown !== undefined, 30_000, 'a child that has grown');
  assert.match(child.grown!, /^The growing process has grown to \d+ MB, above 200 MB\.$/);
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
  assert.match(child.grown!, /^The growing process holds \d+ files open, more than 400\.$/);
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
  const crowded = fileURLToPath(new URL('../helpers/crowded.js', import.meta.url));
  const { stdout } = await run('prlimit', ['--nofile=64', process.execPath, crowded]);
  const { message, ...rest } = JSON.parse(stdout.toString()) as { message: string };
  assert.match(message, /^The crowded process ended by itself \(.*EMFILE\)\. It is started again\.$/);
  assert.deepEqual(rest, { ran: false, missing: false });
});

test('what Node throws, since the kernel will not start it, is a start that failed: it is said, and can be tried again', async () => {
  // No argument or variable may be longer than 128 KB: of all that spawn throws (ENOMEM above all), this can be had at will.
  const tooLong = 'x'.repeat(200_000);
  const { child, died } = start(2e9, { TOO_LONG: tooLong });
  assert.match(
    (await died.waitFor(() => true, 5000)).message,
    /ended by itself \(spawn E2BIG\)\. It is started again\.$/,
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
