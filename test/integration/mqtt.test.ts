/** Steered over a real broker while it streams to a real server: what is wanted, what becomes of it, and what viewers see of that. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startAgent, type Environment } from '../helpers/agent.js';
import { startMosquitto, type Mosquitto } from '../helpers/mosquitto.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { analyse } from '../helpers/stream.js';

const small: Environment = {
  ...{ VIDEO_SOURCE: 'test', AUDIO_SOURCE: 'test', VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180' },
  ...{ VIDEO_BITRATE_KBPS: '500', MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '3' },
};
const on = (nginx: Nginx, broker: Mosquitto): Environment => ({
  ...small,
  STREAM_URL: nginx.url(),
  STREAM_KEY: 'geheim-4711',
  MQTT_URL: broker.url,
});

describe('documents', () => {
  test('a live change is applied without a lost frame, proved, and reported with the layer of each setting', async () => {
    await using nginx = await startNginx({ record: true });
    await using broker = await startMosquitto();
    await using operator = await broker.operator('kitchen');
    await using agent = await startAgent(on(nginx, broker));
    await operator.on('state', ({ state }) => state === 'live');
    const applied = await operator.desire(1, { audio: { mute: true }, video: { bitrateKbps: 300 } }, { by: 'test' });
    assert.equal(applied['status'], 'applied');
    assert.equal((applied['origin'] as Record<string, string>)['audio.mute'], 'MQTT device');
    const from = operator.heard.items.length;
    await operator.on('config/reported', ({ proved }) => proved === true, from);
    const wrong = await operator.desire(2, { audio: { mute: 'loud' }, video: { fps: 1000, sharpness: 1 } });
    assert.equal(wrong['status'], 'rejected');
    assert.deepEqual(
      (wrong['errors'] as { path: string; code: string }[]).map(({ path, code }) => `${path} ${code}`).sort(),
      ['audio.mute setting_type', 'video.fps setting_range', 'video.sharpness setting_unknown'],
    );
    assert.equal((wrong['config'] as { audio: { mute: boolean } }).audio.mute, true);
    await agent.stop();
    await operator.on('state', ({ state }) => state === 'stopped');
    await nginx.waitForCall('record_done');
    const { video, decodeErrors } = await analyse((await nginx.recordings())[0]!);
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.largestGapMs < 60, `${video!.largestGapMs} ms without a picture`);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
    const all = operator.heard.items.map(({ text }) => text).join('\n') + agent.output;
    assert.doesNotMatch(all, /geheim/);
  });
});
