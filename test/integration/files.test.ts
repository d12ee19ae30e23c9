/** Media files on the air: untouched where they fit, transcoded where not, in real time, once or for ever. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { copyFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { startAgent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { folderFor, run } from '../helpers/command.js';
import {
  darkMs,
  isPicture,
  isSound,
  isVideoKey,
  pictureGaps,
  usualSplice,
  type MediaTag,
} from '../helpers/content/flv.js';
import { lipSync, makeSyncFile, type SyncFileOptions } from '../helpers/content/lipsync.js';
import { sample, type Sample } from '../helpers/content/media.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { decodeSound, isSilent, part } from '../helpers/content/sound.js';
import { analyse, colour } from '../helpers/content/stream.js';

const play = (url: string, files: readonly string[], more: Environment = {}): Environment => ({
  VIDEO_SOURCE: 'file',
  VIDEO_FILES: JSON.stringify(files),
  VIDEO_WIDTH: '640',
  VIDEO_HEIGHT: '360',
  STREAM_URL: url,
  STREAM_KEY: 'film',
  ...more,
});
const once: Environment = { VIDEO_LOOP: 'false' };

/** Files `1.<container>` ... of 3 s with three flashes and beeps each, in a folder of the test. */
async function syncFiles(t: TestContext, recipes: readonly (SyncFileOptions & { container: string })[]) {
  const folder = await folderFor(t);
  const files: string[] = [];
  for (const [index, recipe] of recipes.entries()) {
    const file = path.join(folder, `${index + 1}.${recipe.container}`);
    await makeSyncFile(file, { seconds: 3, ...recipe });
    files.push(file);
  }
  return files;
}

async function recording(nginx: Nginx): Promise<string> {
  await nginx.waitForCall('record_done', { name: 'film' });
  const [file, ...more] = await nginx.recordings();
  assert.equal(more.length, 0, 'one session from start to end');
  return file!;
}

const md5 = (bytes: Buffer): string => createHash('md5').update(bytes).digest('hex');

interface Packet {
  readonly md5: string;
  /** Seconds. */
  readonly shown: number;
}

/** The packets of a file's track in the order of decoding. */
async function packetsOf(file: string, track: 'v' | 'a'): Promise<Packet[]> {
  const { stdout } = await run('ffprobe', [
    ...['-v', 'error', '-select_streams', track, '-show_data_hash', 'MD5', '-of', 'json'],
    ...['-show_entries', 'packet=pts_time,data_hash', file],
  ]);
  const { packets } = JSON.parse(stdout.toString()) as { packets: { pts_time: string; data_hash: string }[] };
  return packets.map((packet) => ({ md5: packet.data_hash.replace('MD5:', ''), shown: Number(packet.pts_time) }));
}

/** When a picture is shown, in seconds of stream time: its decode time and the composition offset (signed, 24 bits). */
const shownAt = (tag: MediaTag): number => (tag.timestamp + tag.body.readIntBE(2, 3)) / 1000;

/** The NAL units of a picture but for SPS and PPS, which h264parse repeats ahead of the first one. */
function withoutParameterSets(body: Buffer): Buffer {
  const units: Buffer[] = [];
  for (let at = 5; at < body.length; at += 4 + body.readUInt32BE(at))
    units.push(body.subarray(at, at + 4 + body.readUInt32BE(at)));
  return Buffer.concat(units.filter((unit) => ![7, 8].includes(unit[4]! & 31)));
}

