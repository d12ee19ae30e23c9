/** Media files: real ones, made by ffmpeg, looked into by real GStreamer. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Fault } from '../../../agent/errors.js';
import { MediaFiles } from '../../../agent/machine/files/files.js';
import { run, type Runner } from '../../../agent/machine/host/run.js';

const files = new MediaFiles();
const folder = mkdtempSync(path.join(tmpdir(), 'makercast-files-'));
const at = (name: string): string => path.join(folder, name);
const ffmpeg = (...args: string[]): void => {
  execFileSync('ffmpeg', ['-nostdin', '-loglevel', 'error', '-y', ...args], { cwd: folder });
};
const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=30'];
const sound = ['-f', 'lavfi', '-i', 'sine=sample_rate=44100'];
const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'];

/** 4 s, keyframes each 2 s, two B-frames, AAC-LC. */
before(() => {
  ffmpeg(...picture, ...sound, '-t', '4', ...x264, '-bf', '2', '-g', '60', '-c:a', 'aac', '-ac', '2', 'good.mp4');
});
after(() => rmSync(folder, { recursive: true }));

async function fault(name: string, ask: Runner = run): Promise<Fault> {
  const error: unknown = await files.at(at(name), ask).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Fault, `${name} should fail, but gave ${JSON.stringify(error)}`);
  assert.ok(!error.message.includes('\n'), 'a message is one line');
  return error;
}

for (const ending of ['mp4', 'mov', 'mkv', 'ts', 'flv']) {
  test(`H.264 and AAC in .${ending}: headers, rate, keyframe distance`, async () => {
    const name = `same.${ending}`;
    ffmpeg('-i', 'good.mp4', '-c', 'copy', name);
    const { seconds, video, audio, scannedSeconds } = await files.at(at(name));
    assert.equal(video!.codec, 'h264');
    assert.deepEqual([video!.width, video!.height, video!.fps], [320, 180, 30]);
    assert.match(video!.avcc!, /^01(4d|64|58)/);
    assert.ok(Math.abs(video!.keyframeSeconds! - 2) < 0.1, `keyframes ${video!.keyframeSeconds} s apart`);
    assert.deepEqual([audio!.codec, audio!.rate, audio!.channels], ['aac', 44100, 2]);
    // AAC-LC (2), 44100 Hz (4), 2 channels: 00010 0100 0010 000
    assert.match(audio!.asc!, /^1210/);
    assert.ok(Math.abs(seconds! - 4) < 0.1);
    assert.equal(scannedSeconds, undefined);
  });
}

test('other codecs: VP8 and Opus, HEVC, MPEG-4 and MP3', async () => {
  ffmpeg('-i', 'good.mp4', '-c:v', 'libvpx', '-deadline', 'realtime', '-c:a', 'libopus', 'a.webm');
  const webm = await files.at(at('a.webm'));
  assert.deepEqual(
    [webm.video!.codec, webm.video!.fps, webm.audio!.codec, webm.audio!.rate],
    ['vp8', 30, 'opus', 48000],
  );
  assert.equal(webm.video!.avcc, undefined);
  assert.equal(webm.seconds, 4);
  ffmpeg(
    '-i',
    'good.mp4',
    '-c:v',
    'libx265',
    '-preset',
    'ultrafast',
    '-x265-params',
    'log-level=none',
    '-c:a',
    'copy',
    'hevc.mp4',
  );
  assert.equal((await files.at(at('hevc.mp4'))).video!.codec, 'h265');
  ffmpeg('-i', 'good.mp4', '-c:v', 'mpeg4', '-c:a', 'libmp3lame', 'mpeg4.mp4');
  const mpeg4 = await files.at(at('mpeg4.mp4'));
  assert.deepEqual([mpeg4.video!.codec, mpeg4.audio!.codec], ['mpeg4', 'mp3']);
});

test('a long group of pictures is seen, the end of the file counted', async () => {
  ffmpeg(...picture, '-t', '12', ...x264, '-g', '330', '-keyint_min', '330', 'long.mp4');
  const { video, audio } = await files.at(at('long.mp4'));
  assert.ok(Math.abs(video!.keyframeSeconds! - 11) < 0.1, `${video!.keyframeSeconds}`);
  assert.equal(audio, undefined);
});

test('4:2:2 shows in the decoder configuration', async () => {
  ffmpeg(...picture, '-t', '2', '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv422p', 'high422.mp4');
  assert.match((await files.at(at('high422.mp4'))).video!.avcc!, /^017a/);
});

test('several sound tracks and subtitles: the first sound counts; subtitles first confuse nobody', async () => {
  writeFileSync(at('s.srt'), '1\n00:00:00,000 --> 00:00:02,000\nhello\n');
  ffmpeg('-i', 's.srt', '-i', 'good.mp4', ...sound, '-map', '0', '-map', '1:a', '-map', '2', '-map', '1:v', '-shortest',
    '-c:v', 'copy', '-c:a:0', 'copy', '-c:a:1', 'libopus', 'many.mkv'); // prettier-ignore
  const { video, audio } = await files.at(at('many.mkv'));
  assert.deepEqual([video!.codec, audio!.codec], ['h264', 'aac']);
});

