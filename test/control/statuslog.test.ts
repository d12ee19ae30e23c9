/** The status in the log: at the pace of the settings, with the temperature, and with what strains the board. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { Change } from '../../agent/config/cost.js';
import { resolve, type Resolved } from '../../agent/config/resolve.js';
import type { Strain } from '../../agent/machine/host/power.js';
import { StatusLog } from '../../agent/control/statuslog.js';
import { BoardStrain } from '../../agent/control/strain.js';
import { Stand } from '../helpers/mqtt/device.js';

class Bench {
  resolved: Resolved;
  level = 'info';
  strain: Strain | undefined;
  degrees: number | undefined = 48;
  /** Temperatures of the lines. */
  readonly said: unknown[] = [];
  readonly faults: string[] = [];
  readonly #ending = new AbortController();
  #changed: (changed: readonly Change[]) => void = () => undefined;
  readonly log: StatusLog;

  constructor(
    readonly t: TestContext,
    seconds = '10',
  ) {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    this.resolved = resolve({ env: { LOG_STATUS_SECONDS: seconds } });
    const own = (): Resolved => this.resolved;
    const stand = new Stand();
    this.log = new StatusLog({
      log: {
        enabled: (level) => level === this.level,
        always: (level, event, message, fields) => {
          assert.deepEqual([level, event, message !== ''], ['info', 'status', true]);
          this.said.push((fields as { status: { temperature?: number } }).status.temperature);
        },
      },
      steering: {
        get resolved() {
          return own();
        },
        onChange: (listener, signal) => {
          this.#changed = listener;
          signal?.addEventListener('abort', () => (this.#changed = () => undefined));
        },
      },
      status: () => stand.status(),
      board: new BoardStrain(),
      strain: () => Promise.resolve(this.strain),
      temperature: () => Promise.resolve(this.degrees),
      report: ({ code }) => this.faults.push(code),
    });
  }

  start(): void {
    this.log.start(this.#ending.signal);
  }

  abort(): void {
    this.#ending.abort();
  }

  change(path: string): void {
    this.#changed([{ path, cost: 'live' }]);
  }

  /** Lets so many seconds pass, one at a time, and all that is asked of the machine meanwhile be answered. */
  async pass(seconds: number): Promise<void> {
    for (let i = 0; i < seconds; i++) {
      this.t.mock.timers.tick(1000);
      await new Promise(setImmediate);
    }
  }
}

test('a line each time that the settings say, and none before', async (t) => {
  const bench = new Bench(t);
  bench.start();
  await bench.pass(9);
  assert.deepEqual(bench.said, []);
  await bench.pass(1);
  assert.deepEqual(bench.said, [48]);
  bench.degrees = undefined;
  await bench.pass(10);
  assert.deepEqual(bench.said, [48, undefined]);
});

test('another pace counts from when it is set', async (t) => {
  const bench = new Bench(t);
  bench.start();
  await bench.pass(9);
  bench.resolved = resolve({ env: { LOG_STATUS_SECONDS: '5' } });
  bench.change('log.statusSeconds');
  await bench.pass(4);
  assert.equal(bench.said.length, 0);
  bench.change('video.fps');
  await bench.pass(6);
  assert.equal(bench.said.length, 2);
});

test('the board is looked at when it starts, and at each line, said or not', async (t) => {
  const bench = new Bench(t);
  bench.strain = { underVoltage: true };
  bench.level = 'warn';
  bench.start();
  await bench.pass(1);
  assert.deepEqual(bench.faults, ['under_voltage']);
  bench.strain = { underVoltage: true, hot: true };
  await bench.pass(9);
  assert.deepEqual(bench.faults, ['under_voltage', 'too_hot']);
  assert.deepEqual(bench.said, []);
});

test('a line can be asked for; once stopped, none comes by itself', async (t) => {
  const bench = new Bench(t);
  bench.start();
  bench.log.stop();
  bench.abort();
  bench.change('log.statusSeconds');
  await bench.pass(60);
  assert.deepEqual(bench.said, []);
  bench.log.say();
  assert.deepEqual(bench.said, [undefined]);
});
