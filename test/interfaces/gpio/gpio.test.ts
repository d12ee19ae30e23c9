/** Button and tally light: numbers of lines on several boards, presses with bouncing contacts, what the light shows. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Redactor } from '../../../agent/config/redactor.js';
import { resolve } from '../../../agent/config/resolve.js';
import { Fault } from '../../../agent/errors.js';
import { Button, longMs } from '../../../agent/interfaces/gpio/button.js';
import { lineNumber } from '../../../agent/interfaces/gpio/chip.js';
import { Gpio } from '../../../agent/interfaces/gpio/gpio.js';
import type { Line, LineRequest } from '../../../agent/interfaces/gpio/line.js';
import { isLit } from '../../../agent/interfaces/gpio/tally.js';
import { Log } from '../../../agent/log.js';
import type { ActualState } from '../../../agent/broadcast/status.js';
import type { Status } from '../../../agent/control/status.js';
import { tree } from '../../machine/tree.js';

const boards: [fixture: string, line: number, number: number][] = [
  ['gpio-pi3-5.15', 17, 17],
  ['gpio-pi3-6.6', 17, 529],
  ['gpio-pi3-6.6', 0, 512],
  ['gpio-pi3-6.6', 53, 565],
  ['gpio-pi4-6.6', 27, 539],
  ['gpio-pi5-6.6', 17, 586],
  ['gpio-other', 17, 497],
];

for (const [fixture, line, number] of boards) {
  test(`${fixture}: GPIO ${line} is number ${number}`, async () => {
    using board = tree(fixture);
    assert.equal(await lineNumber(line, board.root), number);
  });
}

test('no chip, none of a Pi, no such line: each is said, with what to do', async () => {
  using other = tree('gpio-other');
  using pc = tree('gpio-pc');
  using bare = tree('pc-c270');
  const code = 'gpio_unavailable';
  await assert.rejects(lineNumber(32, other.root), { code, message: /no GPIO 32: gpio-mockup-A has 0 to 31\..*BCM/ });
  await assert.rejects(lineNumber(1, pc.root), { code, message: /gpio_ich, INT34C6/ });
  await assert.rejects(lineNumber(1, bare.root), { code, message: /no GPIO lines.*privileged/ });
});

/** A millisecond at a time: else a timer that is set by another one would count from the end of the whole. */
function advance(t: TestContext, ms: number): void {
  for (let i = 0; i < ms; i++) t.mock.timers.tick(1);
}

/** What a button reports while its line does `steps`: a level and for how many ms. */
function pressed(t: TestContext, steps: readonly (readonly [isDown: boolean, ms: number])[], isDown = false): string[] {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const seen: string[] = [];
  const button = new Button(isDown, { short: () => seen.push('short'), long: () => seen.push('long') });
  for (const [down, ms] of steps) {
    button.edge(down);
    advance(t, ms);
  }
  t.mock.timers.reset();
  return seen;
}

const bounce = (down: boolean): (readonly [boolean, number])[] =>
  Array.from({ length: 9 }, (_, i) => [i % 2 === 0 ? down : !down, 3] as const);

const presses: [name: string, steps: (readonly [boolean, number])[], want: string[]][] = [
  [
    'a press',
    [
      [true, 200],
      [false, 200],
    ],
    ['short'],
  ],
  [
    'two presses',
    [
      [true, 200],
      [false, 200],
      [true, 200],
      [false, 200],
    ],
    ['short', 'short'],
  ],
  ['a press of contacts that bounce', [...bounce(true), [true, 200], ...bounce(false), [false, 200]], ['short']],
  [
    'a spike',
    [
      [true, 5],
      [false, 200],
    ],
    [],
  ],
  ['one that is still held', [[true, longMs - 1]], []],
  ['one that is held for long', [[true, longMs]], ['long']],
  [
    'one that is held for long and let go',
    [
      [true, 2 * longMs],
      [false, 200],
    ],
    ['long'],
  ],
  ['a long one that bounces on the way', [[true, longMs / 2], ...bounce(false), [true, longMs / 2 + 30]], ['long']],
  [
    'a long one, then a press',
    [
      [true, longMs],
      [false, 200],
      [true, 200],
      [false, 200],
    ],
    ['long', 'short'],
  ],
];

for (const [name, steps, want] of presses) {
  test(`button: ${name}`, (t) => assert.deepEqual(pressed(t, steps), want));
}

test('button: what is down at the start counts only from the next press on', (t) => {
  const steps = [
    [true, 3 * longMs],
    [false, 200],
    [true, 200],
    [false, 200],
  ] as const;
  assert.deepEqual(pressed(t, steps, true), ['short']);
});

test('the light: off, blinking or on', () => {
  const patterns: Record<ActualState, string> = {
    idle: '0000',
    starting: '1010',
    live: '1111',
    degraded: '1010',
    ended: '0000',
    stopping: '0000',
    updating: '0000',
  };
  for (const [state, pattern] of Object.entries(patterns)) {
    const shown = [0, 1, 2, 3].map((look) => Number(isLit(state as ActualState, look)));
    assert.equal(shown.join(''), pattern, state);
  }
});

