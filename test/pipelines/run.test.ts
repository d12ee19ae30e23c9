/** Texts that really run in GStreamer, judged by what FFmpeg finds in the result. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { plan } from '../../pipelines/choose/best.js';
import type { Camera, Machine, MediaFile } from '../../pipelines/machine.js';
import { atLeast } from '../helpers/interval.js';
import { root } from '../helpers/root.js';
import { decode, elementsOf, ending, installedElements, launch, type Packet, probe, sample } from './gst.js';
import { c270, highAvcc, lcAsc, piCam, pc, want } from './machines.js';

let folder = '';
let machine: Machine;

before(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'makercast pipelines '));
  machine = { ...pc, elements: installedElements() };
});
after(() => rm(folder, { recursive: true, force: true }));

const out = (name: string): string => path.join(folder, name);

function assertForward(packets: readonly Packet[]): void {
  for (const [index, packet] of packets.entries())
    if (index > 0) assert.ok(packet.dts >= packets[index - 1]!.dts, `decode time goes back at packet ${index}`);
}

/** Frames from each keyframe to the next. */
function intervals(packets: readonly Packet[]): number[] {
  const at = packets.flatMap((packet, index) => (packet.keyframe ? [index] : []));
  return at.slice(1).map((index, before) => index - at[before]!);
}

for (const encoder of ['x264enc', 'openh264enc'] as const) {
  test(`bars with a clock and a tone, by ${encoder}`, async () => {
    const file = out(`${encoder}.flv`);
    const made = plan(want({ source: 'test', width: 640, height: 360, fps: 25, keyframeSeconds: 1, encoder }), machine);
    assert.match(made.pipelines[0]!.text, /clockoverlay/);
    await launch(ending(made.pipelines[0]!, 75, 141), file);
    const video = await probe(file, 'v');
    assert.deepEqual(
      [video.stream.codec_name, video.stream.profile, video.stream.width, video.stream.height, video.stream.pix_fmt],
      ['h264', 'Constrained Baseline', 640, 360, 'yuv420p'],
    );
    assert.equal(video.packets.length, 75);
    assert.deepEqual(intervals(video.packets), [25, 25]);
    assert.ok(
      video.packets.every((packet) => packet.pts === packet.dts),
      'no B-frames',
    );
    assertForward(video.packets);
    const audio = await probe(file, 'a');
    assert.deepEqual(
      [audio.stream.codec_name, audio.stream.profile, audio.stream.sample_rate, audio.stream.channels],
      ['aac', 'LC', '48000', 2],
    );
    assert.ok(audio.packets.length >= 140, `${audio.packets.length} AAC frames for 3 s`);
    assertForward(audio.packets);
    const { samples } = await decode(file);
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    assert.ok(peak > 2600 && peak < 4200, `a tone of -20 dBFS peaks at ${peak}`);
  });
}

test('the flash and the beep coincide within a frame, each second', async () => {
  const file = out('sync.flv');
  const made = plan(want({ source: 'test', testPattern: 'sync', width: 320, height: 180 }), machine);
  await launch(ending(made.pipelines[0]!, 200, 188), file);
  const { packets } = await probe(file, 'v');
  const { brightness, samples } = await decode(file);
  const flashes = brightness.flatMap((value, index) =>
    index > 0 && Math.abs(value - brightness[index - 1]!) > 100 ? [packets[index]!.pts] : [],
  );
  const start = (await probe(file, 'a')).packets[0]!.pts;
  let quietUntil = 0;
  const beeps: number[] = [];
  for (const [index, value] of samples.entries()) {
    if (Math.abs(value) < 3000) continue;
    if (index >= quietUntil) beeps.push(start + index / 48000);
    quietUntil = index + 4800;
  }
  assert.deepEqual(flashes.map(Math.round), [1, 2, 3]);
  for (const flash of flashes) {
    const apart = Math.min(...beeps.map((beep) => Math.abs(beep - flash)));
    assert.ok(apart <= 1 / 30, `flash at ${flash} s, nearest beep ${apart} s away`);
  }
});

test('gain and mute are in the text', async () => {
  const peakOf = async (gainDb: number, mute: boolean): Promise<number> => {
    const file = out(`gain${gainDb}${mute}.flv`);
    const made = plan(want({ source: 'test', width: 320, height: 180 }, { source: 'test', gainDb, mute }), machine);
    await launch(ending(made.pipelines[0]!, 30, 48), file);
    return (await decode(file)).samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  };
  const louder = await peakOf(6, false);
  assert.ok(louder > 5500 && louder < 7800, `6 dB over 3277 is ${louder}`);
  assert.equal(await peakOf(0, true), 0);
});

