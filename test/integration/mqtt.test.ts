/** Steered over a real broker while it streams to a real server: what is wanted, what becomes of it, and what viewers see of that. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startAgent, type Environment } from '../helpers/agent/agent.js';
import { type Broker } from '../helpers/mqtt/broker.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { misfits } from '../helpers/mqtt/schema.js';
import { temporaryFolder } from '../helpers/command.js';
import { darkMs } from '../helpers/content/flv.js';
import { topics } from '../../agent/interfaces/mqtt/topics.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { analyse } from '../helpers/content/stream.js';

const small: Environment = {
  ...{ VIDEO_SOURCE: 'test', AUDIO_SOURCE: 'test', VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180' },
  ...{ VIDEO_BITRATE_KBPS: '500', MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '3' },
};
const on = (nginx: Nginx, broker: Broker): Environment => ({
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
    const stopped = await operator.on('state', ({ state }) => state === 'stopped');
    assert.equal(stopped['wanted'], 'on air', 'nobody has commanded it off the air');
    await nginx.waitForCall('record_done');
    const { video, decodeErrors } = await analyse((await nginx.recordings())[0]!);
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.largestGapMs < 60, `${video!.largestGapMs} ms without a picture`);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
    const all = operator.heard.items.map(({ text }) => text).join('\n') + agent.output;
    assert.doesNotMatch(all, /geheim/);
  });

  test('a rebuild keeps the session; a change that loses the server is undone on the air, with the reason', async () => {
    await using nginx = await startNginx({ record: true });
    await using broker = await startMosquitto();
    await using operator = await broker.operator('kitchen');
    await using agent = await startAgent({ ...on(nginx, broker), MQTT_ALLOW_PLAIN_SECRETS: 'yes' });
    await operator.on('state', ({ state }) => state === 'live');
    assert.equal((await operator.desire(1, { video: { testPattern: 'ball' } }))['status'], 'applied');
    await operator.on('config/reported', ({ version, proved }) => version === 1 && proved === true);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);

    // Nobody listens there, and it has a key of its own: without one it would stay where it is.
    const key = { path: 'outputs.main.key', value: 'key-for-nobody', for: 'rtmp://127.0.0.1:1/live' };
    assert.deepEqual((await operator.command('set-secret', key))['result'], { for: key.for, used: false });
    await operator.desire(2, { outputs: { main: { url: 'rtmp://127.0.0.1:1/live' } }, video: { testPattern: 'bars' } });
    const back = await operator.on('config/reported', ({ status }) => status === 'rolled_back');
    assert.match((back['reason'] as { what: string }).what, /was not live again within 3 s \(output_refused/);
    assert.equal((back['config'] as { video: { testPattern: string } }).video.testPattern, 'ball');
    const from = operator.heard.items.length;
    await operator.on('state', ({ state }) => state === 'live', from);
    await agent.stop();
    await nginx.waitForCall('record_done');
    const { video, decodeErrors } = await analyse((await nginx.recordings())[0]!);
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.largestGapMs < darkMs, `${video!.largestGapMs} ms without a picture`);
  });

  test('another size and sample rate: applied, proved, and one new session for both', async () => {
    await using nginx = await startNginx({ record: true });
    await using broker = await startMosquitto();
    await using operator = await broker.operator('kitchen');
    await using agent = await startAgent(on(nginx, broker));
    await operator.on('state', ({ state }) => state === 'live');
    const other = { video: { width: 480, height: 270 }, audio: { rate: 44_100 } };
    assert.equal((await operator.desire(1, other))['status'], 'applied');
    await operator.on('config/reported', ({ version, proved }) => version === 1 && proved === true);
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 2);
    const ended = nginx.calls.items.length;
    await agent.stop();
    await nginx.waitForCall('record_done', { from: ended });
    // That of the first session has the same name where both began within a second.
    const { video, audio, decodeErrors } = await analyse((await nginx.recordings()).at(-1)!);
    assert.deepEqual(decodeErrors, []);
    assert.equal(`${video!.width}x${video!.height} ${audio!.rate}`, '480x270 44100');
  });

  test('killed in the middle of a probation: it comes back with the last good settings, and says so', async () => {
    await using nginx = await startNginx();
    await using broker = await startMosquitto();
    await using operator = await broker.operator('kitchen');
    const { folder, remove } = await temporaryFolder();
    const env = { ...on(nginx, broker), CONFIG_PROBATION_SECONDS: '600' };
    {
      await using agent = await startAgent(env, { dataFolder: folder });
      await operator.on('state', ({ state }) => state === 'live');
      assert.equal((await operator.desire(1, { audio: { mute: true } }))['proved'], false);
      await agent.stop('SIGKILL');
      await operator.on('state', ({ state }) => state === 'lost');
    }
    const from = operator.heard.items.length;
    await using agent = await startAgent(env, { dataFolder: folder });
    const back = await operator.on('config/reported', ({ status }) => status === 'rolled_back', from);
    assert.equal((back['config'] as { audio: { mute: boolean } }).audio.mute, false);
    await operator.on('state', ({ state }) => state === 'live', from);
    await agent.stop();
    await remove();
  });
});

describe('without a broker', () => {
  test('it streams as it was steered last, and connects when the broker is there again', async () => {
    await using nginx = await startNginx();
    await using broker = await startMosquitto();
    const { folder, remove } = await temporaryFolder();
    const env = { ...on(nginx, broker), CONFIG_PROBATION_SECONDS: '1', MQTT_ALLOW_PLAIN_SECRETS: 'yes' };
    {
      await using operator = await broker.operator('kitchen');
      await using agent = await startAgent(env, { dataFolder: folder });
      await operator.on('state', ({ state }) => state === 'live');
      await operator.command('set-secret', { path: 'outputs.main.key', value: 'schluessel-0816' });
      await operator.desire(1, { audio: { mute: true }, video: { testPattern: 'ball', bitrateKbps: 300 } });
      await operator.on('config/reported', ({ version, proved }) => version === 1 && proved === true);
      await agent.stop();
    }
    await broker.kill();
    const from = nginx.calls.items.length;
    await using agent = await startAgent(env, { dataFolder: folder });
    const status = await agent.status((each) => each.actual === 'live');
    assert.equal((status['mqtt'] as { state: string }).state, 'waiting');
    assert.equal(status.video?.bitrateKbps, 300);
    await nginx.waitForCall('publish', { name: 'schluessel-0816', from });
    // Empty-handed: what it says is what it kept, not what the broker has kept.
    await broker.start();
    await using operator = await broker.operator('kitchen');
    await operator.on('state', ({ state }) => state === 'live');
    const reported = await operator.on('config/reported');
    assert.deepEqual([reported['version'], reported['status'], reported['proved']], [1, 'applied', true]);
    const { audio, video } = reported['config'] as { audio: { mute: boolean }; video: { testPattern: string } };
    assert.deepEqual([audio.mute, video.testPattern], [true, 'ball']);
    assert.equal(nginx.calls.items.slice(from).filter(({ call }) => call === 'publish').length, 1);
    assert.equal((await operator.desire(2, {}))['status'], 'applied');
    await agent.stop();
    await remove();
  });
});

describe('commands', () => {
  test('off the air and on, a snapshot, a new pipeline, diagnostics; no secret in anything that was ever said', async () => {
    await using nginx = await startNginx();
    await using broker = await startMosquitto();
    await using operator = await broker.operator('kitchen');
    const secrets = { MQTT_USERNAME: 'user', MQTT_PASSWORD: 'passwort-0815', MQTT_ALLOW_PLAIN_SECRETS: '1' };
    await using agent = await startAgent({ ...on(nginx, broker), ...secrets });
    await operator.on('state', ({ state }) => state === 'live');
    const picture = (await operator.command('snapshot'))['result'] as { jpeg: string };
    assert.equal(Buffer.from(picture.jpeg, 'base64').readUInt16BE(0), 0xffd8);
    assert.equal((await operator.command('force-keyframe'))['ok'], true);
    assert.equal((await operator.command('restart-media'))['ok'], true);
    const stopped = operator.heard.items.length;
    assert.equal((await operator.command('stop'))['ok'], true);
    await operator.on('state', ({ state, wanted }) => state === 'idle' && wanted === 'idle', stopped);
    assert.equal((await operator.command('snapshot'))['ok'], false);
    const from = operator.heard.items.length;
    assert.equal((await operator.command('start'))['ok'], true);
    await operator.on('state', ({ state }) => state === 'live', from);
    const set = await operator.command('set-secret', { path: 'outputs.main.key', value: 'schluessel-0816' });
    assert.equal(set['ok'], true);
    await nginx.waitForCall('publish', { name: 'schluessel-0816' });
    await operator.desire(1, { outputs: { main: { key: 'pasted-secret-1' } } });
    await operator.send('cmd/set-secret', { id: 'x', args: { path: 'outputs.main.kye', value: 'pasted-secret-2' } });
    await operator.on('cmd/set-secret/ack', ({ id }) => id === 'x');
    const bundle = (await operator.command('diagnostics'))['result'] as {
      readonly log: readonly { readonly event: string }[];
      readonly plan: { readonly pieces: readonly { readonly text: string }[] };
    };
    assert.ok(bundle.log.some(({ event }) => event === 'playing'));
    assert.match(bundle.plan.pieces[0]!.text, /appsink name=tags/);
    await agent.stop();
    const written = operator.heard.items.filter(({ topic }) => !/cmd\/[^/]+$|desired$/.test(topic));
    assert.deepEqual(misfits(written, topics, operator.prefix), []);
    for (const text of [agent.output, ...written.map((each) => each.text)])
      assert.doesNotMatch(text, /geheim|passwort-0815|schluessel|pasted-secret/);
  });
});
