/** Settings that change while the agent runs: what is said of it, what the status shows, and what is kept for the next start. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '../agent/config/cost.js';
import { resolve, type Resolved } from '../agent/config/resolve.js';
import type { Settings } from '../agent/config/settings.js';
import type { FaultReport } from '../agent/errors.js';
import type { Level } from '../agent/log.js';
import { Reload } from '../agent/reload.js';
import type { Steering } from '../agent/steering/steering.js';

type Found = Awaited<ReturnType<Steering['reload']>>;

class Bench {
  resolved = resolve({ env: {} });
  isOnProbation = false;
  /** What the next reading of the file comes to. */
  found: Found = { problems: [], warnings: [], changed: [] };
  level: Level = 'info';
  readonly lines: string[] = [];
  readonly kept: Settings[] = [];
  /** What the status shows last. */
  shown: readonly FaultReport[] = [];
  readonly ending = new AbortController();
  #edited: () => void = () => undefined;
  #changed: (changed: readonly Change[]) => void = () => undefined;

  constructor(keepsGood = false) {
    const note =
      (level: string) =>
      (event: string, message: string): void =>
        void this.lines.push(`${level} ${event} ${message}`);
    const own = (): Bench => this;
    const log = {
      ...{ error: note('error'), warn: note('warn'), info: note('info') },
      get level(): Level {
        return own().level;
      },
      set level(level: Level) {
        own().level = level;
      },
    };
    const steering = {
      get resolved(): Resolved {
        return own().resolved;
      },
      get isOnProbation(): boolean {
        return own().isOnProbation;
      },
      reload: () => Promise.resolve(this.found),
      onChange: (listener: (changed: readonly Change[]) => void, signal?: AbortSignal) => {
        this.#changed = listener;
        signal?.addEventListener('abort', () => (this.#changed = () => undefined));
      },
    };
    const source = {
      watch: (changed: () => void, signal: AbortSignal) => {
        this.#edited = changed;
        signal.addEventListener('abort', () => (this.#edited = () => undefined));
      },
      keep: (settings: Settings) => {
        this.kept.push(settings);
        return Promise.resolve();
      },
    };
    const broadcast = { settingsProblems: (problems: readonly FaultReport[]) => (this.shown = problems) };
    new Reload({ log, source, steering, broadcast, keepsGood }).start(this.ending.signal);
  }

  /** The file is edited, and comes to this. */
  async edit(found: Partial<Found>): Promise<string[]> {
    this.found = { problems: [], warnings: [], changed: [], ...found };
    return this.#said(() => this.#edited());
  }

  change(env: Readonly<Record<string, string>>, ...paths: string[]): Promise<string[]> {
    this.resolved = resolve({ env });
    return this.#said(() => this.#changed(paths.map((path) => ({ path, cost: 'live' }))));
  }

  async #said(act: () => void): Promise<string[]> {
    this.lines.length = 0;
    act();
    await new Promise(setImmediate);
    return [...this.lines];
  }
}

const wrong = resolve({ env: { VIDEO_FPS: 'many' } });

test('an edit that is valid: what has changed is said, warnings once', async () => {
  const bench = new Bench();
  const changed: Change[] = [{ path: 'audio.mute', cost: 'live' }];
  assert.deepEqual(await bench.edit({ changed, warnings: ['Odd.'] }), [
    'warn settings_warning Odd.',
    'info settings_applied Settings applied: audio.mute.',
  ]);
  bench.resolved = { ...bench.resolved, warnings: ['Odd.'] };
  assert.deepEqual(await bench.edit({ warnings: ['Odd.'] }), []);
});

test('one that is not valid changes nothing: that is said, and shown until the file is mended', async () => {
  const bench = new Bench();
  const [line, last, ...others] = await bench.edit({ problems: wrong.problems });
  assert.match(line!, /^error settings_rejected problem \[setting_type\] VIDEO_FPS/);
  assert.deepEqual(
    [last, others],
    ['error settings_rejected The edited settings are not valid; nothing has changed.', []],
  );
  assert.deepEqual(
    bench.shown.map(({ code }) => code),
    ['setting_type'],
  );
  await bench.change({}, 'audio.mute');
  assert.equal(bench.shown.length, 1);
  await bench.edit({});
  assert.deepEqual(bench.shown, []);
});

test('an output that waits for its key is said once, and shown for as long as it waits', async () => {
  const bench = new Bench();
  const held = { path: 'outputs.main.key', code: 'output_key_missing', given: '', allowed: '', layer: 'page' } as const;
  const withHeld = (message: string): void => {
    bench.resolved = { ...bench.resolved, held: [{ ...held, message }] };
  };
  withHeld('No key.');
  assert.deepEqual(await bench.edit({}), ['warn output_key_missing [output_key_missing] No key.']);
  assert.deepEqual(await bench.edit({}), []);
  assert.equal(bench.shown.length, 1);
  withHeld('No key there.');
  assert.equal((await bench.edit({})).length, 1);
  await bench.change({}, 'outputs.main.key');
  assert.deepEqual(bench.shown, []);
});

test('the level of the log follows the settings, from wherever they come', async () => {
  const bench = new Bench();
  await bench.change({ LOG_LEVEL: 'debug' }, 'log.level');
  assert.equal(bench.level, 'debug');
});

test('what is good is kept for the next start, where something would start it anew, and nothing else is', async () => {
  const unattended = new Bench();
  await unattended.change({}, 'audio.mute');
  assert.deepEqual(unattended.kept, []);
  const bench = new Bench(true);
  await bench.change({}, 'audio.mute');
  assert.deepEqual(bench.kept, [bench.resolved.settings]);
  bench.isOnProbation = true;
  await bench.change({}, 'audio.mute');
  bench.isOnProbation = false;
  await bench.change({ VIDEO_FPS: 'many' }, 'audio.mute');
  assert.equal(bench.kept.length, 1);
});

test('once stopped it hears of nothing', async () => {
  const bench = new Bench(true);
  bench.ending.abort();
  assert.deepEqual(await bench.edit({ problems: wrong.problems }), []);
  await bench.change({}, 'audio.mute');
  assert.deepEqual(bench.kept, []);
});
