/** What undoes a change that nothing has proved yet, when it is called confirmed, and how long it is looked on. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OutputState } from '../../agent/media/delivery/states.js';
import { Fault, type FaultReport } from '../../agent/errors.js';
import { Probation } from '../../agent/steering/probation.js';
import type { Status } from '../../agent/control/status.js';

const refused = new Fault('output_refused', 'The server refused the key.', 'Set another.').report();
const away = new Fault('source_not_found', 'There is no camera.', 'Plug it in.').report();

/** `live` unless it is said otherwise, with outputs in these states. */
function status(more: Partial<Status> = {}, outputs: Record<string, OutputState | FaultReport> = {}): Status {
  const figures = { deliveredKbps: 500, queuedMs: 20, frames: 1, droppedFrames: 0, connects: 1, url: 'rtmp://h/live' };
  const shown = Object.entries(outputs).map(([name, state]) => [
    name,
    typeof state === 'string' ? { ...figures, state } : { ...figures, state: 'waiting', fault: state },
  ]);
  return {
    ...{ version: '1', wanted: 'on air', actual: 'live', uptimeSeconds: 1, problems: [] },
    outputs: Object.fromEntries(shown) as Status['outputs'],
    ...more,
  };
}

const live = status();
const ailing = status({ actual: 'degraded' });

/** One that began with what was live before. */
function begun(before: Status): Probation {
  const probation = new Probation();
  probation.begin(before, false);
  return probation;
}

/** What it says was done. */
const said = (probation: Probation, now: Status, hasTarget = true): string | undefined =>
  probation.harm(now, 'within 20 s', hasTarget)?.what;

const notBack = 'The stream was live before the change, and was not live again within 20 s';

describe('harm to the stream', () => {
  test('is none while nothing is on probation', () => {
    const probation = new Probation();
    assert.equal(said(probation, ailing), undefined);
    assert.deepEqual([probation.isConfirmed, probation.graceMs(6000, true)], [false, 0]);
  });

  test('is that it is not live again, with the first problem, else with what an output says', () => {
    const probation = begun(live);
    assert.equal(said(probation, live), undefined);
    const undone = new Fault('change_undone', `${notBack}.`, 'The last good settings are back.');
    assert.deepEqual(probation.harm(ailing, 'within 20 s', true), undone.report());
    const outputs = { good: 'live', bad: refused } as const;
    const byOutput = ' (output_refused: The server refused the key.).';
    assert.equal(said(probation, status({ actual: 'degraded' }, outputs)), notBack + byOutput);
    const both = status({ actual: 'degraded', problems: [away, refused] }, outputs);
    assert.equal(said(probation, both), `${notBack} (source_not_found: There is no camera.).`);
  });

  test('is that no output is left, unless it was commanded off or is paused', () => {
    const idle = status({ actual: 'idle' });
    const none = 'The stream was live, and the change left no output and no recording; to go off the air, use `stop`.';
    assert.equal(said(begun(live), idle, false), none);
    assert.equal(said(begun(live), idle, true), undefined);
    assert.equal(said(begun(live), status({ actual: 'idle', wanted: 'idle' }), false), undefined);
  });

  test('is none where nothing was live', () => {
    assert.equal(said(begun(ailing), ailing), undefined);
    assert.equal(said(begun(status({ actual: 'degraded' }, { a: refused })), ailing), undefined);
  });

  test('is that an output which was live beside one that ailed is not any more', () => {
    const probation = begun(status({ actual: 'degraded' }, { good: 'live', bad: refused }));
    assert.equal(said(probation, status({ actual: 'degraded' }, { good: 'stalled', bad: refused })), undefined);
    assert.equal(said(probation, status({ actual: 'degraded' }, { good: 'connecting', bad: 'live' })), `${notBack}.`);
  });

  test('is judged by what was live before the first of several changes that nothing has proved', () => {
    const second = begun(live);
    second.begin(ailing, true);
    assert.equal(said(second, ailing), `${notBack}.`);
    const after = begun(live);
    after.begin(ailing, false);
    assert.equal(said(after, ailing), undefined);
    // Where another one is on the card, but was begun by a process that is gone.
    const first = new Probation();
    first.begin(live, true);
    assert.equal(said(first, ailing), `${notBack}.`);
  });

  test('is none once the probation is over', () => {
    const probation = begun(live);
    probation.finish();
    assert.equal(said(probation, ailing), undefined);
  });
});

describe('harm to the way of whoever steers', () => {
  const change = (...paths: string[]) => paths.map((path) => ({ path, cost: 'live' as const }));

  test('is that what a change was about has not worked, and why, where that is known', () => {
    const probation = begun(live);
    let answer: boolean | FaultReport = false;
    probation.provedBy(['mqtt.url', 'mqtt.password', 'mqtt.ca'], () => answer);
    assert.equal(said(probation, live), undefined, 'nothing of it was changed');
    probation.touch(change('audio.mute'));
    assert.equal(said(probation, live), undefined);
    probation.touch(change('mqtt.url', 'mqtt.ca'));
    assert.equal(said(probation, live), 'A change of mqtt.url, mqtt.ca has not worked within 20 s.');
    answer = refused;
    const why = ' (output_refused: The server refused the key.).';
    assert.equal(said(probation, live), `A change of mqtt.url, mqtt.ca has not worked within 20 s${why}`);
    answer = true;
    assert.equal(said(probation, live), undefined);
  });

  test('is looked for with each of several ways, and forgotten with the probation', () => {
    const probation = begun(live);
    probation.provedBy(['mqtt.url'], () => true);
    probation.provedBy(['gpio.led'], () => false);
    probation.touch(change('mqtt.url', 'gpio.led'));
    assert.equal(said(probation, live), 'A change of gpio.led has not worked within 20 s.');
    assert.equal(said(probation, ailing), `${notBack}.`, 'that of the stream comes first');
    probation.finish();
    assert.equal(said(probation, live), undefined);
  });
});

