/** The test picture on the air: what a real server receives, output by output, and what live changes do to it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { small, startAgent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { flvTags, isPicture, isVideoKey } from '../helpers/content/flv.js';
import { lipSync } from '../helpers/content/lipsync.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { subscribe } from '../helpers/rtmp/client.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { decodeSound, dominantHertz, isSilent, loudnessDb, part } from '../helpers/content/sound.js';
import { analyse, colour, observe } from '../helpers/content/stream.js';
import { until } from '../helpers/feed.js';
import { isAacHeader, isAvcHeader, isKeyframe, scriptTag, TagCutter, type Tag } from '../../agent/formats/flv/tag.js';

const test720: Environment = { VIDEO_SOURCE: 'test', AUDIO_SOURCE: 'test' };
const to = (nginx: Nginx, key = 'cam'): Environment => ({ STREAM_URL: nginx.url(), STREAM_KEY: key });

/** Pictures that came from capture so far. */
const framesOf = (status: StatusDocument): number => (status['hub'] as { frames: number } | undefined)?.frames ?? 0;

/** The last recording of stream `name` at nginx, once its publisher has gone; from call number `from` on, where it came before. */
async function recorded(nginx: Nginx, name: string, application = 'live', from = 0): Promise<string> {
  await nginx.waitForCall('record_done', { name, from });
  const files = await nginx.recordings(application);
  const file = files.findLast((each) => path.basename(each).startsWith(name));
  assert.ok(file, `no recording of ${name}`);
  return file;
}

describe('on the air', () => {
  test('720p30 by default: format, frame rate, keyframes, sound and picture, judged at the receiver', async () => {
    await using nginx = await startNginx({ record: true });
    const { folder, remove } = await temporaryFolder();
    await using agent = await startAgent({ ...test720, ...to(nginx) });
    await nginx.waitForCall('publish', { name: 'cam' });
    const seen = await observe(`${nginx.url()}/cam`, 6, path.join(folder, 'seen.flv'));
    await agent.stop('SIGINT');
    const { video, audio, decodeErrors } = await analyse(await recorded(nginx, 'cam'));
    await remove();
    assert.deepEqual(decodeErrors, []);
    assert.equal(video!.codec, 'h264');
    assert.equal(`${video!.width}x${video!.height}`, '1280x720');
    assert.match(video!.profile, /Baseline|Main|High/);
    assert.equal(video!.bFrames, false);
    assert.ok(Math.abs(video!.fps - 30) < 1, `${video!.fps} frames a second`);
    assert.ok(video!.startsWithKeyframe);
    assert.ok(video!.keyframeIntervals.length > 1);
    for (const interval of video!.keyframeIntervals.slice(1)) assert.ok(Math.abs(interval - 2) < 0.07, `${interval} s`);
    assert.ok(video!.monotonic && audio!.monotonic);
    assert.deepEqual([audio!.codec, audio!.profile, audio!.rate, audio!.channels], ['aac', 'LC', 48_000, 2]);
    // Against the receiver's own clock: 5 % would be 150 ms in the 3 s from one half to the other.
    assert.ok(Math.abs(seen.video!.fps - 30) < 1 && Math.abs(seen.driftMs) < 150, `${seen.driftMs} ms off`);
  });

  test('the picture is bars with a clock, the sound is a tone', async () => {
    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent({ ...small, ...to(nginx) });
    await agent.status((status) => framesOf(status) > 90);
    await agent.stop('SIGINT');
    const file = await recorded(nginx, 'cam');
    // SMPTE bars: grey, yellow, cyan, green, magenta, red, blue from the left.
    const bar = { y: 0.1, width: 0.08, height: 0.2 };
    const yellow = await colour(file, { ...bar, x: 1.3 / 7 });
    const blue = await colour(file, { ...bar, x: 6.3 / 7 });
    assert.ok(yellow[0] > 120 && yellow[1] > 120 && yellow[2] < 80, `yellow is ${yellow}`);
    assert.ok(blue[2] > 120 && blue[0] < 80 && blue[1] < 80, `blue is ${blue}`);
    const sound = await decodeSound(file);
    assert.ok(Math.abs(dominantHertz(sound) - 440) < 5);
  });

  test('flash and beep of the sync pattern arrive together, and apart by audio.delayMs, changed on the air', async () => {
    await using nginx = await startNginx({ record: true });
    const { folder, remove } = await temporaryFolder();
    const settings = (delayMs: number): string =>
      JSON.stringify({ video: { testPattern: 'sync' }, audio: { delayMs } });
    await writeFile(path.join(folder, 'makercast.yml'), settings(0));
    await using agent = await startAgent({ ...small, ...to(nginx) }, { cwd: folder });
    const framesUpTo = (count: number) => agent.status((status) => framesOf(status) > count, 40_000);
    await framesUpTo(180);
    await agent.stop('SIGINT');
    const together = await lipSync(await recorded(nginx, 'cam'), 'flip');
    assert.ok(Math.abs(together.medianMs) <= 40 && Math.abs(together.worstMs) <= 40, JSON.stringify(together));

    await using later = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'later' }, { cwd: folder });
    await later.event('playing');
    await writeFile(path.join(folder, 'makercast.yml'), settings(300));
    await later.event('settings_applied');
    const frames = framesOf(await later.status((status) => framesOf(status) > 0));
    await later.status((status) => framesOf(status) > frames + 200, 40_000);
    await later.stop('SIGINT');
    const apart = await lipSync(await recorded(nginx, 'later'), 'flip');
    await remove();
    // It stands as it was until the change, then apart, from one flash to the next and to the end.
    const isApart = (offset: number): boolean => Math.abs(offset - 300) <= 40;
    const shifted = apart.offsets.slice(apart.offsets.findIndex(isApart));
    assert.ok(shifted.length >= 4 && shifted.every(isApart), JSON.stringify(apart));
  });
});

