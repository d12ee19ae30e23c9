/** A simulated GPIO chip as a Pi's is: its lines do not begin at 0, buttons make edges, lamps can be lit; makercast's own button and tally light. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { startAgent, type Agent, type LogLine } from '../helpers/agent/agent.js';
import { ended, mortal, run } from '../helpers/command.js';
import { until, within } from '../helpers/feed.js';
import { lasts } from '../helpers/interval.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { GpioChip, sysfsBase } from './devices/gpio.js';
import { mustBeGuest, small } from './guest.js';

mustBeGuest();

/** The first lines of a Pi's header that have no second function. */
const button = 17;
const lamp = 27;

/** gpiomon has the button's line. */
const isWatched = async (chip: GpioChip): Promise<boolean> =>
  /line +17:.*"gpiomon"/.test((await run('gpioinfo', [chip.name])).stdout.toString());

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
  const watcher = spawn(...mortal('stdbuf', ['-oL', 'gpiomon', ...args]), { stdio: ['ignore', 'pipe', 'inherit'] });
  // 1: rising, 0: falling.
  const edges: string[] = [];
  createInterface({ input: watcher.stdout }).on('line', (line) => edges.push(line));
  const end = ended(watcher);
  await until(() => isWatched(chip), 10_000, 'gpiomon at the line');
  const pulls = ['up', 'down', 'up', 'down'] as const;
  for (const [index, to] of pulls.entries()) {
    await chip.pull(button, to);
    // The kernel reads the line only when it gets to the interrupt: the next edge must not come before.
    await until(() => edges.length > index, 5000, `the edge ${to}`);
  }
  const { code } = await within(end, 10_000, 'four edges');
  assert.equal(code, 0);
  assert.deepEqual(edges, ['1', '0', '1', '0']);
});

/** As long as a finger takes: well above the 30 ms of the debouncing, well below the 2 s of a long press. */
const pressMs = 500;

async function press(chip: GpioChip): Promise<void> {
  await chip.pull(button, 'up');
  await lasts(pressMs, 'a finger on the button');
  await chip.pull(button, 'down');
}

const isLit = async (chip: GpioChip): Promise<boolean> => (await chip.value(lamp)) === 1;

describe('makercast with a button and a tally light', () => {
  let chip: GpioChip;
  let base: number;
  let nginx: Nginx;
  let agent: Agent;
  let holder: ChildProcess;
  let released: Promise<unknown>;
  before(async () => {
    chip = await GpioChip.start();
    base = await sysfsBase(chip.label);
    await chip.pull(button, 'down');
    holder = spawn(...mortal('gpiomon', [chip.name, String(button)]), { stdio: 'ignore' });
    released = ended(holder);
    await until(() => isWatched(chip), 10_000, 'gpiomon at the line');
    nginx = await startNginx();
    await nginx.kill();
    agent = await startAgent({
      ...small,
      VIDEO_SOURCE: 'test',
      AUDIO_SOURCE: 'test',
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'onair',
      GPIO_BUTTON: String(button),
      GPIO_LED: String(lamp),
    });
  });
  after(async () => {
    holder.kill();
    await agent[Symbol.asyncDispose]();
    await nginx.stop();
    await chip[Symbol.asyncDispose]();
  });

  test('the light blinks while no server can be reached', async () => {
    await agent.status(({ actual }) => actual === 'degraded', 60_000);
    for (const lit of [true, false, true, false]) {
      await until(async () => (await isLit(chip)) === lit, 10_000, lit ? 'the light' : 'the dark');
    }
  });

  test('a line that another program has is a problem, which goes with it; the broadcast goes on', async () => {
    await nginx.restart();
    const { problems } = await agent.status(({ actual }) => actual === 'live', 60_000, agent.log.items.length);
    assert.match(problems.map(({ what }) => what).join(), /GPIO 17 cannot be used: something else/);
    holder.kill();
    await released;
    await agent.status(
      (status) => status.actual === 'live' && status.problems.length === 0,
      60_000,
      agent.log.items.length,
    );
  });

  test('the light is on on the air, off after a long press, and a press starts it again', async () => {
    await until(() => isLit(chip), 10_000, 'the light on the air');
    // It counts while the button is still held.
    let from = agent.log.items.length;
    await chip.pull(button, 'up');
    await agent.status(({ wanted, actual }) => wanted === 'idle' && actual === 'idle', 20_000, from);
    await chip.pull(button, 'down');
    await until(async () => !(await isLit(chip)), 10_000, 'the light off');

    // On a machine that stands still in between, both edges may be seen at once, as nothing: who presses waits, and presses again.
    from = agent.log.items.length;
    await until(
      async () => {
        await press(chip);
        const isStart = ({ event, message }: LogLine): boolean => event === 'button' && /start/.test(message);
        return await agent.waitFor(isStart, 1000, from).then(Boolean, () => false);
      },
      60_000,
      'a press that is heard',
    );
    await agent.status(({ actual }) => actual === 'live', 60_000, from);
    await until(() => isLit(chip), 10_000, 'the light on the air again');
  });

  test('at the end the light is off, and the lines are given back', async () => {
    assert.equal((await agent.stop()).code, 0);
    assert.equal(await chip.value(lamp), 0);
    for (const line of [button, lamp])
      assert.ok(!existsSync(`/sys/class/gpio/gpio${base + line}`), `${line} is given back`);
  });
});
