/** balena's side of the agent against a Supervisor: the lock over a broadcast, waiting updates, tags, commands, and no Supervisor at all. */
import assert from 'node:assert/strict';
import { existsSync, lstatSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redactor } from '../../../agent/config/redactor.js';
import { resolve } from '../../../agent/config/resolve.js';
import { environmentSecrets } from '../../../agent/config/detection.js';
import { Balena } from '../../../agent/interfaces/balena/balena.js';
import type { Control } from '../../../agent/control/interface.js';
import { Log } from '../../../agent/log.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import type { Status } from '../../../agent/control/status.js';
import { until } from '../../helpers/feed.js';
import { SupervisorServer, supervisorUid, type SupervisorOptions } from '../../helpers/balena/supervisor.js';
import { temporaryFolder } from '../../helpers/command.js';
import { holdLock, lockAttempt } from '../../helpers/balena/update-lock.js';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const noon = Date.parse('2026-07-01T12:00:00Z');

const idle: Status = { version: '1', wanted: 'idle', actual: 'idle', uptimeSeconds: 0, problems: [], outputs: {} };
const output = (state: string, deliveredKbps: number): Status['outputs'] =>
  ({ main: { state, deliveredKbps, url: 'rtmp://h/a' } }) as unknown as Status['outputs'];
const live: Status = { ...idle, wanted: 'on air', actual: 'live', outputs: output('live', 800) };
const refused: Status = { ...idle, wanted: 'on air', actual: 'degraded', outputs: output('refused', 0) };

interface Bench {
  readonly balena: Balena;
  readonly server: SupervisorServer;
  readonly folder: string;
  readonly lines: string[];
  /** What was asked of the broadcast, and how many calls the Supervisor had heard by then. */
  readonly asked: string[];
  status: Status;
  env: Record<string, string>;
  probation: boolean;
  /** Milliseconds that have gone by. */
  elapsed: number;
  /** What the whole document says of balena. */
  says(): NonNullable<Status['balena']>;
  /** So much later, after a question to the Supervisor and a look. */
  after(ms: number): Promise<void>;
}

async function bench(
  t: TestContext,
  options: SupervisorOptions & { env?: Record<string, string> } = {},
): Promise<Bench> {
  const server = await SupervisorServer.start(options);
  const { folder, remove } = await temporaryFolder();
  const lines: string[] = [];
  const asked: string[] = [];
  const redactor = new Redactor();
  const log = new Log({ level: 'error', format: 'json' }, redactor, { now: () => 0, random: () => 0 });
  log.warn = (event, message) => void lines.push(`${event}: ${message}`);
  const given = { status: idle, env: {} as Record<string, string>, probation: false, elapsed: 0 };
  const control: Control = {
    status: () => given.status,
    settings: () => resolve({ env: given.env }).settings,
    startBroadcast: () => Promise.resolve(),
    stopBroadcast: () => Promise.resolve(),
    retry: () => undefined,
  };
  const balena = new Balena(control, {
    env: { ...server.environment, ...options.env },
    log,
    clock: { now: () => given.elapsed, random: () => 0 },
    wall: () => noon + given.elapsed,
    storage: new Storage(folder, (fault) => lines.push(fault.message)),
    probation: () => given.probation,
    pause: () => {
      const updates = server.calls.items.filter(({ path: where }) => where === '/v1/update').length;
      asked.push(`pause before ${updates}`);
      self.status = idle;
      return Promise.resolve();
    },
    resume: () => {
      asked.push('resume');
      self.status = live;
      return Promise.resolve();
    },
  });
  const self: Bench = Object.assign(given, {
    balena,
    server,
    folder,
    lines,
    asked,
    says: () => balena.tells(self.status).balena!,
    after: async (ms: number) => {
      self.elapsed += ms;
      await balena.ask();
      await balena.poll();
    },
  });
  t.after(async () => {
    await balena.stop();
    await remove();
    await server[Symbol.asyncDispose]();
  });
  return self;
}

test('locked while something is delivered, for 5 minutes longer, and not because it is wanted', async (t) => {
  const b = await bench(t);
  b.status = refused;
  await b.after(0);
  assert.deepEqual(await lockAttempt(b.server.lockPath), { file: true, flock: true });
  b.status = live;
  await b.after(2000);
  assert.deepEqual(await lockAttempt(b.server.lockPath), { file: false, flock: false });
  assert.deepEqual([b.says().lock, b.says().lockReason], ['held', 'onAir']);
  b.status = refused;
  await b.after(5 * minute - 1);
  assert.equal((await lockAttempt(b.server.lockPath)).file, false);
  await b.after(1);
  assert.deepEqual(await lockAttempt(b.server.lockPath), { file: true, flock: true });
  assert.deepEqual([b.says().lock, b.says().lockReason], ['free', 'idle']);
});