describe('several outputs of one encode', () => {
  test('one is switched off and on, and one is lost, without a trace in the other', async () => {
    await using nginx = await startNginx({ record: true, applications: ['live', 'second'] });
    await using doomed = await startNginx();
    const { folder, remove } = await temporaryFolder();
    const file = path.join(folder, 'makercast.yml');
    const settings = (enabled: boolean): string =>
      JSON.stringify({
        outputs: {
          second: { url: nginx.url('second'), key: 'two', enabled },
          third: { url: doomed.url(), key: 'three' },
        },
      });
    await writeFile(file, settings(true));
    await using agent = await startAgent({ ...small, ...to(nginx, 'one') }, { cwd: folder });
    await agent.status((status) => Object.values(status.outputs).filter(({ state }) => state === 'live').length === 3);

    await writeFile(file, settings(false));
    await nginx.waitForCall('publish_done', { name: 'two' });
    await agent.status((status) => status.outputs['second'] === undefined);
    const from = nginx.calls.items.length;
    await writeFile(file, settings(true));
    await nginx.waitForCall('publish', { name: 'two', from });
    await doomed.kill();
    const line = agent.log.items.length;
    await agent.status((status) => status.outputs['third']?.state === 'waiting', 20_000, line);
    await agent.status((status) => Number(status.outputs['second']?.['frames']) > 60, 20_000, line);
    await agent.stop('SIGINT');

    const { video, audio, decodeErrors } = await analyse(await recorded(nginx, 'one'));
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.largestGapMs < 200 && audio!.largestGapMs < 200, `${video!.largestGapMs}, ${audio!.largestGapMs}`);
    assert.equal(nginx.calls.items.filter(({ call, name }) => call === 'publish' && name === 'one').length, 1);
    const again = await analyse(await recorded(nginx, 'two', 'second', from));
    assert.ok(again.video!.startsWithKeyframe);
    assert.deepEqual(again.decodeErrors, []);
    await remove();
  });

  test('an output that joins late begins with metadata, headers and a keyframe; a late viewer gets a picture', async () => {
    await using nginx = await startNginx();
    await using late = await startRtmpServer();
    const { folder, remove } = await temporaryFolder();
    await using agent = await startAgent({ ...small, ...to(nginx) }, { cwd: folder });
    await agent.status((status) => status.actual === 'live');
    await writeFile(
      path.join(folder, 'makercast.yml'),
      JSON.stringify({ outputs: { late: { url: late.url(), key: 'k' } } }),
    );
    const connection = await late.published('k');
    const tags = await until(
      () => {
        const pieces = [...new TagCutter().push(connection.flv())];
        const found = pieces.flatMap((piece) => (piece.begin ? [] : [piece.tag]));
        return found.length > 10 ? found : undefined;
      },
      15_000,
      'tags at the late output',
    );
    const kind = (tag: Tag): string =>
      tag[0] === scriptTag
        ? 'metadata'
        : isAvcHeader(tag)
          ? 'avc'
          : isAacHeader(tag)
            ? 'aac'
            : isKeyframe(tag)
              ? 'keyframe'
              : 'other';
    assert.deepEqual(tags.slice(0, 4).map(kind), ['metadata', 'avc', 'aac', 'keyframe']);
    await using viewer = await subscribe(`${nginx.url()}/cam`);
    await viewer.keyframe();
    await agent.stop('SIGINT');
    await remove();
  });
});

