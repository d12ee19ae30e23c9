/** The instruments that judge content, each shown a thing that is right and a thing that is wrong. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { run, temporaryFolder } from '../command.js';
import { drift, flvFile, flvTags, isPicture, usualSplice, type ArrivedTag } from './flv.js';
import { lipSync, makeSyncFile } from './lipsync.js';
import { sample } from './media.js';
import { startNginx } from '../rtmp/nginx.js';
import { gstPublisher } from '../rtmp/publisher.js';
import { decodeSound, dominantHertz, isSilent, loudnessDb, part, toneDb } from './sound.js';
import { analyse, colour, firstPicture, observe, picture } from './stream.js';

test('a sample file is described as it was made, and decodes without errors', async () => {
  const file = await sample('h264-bframes.mp4');
  const { video, audio, decodeErrors } = await analyse(file);
  assert.deepEqual(decodeErrors, []);
  assert.equal(video?.codec, 'h264');
  assert.equal(video.profile, 'High');
  assert.deepEqual([video.width, video.height, Math.round(video.fps), video.packets], [640, 360, 30, 180]);
  assert.ok(video.bFrames && video.monotonic && video.startsWithKeyframe);
  assert.deepEqual(
    video.keyframeIntervals.map((seconds) => Math.round(seconds * 1000)),
    [2000, 2000],
  );
  assert.deepEqual([audio?.codec, audio?.profile, audio?.rate, audio?.channels], ['aac', 'LC', 48000, 2]);
  assert.deepEqual((await picture(file, 1)).subarray(1, 4).toString(), 'PNG');
  assert.ok(!isSilent(await decodeSound(file)));
});

test('gaps, times that stand still and lost reference pictures are seen', async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    const whole = path.join(folder, 'whole.flv');
    const broken = path.join(folder, 'broken.flv');
    await run('ffmpeg', ['-v', 'error', '-i', await sample('h264.mkv'), '-c', 'copy', whole]);
    const tags = flvTags((await run('cat', [whole])).stdout);
    assert.equal((await analyse(whole)).video?.monotonic, true);
    const later = tags.map((tag) => (tag.timestamp > 3000 ? { ...tag, timestamp: tag.timestamp + 1500 } : tag));
    const lost = later.filter(isPicture)[30];
    await writeFile(broken, flvFile(later.filter((tag) => tag !== lost)));
    const { video, decodeErrors } = await analyse(broken);
    assert.ok(video!.largestGapMs > 1400, String(video?.largestGapMs));
    assert.notDeepEqual(decodeErrors, [], 'a reference picture is missing');
    const standing = tags.map((tag) =>
      tag.timestamp > 1000 && tag.timestamp < 1200 ? { ...tag, timestamp: 1100 } : tag,
    );
    await writeFile(broken, flvFile(standing));
    assert.equal((await analyse(broken)).video?.monotonic, false);
  } finally {
    await remove();
  }
});

test('a clock that is off, and splices that take long, are told from a moment in which nothing came', () => {
  /** Six seconds of pictures, each on the way for `wayMs` of its place. */
  const arrived = (wayMs: (timestamp: number) => number): ArrivedTag[] =>
    Array.from({ length: 180 }, (_, index) => Math.round((index * 100) / 3)).map((timestamp) => ({
      ...{ type: 9, timestamp, body: Buffer.from([0x27, 1, 0, 0, 0]) },
      at: timestamp + 20 + wayMs(timestamp),
    }));
  assert.equal(drift(arrived(() => 0)), 0);
  for (const from of [0, 2000, 4500])
    assert.equal(drift(arrived((time) => (time >= from ? Math.max(0, from + 1500 - time) : 0))), 0, `from ${from} on`);
  for (const part of [0.05, -0.05]) assert.ok(Math.abs(drift(arrived((time) => part * time)) - 3000 * part) <= 15);

  const gaps = (splices: readonly number[]): number[] => splices.flatMap((gap) => [33, 34, 33, gap, 33]);
  assert.equal(usualSplice(gaps([60, 50, 3000, 40]), 4), 50);
  assert.equal(usualSplice(gaps([600, 500, 3000, 40]), 4), 500);
});

