/** Documents from afar: decided once, kept on the card, proved or undone, and what a crash, an upgrade or a downgrade leaves of them. */
import assert from 'node:assert/strict';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Device, type DeviceOptions } from '../helpers/mqtt/device.js';
import { temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import type { Fault } from '../../agent/errors.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import type { Decision } from '../../agent/steering/decision.js';

const soon = { CONFIG_PROBATION_SECONDS: '1' };

async function folderFor(t: TestContext): Promise<string> {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  return folder;
}

async function begun(t: TestContext, options: DeviceOptions = {}, folder?: string): Promise<Device> {
  const device = new Device(folder ?? (await folderFor(t)), { env: soon, ...options });
  await device.start();
  t.after(() => device.stop());
  return device;
}

const decided = (device: Device, layer = 'device'): Decision => device.steering.report().decisions[layer]!;
const refusedAs = (device: Device, layer = 'device'): string | undefined =>
  device.steering.report().refusals[layer]?.code;
const mute = (device: Device): boolean => device.steering.resolved.settings.audio.mute;
const muted = { audio: { mute: true } };

test('the last version decided counts: repeated, stale, conflicting and built on another base', async (t) => {
  const device = await begun(t);
  const { steering } = device;
  await steering.propose('device', { version: 5, config: muted, by: 'me' });
  assert.deepEqual([decided(device).status, decided(device).version, decided(device).by], ['applied', 5, 'me']);
  await steering.propose('device', { config: { audio: { mute: true } }, version: 5 });
  assert.deepEqual([device.stand.changes.length, refusedAs(device)], [1, undefined]);
  await steering.propose('device', { version: 5, config: {} });
  assert.equal(refusedAs(device), 'version_conflict');
  await steering.propose('device', { version: 4, config: {} });
  assert.equal(refusedAs(device), 'stale');
  assert.match(device.steering.report().refusals['device']!.message, /last one is 5/);
  await steering.propose('device', { version: 7, config: {}, base: 6 });
  assert.equal(refusedAs(device), 'base_conflict');
  assert.ok(mute(device));
  await steering.propose('device', { version: 7, config: {}, base: 5 });
  assert.deepEqual([decided(device).status, refusedAs(device), mute(device)], ['applied', undefined, false]);
});

test('what comes at the same moment: the newest is decided, whatever stale, conflicting or malformed comes right behind it', async (t) => {
  const device = await begun(t);
  const { steering } = device;
  const at = (...documents: object[]): Promise<unknown> =>
    Promise.all(documents.map((each) => steering.propose('device', each)));
  const told = (): unknown[] => [decided(device).version, decided(device).status, refusedAs(device)];
  await at({ version: 3, config: {} }, { version: 4, config: muted }, { version: 'x' });
  assert.deepEqual([decided(device).version, mute(device)], [4, true]);
  await at({ version: 5, config: {} }, { version: 2, config: {} });
  assert.deepEqual(told(), [5, 'applied', 'stale']);
  await at({ version: 6, config: muted }, { version: 6, config: {} });
  assert.deepEqual([...told(), mute(device)], [6, 'applied', 'version_conflict', true]);
  await at(
    { version: 7, config: {} },
    { version: 3, config: {} },
    { version: 8, config: muted },
    { version: 1, config: {} },
  );
  assert.deepEqual([...told(), mute(device)], [8, 'applied', 'stale', true]);
});

test('of two controllers that build on one version the first wins and the others are told; who builds on what has just been sent is not lost', async (t) => {
  const device = await begun(t);
  const { steering } = device;
  const told: string[] = [];
  steering.onChange(() => {
    const refusal = steering.report().refusals['device'];
    if (refusal) told.push(`${refusal.version} ${refusal.code}`);
  });
  const at = async (...documents: object[]): Promise<unknown[]> => {
    told.length = 0;
    await Promise.all(documents.map((each) => steering.propose('device', { config: {}, ...each })));
    return [decided(device).version, decided(device).status, ...new Set(told)];
  };
  assert.deepEqual(await at({ version: 1, base: 0, config: muted }, { version: 2, base: 0 }, { version: 3, base: 0 }), [
    ...[1, 'applied'],
    ...['2 base_conflict', '3 base_conflict'],
  ]);
  assert.ok(mute(device));
  assert.deepEqual(await at({ version: 4, base: 1 }, { version: 5, base: 4 }), [5, 'applied']);
  assert.deepEqual(await at({ version: 6, base: 5 }, { version: 7 }, { version: 8, base: 5 }), [
    ...[7, 'applied'],
    ...['6 stale', '8 base_conflict'],
  ]);
  assert.deepEqual(await at({ version: 9 }, { version: 10, base: 9 }, { version: 11 }), [11, 'applied', '10 stale']);
});

test('what comes while the program ends is left for its next start, and is not found half done there', async (t) => {
  const device = await begun(t);
  const { steering } = device;
  await steering.propose('device', { version: 1, config: { audio: { gainDb: 1 } } });
  const closed = steering.close();
  await steering.propose('device', { version: 2, config: muted });
  await assert.rejects(steering.adjust('audio.gainDb', 5), /about to end/);
  await assert.rejects(steering.setSecret({ path: 'outputs.club.key', value: 'geheim-4711' }), /about to end/);
  await closed;
  await device.stop();
  const again = await begun(t, {}, device.folder);
  assert.deepEqual([decided(again).version, decided(again).status, mute(again)], [1, 'applied', false]);
  await again.steering.propose('device', { version: 2, config: muted });
  assert.deepEqual([decided(again).version, decided(again).status, mute(again)], [2, 'applied', true]);
});

test('what is adjusted below the document of the device is not said to be done', async (t) => {
  const device = await begun(t);
  const { steering } = device;
  const gain = (): number => steering.resolved.settings.audio.gainDb;
  const covered = (value: unknown): Promise<void> =>
    assert.rejects(
      steering.adjust('audio.gainDb', value),
      (fault: Fault) => fault.code === 'setting_covered' && /audio\.gainDb/.test(fault.what),
    );
  await steering.adjust('audio.gainDb', 1);
  await steering.propose('device', { version: 1, config: { audio: { gainDb: 2 } } });
  await covered(3);
  await covered(null);
  assert.equal(gain(), 2);
  await steering.adjust('audio.delayMs', 30);
  await steering.propose('device', { version: 2, config: { audio: { gainDb: null } } });
  assert.equal(gain(), 0);
  await covered(3);
  await steering.adjust('audio.gainDb', null);
  await steering.adjust('audio.gainDb', undefined);
  await steering.propose('device', { version: 3, config: {} });
  await steering.adjust('audio.gainDb', 4);
  assert.equal(gain(), 4);
  await steering.adjust('audio.gainDb', null);
  assert.deepEqual([gain(), steering.resolved.settings.audio.delayMs], [0, 30]);
});

test('what is malformed is refused and changes nothing', async (t) => {
  const device = await begun(t);
  const bad: unknown[] = [
    ...[null, 5, 'x', [], {}, { version: 1 }, { config: {} }, { version: 0, config: {} }, { version: 1.5, config: {} }],
    ...[
      { version: '1', config: {} },
      { version: 2 ** 53, config: {} },
      { version: 1, config: [] },
    ],
    ...[
      { version: 1, config: {}, by: 5 },
      { version: 1, config: {}, base: -1 },
      { version: 1, config: {}, more: 1 },
    ],
  ];
  for (const each of bad) {
    await device.steering.propose('device', each);
    assert.equal(refusedAs(device), 'document_malformed', JSON.stringify(each));
  }
  assert.equal(decided(device), undefined);
});

const rejections = (device: Device): unknown[] => device.lines.items.filter(({ event }) => event === 'change_rejected');

test('one wrong setting rejects the whole, with every problem by its path; a new release decides it once more', async (t) => {
  const folder = await folderFor(t);
  const document = { version: 1, config: { audio: { mute: true, gainDb: 99 }, video: { fps: 'x' }, hologram: 1 } };
  const device = await begun(t, {}, folder);
  await device.steering.propose('device', document);
  assert.equal(decided(device).status, 'rejected');
  assert.deepEqual(
    decided(device)
      .errors.map(({ path }) => path)
      .sort(),
    ['audio.gainDb', 'hologram', 'video.fps'],
  );
  assert.deepEqual([mute(device), device.stand.changes], [false, []]);
  await device.stop();

  const same = await begun(t, {}, folder);
  await same.steering.propose('device', document);
  assert.equal(decided(same).release, '1.0.0');
  assert.deepEqual(rejections(same), [], 'it is not decided again');
  await same.stop();
  const later = await begun(t, { release: '2.0.0' }, folder);
  await later.steering.propose('device', document);
  assert.deepEqual([decided(later).status, decided(later).release], ['rejected', '2.0.0']);
  assert.equal(rejections(later).length, 1);
});

test('layers persist over a restart; the retained documents then change nothing', async (t) => {
  const folder = await folderFor(t);
  const env = { ...soon, MQTT_GROUPS: 'a,b' };
  const device = await begun(t, { env }, folder);
  await device.steering.propose('group b', { version: 1, config: { audio: { gainDb: 2 }, video: { loop: false } } });
  await device.steering.propose('group a', { version: 9, config: { audio: { gainDb: 1, mute: true } } });
  await device.steering.propose('device', { version: 3, config: { audio: { delayMs: 30 } } });
  await device.steering.propose('group c', { version: 1, config: { audio: { gainDb: 3 } } });
  await device.stop();
  const again = await begun(t, { env }, folder);
  const { audio, video } = again.steering.resolved.settings;
  assert.deepEqual([audio.gainDb, audio.mute, audio.delayMs, video.loop], [2, true, 30, false]);
  await again.steering.propose('group a', { version: 9, config: { audio: { gainDb: 1, mute: true } } });
  assert.deepEqual(again.stand.changes, []);
  const { origin, decisions } = again.steering.report();
  assert.deepEqual(
    [origin['audio.gainDb'], origin['audio.mute'], origin['audio.delayMs']],
    ['MQTT group b', 'MQTT group a', 'MQTT device'],
  );
  assert.equal(decisions['group c'], undefined);
});

test('a group that is left takes its layer along; who joins again begins anew', async (t) => {
  const device = await begun(t, { env: soon });
  const { steering } = device;
  const joined = (groups: string[]): object => ({ mqtt: { groups } });
  await steering.propose('device', { version: 1, config: joined(['a']) });
  await steering.propose('group a', { version: 1, config: muted });
  assert.ok(mute(device));
  await steering.propose('device', { version: 2, config: joined([]) });
  assert.equal(mute(device), false);
  await until(() => decided(device).proved, 30_000, 'proof');
  assert.equal(decided(device, 'group a'), undefined);
  await steering.propose('device', { version: 3, config: joined(['a']) });
  await steering.propose('group a', { version: 1, config: muted });
  assert.ok(mute(device));
  // Nor is it said any more what was refused of it.
  await steering.propose('group a', 'malformed');
  assert.equal(refusedAs(device, 'group a'), 'document_malformed');
  await steering.propose('device', { version: 4, config: joined([]) });
  assert.equal(refusedAs(device, 'group a'), undefined);
});

test('a change is proved when the stream is live after it', async (t) => {
  const device = await begun(t);
  await device.steering.propose('device', { version: 1, config: muted });
  assert.deepEqual([decided(device).status, decided(device).proved], ['applied', false]);
  await until(() => decided(device).proved, 30_000, 'proof');
  assert.equal(decided(device).status, 'applied');
});

const deadWhenMuted: DeviceOptions = { react: ({ audio }) => (audio.mute ? 'degraded' : 'live') };

test('a change that takes the stream away is undone, with the reason, and not tried again', async (t) => {
  const device = await begun(t, deadWhenMuted);
  await device.steering.propose('device', { version: 1, config: { audio: { gainDb: 3 } } });
  await until(() => decided(device).proved, 30_000, 'proof');
  await device.steering.propose('device', { version: 2, config: muted });
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  assert.match(decided(device).reason!.what, /was not live again within 1 s/);
  const { audio } = device.steering.resolved.settings;
  assert.deepEqual([audio.mute, audio.gainDb, device.stand.actual], [false, 3, 'live']);
  await device.steering.propose('device', { version: 2, config: muted });
  assert.deepEqual([decided(device).status, mute(device)], ['rolled_back', false]);
});

test('a document that leaves nowhere to stream to is undone; off the air is what `stop` says', async (t) => {
  const react: DeviceOptions['react'] = ({ recording }) => (recording.enabled ? 'live' : 'idle');
  const device = await begun(t, { react });
  const { steering, stand } = device;
  await steering.propose('device', { version: 1, config: { recording: { enabled: true } } });
  await until(() => decided(device).proved, 30_000, 'proof');
  await steering.propose('device', { version: 2, config: muted });
  await until(() => !steering.isOnProbation, 30_000, 'end of the probation');
  assert.equal(decided(device).status, 'rolled_back');
  assert.match(decided(device).reason!.what, /left no output and no recording/);
  assert.deepEqual([stand.actual, mute(device)], ['live', false]);

  await steering.propose('device', { version: 3, config: { recording: { enabled: true }, ...muted } });
  await stand.stopBroadcast();
  await until(() => !steering.isOnProbation, 30_000, 'end of the probation');
  assert.deepEqual([decided(device).status, mute(device)], ['applied', true]);
});

test('paused for an update while a change is on probation: the change stands', async (t) => {
  const file = { recording: { enabled: true } };
  for (const actual of ['idle', 'ended', 'stopping'] as const) {
    const device = await begun(t, { file });
    await device.steering.propose('device', { version: 1, config: muted });
    // It is still wanted on the air.
    device.stand.actual = actual;
    await until(() => !device.steering.isOnProbation, 30_000, 'end of the probation');
    assert.deepEqual([decided(device).status, decided(device).proved, mute(device)], ['applied', false, true], actual);
  }
});

test('away just at the end of the probation, as a server is that starts anew: what comes back stands, what does not is undone', async (t) => {
  for (const comesBack of [true, false]) {
    const device = await begun(t, { env: { CONFIG_PROBATION_SECONDS: '6' } });
    const { stand } = device;
    const status = stand.status.bind(stand);
    let looks = 0;
    stand.status = () => {
      looks += 1;
      return status();
    };
    await device.steering.propose('device', { version: 1, config: muted });
    looks = 0;
    await until(() => looks >= 3, 30_000, 'three looks at what is live');
    stand.actual = 'degraded';
    // One a second before the deadline, two after it.
    await until(() => looks >= 8 || !device.steering.isOnProbation, 30_000, 'looks after the deadline');
    assert.deepEqual([decided(device).status, mute(device)], ['applied', true]);
    if (comesBack) stand.actual = 'live';
    await until(() => !device.steering.isOnProbation, 30_000, 'decision');
    assert.deepEqual(
      [decided(device).status, decided(device).proved, mute(device)],
      [...(comesBack ? ['applied', true, true] : ['rolled_back', false, false])],
    );
    if (!comesBack) assert.match(decided(device).reason!.what, /was not live again within 12 s/);
  }
});

test('a change that the media processes never confirm is not called applied: it is undone, and whoever asked is told', async (t) => {
  for (const actual of ['live', 'degraded'] as const) {
    const device = await begun(t, { react: () => actual });
    const { applied } = device.stand;
    device.stand.applied = () => new Promise(() => undefined);
    const seen = new Set<string>();
    device.steering.onChange(() => seen.add(device.steering.report().decisions['page']?.status ?? ''));
    await assert.rejects(
      device.steering.adjust('audio.mute', true),
      (fault: Fault) => fault.code === 'change_undone' && /have not confirmed the change within 2 s/.test(fault.what),
    );
    assert.deepEqual([...seen], ['pending', 'rolled_back']);
    assert.deepEqual([mute(device), device.steering.isOnProbation], [false, false]);
    await device.steering.propose('device', { version: 1, config: muted });
    assert.equal(decided(device).status, 'rolled_back');
    device.stand.applied = applied;
    await device.steering.adjust('audio.mute', true);
    assert.ok(mute(device));
  }
});

test('a document that was written while the device was off is judged too: it waits until the stream is there', async (t) => {
  const device = await begun(t, { react: () => 'starting', env: { CONFIG_PROBATION_SECONDS: '2' } });
  const { stand, steering } = device;
  assert.equal(stand.actual, 'starting');
  const proposed = steering.propose('device', { version: 1, config: muted });
  const newer = steering.propose('device', { version: 2, config: { audio: { mute: true, gainDb: 2 } } });
  stand.react = deadWhenMuted.react!;
  stand.actual = 'live';
  await Promise.all([proposed, newer]);
  assert.deepEqual([decided(device).version, decided(device).status], [2, 'applied']);
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  assert.equal(mute(device), false);

  // What never comes up is not waited for without end, nor can it judge.
  const dark = await begun(t, { react: () => 'starting' });
  await dark.steering.propose('device', { version: 1, config: muted });
  assert.deepEqual([decided(dark).status, mute(dark)], ['applied', true]);
  await until(() => !dark.steering.isOnProbation, 30_000, 'end of the probation');
  assert.deepEqual([decided(dark).status, decided(dark).proved], ['applied', false]);
});

test('what was not live before is not undone; it is proved once it is live', async (t) => {
  const device = await begun(t, { react: () => 'idle' });
  await device.steering.propose('device', { version: 1, config: muted });
  await until(async () => !/"pending": \{/.test(await state(device)), 30_000, 'end of the probation');
  assert.deepEqual([decided(device).status, decided(device).proved, mute(device)], ['applied', false, true]);
  await device.stand.startBroadcast();
  await until(() => decided(device).proved, 30_000, 'proof');
});

const state = (device: Device): Promise<string> => readFile(path.join(device.folder, 'steering.json'), 'utf8');

test('a newer change takes the place of one on probation; if it fails, what was proved last comes back', async (t) => {
  const device = await begun(t, deadWhenMuted);
  await device.steering.propose('device', { version: 1, config: { audio: { gainDb: 1 } } });
  await until(() => decided(device).proved, 30_000, 'proof');
  await device.steering.propose('device', { version: 2, config: { audio: { mute: true, gainDb: 2 } } });
  await device.steering.propose('device', { version: 3, config: { audio: { gainDb: 3 } } });
  await until(() => decided(device).proved, 30_000, 'proof');
  assert.equal(device.steering.resolved.settings.audio.gainDb, 3);
  await device.steering.propose('device', { version: 4, config: { audio: { gainDb: 4 } } });
  await device.steering.propose('device', { version: 5, config: muted });
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  assert.equal(device.steering.resolved.settings.audio.gainDb, 3);
});

test('a newer change does not wait for one that the media processes have not confirmed', async (t) => {
  const device = await begun(t, { env: { CONFIG_PROBATION_SECONDS: '600' } });
  const confirm: (() => void)[] = [];
  device.stand.applied = () => new Promise((resolve) => confirm.push(resolve));
  const first = device.steering.propose('device', { version: 1, config: muted });
  await until(() => device.stand.changes.length === 1, 30_000, 'first');
  assert.equal(decided(device).status, 'pending');
  const second = device.steering.propose('device', { version: 2, config: { audio: { gainDb: 2 } } });
  await until(() => device.stand.changes.length === 2, 30_000, 'second');
  confirm[1]!();
  await second;
  assert.deepEqual([decided(device).version, decided(device).status], [2, 'applied']);
  confirm[0]!();
  await first;
  assert.equal(decided(device).version, 2);
});

test('a change is on the card as pending before it is applied, and undone where it is found so after a crash', async (t) => {
  const folder = await folderFor(t);
  const seen: string[] = [];
  const device = await begun(t, { env: { CONFIG_PROBATION_SECONDS: '600' } }, folder);
  await device.steering.propose('device', { version: 1, config: { audio: { gainDb: 1 } } });
  const file = path.join(folder, 'steering.json');
  const { apply } = device.stand;
  device.stand.apply = async (settings) => {
    seen.push(await readFile(file, 'utf8'));
    return apply.call(device.stand, settings);
  };
  await device.steering.propose('device', { version: 2, config: muted });
  assert.match(seen[0]!, /"pending": \{/);
  assert.match(seen[0]!, /"mute": true/);
  const atTheCrash = await readFile(file, 'utf8');
  await device.stop();
  await writeFile(file, atTheCrash);
  const after = await begun(t, {}, folder);
  assert.deepEqual([decided(after).status, decided(after).version, mute(after)], ['rolled_back', 2, false]);
  assert.match(decided(after).reason!.what, /lost power/);
  await after.steering.propose('device', { version: 2, config: muted });
  assert.equal(mute(after), false);
});

test('an end in order keeps a change on probation, unless it has taken the stream away', async (t) => {
  const long = { CONFIG_PROBATION_SECONDS: '600' };
  const good = await begun(t, { env: long });
  await good.steering.propose('device', { version: 1, config: muted });
  await good.stop();
  const goodAgain = await begun(t, { env: long }, good.folder);
  assert.deepEqual([decided(goodAgain).status, mute(goodAgain)], ['applied', true]);

  const bad = await begun(t, { env: long, ...deadWhenMuted });
  await bad.steering.propose('device', { version: 1, config: muted });
  await bad.stop();
  const badAgain = await begun(t, { env: long }, bad.folder);
  assert.deepEqual([decided(badAgain).status, mute(badAgain)], ['rolled_back', false]);
  assert.match(decided(badAgain).reason!.what, /was not live again when the program was told to end/);
});

test('a downgrade sets aside what it does not know and keeps it for the release that does', async (t) => {
  const folder = await folderFor(t);
  const device = await begun(t, {}, folder);
  await device.steering.propose('device', { version: 1, config: muted });
  await device.stop();
  // As a later release would have kept it.
  const file = path.join(folder, 'steering.json');
  const kept = (await readFile(file, 'utf8')).replace('"mute": true', '"mute": true, "reverb": 3, "gainDb": 500');
  await writeFile(file, kept);
  const older = await begun(t, { release: '0.9.0' }, folder);
  assert.deepEqual(
    older.steering.report().ignored.map(({ path }) => path),
    ['audio.reverb', 'audio.gainDb'],
  );
  assert.deepEqual([mute(older), older.own, older.steering.resolved.problems], [true, [], []]);
  await older.steering.propose('device', { version: 1, config: muted });
  await older.stop();
  assert.match(await readFile(file, 'utf8'), /"reverb": 3/);
});

test('a secret is set by itself, kept, undone where it takes the stream away, and in no report', async (t) => {
  const folder = await folderFor(t);
  const secret = 'geheim-4711';
  const file = { outputs: { club: { url: 'rtmp://h/live', key: 'first-key' } } };
  const react: DeviceOptions['react'] = ({ outputs }) => (outputs['club']?.key === 'bad-key-9' ? 'degraded' : 'live');
  const device = await begun(t, { file, react }, folder);
  const key = (from: Device): string | undefined => from.steering.resolved.settings.outputs['club']?.key;
  await device.steering.setSecret({ path: 'outputs.club.key', value: secret });
  assert.equal(key(device), secret);
  await until(() => decided(device, 'secrets').proved, 30_000, 'proof');
  await device.steering.setSecret({ path: 'outputs.club.key', value: 'bad-key-9' });
  await until(() => decided(device, 'secrets').status === 'rolled_back', 30_000, 'roll-back');
  assert.equal(key(device), secret);
  assert.doesNotMatch(JSON.stringify(device.steering.report()), /geheim|first-key|bad-key/);
  await device.stop();
  const again = await begun(t, { file, react, env: { ...soon, CONFIG_LOCKED: 'mqtt.password' } }, folder);
  assert.equal(key(again), secret);
  await again.steering.setSecret({ path: 'outputs.club.key' });
  assert.equal(key(again), 'first-key');
  await assert.rejects(again.steering.setSecret({ path: 'mqtt.password', value: 'x' }), /locked/);
});

test('a version that was far too high is taken back: by a command, or by a document that says so', async (t) => {
  const folder = await folderFor(t);
  const device = await begun(t, {}, folder);
  const ask = (version: number, more: object = {}): Promise<void> =>
    device.steering.propose('device', { version, config: { ...muted }, ...more });
  await ask(Number.MAX_SAFE_INTEGER);
  assert.equal(decided(device).version, Number.MAX_SAFE_INTEGER);
  await ask(2);
  assert.equal(refusedAs(device), 'stale');
  await device.steering.resetVersion('device');
  assert.deepEqual([decided(device).version, refusedAs(device)], [0, undefined]);
  await ask(2);
  assert.deepEqual([decided(device).version, decided(device).status], [2, 'applied']);
  await ask(Number.MAX_SAFE_INTEGER);
  assert.deepEqual([decided(device).version, refusedAs(device)], [2, 'version_too_high']);
  await ask(1, { resetVersion: true });
  assert.deepEqual([decided(device).version, refusedAs(device)], [1, undefined]);
  await assert.rejects(device.steering.resetVersion('group none'), { code: 'command_failed' });
});

/** Where an output goes and with which key. */
const goes = (device: Device, name = 'main'): unknown[] => {
  const { url, key } = device.steering.resolved.settings.outputs[name] ?? {};
  return [url, key];
};
const held = (device: Device): string[] => device.steering.resolved.held.map(({ code, path: at }) => `${code} ${at}`);
const rtmp = { STREAM_URL: 'rtmp://own/app', STREAM_KEY: 'own-key-1' };

test('a document of a group that names other servers gets neither stream key nor password', async (t) => {
  const env = { ...soon, ...rtmp, MQTT_GROUPS: 'all', MQTT_URL: 'mqtt://127.0.0.1:1', MQTT_PASSWORD: 'broker-word' };
  const device = await begun(t, { env });
  const evil = { outputs: { main: { url: 'rtmp://evil/x', tlsVerify: false } } };
  const both = { mqtt: { url: 'mqtt://evil' }, ...evil };
  await device.steering.propose('group all', { version: 1, config: both });
  const { status, errors } = decided(device, 'group all');
  assert.deepEqual([status, errors.map(({ code }) => code)], ['rejected', ['mqtt_credentials_missing']]);
  await device.steering.propose('group all', { version: 2, config: evil });
  assert.deepEqual(
    [decided(device, 'group all').status, held(device)],
    ['applied', ['output_key_missing outputs.main.key']],
  );
  // It stays where it was, and so does the stream.
  assert.deepEqual(goes(device), ['rtmp://own/app', 'own-key-1']);
  assert.equal(device.steering.resolved.settings.mqtt.password, 'broker-word');
  await device.steering.propose('group all', { version: 3, config: {} });
  assert.deepEqual([held(device), ...goes(device)], [[], 'rtmp://own/app', 'own-key-1']);
});

test('an output moves with the key for its new address: whichever comes first, it is never without', async (t) => {
  for (const keyFirst of [true, false]) {
    const folder = await folderFor(t);
    const device = await begun(t, { env: { ...soon, ...rtmp } }, folder);
    const address = (): Promise<void> =>
      device.steering.propose('device', { version: 1, config: { outputs: { main: { url: 'rtmps://new/live' } } } });
    const key = async (): Promise<void> => {
      const secret = { path: 'outputs.main.key', value: 'new-key-22', for: 'rtmps://new/live' };
      const { used } = await device.steering.setSecret(secret);
      assert.equal(used, !keyFirst);
    };
    for (const step of keyFirst ? [key, address] : [address, key]) {
      assert.deepEqual(goes(device), ['rtmp://own/app', 'own-key-1']);
      await step();
    }
    assert.deepEqual([held(device), ...goes(device)], [[], 'rtmps://new/live', 'new-key-22']);
    // Where it was is known to the next start, and the old key is still that of the old address.
    await until(() => !device.steering.isOnProbation, 30_000, 'proof');
    await device.steering.propose('device', { version: 2, config: { outputs: { main: { url: 'rtmp://evil/live' } } } });
    await until(() => !device.steering.isOnProbation, 30_000, 'proof');
    await device.stop();
    const again = await begun(t, { env: { ...soon, ...rtmp } }, folder);
    assert.deepEqual([held(again).length, ...goes(again)], [1, 'rtmps://new/live', 'new-key-22']);
    await again.steering.propose('device', { version: 3, config: {} });
    assert.deepEqual([held(again), ...goes(again)], [[], 'rtmp://own/app', 'own-key-1']);
  }
});

test('a key that is handed over without an address is for the one in force, not for one that is wanted', async (t) => {
  const device = await begun(t, { env: { ...soon, ...rtmp } });
  await device.steering.propose('device', { version: 1, config: { outputs: { main: { url: 'rtmp://evil/x' } } } });
  const { for: place, used } = await device.steering.setSecret({ path: 'outputs.main.key', value: 'own-key-2' });
  assert.deepEqual([place, used], ['rtmp://own/app', false]);
  await device.steering.propose('device', { version: 2, config: {} });
  assert.deepEqual(goes(device), ['rtmp://own/app', 'own-key-2']);
  // For an output that is not there yet, it waits for its first address, and for that one only.
  const waiting = await device.steering.setSecret({ path: 'outputs.club.key', value: 'club-key-1' });
  assert.deepEqual(waiting, { used: false });
  const club = (url: string): object => ({ outputs: { club: { url } } });
  await device.steering.propose('device', { version: 3, config: club('rtmp://club/live') });
  assert.deepEqual(goes(device, 'club'), ['rtmp://club/live', 'club-key-1']);
  await device.steering.propose('device', { version: 4, config: club('rtmp://evil/live') });
  assert.deepEqual(goes(device, 'club'), ['rtmp://club/live', 'club-key-1']);
  // What is forgotten is used no more.
  await device.steering.setSecret({ path: 'outputs.club.key' });
  assert.deepEqual(goes(device, 'club'), [undefined, undefined]);
  const bad = { path: 'outputs.club.key', value: 'x', for: 'http://club/live' };
  await assert.rejects(device.steering.setSecret(bad), { code: 'command_malformed' });
});

test('a key without an address is for the one where it was live: over a roll-back, and over a start with less', async (t) => {
  const folder = await folderFor(t);
  const env = { ...soon, STREAM_KEY: 'own-key-1' };
  let live = true;
  const react: DeviceOptions['react'] = () => (live ? 'live' : 'degraded');
  const at = (url: string): object => ({ outputs: { main: { url } } });
  const first = await begun(t, { env: { ...env, CONFIG_PROBATION_SECONDS: '3' }, react }, folder);
  await first.steering.propose('device', { version: 1, config: at('rtmp://own/app') });
  const proved = (): boolean =>
    Object.values(first.steering.resolved.bound.first).length > 0 && first.steering.isOnProbation;
  assert.ok(proved());
  const card = async (): Promise<string> => readFile(path.join(folder, 'steering.json'), 'utf8');
  await until(async () => (await card()).includes('"isProved": true'), 30_000, 'that it was live');
  live = false;
  first.stand.actual = 'degraded';
  await until(() => decided(first).status === 'rolled_back', 30_000, 'roll-back');
  live = true;
  first.stand.actual = 'live';
  await first.steering.propose('device', { version: 2, config: at('rtmp://evil/app') });
  assert.deepEqual([goes(first)[1], held(first).length], [undefined, 1]);
  await first.stop();
  await (await begun(t, { env: soon }, folder)).stop();
  const again = await begun(t, { env }, folder);
  assert.deepEqual([goes(again)[1], held(again).length], [undefined, 1]);
});

test('a narrower limit waits for its proof over a restart, until it is live', async (t) => {
  const folder = await folderFor(t);
  let actual: 'live' | 'degraded' = 'live';
  const quotas: number[] = [];
  const react: DeviceOptions['react'] = ({ recording }) => {
    quotas.push(recording.quotaGb);
    return actual;
  };
  const options = { env: { ...soon, RECORDING_QUOTA_GB: '8' }, react };
  const first = await begun(t, options, folder);
  await first.steering.propose('device', { version: 1, config: { recording: { quotaGb: 0.1 } } });
  await first.stop();
  actual = 'degraded';
  const second = await begun(t, options, folder);
  assert.deepEqual([quotas.at(-1), decided(second).proved], [8, false]);
  assert.equal(second.steering.resolved.settings.recording.quotaGb, 0.1);
  actual = 'live';
  second.stand.actual = 'live';
  await until(() => quotas.at(-1) === 0.1, 30_000, 'the narrower limit');
  await until(() => decided(second).proved, 30_000, 'proof');
});

test('secrets are bounded, and all of a path are forgotten at once', async (t) => {
  const device = await begun(t, { env: { ...soon, ...rtmp } });
  const give = (value: string, place: string): Promise<unknown> =>
    device.steering.setSecret({ path: 'outputs.main.key', value, for: place });
  await give('b-key-1', 'rtmp://b/app');
  await give('c-key-1', 'rtmp://c/app');
  await assert.rejects(
    give('x'.repeat(4096), 'rtmp://d/app').then(() => give('y'.repeat(4096), 'rtmp://e/app')),
    {
      code: 'command_failed',
    },
  );
  await device.steering.setSecret({ path: 'outputs.main.key', for: 'rtmp://d/app' });
  assert.equal(device.steering.resolved.bound.given['outputs.main.key']?.length, 2);
  await device.steering.setSecret({ path: 'outputs.main.key' });
  assert.equal(device.steering.resolved.bound.given['outputs.main.key'], undefined);
  assert.deepEqual(goes(device), ['rtmp://own/app', 'own-key-1']);
});

test('what a release without places has written is bound as it is found; what it finds again is what it knows', async (t) => {
  const folder = await folderFor(t);
  const name = path.join(folder, 'steering.json');
  const club = { outputs: { club: { url: 'rtmp://club/live' } } };
  interface Card {
    readonly value: { readonly kept: Record<string, unknown> };
  }
  const card = async (): Promise<Card> => JSON.parse(await readFile(name, 'utf8')) as Card;
  const write = async (change: (kept: Record<string, unknown>) => void): Promise<void> => {
    const whole = await card();
    change(whole.value.kept);
    await writeFile(name, JSON.stringify(whole));
  };
  const first = await begun(t, { env: soon }, folder);
  await first.steering.setSecret({ path: 'outputs.club.key', value: 'club-key-1' });
  await first.steering.propose('device', { version: 1, config: club });
  await until(() => !first.steering.isOnProbation, 30_000, 'proof');
  await first.stop();
  assert.deepEqual((await card()).value.kept['secrets'], { 'outputs.club.key': 'club-key-1' });
  // As that release leaves it: without a word of places.
  await write((kept) => delete kept['bound']);
  const second = await begun(t, { env: soon }, folder);
  assert.deepEqual(goes(second, 'club'), ['rtmp://club/live', 'club-key-1']);
  await second.steering.propose('device', { version: 2, config: { outputs: { club: { url: 'rtmp://evil/live' } } } });
  assert.deepEqual([held(second).length, ...goes(second, 'club')], [1, 'rtmp://club/live', 'club-key-1']);
  // That release would go by the document alone.
  assert.deepEqual((await card()).value.kept['secrets'], { 'outputs.club.key': '' });
  await second.steering.propose('device', { version: 3, config: club });
  await until(() => !second.steering.isOnProbation, 30_000, 'proof');
  await second.stop();
  // It has set another one meanwhile.
  await write((kept) => (kept['secrets'] = { 'outputs.club.key': 'club-key-2' }));
  const third = await begun(t, { env: soon }, folder);
  assert.deepEqual(goes(third, 'club'), ['rtmp://club/live', 'club-key-2']);
  assert.equal(third.steering.resolved.bound.given['outputs.club.key']?.length, 1);
  await third.stop();
  // It has forgotten it.
  await write((kept) => (kept['secrets'] = {}));
  const fourth = await begun(t, { env: soon }, folder);
  assert.deepEqual(goes(fourth, 'club'), [undefined, undefined]);
});

test('until a change is proved the laxer limit of the recordings is in force; undone, the narrower never was', async (t) => {
  const quotas: number[] = [];
  const react: DeviceOptions['react'] = ({ recording, video }) => {
    quotas.push(recording.quotaGb, recording.minFreeGb);
    return video.testPattern === 'ball' ? 'degraded' : 'live';
  };
  const device = await begun(t, { react, env: { ...soon, RECORDING_QUOTA_GB: '8', RECORDING_MIN_FREE_GB: '2' } });
  const ask = (version: number, config: object): Promise<void> =>
    device.steering.propose('device', { version, config });
  quotas.splice(0);
  await ask(1, { recording: { quotaGb: 0.1, minFreeGb: 5 }, video: { testPattern: 'ball' } });
  assert.deepEqual(quotas, [8, 2]);
  assert.equal(device.steering.resolved.settings.recording.quotaGb, 0.1);
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  assert.deepEqual(quotas, [8, 2, 8, 2]);
  // Alone, it is on probation all the same.
  quotas.splice(0);
  await ask(2, { recording: { quotaGb: 0.1, minFreeGb: 1 } });
  assert.deepEqual([quotas, decided(device).proved], [[8, 1], false]);
  await until(() => decided(device).proved, 30_000, 'proof');
  await until(() => quotas.length >= 4, 30_000, 'the narrower limit');
  assert.deepEqual(quotas, [8, 1, 0.1, 1]);
  quotas.splice(0);
  await ask(3, { recording: { quotaGb: 9 } });
  assert.deepEqual(
    quotas,
    [9, 2].map((value, i) => (i === 1 ? 1 : value)),
  );
});

test('a change that the broadcast fails at is undone at once, with the reason', async (t) => {
  const device = await begun(t);
  const { apply } = device.stand;
  device.stand.apply = (settings) =>
    settings.audio.mute ? Promise.reject(new Error('broken')) : apply.call(device.stand, settings);
  await device.steering.propose('device', { version: 1, config: muted });
  assert.deepEqual([refusedAs(device), decided(device).status, mute(device)], ['internal', 'rolled_back', false]);
  assert.deepEqual([device.steering.isOnProbation, decided(device).reason?.code], [false, 'internal']);
  await device.steering.propose('device', { version: 2, config: { audio: { gainDb: 2 } } });
  assert.deepEqual([decided(device).status, refusedAs(device)], ['applied', undefined]);
});

test('a roll-back that the broadcast fails at ends nothing: it is said, and the next change is taken', async (t) => {
  const device = await begun(t, { react: ({ audio }) => (audio.mute ? 'degraded' : 'live') });
  await device.steering.propose('device', { version: 1, config: muted });
  const { stand } = device;
  const apply = stand.apply.bind(stand);
  stand.apply = async (settings) => {
    stand.apply = apply;
    await apply(settings);
    throw new Error('no more descriptors');
  };
  await device.lines.waitFor(({ event, message }) => event === 'internal' && /descriptors/.test(message), 30_000);
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  await device.steering.propose('device', { version: 2, config: { audio: { gainDb: 3 } } });
  assert.deepEqual([decided(device).status, device.steering.resolved.settings.audio.gainDb], ['applied', 3]);
});

test('an edit of the file that the broadcast fails at ends nothing: it is said, and the next edit is taken', async (t) => {
  const file = { audio: { gainDb: 1 } };
  const device = await begun(t, { file });
  const { stand, steering } = device;
  const apply = stand.apply.bind(stand);
  stand.apply = () => Promise.reject(new Error('no more descriptors'));
  file.audio.gainDb = 2;
  assert.deepEqual((await steering.reload()).changed, []);
  await device.lines.waitFor(({ event, message }) => event === 'internal' && /descriptors/.test(message), 30_000);
  stand.apply = apply;
  file.audio.gainDb = 3;
  assert.equal((await steering.reload()).changed.length, 1);
  assert.equal(steering.resolved.settings.audio.gainDb, 3);
});

test('a change that cannot be kept is not applied', async (t) => {
  const folder = await folderFor(t);
  await writeFile(path.join(folder, 'file'), '');
  const device = await begun(t, {}, path.join(folder, 'file'));
  await device.steering.propose('device', { version: 1, config: muted });
  assert.deepEqual([refusedAs(device), mute(device), device.stand.changes], ['state_unwritable', false, []]);
});

test('cut off at any write: the change stands, proved, or is undone, and is not tried again', async (t) => {
  const folder = await folderFor(t);
  const written: string[] = [];
  class Copying extends Storage {
    override async writeState(name: string, format: number, value: unknown): Promise<boolean> {
      const good = await super.writeState(name, format, value);
      if (name === 'steering') written.push(await readFile(path.join(folder, 'steering.json'), 'utf8'));
      return good;
    }
  }
  const broken = { audio: { mute: true, gainDb: 3 } };
  const react: DeviceOptions['react'] = ({ audio }) => (audio.gainDb === 3 ? 'degraded' : 'live');
  const device = await begun(t, { storage: new Copying(folder, () => undefined), react });
  await device.steering.propose('device', { version: 1, config: muted });
  await until(() => decided(device).proved, 30_000, 'proof');
  await device.steering.propose('device', { version: 2, config: broken });
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  const all = [...new Set(written)];
  assert.ok(all.length >= 5, `${all.length} states of the card`);
  const seen: string[] = [];
  for (const text of all) {
    const cut = await folderFor(t);
    await writeFile(path.join(cut, 'steering.json'), text);
    const again = await begun(t, { react }, cut);
    const { version, status, proved } = decided(again);
    seen.push(`${version} ${status} ${proved} ${mute(again)}`);
    // The broker has it retained, and says it again.
    await again.steering.propose('device', { version, config: version === 1 ? muted : broken });
    assert.deepEqual([again.stand.changes, refusedAs(again)], [[], undefined]);
  }
  assert.deepEqual(
    [...new Set(seen)],
    ['1 rolled_back false false', '1 applied true true', '2 rolled_back false true'],
  );
});

test('moved to a broker that is gone for good: once the address is locked, file and environment count again', async (t) => {
  const folder = await folderFor(t);
  const broker = await startMosquitto();
  {
    await using device = new Device(folder, { env: soon });
    await device.start();
    await device.steering.propose('device', { version: 1, config: { mqtt: { url: broker.url }, ...muted } });
    await until(() => decided(device).proved, 30_000, 'proof');
  }
  await broker[Symbol.asyncDispose]();
  const env = { ...soon, MQTT_URL: 'mqtt://127.0.0.1:2' };
  const stuck = await begun(t, { env }, folder);
  assert.equal(stuck.steering.resolved.settings.mqtt.url, broker.url);
  await stuck.stop();
  const freed = await begun(t, { env: { ...env, CONFIG_LOCKED: 'mqtt' } }, folder);
  assert.equal(freed.steering.resolved.settings.mqtt.url, 'mqtt://127.0.0.1:2');
  assert.ok(mute(freed), 'and nothing else is lost');
});

test('what could not be kept at the end of a probation is kept once there is room again', async (t) => {
  const folder = await folderFor(t);
  const device = await begun(t, {}, folder);
  const proposed = device.steering.propose('device', { version: 1, config: muted });
  const file = path.join(folder, 'steering.json');
  await until(
    async () => (await readFile(file, 'utf8').catch(() => '')).includes('"pending"'),
    30_000,
    'pending on the card',
  );
  // In the way of every write, as a full card is.
  const inTheWay = (): Promise<boolean> =>
    mkdir(path.join(folder, 'steering.json.new')).then(
      () => true,
      () => false,
    );
  await until(inTheWay, 30_000, 'the end of the write before');
  await proposed;
  await until(() => decided(device).proved, 30_000, 'proof');
  assert.match(await readFile(file, 'utf8'), /"pending": \{/, 'not kept');
  await until(() => device.faults.some(({ code }) => code === 'state_unwritable'), 30_000, 'the fault');
  await rmdir(path.join(folder, 'steering.json.new'));
  await until(async () => !(await readFile(file, 'utf8')).includes('"pending": {'), 40_000, 'kept after all');
  const again = await begun(t, {}, folder);
  assert.deepEqual([decided(again).status, mute(again)], ['applied', true]);
});

test('the settings of a device whose broker may be changed come back where the new broker is not reached', async (t) => {
  const device = await begun(t);
  await device.steering.propose('device', { version: 1, config: { mqtt: { url: 'mqtt://127.0.0.1:1' } } });
  await until(() => decided(device).status === 'rolled_back', 30_000, 'roll-back');
  assert.match(decided(device).reason!.what, /mqtt\./);
  assert.equal(device.steering.resolved.settings.mqtt.url, '');
});