test('a picture that players have to turn is marked', async () => {
  // A quarter turn in the picture's track header, as a phone writes it (ISO/IEC 14496-12, 8.3.2): each ffmpeg has its own option for it.
  const turned = readFileSync(at('good.mp4'));
  const matrix = turned.indexOf('tkhd') + 44;
  assert.equal(turned.readInt32BE(matrix), 0x10000, 'upright');
  [0, 0x10000, 0, -0x10000, 0, 0, 180 << 16, 0, 1 << 30].forEach((value, index) =>
    turned.writeInt32BE(value, matrix + 4 * index),
  );
  writeFileSync(at('turned.mp4'), turned);
  assert.match((await files.at(at('turned.mp4'))).orientation!, /^rotate-(90|270)$/);
  assert.equal((await files.at(at('good.mp4'))).orientation, undefined);
});

test('a rate that varies is counted', async () => {
  ffmpeg('-i', 'good.mp4', '-vf', "select='not(mod(n\\,7))+lt(n\\,40)'", '-fps_mode', 'vfr', ...x264, '-an', 'vfr.mkv');
  const { video } = await files.at(at('vfr.mkv'));
  assert.ok(video!.fps > 5 && video!.fps < 25, `${video!.fps}`);
});

test('a name with all that a name can hold reaches no pipeline text and no command line', async () => {
  const name = ' it\'s "a" ! fakesink $(id) %s\n#é location=x.mp4';
  copyFileSync(at('good.mp4'), at(name));
  const seen: string[] = [];
  const { video } = await files.at(at(name), (program, args, options) => {
    seen.push(...args);
    return run(program, args, options);
  });
  assert.equal(video!.codec, 'h264');
  assert.ok(seen.length > 0 && !seen.some((arg) => arg.includes('it') && arg.includes('$(id)')));
  writeFileSync(at(`${name}.txt`), 'nothing of media');
  assert.equal((await fault(`${name}.txt`)).code, 'file_broken');
});

test('what is no media, is broken, or has no picture', async () => {
  writeFileSync(at('empty.mp4'), '');
  assert.equal((await fault('empty.mp4')).code, 'file_broken');
  writeFileSync(at('text.mp4'), 'These are words.\n'.repeat(100));
  assert.equal((await fault('text.mp4')).code, 'file_broken');
  copyFileSync(at('good.mp4'), at('half.mp4'));
  truncateSync(at('half.mp4'), statSync(at('half.mp4')).size >> 1);
  assert.equal((await fault('half.mp4')).code, 'file_broken');
  ffmpeg('-i', 'good.mp4', '-vn', '-c', 'copy', 'sound.m4a');
  assert.equal((await fault('sound.m4a')).code, 'file_no_video');
  assert.equal((await fault('gone.mp4')).code, 'file_unreadable');
  assert.equal((await fault('.')).code, 'file_unreadable');
  execFileSync('mkfifo', [at('pipe.mp4')]);
  assert.match((await fault('pipe.mp4')).message, /not a regular file/);
});

test('half a Matroska file is played as far as it goes', async () => {
  ffmpeg('-i', 'good.mp4', '-c', 'copy', 'half.mkv');
  truncateSync(at('half.mkv'), statSync(at('half.mkv')).size >> 1);
  assert.equal((await files.at(at('half.mkv'))).video!.codec, 'h264');
});

test('asked again it answers from memory, until the file changes', async () => {
  let runs = 0;
  const counting: Runner = (...args) => {
    runs++;
    return run(...args);
  };
  copyFileSync(at('good.mp4'), at('again.mp4'));
  const first = await files.at(at('again.mp4'), counting);
  const before = runs;
  assert.equal(await files.at(at('again.mp4'), counting), first);
  assert.equal(runs, before);
  writeFileSync(at('again.mp4'), readFileSync(at('good.mp4')).subarray(0, 1000));
  assert.equal((await fault('again.mp4', counting)).code, 'file_broken');
});

test('answers are kept of so many files, and of those that were asked for last', async () => {
  for (const name of ['one.mp4', 'two.mp4', 'three.mp4']) copyFileSync(at('good.mp4'), at(name));
  const few = new MediaFiles(2);
  const [one, two, three] = ['one.mp4', 'two.mp4', 'three.mp4'].map(at) as [string, string, string];
  const first = await few.at(one);
  await few.at(two);
  assert.equal(await few.at(one), first);
  await few.at(three);
  assert.deepEqual([await few.haveChanged([one, three]), await few.haveChanged([two])], [false, true]);
  assert.equal(await few.at(one), first);
});

for (const ending of ['avi', 'mov', 'mkv']) {
  test(`Motion JPEG in .${ending}, as cameras record it, is a film`, async () => {
    const name = `camera.${ending}`;
    ffmpeg(...picture, ...sound, '-t', '2', '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-c:a', 'pcm_s16le', name);
    const { video, audio } = await files.at(at(name));
    assert.deepEqual([video!.codec, video!.width, video!.height, video!.fps], ['jpeg', 320, 180, 30]);
    assert.ok(audio);
  });
}

test('a photograph is none', async () => {
  for (const name of ['photo.jpg', 'photo.png']) {
    ffmpeg(...picture, '-frames:v', '1', name);
    assert.equal((await fault(name)).code, 'file_no_video');
  }
});

test('where the deadline strikes, it is judged by what was seen, and says so', async () => {
  ffmpeg('-i', 'good.mp4', '-c', 'copy', 'slow.mp4');
  // The scan ends as if the disk had been slow: what was read until then stands.
  const { scannedSeconds, video } = await files.at(at('slow.mp4'), async (program, args, options) => {
    const said = await run(program, args, options);
    return args.includes('flvmux') ? { ...said, late: true } : said;
  });
  assert.ok(scannedSeconds! > 3 && video!.keyframeSeconds! > 1);
});
