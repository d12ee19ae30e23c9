/** Bad input and good: one clear line each, nothing that ends a supervised device, and edits taken over on the air. */
import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { runAgent, small, startAgent, type Agent, type Environment } from '../helpers/agent/agent.js';
import { folderFor, run } from '../helpers/command.js';
import { isPicture } from '../helpers/content/flv.js';
import { sample } from '../helpers/content/media.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const secret = 'geheim-4711';
const supervised: Environment = { MAKERCAST_SUPERVISED: '1' };
/** Root without the right to read what its owner may not read: file permissions count for it too. */
const asOrdinary = ['setpriv', '--bounding-set=-dac_override,-dac_read_search', '--'];

/** In one step, as a careful editor does, so that no half of it is ever read. */
async function write(folder: string, text: string | object): Promise<void> {
  const file = path.join(folder, 'makercast.yml');
  await writeFile(`${file}.new`, typeof text === 'string' ? text : JSON.stringify(text));
  await rename(`${file}.new`, file);
}

const noStack = (text: string): void => assert.doesNotMatch(text, /^\s+at |node:internal|\.js:\d+/m);
const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

interface Case {
  readonly name: string;
  readonly code: string;
  /** What the line says of where and what. */
  readonly says: RegExp;
  readonly env?: Environment;
  readonly file?: string;
}

const destination: Environment = { STREAM_URL: 'rtmp://127.0.0.1/live', STREAM_KEY: secret };

const settingsCases: readonly Case[] = [
  {
    name: 'an unknown setting',
    file: 'video: {widht: 640}',
    code: 'setting_unknown',
    says: /video\.widht in .*makercast\.yml.*did you mean video\.width/,
  },
  {
    name: 'an unknown section',
    file: 'vidio: {width: 640}',
    code: 'setting_unknown',
    says: /vidio in .*makercast\.yml/,
  },
  {
    name: 'a wrong type',
    env: { VIDEO_FPS: 'thirty' },
    code: 'setting_type',
    says: /VIDEO_FPS \(video\.fps\).*"thirty".*a whole number from 5 to 60/,
  },
  {
    name: 'a value out of range',
    env: { VIDEO_FPS: '1000' },
    code: 'setting_range',
    says: /VIDEO_FPS.*1000.*from 5 to 60/,
  },
  {
    name: 'not one of the choices',
    file: 'video: {encoder: h265}',
    code: 'setting_range',
    says: /video\.encoder.*"h265".*x264enc/,
  },
  {
    name: 'a malformed URL',
    env: { OUTPUT_CLUB_URL: `rtmp://user:${secret}@:99999/live`, OUTPUT_CLUB_KEY: secret },
    code: 'setting_url',
    says: /OUTPUT_CLUB_URL/,
  },
  {
    name: 'a URL of another scheme',
    env: { OUTPUT_CLUB_URL: `https://example.org/live/${secret}` },
    code: 'setting_url',
    says: /OUTPUT_CLUB_URL.*neither rtmp:\/\/ nor rtmps:\/\//,
  },
  {
    name: 'a URL without application path',
    env: { OUTPUT_CLUB_URL: 'rtmp://example.org', OUTPUT_CLUB_KEY: secret },
    code: 'setting_url',
    says: /OUTPUT_CLUB_URL.*no application path/,
  },
  { name: 'a key without URL', env: { OUTPUT_CLUB_KEY: secret }, code: 'setting_url', says: /no URL/ },
  {
    name: 'the source file without files',
    env: { VIDEO_SOURCE: 'file' },
    code: 'setting_range',
    says: /VIDEO_FILES|video\.files/,
  },
  {
    name: 'a file that is not YAML',
    file: `outputs:\n  main: {url: [rtmp://x/live, key: ${secret}\n`,
    code: 'settings_unreadable',
    says: /makercast\.yml" is not valid YAML at \d+:\d+/,
  },
  { name: 'a file that is a list', file: `- ${secret}`, code: 'settings_unreadable', says: /not a map/ },
  {
    name: 'a settings file that does not exist',
    env: { MAKERCAST_CONFIG: 'other.yml' },
    code: 'settings_unreadable',
    says: /other\.yml" does not exist/,
  },
];