/** By then everything that was due has happened. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('confirmation', () => {
  test('comes once the change is done', async () => {
    const probation = begun(live);
    let done = (): void => undefined;
    const confirmed = probation.confirmedBy(new Promise((resolve) => (done = resolve)));
    await turn();
    assert.equal(probation.isConfirmed, false);
    done();
    await confirmed;
    assert.equal(probation.isConfirmed, true);
    probation.begin(live, true);
    assert.equal(probation.isConfirmed, false, 'of the change before');
  });

  test('of an older change is none of the newer one, and takes none away', async () => {
    const probation = begun(live);
    const done: (() => void)[] = [];
    const later = (): Promise<void> => new Promise((resolve) => done.push(resolve));
    const first = probation.confirmedBy(later());
    probation.begin(live, true);
    const second = probation.confirmedBy(later());
    done[0]!();
    await first;
    assert.equal(probation.isConfirmed, false);
    done[1]!();
    await second;
    assert.equal(probation.isConfirmed, true);

    const third = begun(live);
    const early = third.confirmedBy(later());
    third.begin(live, true);
    await third.confirmedBy(Promise.resolve());
    done[2]!();
    await early;
    assert.equal(third.isConfirmed, true);
  });

  test('that never comes is waited for until the probation is over', async () => {
    const probation = begun(live);
    let waiting = 2;
    for (let i = 0; i < 2; i++) void probation.confirmedBy(new Promise(() => undefined)).then(() => (waiting -= 1));
    await turn();
    assert.equal(waiting, 2);
    probation.finish();
    await turn();
    assert.deepEqual([waiting, probation.isConfirmed], [0, false]);
  });

  test('that fails is told to whoever waits', async () => {
    await assert.rejects(begun(live).confirmedBy(Promise.reject(new Error('no more memory'))), /no more memory/);
  });
});

describe('grace after the deadline', () => {
  const confirmed = async (): Promise<Probation> => {
    const probation = begun(live);
    await probation.confirmedBy(Promise.resolve());
    return probation;
  };
  /** Whether there was harm at each look. */
  const looked = (probation: Probation, ...harmed: boolean[]): Probation => {
    for (const each of harmed) probation.look(each);
    return probation;
  };

  test('is as long as the probation, at most 10 s, where what was there is away or what is there was not confirmed', async () => {
    const worked = looked(await confirmed(), false, false);
    assert.deepEqual([worked.graceMs(6000, true), worked.graceMs(60_000, true)], [6000, 10_000]);
    assert.deepEqual([begun(live).graceMs(6000, false), begun(live).graceMs(60_000, false)], [6000, 10_000]);
  });

  test('is none for what never came back', async () => {
    assert.equal(begun(live).graceMs(6000, true), 0);
    assert.equal(looked(await confirmed(), true, true, true).graceMs(6000, true), 0);
  });

  test('takes two good looks in a row, after the change was confirmed', async () => {
    assert.equal(looked(await confirmed(), false).graceMs(6000, true), 0);
    assert.equal(looked(await confirmed(), false, true, false).graceMs(6000, true), 0);
    assert.equal(looked(await confirmed(), true, false, false, true).graceMs(6000, true), 6000);
    const unconfirmed = looked(begun(live), false, false, false);
    assert.equal(unconfirmed.graceMs(6000, true), 0);
    await unconfirmed.confirmedBy(Promise.resolve());
    assert.equal(looked(unconfirmed, false).graceMs(6000, true), 0, 'those before it do not count');
  });

  test('begins anew with the next change', async () => {
    const again = looked(await confirmed(), false, false);
    again.begin(live, true);
    assert.equal(again.graceMs(6000, true), 0);
    const one = looked(await confirmed(), false);
    one.begin(live, true);
    await one.confirmedBy(Promise.resolve());
    assert.equal(looked(one, false).graceMs(6000, true), 0);
  });
});

describe('the end of the probation', () => {
  test('comes once, when it is due', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    let ends = 0;
    begun(live).endIn(6000, () => (ends += 1));
    t.mock.timers.tick(5999);
    assert.equal(ends, 0);
    t.mock.timers.tick(1);
    t.mock.timers.tick(60_000);
    assert.equal(ends, 1);
  });

  test('is put off by whoever says another time, and does not come after a new change or once it is over', (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const ends: string[] = [];
    const probation = begun(live);
    probation.endIn(6000, () => ends.push('first'));
    probation.endIn(8000, () => ends.push('second'));
    t.mock.timers.tick(7999);
    assert.equal(ends.length, 0);
    t.mock.timers.tick(1);
    assert.deepEqual(ends, ['second']);
    probation.endIn(6000, () => ends.push('before the change'));
    probation.begin(live, true);
    t.mock.timers.tick(60_000);
    probation.endIn(6000, () => ends.push('after it was over'));
    probation.finish();
    t.mock.timers.tick(60_000);
    assert.deepEqual(ends, ['second']);
  });
});
