/** Settings as an operator gives them: what is wrong is said, and under a supervisor nothing of it ends the program. */
import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { runAgent, startAgent, type Environment } from '../helpers/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { sample } from '../helpers/media.js';
import { startNginx } from '../helpers/nginx.js';
import { startRtmpServer } from '../helpers/rtmp-server.js';

const small: Environment = { VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180', VIDEO_BITRATE_KBPS: '300' };
const target: Environment = { STREAM_URL: 'rtmp://127.0.0.1:9/live', STREAM_KEY: 'key-4711' };

/** One clear line: the code, no stack, no secret. */
function clear(text: string, code: string): void {
  assert.ok(text.includes(`[${code}]`), `no [${code}] in: ${text}`);
  assert.doesNotMatch(text, /^ +at .*:\d+/m);
  assert.doesNotMatch(text, /node:internal/);
  assert.ok(!text.includes('key-4711'));
}

describe('on a terminal, settings that are not valid end the program with exit code 2', () => {
  const cases: { what: string; env?: Environment; file?: string; code: string; says: RegExp }[] = [
    {
      what: 'unknown setting',
      file: 'video: {widht: 640}',
      code: 'setting_unknown',
      says: /video\.widht.*video\.width/,
    },
    { what: 'wrong type', env: { VIDEO_FPS: 'thirty' }, code: 'setting_type', says: /VIDEO_FPS.*thirty.*5 to 60/ },
    {
      what: 'out of range',
      env: { VIDEO_WIDTH: '99999' },
      code: 'setting_range',
      says: /VIDEO_WIDTH.*99999.*320 to 1920/,
    },
    { what: 'malformed URL', env: { STREAM_URL: 'http://host/live/key-4711' }, code: 'setting_url', says: /rtmp:/ },
    { what: 'no application', env: { STREAM_URL: 'rtmp://host' }, code: 'setting_url', says: /application path/ },
    { what: 'not YAML', file: '{ video: [', code: 'settings_unreadable', says: /YAML at \d+:\d+/ },
    {
      what: 'no such settings file',
      env: { MAKERCAST_CONFIG: '/nowhere/at-all.yml' },
      code: 'settings_unreadable',
      says: /does not exist/,
    },
  ];
  for (const { what, env = {}, file, code, says } of cases) {
    test(what, async () => {
      const { folder, remove } = await temporaryFolder();
      if (file !== undefined) await writeFile(path.join(folder, 'makercast.yml'), file);
      for (const args of [[], ['check']]) {
        const result = await runAgent(args, { ...target, LOG_FORMAT: 'text', ...env }, { cwd: folder });
        assert.equal(result.code, 2);
        const text = result.stdout + result.stderr;
        clear(text, code);
        assert.match(text, says);
      }
      await remove();
    });
  }

  test('all problems at once', async () => {
    const env = { ...target, VIDEO_FPS: '500', AUDIO_RATE: '8000', AUDIO_MUTE: 'perhaps', VIDEO_WIDHT: '640' };
    const { code, stdout } = await runAgent(['check'], env);
    assert.equal(code, 2);
    for (const name of ['VIDEO_FPS', 'AUDIO_RATE', 'AUDIO_MUTE', 'VIDEO_WIDTH']) assert.match(stdout, new RegExp(name));
  });

  test('an unknown command', async () => {
    const { code, stderr } = await runAgent(['frobnicate']);
    assert.equal(code, 2);
    clear(stderr, 'usage');
  });
});

describe('sources that cannot be used', () => {
  const cases = async (folder: string): Promise<{ env: Environment; code: string }[]> => {
    await writeFile(path.join(folder, 'text.mp4'), 'this is no film\n'.repeat(50));
    await mkdir(path.join(folder, 'folder.mp4'));
    const file = (name: string): Environment => ({ VIDEO_SOURCE: 'file', VIDEO_FILES: name });
    return [
      { env: { VIDEO_SOURCE: '/dev/video77' }, code: 'source_not_found' },
      { env: { AUDIO_SOURCE: 'NoSuchCard' }, code: 'source_not_found' },
      { env: file('missing.mp4'), code: 'file_unreadable' },
      { env: file('folder.mp4'), code: 'file_unreadable' },
      { env: file('text.mp4'), code: 'file_broken' },
      { env: file(await sample('sound-only.m4a')), code: 'file_no_video' },
      { env: { ...file(await sample('h264-long-gop.mp4')), VIDEO_ENCODER: 'passthrough' }, code: 'passthrough_unfit' },
      { env: { VIDEO_ENCODER: 'v4l2h264enc', VIDEO_SOURCE: 'test' }, code: 'encoder_missing' },
    ];
  };
  test('are named in one line by plan, and do not end a program that is on', async () => {
    const { folder, remove } = await temporaryFolder();
    for (const { env, code } of await cases(folder)) {
      const { code: exit, stdout, stderr } = await runAgent(['plan'], { ...target, ...env }, { cwd: folder });
      assert.notEqual(exit, 0);
      clear(stdout + stderr, code);
    }
    await using server = await startRtmpServer();
    const env = { VIDEO_SOURCE: 'file', VIDEO_FILES: 'later.mp4', STREAM_URL: server.url(), STREAM_KEY: 'k-4712' };
    await using agent = await startAgent(env, { cwd: folder });
    await agent.status(({ problems }) => problems.some(({ code }) => code === 'file_unreadable'));
    // As soon as the file is there, it goes on the air.
    const { readFile } = await import('node:fs/promises');
    await writeFile(path.join(folder, 'later.mp4'), await readFile(await sample('h264-bframes.mp4')));
    await agent.event('playing', 40_000);
    await agent.stop();
    await remove();
  });

  test('a file that may not be read', { skip: process.getuid?.() === 0 && 'root may read everything' }, async () => {
    const { folder, remove } = await temporaryFolder();
    const file = path.join(folder, 'locked.mp4');
    await writeFile(file, 'x');
    await chmod(file, 0);
    const { stderr } = await runAgent(['plan'], { ...target, VIDEO_SOURCE: 'file', VIDEO_FILES: file });
    clear(stderr, 'file_unreadable');
    await remove();
  });

  test('GStreamer that is not installed: said with the Debian package', async () => {
    const { folder, remove } = await temporaryFolder();
    // No program at all but node itself can be found.
    const { code, stdout, stderr } = await runAgent(['plan'], { ...target, VIDEO_SOURCE: 'test', PATH: folder });
    assert.notEqual(code, 0);
    clear(stdout + stderr, 'plugin_missing');
    assert.match(stdout + stderr, /gstreamer1\.0-/);
    await remove();
  });
});

describe('under a supervisor nothing ends the program', () => {
  const supervised: Environment = { ...small, VIDEO_SOURCE: 'test', MAKERCAST_SUPERVISED: '1' };

  test('an invalid setting falls back, to its last good value where there is one, and status says degraded', async () => {
    const { folder, remove } = await temporaryFolder();
    await using server = await startRtmpServer();
    const dataFolder = path.join(folder, 'data');
    const env = { ...supervised, STREAM_URL: server.url(), STREAM_KEY: 'key-4711' };
    {
      await using good = await startAgent({ ...env, VIDEO_FPS: '15' }, { dataFolder });
      await good.status(({ actual }) => actual === 'live');
      await good.stop();
    }
    await using agent = await startAgent({ ...env, VIDEO_FPS: '5000', AUDIO_RATE: '1' }, { dataFolder });
    const status = await agent.status(
      ({ actual, outputs }) => actual === 'degraded' && outputs['main']?.state === 'live',
    );
    assert.equal((status['video'] as { fps: number }).fps, 15);
    const audio = status['audio'] as { rate: number };
    assert.equal(audio.rate, 48_000);
    assert.deepEqual(status.problems.map(({ code }) => code).sort(), ['setting_range', 'setting_range']);
    assert.ok(!agent.output.includes('key-4711'));
    await agent.stop();
    await remove();
  });

  test('a torn settings file keeps the outputs that it last named', async () => {
    const { folder, remove } = await temporaryFolder();
    await using server = await startRtmpServer();
    const dataFolder = path.join(folder, 'data');
    const file = path.join(folder, 'makercast.yml');
    await writeFile(file, JSON.stringify({ outputs: { main: { url: server.url(), key: 'key-4711' } } }));
    {
      await using good = await startAgent(supervised, { dataFolder, cwd: folder });
      await good.status(({ actual }) => actual === 'live');
      await good.stop();
    }
    await writeFile(file, '{ outputs: {main: {url: ');
    await using agent = await startAgent(supervised, { dataFolder, cwd: folder });
    await server.published('key-4711', { from: 1 });
    await agent.status(({ problems }) => problems.some(({ code }) => code === 'settings_unreadable'));
    await agent.stop();
    await remove();
  });

  test('without a destination it is idle and says so; once one is named it goes on the air by itself', async () => {
    const { folder, remove } = await temporaryFolder();
    await using nginx = await startNginx();
    await using agent = await startAgent(supervised, { cwd: folder });
    await agent.event('idle');
    assert.equal((await agent.status()).actual, 'idle');
    await writeFile(
      path.join(folder, 'makercast.yml'),
      JSON.stringify({ outputs: { main: { url: nginx.url(), key: 'late' } } }),
    );
    await nginx.waitForCall('publish', { name: 'late' });
    await agent.status(({ actual }) => actual === 'live');
    // And off again, when it is taken away.
    await writeFile(path.join(folder, 'makercast.yml'), '{}');
    await nginx.waitForCall('publish_done', { name: 'late' });
    await agent.status(({ actual }) => actual === 'idle', 20_000, agent.log.items.length);
    await agent.stop();
    await remove();
  });
});

test('a typo in mid-broadcast changes nothing, and is reported until it is mended', async () => {
  const { folder, remove } = await temporaryFolder();
  await using server = await startRtmpServer();
  const file = path.join(folder, 'makercast.yml');
  await using agent = await startAgent(
    { ...small, VIDEO_SOURCE: 'test', STREAM_URL: server.url(), STREAM_KEY: 'k-4712' },
    { cwd: folder },
  );
  await agent.status(({ actual }) => actual === 'live');
  await writeFile(file, 'audio: {mute: true}\nvideo: {bitrateKpbs: 100}');
  await agent.status(({ problems }) => problems.some(({ code }) => code === 'setting_unknown'));
  assert.ok(!agent.log.items.some(({ event }) => event === 'settings_applied'));
  await writeFile(file, 'audio: {mute: true}');
  await agent.event('settings_applied');
  await agent.status(
    ({ actual, problems }) => actual === 'live' && problems.length === 0,
    20_000,
    agent.log.items.length,
  );
  assert.equal(server.publishes.items.length, 1);
  await agent.stop();
  await remove();
});

test('the names of the 2018 project still work, with one warning each', async () => {
  await using nginx = await startNginx();
  await using agent = await startAgent({
    VIDEO_SOURCE: 'test',
    AV_STREAM_URL: nginx.url(),
    AV_STREAM_KEY: 'old-4711',
    AV_VIDEO_WIDTH: '320',
    AV_VIDEO_HEIGHT: '180',
    AV_VIDEO_FRAMERATE: '15',
    AV_AUDIO_SAMPLING_RATE: '44100',
    AV_AUDIO_BITRATE: '96',
    AV_DISABLE_AUDIO: '1',
  });
  await nginx.waitForCall('publish', { name: 'old-4711' });
  const status = await agent.status(({ actual }) => actual === 'live');
  const video = status['video'] as Record<string, unknown>;
  const audio = status['audio'] as Record<string, unknown>;
  assert.deepEqual([video['width'], video['height'], video['fps']], [320, 180, 15]);
  assert.deepEqual([audio['source'], audio['rate'], audio['bitrateKbps']], ['silence', 44_100, 96]);
  const warned = agent.log.items.filter(({ event }) => event === 'settings_warning').map(({ message }) => message);
  assert.equal(warned.length, 8, warned.join('\n'));
  await agent.stop();
});

describe('commands', () => {
  test('probe --json lists cameras, microphones and encoders that really encode', async () => {
    const { code, stdout } = await runAgent(['probe', '--json']);
    assert.equal(code, 0);
    const found = JSON.parse(stdout) as {
      cameras: unknown[];
      microphones: unknown[];
      encoders: { element: string; works: boolean }[];
    };
    assert.ok(Array.isArray(found.cameras) && Array.isArray(found.microphones));
    assert.equal(found.encoders.find(({ element }) => element === 'x264enc')?.works, true);
  });

  test('plan prints a text without the key', async () => {
    const { code, stdout } = await runAgent(['plan'], { ...target, VIDEO_SOURCE: 'test' });
    assert.equal(code, 0);
    assert.match(stdout, /x264enc/);
    assert.match(stdout, /appsink name=tags/);
    assert.ok(!stdout.includes('key-4711'));
  });

  test('check is content with good settings', async () => {
    const { code, stdout } = await runAgent(['check'], target);
    assert.equal(code, 0);
    assert.match(stdout, /valid/);
  });
});