describe('invalid settings, on a terminal', () => {
  for (const { name, env, file, code, says } of settingsCases) {
    test(`${name}: one line, exit code 2`, async (t) => {
      const folder = await folderFor(t);
      if (file !== undefined) await write(folder, file);
      const all = { ...destination, LOG_FORMAT: 'text', ...env };
      for (const [args, begins] of [
        [[], new RegExp(`^[0-9:]{8}  ERROR \\[${code}\\] `)],
        [['check'], new RegExp(`^problem \\[${code}\\] `)],
      ] as const) {
        const { code: exit, stdout, stderr } = await runAgent(args, all, { cwd: folder });
        assert.equal(exit, 2, stdout + stderr);
        assert.equal(stderr, '');
        const [line, ...more] = lines(stdout);
        assert.match(line!, begins);
        assert.match(line!, says);
        // After its list, check says what it has read, and counts.
        assert.equal(more.length, 2 * args.length, stdout);
        noStack(stdout);
        assert.ok(!stdout.includes(secret), stdout);
      }
    });
  }

  test('a settings file that is a folder, or may not be read', async (t) => {
    const folder = await folderFor(t);
    const file = path.join(folder, 'makercast.yml');
    await mkdir(file);
    const isFolder = await runAgent([], destination, { cwd: folder });
    assert.equal(isFolder.code, 2);
    assert.match(isFolder.stdout, /\[settings_unreadable\].*is a folder/);
    const locked = path.join(folder, 'locked.yml');
    await writeFile(locked, 'video: {}');
    await chmod(locked, 0);
    const mayNot = await runAgent([], { MAKERCAST_CONFIG: locked }, { cwd: folder, prefix: asOrdinary });
    assert.equal(mayNot.code, 2);
    assert.match(mayNot.stdout, /\[settings_unreadable\].*EACCES/);
    noStack(isFolder.stdout + mayNot.stdout);
  });

  test('wrong words on the command line', async () => {
    for (const args of [['nonsense'], ['probe', '--xml'], ['check', 'this']]) {
      const { code, stdout, stderr } = await runAgent(args);
      assert.equal(code, 2);
      assert.equal(stdout, '');
      assert.equal(lines(stderr).length, 1);
      assert.match(stderr, /^\[usage\] .*(nonsense|--xml|this)/);
    }
  });
});