/** A camera's text with pictures made here in place of the device, in the very format that the camera would give. */
const stand = (text: string, encode: string): string =>
  text.replace('v4l2src name=video-source ! ', `videotestsrc name=video-source is-live=true ! ${encode}`);

const cameras: readonly [string, Camera, number, number, string][] = [
  ['MJPEG', c270, 1280, 720, 'video/x-raw,width=1280,height=720,framerate=30/1 ! jpegenc ! '],
  ['YUYV', c270, 640, 480, ''],
  ['MJPEG, scaled with borders', c270, 1024, 576, 'video/x-raw,width=1280,height=720,framerate=30/1 ! jpegenc ! '],
];
for (const [name, camera, width, height, encode] of cameras) {
  test(`a camera that gives ${name}, encoded to ${width}x${height}`, async () => {
    const file = out('camera.flv');
    const [pipeline] = plan(want({ width, height, encoder: 'x264enc' }), { ...machine, cameras: [camera] }).pipelines;
    await launch(ending({ text: stand(pipeline!.text, encode), properties: [] }, 45, 75), file);
    const { stream, packets } = await probe(file, 'v');
    assert.deepEqual([stream.width, stream.height, stream.pix_fmt], [width, height, 'yuv420p']);
    assert.match(stream.profile, /Baseline/);
    assert.ok(packets.length >= 42, `${packets.length} of 45 pictures arrived`);
    assertForward(packets);
  });
}

test('a camera that gives H.264, untouched', async () => {
  const file = out('h264.flv');
  const [pipeline] = plan(want({ width: 640, height: 480 }), { ...machine, cameras: [piCam] }).pipelines;
  const text = stand(
    pipeline!.text.replace(/ extra-controls="[^"]*"/, ''),
    'video/x-raw,format=I420,width=640,height=480,framerate=30/1 ! x264enc tune=zerolatency speed-preset=ultrafast ! ' +
      'h264parse ! ',
  );
  await launch(ending({ text, properties: [] }, 45, 75), file);
  const { stream, packets } = await probe(file, 'v');
  assert.deepEqual([stream.width, stream.height, packets.length], [640, 480, 45]);
});

const described = (file: string, more: Partial<MediaFile> = {}): MediaFile => ({
  path: file,
  seconds: 3,
  video: { codec: 'h264', width: 320, height: 240, fps: 30, avcc: highAvcc, keyframeSeconds: 1 },
  audio: { codec: 'aac', rate: 44100, channels: 1, asc: lcAsc },
  ...more,
});

const bframes = ['-c:v', 'libx264', '-bf', '3', '-g', '30', '-pix_fmt', 'yuv420p', '-c:a', 'aac'];

for (const container of ['mp4', 'mkv', 'ts', 'flv', 'mov']) {
  test(`${container} with B-frames passes through untouched`, async () => {
    // A name that would break out of any text that it became part of.
    const source = out(`it's "a" ! fakesink \\ file.${container}`);
    await sample(source, bframes);
    const made = plan(want({ source: 'file', files: [source] }), { ...machine, files: [described(source)] });
    assert.equal(made.video.encoder, 'passthrough');
    const file = out(`${container}.flv`);
    await launch(made.pipelines[0]!, file);
    const { packets } = await probe(file, 'v');
    const original = await probe(source, 'v');
    assert.equal(packets.length, 90);
    assertForward(packets);
    const order = (list: readonly Packet[]): number[] => {
      const shown = list.map((packet) => packet.pts).sort((a, b) => a - b);
      return list.map((packet) => shown.indexOf(packet.pts));
    };
    assert.deepEqual(order(packets), order(original.packets), 'shown in the same order');
    assert.ok(
      order(packets).some((place, index) => place !== index),
      'there are B-frames',
    );
    assert.ok(packets.every((packet) => packet.pts >= packet.dts));
    const audio = await probe(file, 'a');
    assert.equal(audio.stream.profile, 'LC');
    assert.ok(audio.packets.length >= 128, `${audio.packets.length} AAC frames`);
  });
}

test('a file is paced in real time', async () => {
  const source = out('paced.mp4');
  await sample(source, bframes);
  const made = plan(want({ source: 'file', files: [source] }), { ...machine, files: [described(source)] });
  assert.match(made.pipelines[0]!.text, /appsink name=tags sync=true/);
  const begin = performance.now();
  await launch(made.pipelines[0]!, out('paced.flv'), true);
  // Unpaced it takes a tenth of a second.
  atLeast(2500, performance.now() - begin, 'a file of 3 s is played');
});