test('tones, loudness and silence are heard; colours are seen', async () => {
  const { folder, remove } = await temporaryFolder();
  try {
    const file = path.join(folder, 'tone.flv');
    const tone = 'aevalsrc=lt(t\\,2)*0.5*sin(2*PI*1000*t):sample_rate=44100:duration=4';
    await run('ffmpeg', [
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      tone,
      '-f',
      'lavfi',
      '-i',
      'color=red:size=160x90:duration=4',
      '-c:a',
      'aac',
      '-b:a',
      '128k',
      file,
    ]);
    const sound = await decodeSound(file);
    const loud = part(sound, 0.5, 1.5);
    assert.equal(dominantHertz(loud), 1000);
    assert.ok(Math.abs(loudnessDb(loud) + 9) < 0.5, String(loudnessDb(loud)));
    assert.ok(Math.abs(toneDb(loud, 1000) + 9) < 0.5 && toneDb(loud, 3000) < -50);
    assert.ok(isSilent(part(sound, 2.5, 3.5)) && !isSilent(loud));
    const [red, green, blue] = await colour(file, { x: 0.25, y: 0.25, width: 0.5, height: 0.5 }, 1);
    assert.ok(red > 230 && green < 25 && blue < 25);
  } finally {
    await remove();
  }
});

for (const [name, options] of Object.entries({
  'a.mp4': { bFrames: 3 },
  'b.flv': {},
  'c.webm': { video: 'libvpx', audio: 'libopus' },
})) {
  test(`lip-sync of a file (${name}) is measured, and a shift of 120 ms either way is found`, async () => {
    const { folder, remove } = await temporaryFolder();
    try {
      for (const soundLateMs of [0, 120, -120]) {
        const file = path.join(folder, name);
        await makeSyncFile(file, { ...options, soundLateMs });
        const { medianMs, worstMs } = await lipSync(file, 'flash', 5);
        // FLV keeps an AAC encoder's priming as sound: 1024 samples are 21 ms.
        assert.ok(Math.abs(medianMs - soundLateMs) < 25, `${soundLateMs}: ${medianMs}`);
        assert.ok(Math.abs(worstMs - soundLateMs) < 40, `${soundLateMs}: ${worstMs}`);
      }
    } finally {
      await remove();
    }
  });
}

test('a live stream is observed by content and by the wall clock; its lip-sync, and a shift of it, are measured', async () => {
  await using nginx = await startNginx();
  for (const shift of [0, 120, -120]) {
    const name = `shift${shift}`;
    const offset = (ms: number): string => `timestamp-offset=${Math.max(0, ms) * 1_000_000}`;
    await using publisher = gstPublisher(`${nginx.url()}/${name}`, { picture: offset(-shift), sound: offset(shift) });
    await nginx.waitForCall('publish', { name });
    const file = path.join(nginx.folder, `${name}.flv`);
    const seen = await observe(`${nginx.url()}/${name}`, 4, file);
    assert.deepEqual(seen.decodeErrors, []);
    assert.deepEqual(
      [seen.video?.codec, seen.video?.profile, seen.video?.width, seen.audio?.rate, seen.audio?.channels],
      ['h264', 'Constrained Baseline', 320, 48000, 2],
    );
    assert.ok(Math.abs(seen.video!.fps - 30) < 1, `${seen.video!.fps} fps`);
    // A tenth too fast or too slow would be 200 ms in the 2 s from one half to the other.
    assert.ok(Math.abs(seen.driftMs) < 200, `${seen.driftMs} ms off`);
    assert.ok(seen.video!.monotonic && seen.audio!.monotonic);
    const { medianMs } = await lipSync(file, 'flip');
    assert.ok(Math.abs(medianMs - shift) < 50, `${shift}: ${medianMs}`);
    assert.equal(publisher.child.exitCode, null);
    if (shift === 0) assert.ok((await firstPicture(`${nginx.url()}/${name}`)) < 20_000);
  }
});