describe('sources that cannot be used', () => {
  const cases: readonly { name: string; file: (folder: string) => Promise<string>; code: string }[] = [
    { name: 'missing', file: (folder) => Promise.resolve(path.join(folder, 'no\nsuch.mp4')), code: 'file_unreadable' },
    { name: 'a folder', file: (folder) => Promise.resolve(folder), code: 'file_unreadable' },
    {
      name: 'without permission',
      file: async (folder) => {
        const file = path.join(folder, 'locked.mp4');
        await copyFile(await sample('h264.mkv'), file);
        await chmod(file, 0);
        return file;
      },
      code: 'file_unreadable',
    },
    { name: 'without video', file: () => sample('sound-only.m4a'), code: 'file_no_video' },
    {
      name: 'no media file',
      file: async (folder) => {
        const file = path.join(folder, 'letter.mp4');
        await writeFile(file, 'Dear reader,\n'.repeat(1000));
        return file;
      },
      code: 'file_broken',
    },
    {
      name: 'empty',
      file: async (folder) => {
        const file = path.join(folder, 'empty.mp4');
        await writeFile(file, '');
        return file;
      },
      code: 'file_broken',
    },
  ];
  for (const { name, file, code } of cases) {
    test(`a media file that is ${name}: ${code}`, async (t) => {
      const media = await file(await folderFor(t));
      const env = { ...destination, VIDEO_SOURCE: 'file', VIDEO_FILES: JSON.stringify([media]) };
      const { stderr, stdout, code: exit } = await runAgent(['plan'], env, { prefix: asOrdinary });
      assert.notEqual(exit, 0, stdout);
      assert.equal(lines(stderr).length, 1, stderr);
      assert.ok(stderr.startsWith(`[${code}] `), stderr);
      assert.ok(stderr.includes(path.basename(media).split('\n').at(-1)!), stderr);
      noStack(stderr);
    });
  }

  for (const [variable, given] of [
    ['VIDEO_SOURCE', '/dev/video99'],
    ['VIDEO_SOURCE', 'no-such-camera'],
    ['AUDIO_SOURCE', 'NoSuchCard'],
  ] as const) {
    test(`${variable}=${given}: source_not_found`, async () => {
      const { stderr, code } = await runAgent(['plan'], { ...destination, [variable]: given });
      assert.equal(code, 2);
      assert.equal(lines(stderr).length, 1, stderr);
      assert.match(stderr, /^\[source_not_found\] /);
      assert.ok(stderr.includes(given) && stderr.includes('makercast probe'), stderr);
    });
  }

  test('a film that cannot pass through though it has to, and an encoder that is not there', async () => {
    const long = { VIDEO_SOURCE: 'file', VIDEO_FILES: await sample('h264-long-gop.mp4'), VIDEO_ENCODER: 'passthrough' };
    const hardware = { VIDEO_SOURCE: 'test', VIDEO_ENCODER: 'v4l2h264enc' };
    for (const [env, code] of [
      [long, 'passthrough_unfit'],
      [hardware, 'encoder_missing'],
    ] as const) {
      const { stderr, code: exit } = await runAgent(['plan'], { ...destination, ...env });
      assert.notEqual(exit, 0);
      assert.equal(lines(stderr).length, 1, stderr);
      assert.ok(stderr.startsWith(`[${code}] `), stderr);
      noStack(stderr);
    }
  });

  test('GStreamer that is not installed: the Debian package is named', async (t) => {
    // In this folder there is no program at all, and node itself needs no path.
    const prefix = ['env', `PATH=${await folderFor(t)}`];
    const { code, stdout, stderr } = await runAgent(['plan'], { ...destination, VIDEO_SOURCE: 'test' }, { prefix });
    assert.notEqual(code, 0);
    assert.match(stdout + stderr, /\[plugin_missing\].*gstreamer1\.0-/);
    noStack(stdout + stderr);
  });

  test('one plugin that is not installed: its element and its Debian package are named', async (t) => {
    const folder = await folderFor(t);
    const { stdout: file } = await run('gst-inspect-1.0', ['flv']);
    const plugins = path.dirname(/^ +Filename +(.*)$/m.exec(file.toString())![1]!);
    for (const name of await readdir(plugins))
      if (name !== 'libgstflv.so') await symlink(path.join(plugins, name), path.join(folder, name));
    const gst = { GST_PLUGIN_SYSTEM_PATH_1_0: folder, GST_REGISTRY: path.join(folder, 'registry') };
    const { code, stderr } = await runAgent(['plan'], { ...destination, VIDEO_SOURCE: 'test', ...gst });
    assert.notEqual(code, 0);
    assert.match(stderr, /^\[plugin_missing\] .*flvmux.*gstreamer1\.0-plugins-good/);
    assert.equal(lines(stderr).length, 1, stderr);
  });

  test('a file that is not there yet is said once, waited for, and played when it comes', async (t) => {
    const folder = await folderFor(t);
    await using server = await startRtmpServer();
    await using agent = await startAgent(
      { ...small, VIDEO_SOURCE: 'file', VIDEO_FILES: 'film.mkv', STREAM_URL: server.url(), STREAM_KEY: secret },
      { cwd: folder },
    );
    const status = await agent.status(({ problems }) => problems.some(({ code }) => code === 'file_unreadable'));
    assert.equal(status.actual, 'degraded');
    await copyFile(await sample('h264.mkv'), path.join(folder, 'film.mkv.part'));
    await rename(path.join(folder, 'film.mkv.part'), path.join(folder, 'film.mkv'));
    await agent.status(({ actual, problems }) => actual === 'live' && problems.length === 0, 30_000);
    assert.ok((await server.published(secret)).tags.items.some(isPicture));
    assert.equal(agent.log.items.filter(({ event }) => event === 'file_unreadable').length, 1);
    noStack(agent.output);
    assert.equal((await agent.stop()).code, 0);
  });
});

