/** What is chosen, and what is refused: sources, encoders, sound, files. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Facts } from '../../pipelines/facts.js';
import { fraction } from '../../pipelines/fraction.js';
import { levelOf } from '../../pipelines/encoders/level.js';
import { nearestRate } from '../../pipelines/audio/microphone.js';
import { rtmpProperties } from '../../pipelines/outputs/rtmp.js';
import { bitrateProperty, NoPlan, plan } from '../../pipelines/plan.js';
import { ascFits, avcFits, unfit } from '../../pipelines/sources/fit.js';
import type { Wanted } from '../../pipelines/wanted.js';
import {
  c270,
  c270Microphone,
  c920,
  c920Microphone,
  highAvcc,
  lcAsc,
  movie,
  pc,
  pi3,
  piCam,
  usbAudio,
  v4l2,
  want,
  webm,
} from './machines.js';

function refused(wanted: Wanted, facts: Facts): string {
  try {
    plan(wanted, facts);
  } catch (error) {
    assert.ok(error instanceof NoPlan, String(error));
    assert.ok(error.what && error.mend && !`${error.what}${error.mend}`.includes('\n'));
    return error.code;
  }
  return 'a plan';
}

test('a camera is found by path, by-id name with and without its folder, and USB path', () => {
  const facts = { ...pc, cameras: [c920, c270] };
  for (const source of [c270.path, c270.byId!, `/dev/v4l/by-id/${c270.byId}`, c270.usbPath!])
    assert.match(plan(want({ source }), facts).video.source, /C270/);
  assert.match(plan(want(), facts).video.source, /C920/);
  assert.equal(refused(want({ source: '/dev/video9' }), facts), 'source_not_found');
});

test('auto sound: the microphone of the camera, else the first, else silence or the tone', () => {
  const both = { ...pc, cameras: [c270], microphones: [usbAudio, c270Microphone] };
  assert.match(plan(want(), both).audio.source, /U0x46d0x825/);
  assert.match(plan(want(), { ...both, microphones: [usbAudio, c920Microphone] }).audio.source, /Device/);
  assert.equal(plan(want(), { ...both, microphones: [] }).audio.source, 'silence');
  assert.equal(plan(want(), pc).audio.source, 'tone');
  assert.equal(plan(want({}, { source: 'none' }), both).audio.source, 'silence');
  assert.equal(plan(want({}, { source: 'test' }), both).audio.source, 'tone');
  assert.equal(refused(want({}, { source: 'Nobody' }), both), 'source_not_found');
});

test('encoders: pass-through, then hardware, then x264, then OpenH264; a named one is insisted on', () => {
  const chosen = (wanted: Wanted, facts: Facts): string => plan(wanted, facts).video.encoder;
  assert.equal(chosen(want(), { ...pi3, cameras: [piCam] }), 'passthrough');
  assert.equal(chosen(want(), { ...pi3, cameras: [c270] }), 'v4l2h264enc');
  assert.equal(chosen(want(), { ...pc, cameras: [c270] }), 'x264enc');
  const broken = { ...v4l2, works: false, why: 'no frames came out' };
  const facts = { ...pi3, cameras: [c270], encoders: [broken, pc.encoders[1]!] };
  assert.equal(chosen(want(), facts), 'openh264enc');
  assert.equal(refused(want({ encoder: 'v4l2h264enc' }), facts), 'encoder_missing');
  assert.throws(() => plan(want({ encoder: 'v4l2h264enc' }), facts), /no frames came out/);
  assert.equal(refused(want(), { ...facts, encoders: [] }), 'encoder_missing');
  assert.equal(chosen(want({ encoder: 'x264enc' }), { ...pi3, cameras: [c920] }), 'x264enc');
});

test('pass-through is taken where nothing else comes nearer to what is wanted', () => {
  const facts = { ...pc, cameras: [c920] };
  assert.equal(plan(want({ fps: 15 }), facts).video.encoder, 'passthrough');
  // The camera has no 800x600 at all: its H.264 is as near as its MJPEG.
  assert.deepEqual(plan(want({ width: 800, height: 600 }), facts).video.width, 640);
  const small = { ...c920, formats: c920.formats.filter(({ fourcc, width }) => fourcc !== 'H264' || width === 640) };
  assert.equal(plan(want(), { ...pc, cameras: [small] }).video.encoder, 'x264enc');
  assert.equal(plan(want(), { ...pc, encoders: [], cameras: [small] }).video.encoder, 'passthrough');
  assert.equal(refused(want({ encoder: 'passthrough' }), { ...pc, cameras: [c270] }), 'passthrough_unfit');
  assert.equal(refused(want({ encoder: 'passthrough' }), pc), 'passthrough_unfit');
});

test('formats: exact size first, raw where it is fast enough, else MJPEG; nothing usable is refused', () => {
  const text = (width: number, height: number, fps: number): string =>
    plan(want({ width, height, fps }), { ...pc, cameras: [c270] }).pieces[0]!.text;
  assert.match(text(640, 480, 30), /format=YUY2,width=640,height=480,framerate=30\/1/);
  assert.match(text(1280, 720, 30), /image\/jpeg,width=1280,height=720,framerate=30\/1/);
  assert.match(text(1280, 720, 5), /format=YUY2,width=1280,height=720,framerate=5\/1/);
  assert.match(text(640, 360, 30), /image\/jpeg,width=1280,height=720.*videoscale/, 'the same shape before less work');
  const grey = { ...c270, formats: [{ fourcc: 'GREY', width: 640, height: 480, fps: [30] }] };
  assert.equal(refused(want(), { ...pc, cameras: [grey] }), 'source_format');
  const jpeg = { ...c270, formats: c270.formats.filter(({ fourcc }) => fourcc === 'MJPG') };
  const bare = { ...pc, elements: pc.elements.filter((element) => element !== 'jpegdec') };
  assert.equal(refused(want(), { ...bare, cameras: [jpeg] }), 'plugin_missing');
});

test('whatever is missing is named with its Debian package', () => {
  const without = (element: string): Facts => ({ ...pc, elements: pc.elements.filter((name) => name !== element) });
  assert.throws(() => plan(want(), without('flvmux')), { code: 'plugin_missing', mend: /gstreamer1\.0-plugins-good/ });
  assert.throws(() => plan(want(), without('h264parse')), {
    code: 'plugin_missing',
    mend: /gstreamer1\.0-plugins-bad/,
  });
  const deaf = { ...pc, elements: pc.elements.filter((name) => !/aac.*enc|avenc_aac/.test(name)) };
  assert.throws(() => plan(want(), deaf), { code: 'plugin_missing', mend: /voaacenc/ });
});

test('files: refused when unreadable or without video; whole playlist passes through or none of it', () => {
  const files = (...list: string[]): Wanted => want({ source: 'file', files: list });
  assert.equal(refused(files(), pc), 'source_not_found');
  assert.equal(refused(files('/no'), pc), 'file_unreadable');
  assert.equal(refused(files('/a.mp3'), { ...pc, files: [{ path: '/a.mp3' }] }), 'file_no_video');
  const facts = { ...pc, files: [movie, webm] };
  assert.equal(plan(files(movie.path), facts).video.encoder, 'passthrough');
  assert.equal(plan(files(movie.path, movie.path), facts).pieces.length, 2);
  assert.equal(plan(files(movie.path, webm.path), facts).video.encoder, 'x264enc');
  const other = { ...movie, path: '/other.mp4', video: { ...movie.video!, avcc: highAvcc.replace('1f', '28') } };
  assert.equal(plan(files(movie.path, '/other.mp4'), { ...pc, files: [movie, other] }).video.encoder, 'x264enc');
  assert.equal(
    refused(want({ source: 'file', files: [webm.path], encoder: 'passthrough' }), facts),
    'passthrough_unfit',
  );
  assert.equal(refused(want({ source: 'file', files: [movie.path] }, { source: 'Device' }), facts), 'setting_range');
  const mute = { path: movie.path, video: movie.video! };
  assert.equal(refused(files(movie.path), { ...pc, files: [mute] }), 'file_broken');
});

test('fit: profile, chroma, keyframes, AAC', () => {
  assert.ok(avcFits(highAvcc));
  assert.ok(avcFits('0142c01fffe10004674200010100026800'));
  assert.ok(!avcFits(highAvcc.replace('fdf8f8', 'fcf8f8')), 'monochrome');
  assert.ok(!avcFits(highAvcc.replace('0164', '016e')), 'High 10');
  assert.ok(!avcFits(''));
  assert.ok(ascFits('1210') && ascFits(lcAsc), 'plain, and with the signal that says no');
  assert.ok(!ascFits('121056e5a0'), 'HE-AAC by the backward compatible signal');
  assert.ok(!ascFits('2b92') && !ascFits('ebd2'), 'HE-AAC, and HE-AAC v2');
  assert.equal(unfit(movie), undefined);
  assert.match(unfit({ ...movie, video: { ...movie.video!, keyframeSeconds: 4.2 } })!, /4.2 s apart/);
  assert.match(unfit({ ...movie, audio: { ...movie.audio!, codec: 'mp3' } })!, /not AAC/);
});

test('a running encoder takes another bitrate in its own unit', () => {
  const value = (wanted: Wanted, facts: Facts) => bitrateProperty(plan(wanted, facts), 1210);
  assert.deepEqual(value(want(), pc), { element: 'venc', property: 'bitrate', value: 1210 });
  assert.deepEqual(value(want({ encoder: 'openh264enc' }), pc), {
    element: 'venc',
    property: 'bitrate',
    value: 1_210_000,
  });
  const controls = { property: 'extra-controls', value: 'controls,video_bitrate=1200000' };
  assert.deepEqual(value(want(), pi3), { element: 'venc', ...controls });
  assert.deepEqual(value(want(), { ...pi3, cameras: [piCam] }), { element: 'video-source', ...controls });
  assert.equal(value(want(), { ...pi3, cameras: [c920] }), undefined);
});

test('arithmetic: levels, fractions, rates', () => {
  assert.equal(levelOf(640, 480, 30, 1500).name, '3');
  assert.equal(levelOf(1280, 720, 30, 2500).name, '3.1');
  assert.equal(levelOf(1280, 720, 60, 4000).name, '3.2');
  assert.deepEqual([levelOf(1920, 1080, 30, 4500).name, levelOf(1920, 1080, 30, 4500).v4l2], ['4', 11]);
  assert.equal(levelOf(1920, 1080, 30, 25_000).name, '4.1');
  assert.equal(levelOf(1920, 1080, 60, 6000).name, '4.2');
  assert.deepEqual([30, 29.97, 23.976, 30000 / 1001, 7.5].map(fraction), [
    '30/1',
    '30000/1001',
    '24000/1001',
    '30000/1001',
    '7500/1000',
  ]);
  assert.equal(nearestRate([16000, 32000], 48000), 32000);
  assert.equal(nearestRate([32000, 44100, 48000], 44100), 44100);
  assert.equal(nearestRate({ min: 8000, max: 96000 }, 48000), 48000);
  assert.equal(nearestRate({ min: 8000, max: 16000 }, 48000), 16000);
});

test('an RTMP destination is properties, whatever its key holds', () => {
  const stream = 'a/b?c=d&e#f%20 "g" \'h\' ! fakesink\n@i';
  const destination = {
    scheme: 'rtmps',
    host: '::1',
    port: 443,
    application: 'live2',
    stream,
    tlsVerify: false,
  } as const;
  const values = Object.fromEntries(rtmpProperties(destination).map(({ property, value }) => [property, value]));
  assert.deepEqual(values, {
    scheme: 'rtmps',
    host: '::1',
    port: 443,
    application: 'live2',
    stream,
    'tls-validation-flags': 'no-flags',
  });
});
