/** What the kernel says of threads, by its texts and by real processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { systemClock } from '../../agent/clock.js';
import { readProcess, threadReading } from '../../agent/media/threads.js';
import { mortal } from '../helpers/command.js';
import { until } from '../helpers/feed.js';

/** As Linux 6.18 gives it, but for the name: 3 s in user mode and 0.5 s in the kernel. */
const stat = (state: string): string =>
  `4711 (a) b (S 1) ${state} 1 4711 4711 0 -1 4194304 901 0 0 0 300 50 0 0 20 0 1 0 98 2818048 351 18446744073709551615 1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n`;

test('what /proc says of a thread', () => {
  const ran = { ranMs: 3456.789, waitedMs: 1234.5 };
  const table: [state: string, schedstat: string | undefined, ...ReturnType<typeof threadReading>[]][] = [
    ['R', '3456789000 1234500000 77\n', { isRunnable: true, ...ran }],
    ['S', '3456789000 1234500000 77\n', { isRunnable: false, ...ran }],
    ['D', '3456789000 1234500000 77\n', { isRunnable: false, ...ran }],
    ['T', '3456789000 1234500000 77\n', { isRunnable: false, ...ran }],
    ['Z', '3456789000 1234500000 77\n', { isRunnable: false, ...ran }],
    // A kernel without CONFIG_SCHED_INFO, and one that was told not to count.
    ['R', undefined, { isRunnable: true, ranMs: 3500, waitedMs: 0 }],
    ['R', '0 0 0\n', { isRunnable: true, ranMs: 3500, waitedMs: 0 }],
  ];
  for (const [state, schedstat, expected] of table) assert.deepEqual(threadReading(stat(state), schedstat), expected);
});

test('a process that spins, that is stopped, and that is gone', async (t) => {
  const child = spawn(...mortal('sh', ['-c', 'while :; do :; done']), { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const read = () => readProcess(child.pid!, systemClock.now);
  const ran = await until(() => ((read()?.main.ranMs ?? 0) > 50 ? read() : undefined), 30_000, 'a loop that runs');
  assert.deepEqual([ran.main.isRunnable, ran.others.size], [true, 0]);
  child.kill('SIGSTOP');
  const stopped = await until(() => (read()?.main.isRunnable === false ? read() : undefined), 30_000, 'its stop');
  assert.ok(stopped.atMs > ran.atMs && stopped.main.ranMs >= ran.main.ranMs);
  child.kill('SIGKILL');
  await until(() => read() === undefined, 30_000, 'its end');
});

test('a process has other threads besides its main one, which it may wait for', () => {
  const { main, others } = readProcess(process.pid, systemClock.now)!;
  assert.ok(main.ranMs > 0);
  assert.ok(others.size > 3 && !others.has(process.pid));
});