const idle: Status = { version: '1', wanted: 'idle', actual: 'idle', uptimeSeconds: 0, problems: [], outputs: {} };

interface Bench {
  readonly gpio: Gpio;
  readonly commands: string[];
  readonly opened: LineRequest[];
  readonly closed: number[];
  /** What each LED line was last told. */
  readonly lamps: Map<number, number>;
  readonly lines: string[];
  status: Status;
  env: Record<string, string>;
  fails: boolean;
  now: number;
  /** The level of the button's line changes. */
  edge(value: 0 | 1): void;
}

function bench(): Bench {
  let watched: (value: 0 | 1) => void = () => undefined;
  const lines: string[] = [];
  const log = new Log({ level: 'error', format: 'json' }, new Redactor(), { now: () => 0, random: () => 0 });
  log.warn = (_, message) => void lines.push(message);
  const given = { status: idle, env: {}, fails: false, now: 0 };
  const [commands, opened, closed, lamps] = [
    [] as string[],
    [] as LineRequest[],
    [] as number[],
    new Map<number, number>(),
  ];
  const open = (request: LineRequest): Promise<Line> => {
    if (self.fails && request.direction === 'out')
      return Promise.reject(new Fault('gpio_unavailable', `GPIO ${request.line} cannot be used.`, ''));
    opened.push(request);
    return Promise.resolve({
      read: () => 0,
      write: (value) => void lamps.set(request.line, value),
      watch: (edge) => void (watched = edge),
      close: () => void closed.push(request.line),
    });
  };
  const control = {
    status: () => given.status,
    settings: () => resolve({ env: given.env }).settings,
    startBroadcast: () => Promise.resolve(void commands.push('start')),
    stopBroadcast: () => Promise.resolve(void commands.push('stop')),
    retry: () => void commands.push('retry'),
  };
  const gpio = new Gpio(control, { log, clock: { now: () => given.now, random: () => 0 }, open });
  const self: Bench = Object.assign(given, {
    ...{ gpio, commands, opened, closed, lamps, lines },
    edge: (value: 0 | 1) => watched(value),
  });
  return self;
}

test('where no line is set, none is opened', async () => {
  const b = bench();
  await b.gpio.poll();
  assert.deepEqual(b.opened, []);
  assert.deepEqual(b.gpio.tells(idle), {});
});

test('lines as the settings say, and anew when they change', async () => {
  const b = bench();
  b.env = { GPIO_BUTTON: '17', GPIO_BUTTON_PRESSED: 'low', GPIO_LED: '27' };
  await b.gpio.poll();
  await b.gpio.poll();
  assert.deepEqual(b.opened, [
    { line: 27, direction: 'out', activeLow: false },
    { line: 17, direction: 'in', activeLow: true },
  ]);
  b.env = { GPIO_LED: '22', GPIO_LED_LIT: 'low' };
  await b.gpio.poll();
  assert.deepEqual(b.closed, [17, 27]);
  assert.deepEqual(b.opened.slice(2), [{ line: 22, direction: 'out', activeLow: true }]);
  await b.gpio.stop();
  assert.deepEqual(b.closed, [17, 27, 22]);
});

test('a press starts, or tries again what waits; a long one stops', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const b = bench();
  b.env = { GPIO_BUTTON: '17' };
  await b.gpio.poll();
  const press = (ms: number): void => {
    b.edge(1);
    advance(t, ms);
    b.edge(0);
    advance(t, 200);
  };
  press(200);
  b.status = { ...idle, wanted: 'on air', actual: 'degraded' };
  press(200);
  b.status = { ...idle, wanted: 'on air', actual: 'ended' };
  press(200);
  press(longMs + 50);
  assert.deepEqual(b.commands, ['start', 'retry', 'start', 'stop']);
});

test('the light follows the state', async () => {
  const b = bench();
  b.env = { GPIO_LED: '27' };
  const seen: (number | undefined)[] = [];
  for (const actual of [
    'idle',
    'starting',
    'starting',
    'starting',
    'live',
    'live',
    'degraded',
    'degraded',
    'idle',
  ] as const) {
    b.status = { ...idle, actual };
    await b.gpio.poll();
    seen.push(b.lamps.get(27));
  }
  // Looks 1 to 9; what blinks is lit at the even ones.
  assert.deepEqual(seen, [undefined, 1, 0, 1, 1, 1, 0, 1, 0]);
});

test('a line that cannot be had is a problem, said once, and tried again; the other one works', async () => {
  const b = bench();
  b.env = { GPIO_LED: '27', GPIO_BUTTON: '17' };
  b.fails = true;
  for (b.now = 0; b.now < 100_000; b.now += 500) await b.gpio.poll();
  assert.deepEqual(b.lines, ['[gpio_unavailable] GPIO 27 cannot be used.']);
  assert.deepEqual(
    b.gpio.tells(idle).problems?.map(({ code }) => code),
    ['gpio_unavailable'],
  );
  assert.deepEqual(new Set(b.opened.map(({ line }) => line)), new Set([17]));
  b.fails = false;
  for (let i = 0; i < 61; i++, b.now += 500) await b.gpio.poll();
  assert.deepEqual(b.gpio.tells(idle), {});
  assert.equal(b.opened.at(-2)?.line, 27);
});
