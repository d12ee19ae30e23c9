import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cost } from '../../agent/config/cost.js';
import { defaults } from '../../agent/config/resolve.js';
import { rows, type OutputSettings, type Settings } from '../../agent/config/settings.js';
import { settings } from './arbitraries.js';

const before = defaults();
const MAIN: OutputSettings = { url: 'rtmp://h/app', key: 'KEY', enabled: true, adaptive: true, tlsVerify: true };

test('nothing changed costs nothing', () => {
  fc.assert(
    fc.property(settings, (some) => {
      assert.deepEqual(cost(some, structuredClone(some)), { cost: 'none', changed: [] });
    }),
  );
});

test('each change has its cost, the dearest counts', () => {
  const after: Settings = {
    ...before,
    video: { ...before.video, bitrateKbps: 999, files: ['/a.mp4'] },
    audio: { ...before.audio, mute: true },
  };
  assert.deepEqual(cost(before, after), {
    cost: 'rebuild',
    changed: [
      { path: 'video.files', cost: 'rebuild' },
      { path: 'video.bitrateKbps', cost: 'live' },
      { path: 'audio.mute', cost: 'live' },
    ],
  });
  assert.equal(cost(before, { ...after, video: { ...after.video, fps: 25 } }).cost, 'restart');
});

test('a list is the same where each of its entries is', () => {
  const files = (...list: string[]): Settings => ({ ...before, video: { ...before.video, files: list } });
  const changed = { cost: 'rebuild', changed: [{ path: 'video.files', cost: 'rebuild' }] };
  const none = { cost: 'none', changed: [] };
  for (const [one, other, want] of [
    [files('/a.mp4', '/b.mp4'), files('/a.mp4', '/b.mp4'), none],
    [files('/a.mp4', '/b.mp4'), files('/a.mp4', '/c.mp4'), changed],
    [files('/a.mp4', '/b.mp4'), files('/b.mp4', '/a.mp4'), changed],
    [files('/a.mp4'), files('/a.mp4', '/b.mp4'), changed],
    [files('/a.mp4', '/b.mp4'), files('/a.mp4'), changed],
    [files(), files('/a.mp4'), changed],
  ] as const) {
    assert.deepEqual(cost(one, other), want, `${one.video.files.join()} and ${other.video.files.join()}`);
  }
});

test('each setting of an output counts once, beside those of the rest', () => {
  const audio = { ...before.audio, mute: !before.audio.mute };
  const one = { ...before, outputs: { main: MAIN } };
  for (const [field, value] of Object.entries({
    url: 'rtmp://h/other',
    key: 'OTHER',
    enabled: false,
    adaptive: false,
    tlsVerify: false,
  })) {
    const other = { ...before, audio, outputs: { main: { ...MAIN, [field]: value } } };
    assert.deepEqual(cost(one, other), {
      cost: 'live',
      changed: [
        { path: 'audio.mute', cost: 'live' },
        { path: `outputs.main.${field}`, cost: 'live' },
      ],
    });
  }
});

test('outputs come, go and change live', () => {
  const one = { ...before, outputs: { main: MAIN } };
  const two = { ...before, outputs: { main: { ...MAIN, key: 'OTHER' }, youtube: MAIN } };
  assert.deepEqual(cost(one, two), {
    cost: 'live',
    changed: [
      { path: 'outputs.main.key', cost: 'live' },
      { path: 'outputs.youtube', cost: 'live' },
    ],
  });
  assert.deepEqual(cost(one, before).changed, [{ path: 'outputs.main', cost: 'live' }]);
});

test('what fixes the broadcast format costs a restart', () => {
  const format = ['video.width', 'video.height', 'video.fps', 'audio.rate', 'audio.channels'];
  const dear = rows.filter(({ path }) => format.includes(path)).map(({ path, cost }) => [path, cost]);
  assert.deepEqual(dear.sort(), format.map((path) => [path, 'restart']).sort());
});