describe('a file that fits passes through', () => {
  test('with every packet untouched, B-frames too, in real time, whatever its name; then the program ends', async (t) => {
    const file = path.join(await folderFor(t), `a "real" film, it's 100% (1)! fakesink \\ $HOME ü\n2.mp4`);
    await copyFile(await sample('h264-bframes.mp4'), file);
    await using server = await startRtmpServer();
    await using agent = await startAgent(play(server.url(), [file], once));
    const { tags, history, acceptedAt } = await server.published('film');
    const { code } = await agent.end(30_000);
    assert.equal(code, 0, agent.output);
    await agent.gone();
    await history.waitFor((step) => step === 'closed', 5000);
    assert.ok(history.items.includes('deleteStream'), history.items.join(', '));
    assert.ok(
      agent.log.items.every(({ level, event }) => level !== 'raw' && event !== 'capture_said'),
      agent.output,
    );
    assert.match((await agent.event('playing')).message, /H\.264 as it comes.*AAC as it comes/);

    const pictures = tags.items.filter(isPicture);
    const source = await packetsOf(file, 'v');
    assert.equal(pictures.length, source.length);
    const changed = pictures.flatMap(({ body }, i) => (md5(withoutParameterSets(body)) === source[i]!.md5 ? [] : [i]));
    assert.deepEqual(changed, []);
    for (const [index, picture] of pictures.entries()) {
      const expected = source[index]!.shown - source[0]!.shown;
      const shown = shownAt(picture) - shownAt(pictures[0]!);
      assert.ok(Math.abs(shown - expected) < 0.003, `picture ${index} is shown at ${shown} s, not ${expected} s`);
    }
    // The first AAC frame only starts the decoder up: its time is before 0, where FLV has none, and one of the first two is lost.
    const sounds = tags.items.filter(isSound).map(({ body }) => md5(body.subarray(2)));
    const sourceSounds = (await packetsOf(file, 'a')).map((packet) => packet.md5);
    const from = sourceSounds.indexOf(sounds[1]!);
    assert.ok(from >= 0 && from <= 2, `sound begins at frame ${from}`);
    assert.deepEqual(sounds.slice(1), sourceSounds.slice(from, from + sounds.length - 1));
    assert.ok(sounds.length > sourceSounds.length - 5, `${sounds.length} of ${sourceSounds.length} frames of sound`);

    // Paced: nothing comes much before its time. Up to a group of pictures (2 s) comes at once where the output joined late.
    const media = (pictures.at(-1)!.timestamp - pictures[0]!.timestamp) / 1000;
    // From the connection on, before which no time of it passed: the first pictures may have been kept waiting on their way.
    const took = (pictures.at(-1)!.at - acceptedAt) / 1000;
    assert.ok(took > media - 2.2, `${media} s of media in ${took} s`);
    t.diagnostic(`${media} s of media took ${took.toFixed(2)} s to arrive`);
  });

  test('a playlist of two goes round and round on one timeline, lips in sync', async (t) => {
    const recipe = { container: 'mp4', bFrames: 2 };
    const files = await syncFiles(t, [recipe, { ...recipe, soundLateMs: 200 }]);
    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent(play(nginx.url(), files));
    const splicesOf = (status: StatusDocument): number =>
      (status['hub'] as { splices?: number } | undefined)?.splices ?? 0;
    const splices = splicesOf(await agent.status((status) => splicesOf(status) >= 5, 60_000));
    await agent.stop();
    assert.match((await agent.event('playing')).message, /playlist of 2 files.*H\.264 as it comes/);
    const file = await recording(nginx);
    const { video, audio, decodeErrors } = await analyse(file);
    assert.deepEqual(decodeErrors, []);
    assert.ok(video!.monotonic && audio!.monotonic && video!.bFrames);
    // One of the files may open late, not most of them.
    const usual = usualSplice(video!.gapsMs, splices - 1);
    t.diagnostic(`${usual} ms without a picture at a splice, ${video!.largestGapMs} ms at most`);
    assert.ok(usual < 250 && video!.largestGapMs < darkMs, `${usual} to ${video!.largestGapMs} ms without a picture`);
    const { offsets } = await lipSync(file, 'flash');
    // The second file's beeps are 200 ms late on purpose: that tells which file is on.
    const order = offsets.map((offset) => Math.round(offset / 200) * 200);
    for (const [index, offset] of offsets.entries())
      assert.ok(Math.abs(offset - order[index]!) <= 40, JSON.stringify(offsets));
    assert.deepEqual(order.slice(0, 12), [0, 0, 0, 200, 200, 200, 0, 0, 0, 200, 200, 200]);
    t.diagnostic(`lip-sync ${offsets.map((offset, index) => (offset - order[index]!).toFixed(0)).join(' ')} ms`);
  });

  test('at the end of the playlist the slate, as set: the same session in the same format, and other files go on', async (t) => {
    const recipe = { container: 'mp4', size: '320x180', fps: 25, seconds: 2 };
    const files = await syncFiles(t, [recipe, recipe]);
    const folder = await folderFor(t);
    const settings = path.join(folder, 'makercast.yml');
    const show = (list: readonly string[]): Promise<void> =>
      writeFile(settings, JSON.stringify({ video: { source: 'file', files: list, loop: false, atEnd: 'slate' } }));
    await show(files.slice(0, 1));
    await using server = await startRtmpServer();
    await using agent = await startAgent({ STREAM_URL: server.url(), STREAM_KEY: 'film' }, { cwd: folder });
    const { tags } = await server.published('film');
    const isSlate = (status: StatusDocument): boolean =>
      status.video?.source === 'slate' && status.problems.some(({ code }) => code === 'source_ended');
    const status = await agent.status(isSlate, 30_000);
    assert.deepEqual([status.wanted, status.outputs['main']!.state], ['on air', 'live']);
    const { width, height, fps } = status.video!;
    assert.deepEqual([width, height, fps], [320, 180, 25]);
    const [line, seen] = [agent.log.items.length, tags.items.length];
    await tags.waitFor(isVideoKey, 20_000, seen);
    await show(files);
    await agent.status((each) => each.video?.source === 'playlist of 2 files' && each.actual === 'live', 20_000, line);
    await agent.status(isSlate, 30_000, agent.log.items.length);
    assert.equal(server.publishes.items.length, 1);
    const gaps = pictureGaps(tags.items);
    assert.ok(Math.min(...gaps) > 0 && Math.max(...gaps) < darkMs, `${Math.min(...gaps)} to ${Math.max(...gaps)} ms`);
    t.diagnostic(`${Math.max(...gaps)} ms without a picture at most`);
    await agent.stop();
  });

  test('a playlist that breaks off: the slate in the same session, and the files again once they are whole', async (t) => {
    const folder = await folderFor(t);
    const film = path.join(folder, 'film.mp4');
    await makeSyncFile(film, { seconds: 2, size: '320x180' });
    await using server = await startRtmpServer();
    await using agent = await startAgent(play(server.url(), [film]));
    await agent.status(({ actual }) => actual === 'live');
    await rename(film, `${film}.away`);
    const isAway = (status: StatusDocument): boolean =>
      status.video?.source === 'slate' && status.problems.some(({ code }) => /^(file_unreadable|source_)/.test(code));
    const away = await agent.status(isAway, 30_000);
    const { width, height } = away.video!;
    assert.deepEqual([width, height], [320, 180], 'the slate has the size that the film had');
    await rename(`${film}.away`, film);
    const line = agent.log.items.length;
    await agent.status((status) => status.actual === 'live' && status.video?.source === 'file', 60_000, line);
    assert.equal(server.publishes.items.length, 1);
    const longest = Math.max(...pictureGaps(server.publishes.items[0]!.tags.items));
    assert.ok(longest < darkMs, `${longest} ms without a picture`);
    t.diagnostic(`${longest} ms without a picture at most`);
    await agent.stop();
  });

  test('one without sound gets silence', async () => {
    const source = await sample('h264-silent.mp4');
    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent(play(nginx.url(), [source], once));
    assert.equal((await agent.end(30_000)).code, 0, agent.output);
    const file = await recording(nginx);
    const { video, audio, decodeErrors } = await analyse(file);
    assert.deepEqual(decodeErrors, []);
    assert.equal(video!.packets, (await packetsOf(source, 'v')).length);
    assert.deepEqual([audio!.codec, audio!.profile, audio!.rate, audio!.channels], ['aac', 'LC', 48_000, 2]);
    assert.ok(Math.abs(audio!.seconds - video!.seconds) < 0.2, `${audio!.seconds} s of ${video!.seconds} s`);
    assert.ok(isSilent(await decodeSound(file)));
  });
});