/** kbit/s of the pictures of a recording from keyframe number `index` (negative: from the end) to the next. */
function kbpsOfGroup(file: Buffer, index: number): number {
  const pictures = flvTags(file).filter(isPicture);
  const keyframes = pictures.flatMap((tag, i) => (isVideoKey(tag) ? [i] : []));
  const [from, to] = keyframes.slice(index) as [number, number];
  const bytes = pictures.slice(from, to).reduce((sum, { body }) => sum + body.length, 0);
  return (bytes * 8) / (pictures[to]!.timestamp - pictures[from]!.timestamp);
}

describe('changes on the air', () => {
  test('mute, gain and bitrate lose no frame; another size is a new broadcast', async () => {
    await using nginx = await startNginx({ record: true });
    const { folder, remove } = await temporaryFolder();
    const change = (settings: object): Promise<void> =>
      writeFile(path.join(folder, 'makercast.yml'), JSON.stringify(settings));
    await using agent = await startAgent({ ...test720, ...to(nginx) }, { cwd: folder });
    const size = { width: 640, height: 360 };
    const passed = async (frames: number): Promise<void> => {
      const from = agent.log.items.length;
      const now = framesOf(await agent.status((status) => framesOf(status) > 0, 20_000, from));
      await agent.status((status) => framesOf(status) >= now + frames, 40_000, from);
    };
    // Only what was published is closed.
    await nginx.waitForCall('publish', { name: 'cam' });
    await agent.status(({ actual }) => actual === 'live');
    await change({ video: { ...size } });
    await nginx.waitForCall('record_done', { name: 'cam' });
    const from = nginx.calls.items.length - 1;
    await nginx.waitForCall('publish', { name: 'cam', from });
    await passed(75);
    await change({ video: { ...size, bitrateKbps: 400 }, audio: { mute: true } });
    await agent.waitFor(({ event, message }) => event === 'settings_applied' && message.includes('mute'));
    await passed(120);
    await change({ video: { ...size, bitrateKbps: 400 }, audio: { gainDb: -20 } });
    await agent.waitFor(({ event, message }) => event === 'settings_applied' && message.includes('gainDb'));
    await passed(90);
    await agent.stop('SIGINT');
    const done = await nginx.waitForCall('record_done', { name: 'cam', from });
    assert.ok(done);
    const file = (await nginx.recordings()).at(-1)!;
    const { video, decodeErrors } = await analyse(file);
    assert.deepEqual(decodeErrors, []);
    assert.equal(`${video!.width}x${video!.height}`, '640x360');
    assert.ok(video!.largestGapMs < 60, `${video!.largestGapMs} ms without a picture`);
    // From one keyframe to another, since they hold most of the bits.
    const [before, after] = [kbpsOfGroup(await readFile(file), 0), kbpsOfGroup(await readFile(file), -2)];
    assert.ok(after < 500 && before > 1.5 * after, `${before} kbit/s, then ${after} kbit/s`);
    const sound = await decodeSound(file);
    const seconds = sound.samples.length / sound.rate;
    const loud = loudnessDb(part(sound, 0.5, 1.5));
    const soft = loudnessDb(part(sound, seconds - 1.5, seconds - 0.5));
    assert.ok(Math.abs(loud - soft - 20) < 2, `${loud} dB, then ${soft} dB`);
    const windows = Array.from({ length: Math.floor(seconds) }, (_, i) => isSilent(part(sound, i, i + 1)));
    assert.ok(windows.includes(true), 'muted for a while');
    await remove();
  });
});