test('a stop lets go at once, and the update that waits is let in', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.status = live;
  await b.after(0);
  await b.after(0);
  assert.equal(b.says().update, 'update_pending');
  b.status = idle;
  await b.after(2000);
  assert.deepEqual((await b.server.call('POST', '/v1/update')).body, { force: false });
  await b.server.applied.waitFor(() => true, 30_000);
  assert.equal(b.says().lock, 'free');
  // The Supervisor's own file is there now, and stays.
  b.status = live;
  await b.after(2000);
  assert.ok(existsSync(b.server.lockPath));
  assert.equal(b.says().update, 'applying');
  assert.deepEqual(b.lines, []);
});

test("the Supervisor's lock is waited for", { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
  const b = await bench(t);
  assert.ok(await b.server.takeLock(false));
  b.status = live;
  await b.after(2000);
  assert.equal(lstatSync(b.server.lockPath).uid, supervisorUid);
  assert.equal(b.says().lock, 'free');
  await b.server.dropLock();
  await b.after(2000);
  assert.equal(b.says().lock, 'held');
});

test('what a killed run has left behind holds nothing back', async (t) => {
  const b = await bench(t);
  writeFileSync(b.server.lockPath, '');
  b.server.updateStatus = 'downloaded';
  const end = new AbortController();
  await b.balena.start(end.signal);
  await b.server.applied.waitFor(() => true, 30_000);
  end.abort();
});

test('an override is noticed, said, and not fought', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.status = live;
  await b.after(0);
  await fetch(`${b.server.address}/v1/update`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${b.server.key}`, 'Content-Type': 'application/json' },
    body: '{"force":true}',
  });
  await b.server.applied.waitFor(({ force }) => force, 30_000);
  await b.after(2000);
  assert.equal(b.says().lock, 'overridden');
  assert.match(b.lines.join(), /update_lock_overridden/);
  assert.equal(b.balena.tells({ ...live, actual: 'stopping' }).actual, 'updating');
  await b.server.dropLock();
  await b.after(minute);
  assert.ok(!existsSync(b.server.lockPath), 'an update under way is not locked out');
  await b.after(5 * minute);
  assert.equal(b.says().lock, 'held');
});

test('a change on probation is not interrupted', async (t) => {
  const b = await bench(t);
  b.probation = true;
  await b.after(0);
  assert.deepEqual([b.says().lock, b.says().lockReason], ['held', 'probation']);
  b.probation = false;
  await b.after(2000);
  assert.equal(b.says().lock, 'free');
});

test('in its hours an encoder that never stops lets the update in; without one nothing happens', async (t) => {
  const b = await bench(t);
  b.env = { UPDATES_ON_AIR: 'window', UPDATES_WINDOW: '23:30-00:30', UPDATES_TIMEZONE: 'Europe/Berlin' };
  b.status = live;
  await b.after(0);
  b.server.updateStatus = 'downloaded';
  await b.after(9 * hour);
  // 23:30 in Berlin is 21:30 in UTC in summer.
  assert.deepEqual([b.says().lock, b.says().update], ['held', 'update_pending']);
  assert.equal(b.says().letInAt, '2026-07-01T21:30:00.000Z');
  assert.equal(b.server.applied.items.length, 0);
  await b.after(30 * minute);
  await b.server.applied.waitFor(() => true, 30_000);
  assert.match(b.lines.join(), /update_let_in: .*its window is open/);
  assert.equal(b.balena.tells({ ...live, actual: 'stopping' }).actual, 'updating');
  // The hours are over, and it was not us after all.
  await b.server.dropLock();
  b.server.updateStatus = 'done';
  await b.after(hour);
  assert.equal(b.says().lock, 'held');
});

test('patience ends after 7 days, counted over restarts, with warnings before', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.status = live;
  await b.after(0);
  await b.after(0);
  assert.equal(b.says().waitingSince, '2026-07-01T12:00:00.000Z');
  assert.equal(b.says().letInAt, '2026-07-08T12:00:00.000Z');
  await b.after(6 * day - 1);
  assert.deepEqual(b.lines, []);
  await b.after(1);
  await b.after(hour);
  assert.equal(b.lines.length, 1);
  assert.match(b.lines[0]!, /^update_pending: .*2026-07-08T12:00:00.000Z/);
  await b.after(22 * hour);
  assert.equal(b.lines.length, 2);
  await b.balena.stop();

  const c = await bench(t);
  c.server.updateStatus = 'downloaded';
  c.status = live;
  c.elapsed = 7 * day - minute;
  const kept = new Storage(b.folder, () => undefined);
  const state = await kept.readState('update', 1, (value): value is { since: number } => value !== null);
  await new Storage(c.folder, () => undefined).writeState('update', 1, state);
  const end = new AbortController();
  await c.balena.start(end.signal);
  end.abort();
  const d = c.balena;
  assert.equal(d.tells(live).balena!.waitingSince, '2026-07-01T12:00:00.000Z');
});

test('an update that has waited for its days is let in', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.env = { UPDATES_MAX_WAIT_DAYS: '2' };
  b.status = live;
  await b.after(0);
  await b.after(2 * day - minute);
  assert.equal(b.says().lock, 'held');
  await b.after(minute);
  await b.server.applied.waitFor(() => true, 30_000);
  assert.match(b.lines.at(-1)!, /update_let_in: .*waited for updates\.maxWaitDays/);
});

test('a Supervisor that has just started and knows of no update does not make it wait anew', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.status = live;
  await b.after(0);
  await b.after(minute);
  b.server.updateStatus = 'done';
  await b.after(minute);
  await b.after(minute);
  b.server.updateStatus = 'downloaded';
  await b.after(minute);
  assert.equal(b.says().waitingSince, '2026-07-01T12:00:00.000Z');
  b.server.updateStatus = 'done';
  for (let i = 0; i < 3; i++) await b.after(minute);
  assert.equal(b.says().waitingSince, undefined);
});

for (const version of ['17.6.0', '19.0.5']) {
  test(`version ${version}: an update is downloaded, and waits`, async (t) => {
    const b = await bench(t, { version });
    b.status = live;
    await b.after(0);
    assert.equal(b.says().update, 'none');
    b.server.updateStatus = 'downloading';
    await b.after(minute);
    assert.equal(b.says().update, version === '17.6.0' ? 'none' : 'downloading');
    b.server.updateStatus = 'downloaded';
    await b.after(minute);
    assert.equal(b.says().update, 'update_pending');
    assert.equal(b.says().supervisorVersion, version);
  });
}

test('changed variables that wait for the lock are an update that waits', async (t) => {
  const b = await bench(t);
  b.status = live;
  await b.after(0);
  b.server.variablesChanged = true;
  await fetch(`${b.server.address}/v1/update`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${b.server.key}` },
  });
  await until(
    async () => {
      await b.after(minute);
      return b.says().update === 'update_pending';
    },
    30_000,
    'an update that waits',
  );
});