describe('a file that does not fit is transcoded', () => {
  test('webm, mkv, ts and mov one after the other: one format, every second of them, lips in sync', async (t) => {
    const files = await syncFiles(t, [
      { container: 'webm', video: 'libvpx', audio: 'libopus', size: '640x360' },
      { container: 'mkv', video: 'libx264', audio: 'flac', bFrames: 2, fps: 25 },
      { container: 'ts', video: 'mpeg2video', audio: 'mp2', size: '720x576', fps: 25 },
      { container: 'mov', video: 'mpeg4', audio: 'pcm_s16le', fps: 60 },
    ]);
    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent(play(nginx.url(), files, once));
    assert.equal((await agent.end(60_000)).code, 0, agent.output);
    const file = await recording(nginx);
    const { video, audio, decodeErrors } = await analyse(file);
    assert.deepEqual(decodeErrors, []);
    assert.equal(`${video!.width}x${video!.height}`, '640x360');
    assert.deepEqual([audio!.codec, audio!.profile, audio!.rate, audio!.channels], ['aac', 'LC', 48_000, 2]);
    assert.ok(video!.monotonic && audio!.monotonic);
    // 3 s at 30 frames/s each; the last frames of a container without a length may be rounded away.
    assert.ok(Math.abs(video!.packets - 4 * 90) <= 8, `${video!.packets} pictures`);
    const sync = await lipSync(file, 'flash', 10);
    t.diagnostic(`lip-sync ${sync.offsets.map((offset) => offset.toFixed(0)).join(' ')} ms`);
    assert.ok(Math.abs(sync.worstMs) <= 40, JSON.stringify(sync.offsets));
  });

  test('whatever GStreamer reads, one after the other: all of it, in the format of the broadcast', async (t) => {
    /** Each with its length in seconds. */
    const films: readonly (readonly [Sample, number])[] = [
      ['vp8-opus.webm', 4],
      ['h264-mp3.mkv', 4],
      ['mpeg4-mp3.mov', 4],
      ['h264-long-gop.mp4', 6],
      ['hevc.mp4', 4],
      ['theora-vorbis.ogv', 4],
    ];
    const total = films.reduce((sum, [, seconds]) => sum + seconds, 0);
    const sources: string[] = [];
    for (const [name] of films) sources.push(await sample(name));
    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent(
      play(nginx.url(), sources, { ...once, VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180' }),
    );
    assert.equal((await agent.end(120_000)).code, 0, agent.output);
    const slow = agent.log.items.find(({ event }) => event === 'file_slow');
    if (slow) return t.skip(`the machine is too slow, and the slate came first: ${slow.message}`);
    assert.match((await agent.event('playing')).message, /playlist of 6 files, 320x180 at 30 fps, x264enc/);
    const file = await recording(nginx);
    const { video, audio, decodeErrors } = await analyse(file);
    assert.deepEqual(decodeErrors, []);
    assert.equal(`${video!.width}x${video!.height}`, '320x180');
    assert.ok(video!.monotonic && audio!.monotonic);
    const usual = usualSplice(video!.gapsMs, films.length - 1);
    t.diagnostic(`${usual} ms without a picture at a splice, ${video!.largestGapMs} ms at most`);
    assert.ok(usual < 1500 && video!.largestGapMs < darkMs, `${usual} to ${video!.largestGapMs} ms without a picture`);
    // 30 frames a second each, whatever the file has.
    assert.ok(Math.abs(video!.packets - total * 30) <= films.length * 4, `${video!.packets} frames`);
    assert.deepEqual([audio!.codec, audio!.profile, audio!.rate, audio!.channels], ['aac', 'LC', 48_000, 2]);
    const sound = await decodeSound(file);
    const { seconds } = video!;
    let from = 0;
    for (const [name, length] of films) {
      assert.ok(!isSilent(part(sound, from + 0.5, from + length - 0.5)), `${name} is heard`);
      from += (length / total) * seconds;
    }
    // The last one is 4:3: 240x180 in 320x180, where an eighth of the width is black at either side.
    const during = seconds - 2;
    for (const x of [0, 0.88]) {
      const bar = await colour(file, { x, y: 0, width: 0.12, height: 1 }, during);
      assert.ok(Math.max(...bar) < 20, `${bar.join(' ')} at ${x}`);
    }
    assert.ok(Math.max(...(await colour(file, { x: 0.15, y: 0, width: 0.7, height: 1 }, during))) > 20);
  });
});
