/** A simulated GPIO chip as a Pi's is: its lines do not begin at 0, buttons make edges, lamps can be lit. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { ended, mortal, run } from '../helpers/command.js';
import { until, within } from '../helpers/feed.js';
import { GpioChip, sysfsBase } from './devices/gpio.js';
import { mustBeGuest } from './guest.js';

mustBeGuest();

/** The first lines of a Pi's header that have no second function. */
const button = 17;
const lamp = 27;

test('the chip is found by its label, and its first line has not the number 0', async () => {
  await using chip = await GpioChip.start();
  assert.notEqual(await sysfsBase(chip.label), 0);
});

test('a button is seen through sysfs, and a lamp is lit', async () => {
  await using chip = await GpioChip.start();
  const base = await sysfsBase(chip.label);
  const number = (line: number): string => String(base + line);
  const file = (line: number, name: string): string => `/sys/class/gpio/gpio${number(line)}/${name}`;
  // Without the base it is a line that nobody has.
  await assert.rejects(writeFile('/sys/class/gpio/export', String(button)), /EINVAL/);
  for (const line of [button, lamp]) await writeFile('/sys/class/gpio/export', number(line));
  try {
    await writeFile(file(button, 'direction'), 'in');
    await chip.pull(button, 'down');
    assert.equal((await readFile(file(button, 'value'), 'utf8')).trim(), '0');
    await chip.pull(button, 'up');
    assert.equal((await readFile(file(button, 'value'), 'utf8')).trim(), '1');
    assert.ok(existsSync(file(button, 'edge')), 'a line with an interrupt can be waited for');
    await writeFile(file(lamp, 'direction'), 'out');
    await writeFile(file(lamp, 'value'), '1');
    assert.equal(await chip.value(lamp), 1);
    await writeFile(file(lamp, 'value'), '0');
    assert.equal(await chip.value(lamp), 0);
  } finally {
    for (const line of [button, lamp]) await writeFile('/sys/class/gpio/unexport', number(line));
  }
});

test('each press and release of a button is an edge', async () => {
  await using chip = await GpioChip.start();
  await chip.pull(button, 'down');
  const args = ['--num-events=4', '--format=%e', chip.name, String(button)];
  const watcher = spawn(...mortal('gpiomon', args), { stdio: ['ignore', 'pipe', 'inherit'] });
  let seen = '';
  watcher.stdout.setEncoding('utf8').on('data', (chunk: string) => (seen += chunk));
  const end = ended(watcher);
  await until(
    async () => /line +17:.*"gpiomon"/.test((await run('gpioinfo', [chip.name])).stdout.toString()),
    10_000,
    'gpiomon at the line',
  );
  for (const to of ['up', 'down', 'up', 'down'] as const) {
    await chip.pull(button, to);
    await until(async () => (await chip.value(button)) === Number(to === 'up'), 5000, `the line ${to}`);
  }
  const { code } = await within(end, 10_000, 'four edges');
  assert.equal(code, 0);
  // 1: rising, 0: falling.
  assert.deepEqual(seen.trim().split('\n'), ['1', '0', '1', '0']);
});