test('tags are set when they change, and at most every 5 minutes', async (t) => {
  const b = await bench(t);
  const patches = () => b.server.calls.items.filter(({ path: where }) => where === '/v2/device/tags').length;
  const settled = async (count: number) => {
    await until(() => patches() === count, 30_000, `${count} requests`);
    // The answer has to be back before the next look.
    await b.balena.ask();
  };
  b.status = live;
  await b.after(0);
  assert.equal(patches(), 0);
  await b.after(30_000);
  await settled(1);
  assert.equal(b.server.tags.get('makercast.state'), 'live');
  assert.equal(b.server.tags.get('makercast.outputs'), 'main live');
  assert.equal(b.server.tags.get('makercast.since'), '2026-07-01T12:00:30.000Z');
  b.status = refused;
  await b.after(4 * minute);
  assert.equal(patches(), 1);
  await b.after(minute);
  await settled(2);
  assert.equal(b.server.tags.get('makercast.outputs'), 'main refused');
  for (let i = 0; i < 5; i++) await b.after(5 * minute);
  assert.equal(patches(), 2, 'nothing has changed');
});

test('a Supervisor before 17.8 takes no tags, and is not asked again', async (t) => {
  const b = await bench(t, { version: '17.7.0' });
  b.status = live;
  await b.after(30_000);
  await b.server.call('PATCH', '/v2/device/tags');
  await b.balena.ask();
  b.status = refused;
  await b.after(10 * minute);
  await b.after(10 * minute);
  assert.equal(b.server.calls.items.filter(({ method }) => method === 'PATCH').length, 1);
  assert.deepEqual(b.lines, []);
});

