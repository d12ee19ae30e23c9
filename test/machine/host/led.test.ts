/** The board's LED, on a tree of files like the kernel's. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Led } from '../../../agent/machine/host/led.js';
import { temporaryFolder } from '../../helpers/command.js';
import { until } from '../../helpers/feed.js';

for (const name of ['ACT', 'led0']) {
  test(`${name} blinks, and then shows again what it showed`, async () => {
    const { folder, remove } = await temporaryFolder();
    const file = path.join(folder, 'sys/class/leds', name, 'trigger');
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, 'none rc-feedback timer [mmc0] heartbeat\n');
    const shown = (): Promise<string> => readFile(file, 'utf8');
    const led = new Led(folder);
    await led.blink(50);
    assert.equal(await shown(), 'timer');
    await until(async () => (await shown()) === 'mmc0', 5000, 'the usual light');
    // As the kernel shows it after that.
    await writeFile(file, 'none timer [mmc0]\n');
    await led.blink(600_000);
    await writeFile(file, 'none [timer] mmc0\n');
    await led.blink(600_000);
    await led.stop();
    assert.equal(await shown(), 'mmc0');
    await led.stop();
    await remove();
  });
}

test('a machine without one says so', async () => {
  const { folder, remove } = await temporaryFolder();
  await assert.rejects(new Led(folder).blink(10), { code: 'command_failed' });
  await remove();
});