describe('commands', () => {
  test('check says everything at once', async (t) => {
    const folder = await folderFor(t);
    await write(folder, { video: { fps: 'fast', heigth: 1 }, outputs: { a: { url: `rtmp://host/x?${secret}` } } });
    const env = {
      VIDEO_WIDTH: '7',
      AUDIO_MUTE: 'perhaps',
      STREAM_URL: `ftp://${secret}@host/live`,
      AV_VIDEO_HEIGHT: '360',
    };
    const { code, stdout, stderr } = await runAgent(['check'], env, { cwd: folder });
    assert.equal(code, 2);
    const said = lines(stdout);
    for (const name of ['video.fps', 'video.heigth', 'VIDEO_WIDTH', 'AUDIO_MUTE', 'STREAM_URL', 'outputs.a']) {
      assert.equal(
        said.filter((line) => line.startsWith('problem [') && line.includes(name)).length,
        1,
        `${name}\n${stdout}`,
      );
    }
    assert.equal(said.filter((line) => line.startsWith('warning ') && line.includes('AV_VIDEO_HEIGHT')).length, 1);
    assert.match(said.at(-1)!, /^6 settings are not valid/);
    assert.ok(!(stdout + stderr).includes(secret), stdout);
    noStack(stdout + stderr);
  });

  test('check, plan and probe with good settings', async () => {
    const good = await runAgent(['check'], { ...destination, ...small });
    assert.equal(good.code, 0);
    assert.match(
      good.stdout,
      /^There is no settings file \(.*makercast\.yml or makercast\.yaml\)\.\nThe settings are valid\.\n$/,
    );
    const plan = await runAgent(['plan'], { ...destination, ...small });
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /^# test picture.*320x180 at 30 fps/);
    assert.match(plan.stdout, /videotestsrc[^]*flvmux/);
    assert.ok(!plan.stdout.includes(secret));
    const explained = await runAgent(['plan', '--explain'], { ...destination, VIDEO_SOURCE: 'test' });
    assert.equal(explained.code, 0, explained.stderr);
    assert.match(explained.stdout, /^# wanted: 1280x720 at 30 fps, 2500 kbit\/s/);
    assert.match(explained.stdout, /^# no +test picture, omxh264enc: .*does not work on this machine/m);
    assert.match(explained.stdout, /^# taken +test picture, x264enc: .+\n# next +test picture, openh264enc: /m);
    assert.match(explained.stdout, /videotestsrc[^]*flvmux/, 'the plan itself comes last');
    const json = await runAgent(['probe', '--json']);
    assert.equal(json.code, 0, json.stderr);
    const found = JSON.parse(json.stdout) as {
      cameras: unknown[];
      microphones: unknown[];
      encoders: { element: string; works: boolean }[];
    };
    assert.ok(Array.isArray(found.cameras) && Array.isArray(found.microphones));
    assert.equal(found.encoders.find(({ element }) => element === 'x264enc')?.works, true);
    const table = await runAgent(['probe']);
    assert.equal(table.code, 0);
    for (const heading of ['Cameras', 'Microphones', 'Encoders'])
      assert.match(table.stdout, new RegExp(`^${heading}$`, 'm'));
    assert.match(table.stdout, /x264enc +encodes/);
  });
});

test('the names of 2018 work, each with one warning', async () => {
  await using server = await startRtmpServer();
  const old: Environment = {
    AV_STREAM_URL: server.url(),
    AV_STREAM_KEY: secret,
    AV_DISABLE_AUDIO: '1',
    AV_AUDIO_SAMPLING_RATE: '44100',
    AV_AUDIO_BITRATE: '96',
    AV_VIDEO_WIDTH: '480',
    AV_VIDEO_HEIGHT: '270',
    AV_VIDEO_FRAMERATE: '25',
  };
  await using agent = await startAgent({ VIDEO_SOURCE: 'test', ...old });
  const { message } = await agent.event('playing');
  assert.match(message, /480x270 at 25 fps.*silence, 44100 Hz.*96 kbit\/s/);
  await server.published(secret);
  const warnings = agent.log.items.filter(({ event }) => event === 'settings_warning').map((line) => line.message);
  for (const name of Object.keys(old)) {
    assert.equal(
      warnings.filter((warning) => warning.startsWith(`${name} `)).length,
      1,
      `${name}\n${warnings.join('\n')}`,
    );
  }
  assert.equal(warnings.length, Object.keys(old).length);
  await agent.stop();
});

/** The next status document that is not older than this call. */
const now = (agent: Agent) => agent.status(() => true, 20_000, agent.log.items.length);

describe('under a supervisor', () => {
  test('invalid settings fall back: to the last good ones, which only their owner may read', async (t) => {
    const folder = await folderFor(t);
    const dataFolder = path.join(folder, 'data');
    await using server = await startRtmpServer();
    const good = { outputs: { main: { url: server.url(), key: secret } }, video: { fps: 20 } };
    const start = () => startAgent({ ...small, ...supervised }, { cwd: folder, dataFolder });
    await write(folder, good);
    {
      await using agent = await start();
      await agent.status(({ actual }) => actual === 'live');
      assert.equal((await agent.stop()).code, 0);
    }
    const kept: string[] = [];
    for (const name of await readdir(dataFolder, { recursive: true })) {
      const file = path.join(dataFolder, name);
      if (!(await stat(file)).isFile() || !(await readFile(file, 'utf8')).includes(secret)) continue;
      kept.push(name);
      assert.equal((await stat(file)).mode & 0o777, 0o600, name);
    }
    assert.deepEqual(kept.length, 1, `the key is in ${kept.join(', ')}`);

    // One row is wrong, then nothing can be read at all.
    for (const [text, code] of [
      [{ ...good, video: { fps: 'fast' } }, 'setting_type'],
      ['outputs: {{{', 'settings_unreadable'],
    ] as const) {
      await write(folder, text);
      const from = server.publishes.items.length;
      await using agent = await start();
      await server.published(secret, { from });
      const status = await agent.status(({ outputs }) => outputs['main']?.state === 'live');
      assert.equal(status.actual, 'degraded');
      assert.deepEqual(
        status.problems.map((problem) => problem.code),
        [code],
      );
      assert.match((await agent.event('playing')).message, /320x180 at 20 fps/);
      assert.equal((await agent.stop()).code, 0);
      assert.ok(!agent.output.includes(secret));
      noStack(agent.output);
    }
  });

  test('an invalid value without a last good one gives way to the default', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({
      ...small,
      ...supervised,
      VIDEO_FPS: '0.5',
      OUTPUT_BAD_URL: 'nonsense',
      STREAM_URL: server.url(),
      STREAM_KEY: secret,
    });
    await server.published(secret);
    const status = await agent.status(({ outputs }) => outputs['main']?.state === 'live');
    assert.equal(status.actual, 'degraded');
    assert.deepEqual(status.problems.map(({ code }) => code).sort(), ['setting_type', 'setting_url']);
    assert.match((await agent.event('playing')).message, /at 30 fps/);
    await agent.stop();
  });

  test('a URL that is not valid leaves nowhere to stream to: degraded, not merely idle', async () => {
    await using agent = await startAgent({ ...small, ...supervised, STREAM_URL: 'rtmp://host', STREAM_KEY: secret });
    const status = await agent.status(({ actual }) => actual === 'degraded');
    assert.deepEqual(
      status.problems.map(({ code }) => code),
      ['setting_url'],
    );
    assert.ok(!agent.output.includes(secret));
    await agent.stop();
  });

  test('idle without a destination; on the air once there is one; a typo in mid-broadcast changes nothing; off again', async (t) => {
    const folder = await folderFor(t);
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, ...supervised }, { cwd: folder });
    await agent.event('idle');
    const idle = await now(agent);
    assert.deepEqual([idle.wanted, idle.actual, Object.keys(idle.outputs)], ['on air', 'idle', []]);
    assert.equal(agent.processes().length, 1, 'nothing runs but the agent');

    const settings = { outputs: { main: { url: server.url(), key: secret } } };
    await write(folder, settings);
    const connection = await server.published(secret);
    await agent.status(({ actual }) => actual === 'live');

    await write(folder, { ...settings, video: { fps: 'fast' } });
    await agent.event('settings_rejected');
    const degraded = await agent.status(({ actual }) => actual === 'degraded');
    assert.deepEqual(
      degraded.problems.map(({ code }) => code),
      ['setting_type'],
    );
    assert.equal(degraded.outputs['main']?.state, 'live');
    const seen = connection.tags.items.length;
    await connection.tags.waitFor(isPicture, 5000, seen);

    const from = agent.log.items.length;
    await write(folder, settings);
    await agent.status(({ actual, problems }) => actual === 'live' && problems.length === 0, 20_000, from);
    assert.equal(server.publishes.items.length, 1, 'one session through all of it');
    assert.equal(agent.log.items.filter(({ event }) => event === 'playing').length, 1);

    const rejected = (): number => agent.log.items.filter(({ event }) => event === 'settings_rejected').length;
    const rejectedBefore = rejected();
    await write(folder, { ...settings, video: { files: ['film.mp4'] } });
    const warning = await agent.event('settings_warning');
    assert.deepEqual([warning.level, rejected()], ['warn', rejectedBefore], 'what is merely odd is not rejected');

    await write(folder, { outputs: { main: { ...settings.outputs.main, enabled: false } } });
    await connection.history.waitFor((step) => step === 'closed', 10_000);
    assert.ok(connection.history.items.includes('deleteStream'));
    await agent.status(({ actual }) => actual === 'idle', 20_000, from);
    assert.equal(agent.child.exitCode, null);
    assert.equal((await agent.stop()).code, 0);
    assert.ok(!agent.output.includes(secret));
    noStack(agent.output);
  });
});
