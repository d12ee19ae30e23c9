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
  for (const row of rows) if (format.includes(row.path)) assert.equal(row.cost, 'restart', row.path);
});