test('subtitles and a second language do not stall a file', async () => {
  const source = out('multi.mkv');
  await sample(source, [
    ...['-f', 'lavfi', '-i', 'sine=frequency=900:duration=3'],
    ...['-map', '0:v', '-map', '1:a'],
    ...['-map', '2:a'],
    ...bframes,
  ]);
  const made = plan(want({ source: 'file', files: [source] }), { ...machine, files: [described(source)] });
  await launch(made.pipelines[0]!, out('multi.flv'));
  assert.equal((await probe(out('multi.flv'), 'v')).packets.length, 90);
  const encoded = plan(want({ source: 'file', files: [source], encoder: 'x264enc' }), {
    ...machine,
    files: [described(source)],
  });
  await launch(encoded.pipelines[0]!, out('multi2.flv'));
  assert.ok((await probe(out('multi2.flv'), 'v')).packets.length >= 88);
});

test('a file without sound gets silence that ends with it', async () => {
  const source = out('mute.mp4');
  await sample(source, ['-map', '0:v', ...bframes]);
  const mute = { path: source, seconds: 3, video: described(source).video! };
  const made = plan(want({ source: 'file', files: [source] }), { ...machine, files: [mute] });
  assert.equal(made.audio.source, 'silence');
  await launch(made.pipelines[0]!, out('mute.flv'));
  assert.equal((await probe(out('mute.flv'), 'v')).packets.length, 90);
  const { stream, packets } = await probe(out('mute.flv'), 'a');
  assert.deepEqual([stream.sample_rate, stream.channels], ['48000', 2]);
  assert.ok(packets.length >= 140 && packets.length <= 142, `${packets.length} AAC frames for 3 s`);
});

const transcoded: readonly [string, readonly string[]][] = [
  ['mkv', ['-c:v', 'mpeg4', '-c:a', 'ac3']],
  ['webm', ['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus']],
  ['ts', ['-c:v', 'mpeg2video', '-flags', '+ildct+ilme', '-c:a', 'mp2']],
  ['avi', ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj422p', '-c:a', 'pcm_s16le']],
];
for (const [container, args] of transcoded) {
  test(`${container} with other codecs is transcoded to the broadcast's format`, async () => {
    const source = out(`other.${container}`);
    await sample(source, args);
    const other = described(source, {
      video: { codec: 'other', width: 320, height: 240, fps: 30 },
      audio: { codec: 'other', rate: 44100, channels: 1 },
    });
    const made = plan(want({ source: 'file', files: [source], width: 640, height: 360 }), {
      ...machine,
      files: [other],
    });
    assert.equal(made.video.encoder, 'x264enc');
    const file = out(`${container}2.flv`);
    await launch(made.pipelines[0]!, file);
    const video = await probe(file, 'v');
    assert.deepEqual([video.stream.width, video.stream.height, video.stream.pix_fmt], [640, 360, 'yuv420p']);
    assert.ok(Math.abs(video.packets.length - 90) <= 2, `${video.packets.length} of 90 pictures`);
    assert.deepEqual(intervals(video.packets), [60]);
    assertForward(video.packets);
    const audio = await probe(file, 'a');
    assert.deepEqual([audio.stream.profile, audio.stream.sample_rate, audio.stream.channels], ['LC', '48000', 2]);
  });
}

test('GStreamer parses every golden text whose elements are installed, and takes its properties', () => {
  const { Pipeline } = createRequire(import.meta.url)('gstreamer-superficial') as {
    Pipeline: new (text: string) => { findChild(name: string): Record<string, unknown> | undefined };
  };
  const folder = path.join(root, 'test', 'pipelines', 'golden');
  let [parsed, set] = [0, 0];
  for (const name of readdirSync(folder).filter((each) => !each.startsWith('candidates-'))) {
    for (const block of readFileSync(path.join(folder, name), 'utf8').split('\n\n')) {
      const lines = block.split('\n').filter((line) => !line.startsWith('# '));
      const text = lines.filter((line) => !/^[\w-]+\.[\w-]+ = /.test(line)).join('\n');
      if (text.trim() === '' || elementsOf(text).some((element) => !machine.elements.includes(element))) continue;
      const pipeline = new Pipeline(text);
      for (const [, element, property, value] of block.matchAll(/^([\w-]+)\.([\w-]+) = (.*)$/gm)) {
        const child = pipeline.findChild(element!)!;
        child[property!] = JSON.parse(value!);
        assert.equal(child[property!], JSON.parse(value!));
        set++;
      }
      parsed++;
    }
  }
  assert.ok(parsed >= 15 && set >= 15, `${parsed} texts parsed, ${set} properties set`);
});
