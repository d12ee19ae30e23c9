/** A later release of the program over the data of this one, and back: the same code with other rows, and a real broker that keeps its documents. */
import assert from 'node:assert/strict';
import { cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from '../helpers/command.js';
import { Device as DeviceOfToday } from '../helpers/mqtt/device.js';
import { until } from '../helpers/feed.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { root } from '../helpers/root.js';

type AnyDevice = typeof DeviceOfToday;

/** In it `audio.gainDb` is called `audio.volumeDb`, `audio.delayMs` is gone, and `audio.reverb` has come. */
async function laterRelease(folder: string): Promise<AnyDevice> {
  for (const part of ['agent', 'pipelines', 'test/helpers'])
    await cp(path.join(root, 'dist', part), path.join(folder, 'dist', part), { recursive: true });
  await mkdir(path.join(folder, 'patches'), { recursive: true });
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  await cp(path.join(root, 'package.json'), path.join(folder, 'package.json'));
  const file = path.join(folder, 'dist/agent/config/settings/audio.js');
  const before = await readFile(file, 'utf8');
  const reverb =
    "{ path: 'audio.reverb', env: 'AUDIO_REVERB', form: { type: 'integer', min: 0, max: 9 }, default: 0, cost: 'live', doc: '' },";
  const after = before
    .replace("path: 'audio.gainDb',", "path: 'audio.volumeDb', renamed: [{ path: 'audio.gainDb' }],")
    .replace("path: 'audio.delayMs',", "path: 'audio.offsetMs', removed: [{ path: 'audio.delayMs', remedy: 'none' }],")
    .replace(/\{\s*path: 'audio\.mute',/, (row) => `${reverb} ${row}`);
  for (const word of ['volumeDb', 'offsetMs', 'reverb']) assert.ok(after.includes(word), word);
  await writeFile(file, after);
  const made = (await import(path.join(folder, 'dist/test/helpers/mqtt/device.js'))) as { Device: AnyDevice };
  return made.Device;
}

test('an upgrade and a downgrade keep the layers from afar: what one release does not know waits for the one that does', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const data = path.join(folder, 'data');
  const DeviceOfTomorrow = await laterRelease(path.join(folder, 'later'));
  await using broker = await startMosquitto();
  await using operator = await broker.operator('kitchen');
  const env = { MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_GROUPS: 'studio', CONFIG_PROBATION_SECONDS: '1' };
  const group = { topic: 'makercast/v1/_group/studio/config/desired', retain: true };

  /** What one release makes of what it finds; `work` with it running. */
  const during = async (
    Release: AnyDevice,
    release: string,
    work: (device: DeviceOfToday, reported: Record<string, unknown>) => Promise<void>,
  ): Promise<void> => {
    const from = operator.heard.items.length;
    await using device = new Release(data, { env, release });
    await device.start();
    const reported = await operator.on('config/reported', ({ status }) => status !== 'none', from);
    await work(device, reported);
    await until(() => !device.steering.isOnProbation, 30_000, 'the end of the probation');
    assert.deepEqual(device.faults, []);
  };
  const audio = (device: DeviceOfToday): Record<string, unknown> => ({ ...device.steering.resolved.settings.audio });
  const ignored = (reported: Record<string, unknown>): string[] =>
    (reported['ignored'] as { layer: string; path: string }[]).map(({ layer, path: at }) => `${layer}: ${at}`);
  const started = { audio: { gainDb: 3, delayMs: 30 } };

  const first = new DeviceOfToday(data, { env, release: '1.0.0' });
  await first.start();
  await operator.send('', { version: 7, config: { audio: { mute: true, delayMs: 40 } } }, group);
  assert.equal((await operator.desire(1, started))['status'], 'applied');
  assert.equal((await operator.command('adjust', { path: 'video.bitrateKbps', value: 900 }))['ok'], true);
  await until(() => first.steering.report().decisions['group studio']?.status === 'applied', 30_000, 'group');
  await until(() => !first.steering.isOnProbation, 30_000, 'proof');
  await first.stop();

  await during(DeviceOfTomorrow, '2.0.0', async (device, reported) => {
    // The renamed one counts under its new name, the removed one is set aside; nothing is decided again.
    assert.deepEqual([reported['version'], reported['status'], reported['release']], [1, 'applied', '1.0.0']);
    assert.deepEqual(ignored(reported), ['MQTT group studio: audio.delayMs', 'MQTT device: audio.delayMs']);
    const { volumeDb, mute, reverb } = audio(device);
    assert.deepEqual([volumeDb, mute, reverb], [3, true, 0]);
    assert.deepEqual([device.stand.changes, device.steering.resolved.problems], [[], []]);
    assert.equal(device.steering.resolved.settings.video.bitrateKbps, 900);
    // A new document of a device is held to this release's names.
    const wrong = await operator.desire(2, started);
    assert.equal((wrong['errors'] as { code: string }[])[0]!.code, 'setting_removed');
    assert.equal((await operator.command('adjust', { path: 'audio.reverb', value: 7 }))['ok'], true);
    assert.equal((await operator.desire(3, { audio: { volumeDb: 4, reverb: 5, mute: false } }))['status'], 'applied');
    assert.equal(audio(device)['reverb'], 5);
  });

  await during(DeviceOfToday, '1.0.0', async (device, reported) => {
    assert.deepEqual([reported['version'], reported['status'], reported['release']], [3, 'applied', '2.0.0']);
    assert.deepEqual(
      ignored(reported),
      ['MQTT page: audio.reverb', 'MQTT device: audio.volumeDb', 'MQTT device: audio.reverb'].map((each) =>
        each.replace('MQTT page', 'page'),
      ),
    );
    const { gainDb, delayMs, mute } = audio(device);
    assert.deepEqual([gainDb, delayMs, mute], [0, 40, false]);
    assert.deepEqual([device.stand.changes, device.own, device.steering.resolved.problems], [[], [], []]);
    // One setting can still be changed beside what waits.
    assert.equal((await operator.command('adjust', { path: 'video.bitrateKbps', value: 800 }))['ok'], true);
    assert.equal((await operator.command('adjust', { path: 'video.bitrateKbps', value: 'x' }))['ok'], false);
    assert.equal((await operator.command('adjust', { path: 'audio.reverb', value: 1 }))['ok'], false);
    assert.deepEqual(
      [device.steering.resolved.settings.video.bitrateKbps, device.steering.resolved.problems],
      [800, []],
    );
  });

  await during(DeviceOfTomorrow, '2.0.0', async (device, reported) => {
    assert.deepEqual([reported['version'], reported['status']], [3, 'applied']);
    const { volumeDb, reverb, mute } = audio(device);
    assert.deepEqual([volumeDb, reverb, mute], [4, 5, false]);
    assert.equal(device.steering.resolved.settings.video.bitrateKbps, 800);
    // The page's own value is still there, under that of the device.
    assert.equal((await operator.desire(4, { audio: { volumeDb: 4 } }))['status'], 'applied');
    assert.equal(audio(device)['reverb'], 7);
  });
});