test('the name of the device is followed', async (t) => {
  const b = await bench(t);
  await b.after(0);
  assert.deepEqual([b.says().name, b.says().osVersion], ['kitchen', 'balenaOS 6.5.24']);
  b.server.deviceName = 'roof';
  await b.after(minute);
  assert.equal(b.says().name, 'roof');
});

test('an update by command waits; by force it comes at once', async (t) => {
  const b = await bench(t);
  b.server.updateStatus = 'downloaded';
  b.status = live;
  await b.after(0);
  await b.balena.update(false);
  assert.equal((await lockAttempt(b.server.lockPath)).file, false);
  assert.equal(b.server.applied.items.length, 0);
  assert.deepEqual(b.asked, []);
  const before = b.server.calls.items.filter(({ path: where }) => where === '/v1/update').length;
  await b.balena.update(true);
  await b.server.applied.waitFor(({ force }) => force, 30_000);
  assert.deepEqual(b.asked, [`pause before ${before}`], 'the broadcast is stopped first');
  assert.equal(b.says().lock, 'free');
  assert.equal(b.balena.tells(idle).actual, 'updating');
});

test('a forced update off the air interrupts nothing, and comes in spite of a lock that is always held', async (t) => {
  const b = await bench(t);
  b.env = { UPDATE_LOCK: 'always' };
  b.server.updateStatus = 'downloaded';
  await b.after(0);
  assert.equal(b.says().lock, 'held');
  await b.balena.update(true);
  await b.server.applied.waitFor(({ force }) => force, 30_000);
  assert.deepEqual([b.asked, b.says().lock], [[], 'free']);
  assert.equal(b.balena.tells({ ...idle, actual: 'stopping' }).actual, 'updating');
});

test('a forced update that does not come interrupts nothing, or not for long', async (t) => {
  const b = await bench(t);
  b.status = live;
  await b.after(0);
  // There is none; and none that could come at once.
  await b.balena.update(true);
  b.server.updateStatus = 'downloading';
  await b.balena.update(true);
  assert.deepEqual(b.asked, []);

  b.server.updateStatus = 'downloaded';
  await b.balena.update(true);
  assert.equal(b.asked.length, 1);
  await b.server.applied.waitFor(({ force }) => force, 30_000);
  b.server.updateStatus = 'done';
  await b.server.dropLock();
  await b.after(minute - 1);
  assert.equal(b.asked.length, 1);
  await b.after(1);
  assert.equal(b.asked[1], 'resume');
  assert.match(b.lines.at(-1)!, /update_missing/);
  await b.after(2000);
  assert.equal(b.says().lock, 'held');

  // A Supervisor that refuses.
  b.server.updateStatus = 'downloaded';
  await b.after(minute);
  b.server.refuses = true;
  await assert.rejects(b.balena.update(true), { code: 'supervisor_refused' });
  assert.equal(b.asked[3], 'resume');
});

test('a reboot by command comes on the air too; one that is refused leaves the lock as it was', async (t) => {
  const b = await bench(t);
  b.status = live;
  await b.after(0);
  await b.balena.reboot(false);
  assert.deepEqual(b.server.reboots.items, [{ force: false }]);
  // Now another service holds it.
  await assert.rejects(b.balena.reboot(false), { code: 'supervisor_refused', message: /423.*lock/ });
  await b.server.dropLock();
  await b.after(2000);
  assert.equal(b.says().lock, 'held');
});

test('locked by command, off the air too, until it is unlocked', async (t) => {
  const b = await bench(t);
  await b.balena.lock();
  assert.deepEqual([b.says().lock, b.says().lockReason], ['held', 'command']);
  await b.balena.unlock();
  assert.equal(b.says().lock, 'free');
});

test('locked by command: said to be so only where it is', async (t) => {
  const b = await bench(t);
  b.env = { UPDATE_LOCK: 'never' };
  await assert.rejects(b.balena.lock(), { code: 'command_failed', message: /balena\.lock is never/ });
  b.env = {};
  await b.balena.poll();
  assert.equal(b.says().lock, 'free', 'what was refused is not done later');
  // Right after an update was asked for, which opens it.
  b.status = live;
  await b.after(0);
  await b.balena.update(true);
  await b.balena.lock();
  assert.deepEqual([b.says().lock, b.says().lockReason], ['held', 'command']);

  const c = await bench(t);
  await using other = await holdLock(c.server.lockPath);
  await assert.rejects(c.balena.lock(), { code: 'update_lock_failed', message: /Another process/ });
  await other.stop();
  await c.after(minute);
  assert.equal(c.says().lock, 'held', 'it is tried again');

  const plain = Object.fromEntries(Object.keys(b.server.environment).map((name) => [name, '']));
  const d = await bench(t, { env: plain });
  await assert.rejects(d.balena.lock(), { code: 'command_failed', message: /no balena update lock/ });
});

test('a wrong key, a Supervisor that is gone: said once, without the key, and the lock works all the same', async (t) => {
  const key = 'abad1deaabad1deaabad1dea';
  const b = await bench(t, { env: { BALENA_SUPERVISOR_API_KEY: key } });
  b.status = live;
  for (let i = 0; i < 4; i++) await b.after(minute);
  assert.equal(b.lines.filter((line) => /supervisor_refused.*401/.test(line)).length, 1, b.lines.join('\n'));
  assert.equal(b.says().fault?.code, 'supervisor_refused');
  assert.equal(b.says().lock, 'held');

  const c = await bench(t, { env: { BALENA_SUPERVISOR_ADDRESS: 'http://127.0.0.1:1' } });
  c.status = live;
  for (let i = 0; i < 4; i++) await c.after(minute);
  assert.equal(c.lines.filter((line) => /supervisor_unreachable/.test(line)).length, 1, c.lines.join('\n'));
  assert.equal(c.says().lock, 'held');
  await assert.rejects(c.balena.update(true), { code: 'supervisor_unreachable' });
  for (const line of [...b.lines, ...c.lines, JSON.stringify(b.says())]) assert.doesNotMatch(line, new RegExp(key));
});

test('a Supervisor that hangs holds nothing up', async (t) => {
  const b = await bench(t);
  b.server.hangs = true;
  b.status = live;
  const end = new AbortController();
  await b.balena.start(end.signal);
  await until(() => b.says().lock === 'held', 30_000, 'the lock');
  await b.server.call('GET', '/v2/applications/state');
  b.elapsed += minute;
  b.status = idle;
  await b.balena.poll();
  assert.equal(b.says().lock, 'free');
  end.abort();
});

test('a Supervisor that babbles is not believed', async (t) => {
  const b = await bench(t);
  b.status = live;
  const nothing = [
    '',
    'null',
    '5',
    '"x"',
    '[]',
    '[null]',
    '<html>',
    '{"cameras":null}',
    '{"cameras":{"updateStatus":5}}',
  ];
  for (const babble of [
    ...nothing,
    '{"cameras":{"updateStatus":"unheard of"}}',
    '{"__proto__":{"updateStatus":"done"}}',
  ]) {
    b.server.babble = babble;
    await b.after(minute);
    assert.deepEqual([b.says().update, b.says().name, b.says().lock], ['none', undefined, 'held'], babble);
  }
  assert.deepEqual(b.lines, []);
});

test('the key goes to nobody else, and is a secret', async (t) => {
  const [b, other] = [await bench(t), await bench(t)];
  b.server.elsewhere = other.server.address;
  await b.after(minute);
  assert.equal(b.says().fault?.code, 'supervisor_unreachable');
  assert.ok(b.server.calls.items.length > 0);
  assert.equal(other.server.calls.items.length, 0);
  const secrets = environmentSecrets({ ...b.server.environment, BALENA_API_KEY: 'another' });
  assert.deepEqual([secrets.includes(b.server.key), secrets.includes('another')], [true, true]);
});

test('a folder that is not there: said once, tried again seldom', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const lockPath = path.join(folder, 'balena', 'updates.lock');
  const b = await bench(t, { env: { BALENA_APP_LOCK_PATH: lockPath } });
  b.status = live;
  for (let i = 0; i < 5; i++) await b.after(minute);
  assert.equal(b.lines.length, 1);
  assert.match(b.lines[0]!, /update_lock_failed.*ENOENT/);
  assert.deepEqual([b.says().lock, b.says().fault?.code], ['free', 'update_lock_failed']);
});

test('without a Supervisor and a lock it is a plain machine', async (t) => {
  const empty = Object.fromEntries(Object.keys((await bench(t)).server.environment).map((name) => [name, '']));
  for (const env of [empty, { ...empty, BALENA_SUPERVISOR_ADDRESS: 'nonsense', BALENA_SUPERVISOR_API_KEY: 'k' }]) {
    const b = await bench(t, { env });
    b.status = live;
    await b.balena.start(new AbortController().signal);
    await b.after(minute);
    assert.deepEqual(b.balena.tells(live), {});
    assert.equal(b.server.calls.items.length, 0);
    await assert.rejects(b.balena.reboot(false), { code: 'supervisor_unreachable', message: /no balena Supervisor/ });
  }
});
