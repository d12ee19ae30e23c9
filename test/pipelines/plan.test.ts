/** What is chosen, and what is refused: sources, encoders, sound, files. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nearestRate } from '../../pipelines/mix/microphone.js';
import { plan } from '../../pipelines/choose/best.js';
import { resolveAuto } from '../../pipelines/choose/defaults.js';
import { levelOf } from '../../pipelines/encoders/level.js';
import type { Camera, CameraFormat, Machine } from '../../pipelines/machine.js';
import { fraction } from '../../pipelines/fraction.js';
import { NoPlan } from '../../pipelines/noplan.js';
import { rtmpProperties } from '../../pipelines/outputs/rtmp.js';
import type { OnAir } from '../../pipelines/onair.js';
import { liveChanges, type Plan, withoutUnit } from '../../pipelines/plan.js';
import { ascFits, avcFits, unfit } from '../../pipelines/choose/fit.js';
import type { Format, Wanted, WantedCamera, WantedVideo, Wish } from '../../pipelines/wanted.js';
import {
  c270,
  c270Microphone,
  c920,
  c920WithoutUnit,
  c920Microphone,
  highAvcc,
  imx219,
  imx708,
  lcAsc,
  movie,
  pc,
  pi3,
  pi4,
  pi3Cut,
  pi5,
  piCam,
  usbAudio,
  v4l2,
  want,
  webm,
  wish,
  zeroW,
} from './machines.js';

function said({ code, what, remedy }: NonNullable<Plan['missed']>): string {
  assert.ok(what && remedy && !`${what}${remedy}`.includes('\n'));
  return code;
}

/** Why the wanted picture or sound is not on: there is no plan, or a slate or silence stands in. */
function refused(wanted: Wanted, machine: Machine): string {
  try {
    const made = plan(wanted, machine);
    if (!made.missed) return 'a plan';
    assert.ok(made.video.source === 'slate' || made.audio.source === 'silence');
    return said(made.missed);
  } catch (error) {
    assert.ok(error instanceof NoPlan, String(error));
    return said(error);
  }
}

test('a camera is found by path, by-id name with and without its folder, and USB path', () => {
  const machine = { ...pc, cameras: [c920, c270] };
  for (const source of [c270.path, c270.byId!, `/dev/v4l/by-id/${c270.byId}`, c270.usbPath!])
    assert.match(plan(want({ source }), machine).video.source, /C270/);
  assert.match(plan(want(), machine).video.source, /C920/);
  assert.equal(refused(want({ source: '/dev/video9' }), machine), 'source_not_found');
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
  const chosen = (wanted: Wanted, machine: Machine): string => plan(wanted, machine).video.encoder;
  assert.equal(chosen(want(), { ...pi3, cameras: [piCam] }), 'passthrough');
  assert.equal(chosen(want(), { ...pi3, cameras: [c270] }), 'v4l2h264enc');
  assert.equal(chosen(want(), { ...pc, cameras: [c270] }), 'x264enc');
  const broken = { ...v4l2, works: false, why: 'no frames came out' };
  const machine = { ...pi3, cameras: [c270], encoders: [broken, pc.encoders[1]!] };
  assert.equal(chosen(want(), machine), 'openh264enc');
  assert.equal(refused(want({ encoder: 'v4l2h264enc' }), machine), 'encoder_missing');
  assert.match(plan(want({ encoder: 'v4l2h264enc' }), machine).missed!.what, /no frames came out/);
  assert.equal(refused(want(), { ...machine, encoders: [] }), 'encoder_missing');
  assert.equal(chosen(want({ encoder: 'x264enc' }), { ...pi3, cameras: [c920] }), 'x264enc');
});

test('pass-through is taken where nothing else comes nearer to what is wanted', () => {
  const machine = { ...pc, cameras: [c920] };
  assert.equal(plan(want({ fps: 15 }), machine).video.encoder, 'passthrough');
  // The camera has no 800x600 at all: its H.264 is as near as its MJPEG.
  assert.deepEqual(plan(want({ width: 800, height: 600 }), machine).video.width, 640);
  const small = { ...c920, formats: c920.formats.filter(({ fourcc, width }) => fourcc !== 'H264' || width === 640) };
  assert.equal(plan(want(), { ...pc, cameras: [small] }).video.encoder, 'x264enc');
  assert.equal(plan(want(), { ...pc, encoders: [], cameras: [small] }).video.encoder, 'passthrough');
  assert.equal(refused(want({ encoder: 'passthrough' }), { ...pc, cameras: [c270] }), 'passthrough_unfit');
  assert.equal(refused(want({ encoder: 'passthrough' }), pc), 'passthrough_unfit');
});

test('formats: exact size first, raw where it is fast enough, else MJPEG; nothing usable is refused', () => {
  const text = (width: number, height: number, fps: number): string =>
    plan(want({ width, height, fps }), { ...pc, cameras: [c270] }).pipelines[0]!.text;
  assert.match(text(640, 480, 30), /format=YUY2,width=640,height=480,framerate=30\/1/);
  assert.match(text(1280, 720, 30), /image\/jpeg,width=1280,height=720,framerate=30\/1/);
  assert.match(text(1280, 720, 5), /format=YUY2,width=1280,height=720,framerate=5\/1/);
  assert.match(text(640, 360, 30), /image\/jpeg,width=1280,height=720.*videoscale/, 'the same shape before less work');
  const grey = { ...c270, formats: [{ fourcc: 'GREY', width: 640, height: 480, fps: [30] }] };
  assert.equal(refused(want({ source: grey.path }), { ...pc, cameras: [grey] }), 'source_format');
  const instead = plan(want(), { ...pc, cameras: [grey, c270] });
  assert.match(instead.video.source, /C270/, 'auto takes what works');
  assert.match(instead.notes.join(), /offers no usable format \(it offers GREY\)/, 'and says what did not');
  const jpeg = { ...c270, formats: c270.formats.filter(({ fourcc }) => fourcc === 'MJPG') };
  const bare = { ...pc, elements: pc.elements.filter((element) => element !== 'jpegdec') };
  assert.equal(refused(want({ source: jpeg.path }), { ...bare, cameras: [jpeg] }), 'plugin_missing');
});

test('whatever is missing is named with its Debian package', () => {
  const without = (element: string): Machine => ({ ...pc, elements: pc.elements.filter((name) => name !== element) });
  assert.throws(() => plan(want(), without('flvmux')), {
    code: 'plugin_missing',
    remedy: /gstreamer1\.0-plugins-good/,
  });
  assert.throws(() => plan(want(), without('h264parse')), {
    code: 'plugin_missing',
    remedy: /gstreamer1\.0-plugins-bad/,
  });
  const deaf = { ...pc, elements: pc.elements.filter((name) => !/aac.*enc|avenc_aac/.test(name)) };
  assert.throws(() => plan(want(), deaf), { code: 'plugin_missing', remedy: /voaacenc/ });
});

test('files: refused when unreadable or without video; whole playlist passes through or none of it', () => {
  const files = (...list: string[]): Wanted => want({ source: 'file', files: list });
  assert.equal(refused(files(), pc), 'source_not_found');
  assert.equal(refused(files('/no'), pc), 'file_unreadable');
  assert.equal(refused(files('/a.mp3'), { ...pc, files: [{ path: '/a.mp3' }] }), 'file_no_video');
  const machine = { ...pc, files: [movie, webm] };
  assert.equal(plan(files(movie.path), machine).video.encoder, 'passthrough');
  assert.equal(plan(files(movie.path, movie.path), machine).pipelines.length, 2);
  assert.equal(plan(files(movie.path, webm.path), machine).video.encoder, 'x264enc');
  const other = { ...movie, path: '/other.mp4', video: { ...movie.video!, avcc: highAvcc.replace('1f', '28') } };
  assert.equal(plan(files(movie.path, '/other.mp4'), { ...pc, files: [movie, other] }).video.encoder, 'x264enc');
  assert.equal(
    refused(want({ source: 'file', files: [webm.path], encoder: 'passthrough' }), machine),
    'passthrough_unfit',
  );
  assert.equal(refused(want({ source: 'file', files: [movie.path] }, { source: 'Device' }), machine), 'setting_range');
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

/** What is set when one wish becomes another in mid-broadcast. */
const changes = (before: Wanted, after: Wanted, machine: Machine) =>
  liveChanges(plan(before, machine), plan(after, machine));

test('a running encoder takes another bitrate in its own unit', () => {
  const value = (video: Partial<WantedVideo>, machine: Machine) =>
    changes(want(video), want({ ...video, bitrateKbps: 1210 }), machine);
  assert.deepEqual(value({}, pc), [{ element: 'venc', property: 'bitrate', value: 1210 }]);
  const openh264 = { element: 'venc', property: 'bitrate', value: 1_210_000 };
  assert.deepEqual(value({ encoder: 'openh264enc' }, pc), [openh264]);
  const controls = { property: 'extra-controls', value: 'controls,video_bitrate=1200000' };
  assert.deepEqual(value({}, pi3), [{ element: 'venc', ...controls }]);
  assert.deepEqual(value({}, { ...pi3, cameras: [piCam] }), [{ element: 'video-source', ...controls }]);
  const byUnit = { element: 'encoder-unit', property: 'bitrateKbps', value: 1210 };
  assert.deepEqual(value({}, { ...pi3, cameras: [c920] }), [byUnit]);
  const startsWith = { ...c920, encoderUnit: { ...c920.encoderUnit!, changesBitrate: false } };
  for (const camera of [c920WithoutUnit, startsWith])
    assert.deepEqual(value({}, { ...pi3, cameras: [camera] }), [], 'it passes through, and keeps its own');
});

test('a keyframe is asked for by the control of the driver that encodes, and by an event elsewhere', () => {
  const control = (element: string) => ({ element, property: 'extra-controls', value: 'controls,force_key_frame=1' });
  const byPi = { ...pi3, cameras: [piCam] };
  assert.deepEqual(plan(want(), byPi).keyframe, control('video-source'));
  assert.deepEqual(plan(want({ encoder: 'v4l2h264enc' }), byPi).keyframe, control('venc'));
  assert.deepEqual(plan(want({ source: 'test' }), pi3).keyframe, control('venc'));
  const transcoded = plan(want({ source: 'file', files: [webm.path] }), { ...pi3, files: [webm] });
  assert.deepEqual(transcoded.keyframe, control('venc'));
  const byUnit = { element: 'encoder-unit', property: 'keyframe', value: true };
  assert.deepEqual(plan(want(), { ...pi3, cameras: [c920] }).keyframe, byUnit);
  // An older driver of the PiCam has no such control, nor has a webcam; what these cannot do no event can.
  const older = { ...piCam, givesKeyframes: false };
  for (const camera of [older, c920WithoutUnit])
    assert.equal(plan(want(), { ...pi3, cameras: [camera] }).keyframe, undefined);
  for (const encoder of ['x264enc', 'openh264enc'] as const)
    assert.equal(plan(want({ encoder }), byPi).keyframe, undefined);
});

test('a webcam that encodes is told what is wanted by its unit, and the plan says its bitrate where it follows', () => {
  const machine = { ...pi3, cameras: [c920] };
  const told = plan(want({ bitrateKbps: 1800, keyframeSeconds: 1.5 }), machine);
  assert.deepEqual(told.encoderUnit, {
    device: '/dev/video0',
    id: 12,
    ...{ width: 1280, height: 720, fps: 30 },
    bitrateKbps: 1800,
    keyframeSeconds: 1.5,
  });
  assert.equal(told.video.bitrateKbps, 1800);
  // One that takes a bitrate at its start only is no encoder whose bitrate could follow a connection.
  const starts = { ...c920, encoderUnit: { ...c920.encoderUnit!, changesBitrate: false } };
  const fixed = plan(want({ bitrateKbps: 1800 }), { ...pi3, cameras: [starts] });
  assert.deepEqual([fixed.encoderUnit?.bitrateKbps, fixed.video.bitrateKbps], [1800, undefined]);
  assert.equal(plan(want({ encoder: 'x264enc' }), machine).encoderUnit, undefined, 'it does not encode');
  // What is left of a plan whose camera does not follow is the plan for a camera that has no unit.
  assert.deepEqual(withoutUnit(told), plan(want(), { ...pi3, cameras: [c920WithoutUnit] }));
  const byPi = plan(want(), { ...pi3, cameras: [piCam] });
  assert.deepEqual(withoutUnit(byPi), byPi);
});

test('a bitrate beyond the level that the encoder was started with takes a new pipeline', () => {
  assert.equal(changes(want(), want({ bitrateKbps: 15_000 }), pi3), undefined);
  assert.equal(changes(want(), want({ bitrateKbps: 14_000 }), pi3)?.length, 1);
});

test('volume, mute and the camera are changed without touching anything else', () => {
  assert.deepEqual(changes(want(), want({}, { gainDb: 20, mute: true }), pc), [
    { element: 'gain', property: 'volume', value: 10 },
    { element: 'gain', property: 'mute', value: true },
  ]);
  const machine = { ...pi3, cameras: [c270] };
  const manual = want({}, {}, { exposureMs: 10, powerLineHz: 50 });
  const control = (value: string) => [{ element: 'video-source', property: 'extra-controls', value }];
  const set = 'controls,auto_exposure=1,exposure_time_absolute=100,power_line_frequency=1';
  assert.deepEqual(changes(want(), manual, machine), control(set));
  const back = 'controls,auto_exposure=3,power_line_frequency=2';
  assert.deepEqual(changes(manual, want(), machine), control(back), "back to the driver's defaults");
});

test('a PiCam by libcamera: exposure and lens, by hand and back, while it runs', () => {
  const machine = { ...pi3, cameras: [imx708] };
  const set = (values: Readonly<Record<string, string>>) =>
    Object.entries(values).map(([property, value]) => ({ element: 'video-source', property, value }));
  const byHand = want({}, {}, { exposureMs: 10, focus: 2 });
  assert.deepEqual(changes(want(), byHand, machine), set({ 'exposure-time': '10000', 'lens-position': '2' }));
  const sharp = want({}, {}, { exposureMs: 'auto', focus: 'auto' });
  assert.deepEqual(
    changes(byHand, sharp, machine),
    set({ 'exposure-time': '0', 'af-mode': '2', 'lens-position': '1' }),
  );
  assert.deepEqual(changes(sharp, want(), machine), set({ 'af-mode': '0' }));
  const notes = (camera: Partial<WantedCamera>, of = imx708) =>
    plan(want({}, {}, camera), { ...pi3, cameras: [of] }).notes;
  // It measures both by itself, and has no switch for it.
  assert.deepEqual(notes({ exposureMs: 'auto', whiteBalance: 'auto' }, imx219), []);
  assert.match(notes({ focus: 'auto' }, imx219).join(), /camera.focus: the camera imx219 has no such control/);
  assert.match(notes({ focus: 40 }).join(), /camera.focus: .*lens-position: 0 to 32/);
  assert.match(notes({ whiteBalance: 5000 }).join(), /camera.whiteBalance: .* has no such control/);
});

test('what a camera cannot do is noted, and left alone', () => {
  const notes = (camera: Partial<WantedCamera>, of: Camera) =>
    plan(want({}, {}, camera), { ...pi3, cameras: [of] }).notes;
  assert.match(notes({ zoom: 700 }, c920).join(), /camera.zoom: the camera HD Pro Webcam C920 .*100 to 500/);
  assert.match(notes({ focus: 10 }, c270).join(), /camera.focus: .* has no such control \(focus_absolute\)/);
  assert.match(notes({ powerLineHz: 'auto' }, c270).join(), /power_line_frequency: Disabled, 50 Hz, 60 Hz/);
  assert.match(notes({ horizontalFlip: true }, imx219).join(), /horizontal_flip/);
  assert.deepEqual(notes({ rotation: 90, exposureMs: 'auto', verticalFlip: true }, piCam), []);
  const text = (camera: Partial<WantedCamera>) =>
    plan(want({}, {}, camera), { ...pi3, cameras: [c920] }).pipelines[0]!.text;
  assert.doesNotMatch(text({ zoom: 700 }), /extra-controls/);
  assert.match(text({ focus: 33 }), /focus_automatic_continuous=0,focus_absolute=35/, 'in steps of 5');
  const flips = { ...piCam, controls: piCam.controls.filter(({ name }) => name !== 'rotate') };
  const upright = plan(want({}, {}, { rotation: 180, horizontalFlip: true }), { ...pi3, cameras: [flips] });
  assert.match(upright.pipelines[0]!.text, /,vertical_flip=1"/, 'one flip undoes the other');
  assert.doesNotMatch(upright.pipelines[0]!.text, /horizontal_flip/);
});

test('auto: size, rate and bitrate suit board, camera and encoder', () => {
  const settled = (given: Wish, machine: Machine, onAir?: Format) => {
    const { width, height, fps, bitrateKbps } = resolveAuto(given, machine, onAir).video;
    return `${width}x${height}@${fps} ${bitrateKbps}`;
  };
  const auto = wish();
  assert.equal(settled(auto, pc), '1280x720@30 2500');
  assert.equal(settled(auto, { ...zeroW, cameras: [piCam] }), '1280x720@25 2200');
  assert.equal(settled(auto, { ...zeroW, cameras: [c920] }), '1280x720@30 2500');
  assert.equal(settled(auto, { ...zeroW, cameras: [c270] }), '640x480@30 1100');
  assert.equal(settled(auto, { ...pi3, cameras: [c270] }), '1280x720@30 2500');
  assert.equal(settled(auto, { ...pi3Cut, cameras: [c270] }), '640x480@30 1100');
  assert.equal(settled(auto, pi5), '1280x720@30 2500');
  const small = { ...c270, formats: c270.formats.filter(({ width }) => width === 640) };
  assert.equal(settled(auto, { ...pc, cameras: [small] }), '640x480@30 1100', 'not blown up');
  const slow = { ...c270, formats: c270.formats.filter(({ fps }) => fps[0]! < 10) };
  assert.equal(settled(auto, { ...pc, cameras: [slow] }), '1280x720@7 800', 'no picture twice');
  assert.equal(settled(wish({ height: 1080 }), pc), '1920x1080@30 4600');
  assert.equal(settled(wish({ width: 640 }), pc), '640x360@30 900');
  assert.equal(settled(wish({ height: 480, fps: 25 }), pc), '640x480@25 1000');
  assert.equal(settled(wish({ height: 600 }), pc), '1088x600@30 1900', 'no usual shape: 16:9 in whole strides');
  assert.equal(settled(wish({ bitrateKbps: 777 }), pc), '1280x720@30 777');
  const onAir = { width: 640, height: 480, fps: 30 };
  assert.equal(settled(auto, pc, onAir), '640x480@30 1100', 'what is on the air stays');
});

const offers = (fourcc: string, width: number, height: number, ...fps: number[]): CameraFormat => ({
  fourcc,
  width,
  height,
  fps,
});
const seen: readonly [string, readonly CameraFormat[], string, Machine?][] = [
  ['television lines', [offers('YUYV', 720, 576, 25)], '720x576@25'],
  ['slow, and nothing else', [offers('MJPG', 640, 480, 15)], '640x480@15'],
  ['tiny and slow', [offers('YUYV', 160, 120, 5)], '160x120@5'],
  ['large at 25, tiny at 30', [offers('YUYV', 1280, 720, 25), offers('YUYV', 160, 120, 30)], '1280x720@25'],
  ['larger and tiny', [offers('MJPG', 1920, 1080, 30), offers('YUYV', 160, 120, 30)], '1280x720@30'],
  ['larger and a little smaller', [offers('MJPG', 1920, 1080, 30), offers('YUYV', 640, 480, 30)], '640x480@30'],
  ['stills at 1080 lines, film at 720', [offers('YUYV', 1920, 1080, 5), offers('MJPG', 1280, 720, 30)], '1280x720@30'],
  ['film at 480 lines, stills at 720', [offers('MJPG', 640, 480, 30), offers('YUYV', 1280, 720, 10)], '640x480@30'],
  ['stills alone', [offers('YUYV', 1280, 720, 10), offers('YUYV', 640, 480, 15)], '1280x720@10'],
  ['NTSC alone', [offers('MJPG', 1280, 720, 29.97, 14.985)], '1280x720@30'],
  ['odd lines', [offers('YUYV', 641, 481, 30), offers('YUYV', 320, 240, 30)], '320x240@30'],
  [
    'JPEGs alone, before one slow core',
    [offers('MJPG', 1280, 720, 30), offers('MJPG', 640, 480, 30)],
    '640x480@15',
    zeroW,
  ],
  [
    'JPEGs before one slow core, with a chip for them',
    [offers('MJPG', 640, 480, 30)],
    '640x480@30',
    { ...zeroW, jpegDecoder: { fullRange: true } },
  ],
  ['slow before a chip that hangs', [offers('YUYV', 1280, 720, 7.5)], '1280x720@10', pi3],
];
for (const [name, formats, wanted, machine = pc] of seen) {
  test(`a camera whose pictures are ${name}`, () => {
    const { width, height, fps } = resolveAuto(wish(), { ...machine, cameras: [{ ...c270, formats }] }).video;
    assert.equal(`${width}x${height}@${fps}`, wanted);
  });
}

test("a rate is the driver's own fraction, whichever its three decimals stand for; of several that do, the nearest", () => {
  const ratesOf = (...fps: number[]): number[] => {
    const formats = [offers('MJPG', 1280, 720, ...fps)];
    const [pipeline] = plan(want(), { ...pc, cameras: [{ ...c270, formats }] }).pipelines;
    const [, low, high] = /framerate=\[(\d+)\/10000,(\d+)\/10000\]"/.exec(pipeline!.text)!;
    return [Number(low) / 10_000, Number(high) / 10_000];
  };
  const covers = (fps: readonly number[], exact: number): boolean => {
    const [low, high] = ratesOf(...fps);
    return low! <= exact && exact <= high!;
  };
  // 100 ns from one picture to the next: 333667, 333333 and 400000 of UVC, and what television calls 29.97.
  for (const [said, exact] of [
    [29.97, 2997 / 100],
    [29.97, 30_000 / 1001],
    [30, 10_000_000 / 333_333],
    [25, 10_000_000 / 400_000],
    [7.5, 7.5],
    [14.985, 15_000 / 1001],
  ] as const)
    assert.ok(covers([said], exact), `${said} for ${exact}`);
  assert.ok(!covers([29.97], 30));
  assert.ok(covers([30, 29.97, 15], 30) && !covers([30, 29.97, 15], 29.97), '30 where it is listed');
});

test('1080 lines are wanted: a film of 720 comes before stills of 1080', () => {
  const formats = [offers('YUYV', 1920, 1080, 5), offers('MJPG', 1280, 720, 30)];
  const [pipeline] = plan(want({ width: 1920, height: 1080 }), { ...pc, cameras: [{ ...c270, formats }] }).pipelines;
  assert.match(pipeline!.text, /image\/jpeg,width=1280,height=720/);
});

test('a Pi that must do too much says so', () => {
  const notes = (video: Partial<WantedVideo>, machine: Machine) => plan(want(video), machine).notes.join();
  assert.match(notes({}, { ...pi3Cut, cameras: [c270] }), /x264enc encodes in software.*640x480 at 30 fps/);
  assert.equal(notes({ width: 640, height: 480 }, { ...pi3Cut, cameras: [c270] }), '');
  assert.match(notes({ width: 854, height: 480 }, pi3), /854 is not a multiple of 64/);
  assert.equal(notes({ width: 854, height: 480, encoder: 'x264enc' }, pc), '');
});

test('JPEGs that a board cannot decode: said, with what it can; left to its chip where that does', () => {
  const formats = [offers('MJPG', 1280, 720, 60)];
  const made = (video: Partial<WantedVideo>, machine: Machine) =>
    plan(want(video), { ...machine, cameras: [{ ...c270, formats }] });
  const chip = { ...zeroW, elements: [...zeroW.elements, 'v4l2jpegdec'], jpegDecoder: { fullRange: false } };
  assert.match(made({}, zeroW).notes.join(), /1280x720 as JPEG, and this board decodes about 640x480 at 15 fps/);
  assert.deepEqual(made({}, chip).notes, []);
  assert.match(made({}, chip).pipelines[0]!.text, / ! v4l2jpegdec ! (?!.*videobalance)/);
  assert.match(
    made({}, { ...chip, jpegDecoder: { fullRange: true } }).pipelines[0]!.text,
    / ! v4l2jpegdec ! .*videobalance/,
  );
  assert.deepEqual(made({}, pi3).notes, [], 'half of them are left out before they are decoded');
  assert.match(made({}, pi3).pipelines[0]!.text, / ! videorate drop-only=true max-rate=30 ! jpegdec ! /);
  assert.match(made({ fps: 60 }, pi3).notes.join(), /this board decodes about 1280x720 at 30 fps/);
  assert.doesNotMatch(made({ fps: 60 }, pi3).pipelines[0]!.text, /max-rate=60 ! jpegdec/);
  assert.deepEqual(made({ fps: 60 }, pi4).notes, []);
});

test('arithmetic: levels, fractions, rates', () => {
  const level = (width: number, height: number, fps: number, bitrateKbps: number) =>
    levelOf({ width, height, fps, bitrateKbps });
  assert.equal(level(640, 480, 30, 1500).name, '3');
  assert.equal(level(1280, 720, 30, 2500).name, '3.1');
  assert.equal(level(1280, 720, 60, 4000).name, '3.2');
  assert.deepEqual([level(1920, 1080, 30, 4500).name, level(1920, 1080, 30, 4500).v4l2], ['4', 11]);
  assert.equal(level(1920, 1080, 30, 25_000).name, '4.1');
  assert.equal(level(1920, 1080, 60, 6000).name, '4.2');
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
  const values = Object.fromEntries(
    rtmpProperties(destination, 8_000_001).map(({ property, value }) => [property, value]),
  );
  assert.deepEqual(values, {
    scheme: 'rtmps',
    host: '::1',
    port: 443,
    application: 'live2',
    stream,
    'peak-kbps': 8_000_001,
    'tls-validation-flags': 'no-flags',
  });
});

test('the slate that stands in for files has their format, as near as an encoder makes it', () => {
  const wanted = want({ source: 'file', files: [movie.path] });
  const filesFault = { code: 'file_unreadable', what: 'It is gone.', remedy: 'Put it back.' };
  const film = plan(wanted, { ...pc, files: [movie] });
  const surround = {
    video: { ...film.video, width: 1365, height: 767, fps: 0 },
    audio: { ...film.audio, channels: 6 },
  };
  for (const [passed, format] of [
    [film, [film.video.width, film.video.height, film.video.fps, film.audio.rate, film.audio.channels]],
    [surround, [1364, 766, wanted.video.fps, film.audio.rate, 2]],
  ] as const) {
    const { video, audio } = plan(wanted, { ...pc, filesFault }, { passed });
    assert.equal(video.source, 'slate');
    assert.deepEqual([video.width, video.height, video.fps, audio.rate, audio.channels], format);
  }
});

test('the slate that stands in for a camera whose H.264 passed through has its format; the camera has its own again', () => {
  const full = { ...c920, formats: c920.formats.filter(({ fourcc, width }) => fourcc === 'H264' && width === 1920) };
  const wanted = want({ encoder: 'passthrough', fps: 25 });
  const passed = plan(wanted, { ...pc, cameras: [full] });
  const { width, height, fps } = passed.video;
  assert.deepEqual([width, height, fps], [1920, 1080, 30]);
  const onAir = { cameraLost: true, passed };
  const { video, audio } = plan(wanted, pc, onAir);
  assert.deepEqual([video.source, video.width, video.height, video.fps], ['slate', width, height, fps]);
  assert.deepEqual([audio.rate, audio.channels], [passed.audio.rate, passed.audio.channels]);
  assert.deepEqual(plan(wanted, { ...pc, cameras: [full] }, onAir), passed);
});

test('an encoder that cannot be had: a picture that is on the air stays, else it is the slate', () => {
  const unfit = { ...pc, cameras: [c270] };
  for (const encoder of ['passthrough', 'v4l2h264enc'] as const) {
    assert.equal(plan(want({ encoder }), unfit).video.source, 'slate');
    assert.throws(() => plan(want({ encoder }), unfit, { picture: true }), NoPlan);
  }
  // What is wanted is away: that is another matter.
  const lost = { picture: true, cameraLost: true };
  assert.equal(plan(want({ encoder: 'passthrough' }), pc, lost).video.source, 'slate');
  assert.equal(plan(want({ encoder: 'passthrough', source: '/dev/video9' }), pc, lost).video.source, 'slate');
});

test('an encoder that is there for the slate only does not raise the default size', () => {
  const small = { ...pi3, cameras: [c270] };
  const sizeWith = (encoder: Wanted['video']['encoder']) => {
    const automatic = { width: 'auto', height: 'auto', fps: 'auto', bitrateKbps: 'auto' } as const;
    return resolveAuto({ ...want(), video: { ...want().video, ...automatic, encoder } }, small).video.height;
  };
  assert.deepEqual([sizeWith('auto'), sizeWith('v4l2h264enc'), sizeWith('x264enc')], [720, 720, 480]);
});

test('what kept a better source out is noted once, before what the source itself cannot do', () => {
  const grey = { ...c920, formats: [{ fourcc: 'GREY', width: 640, height: 480, fps: [30] }] };
  const first =
    'The camera /dev/video0 offers no usable format (it offers GREY). Choose another camera in video.source.';
  const made = plan(want({}, {}, { focus: 10 }), { ...pc, cameras: [grey, c270] });
  assert.deepEqual([made.notes.length, made.notes[0], made.missed], [2, first, undefined]);
  assert.match(made.notes[1]!, /camera\.focus/);
  assert.deepEqual(plan(want(), { ...pc, cameras: [c270, grey] }).notes, [], 'a better one is on');
  // An encoder that is none, or a camera without H.264, is nothing to act on while another way works.
  const none = { ...v4l2, works: false, why: 'no frames came out' };
  const other = plan(want(), { ...pc, cameras: [c270], encoders: [none, ...pc.encoders] });
  assert.deepEqual([other.video.encoder, other.notes], ['x264enc', []]);
});

test('a slate says what it stands in for: not that another slate could not be drawn, nor whose sound is away', () => {
  const elements = pc.elements.filter((element) => element !== 'x264enc');
  const missed = (wanted: Wanted, machine: Machine, onAir?: OnAir) => {
    const made = plan(wanted, machine, onAir);
    assert.deepEqual([made.video.source, made.video.encoder], ['slate', 'openh264enc']);
    return made.missed;
  };
  assert.deepEqual(missed(want({ encoder: 'passthrough' }), { ...pc, elements, cameras: [c270] }), {
    code: 'passthrough_unfit',
    what: 'The camera /dev/video2 does not encode H.264 itself.',
    remedy: 'Set video.encoder to auto.',
  });
  assert.deepEqual(missed(want({}, { source: 'Nobody' }), { ...pc, elements }, { cameraLost: true }), {
    code: 'source_not_found',
    what: 'The camera is missing or delivers nothing, and there is no other.',
    remedy: 'Plug it in again; it is retried automatically.',
  });
  const machine = { ...pc, elements, cameras: [c270] };
  assert.throws(() => plan(want({ encoder: 'passthrough' }), machine, { picture: true }), {
    code: 'passthrough_unfit',
  });
});

test('where nothing can be encoded it is said of all encoders, unless one is insisted on or something else is missing', () => {
  const broken = { ...v4l2, works: false, why: 'no frames came out' };
  const machine = { ...pc, encoders: [broken] };
  const why = 'No H.264 encoder works on this machine. v4l2h264enc: no frames came out.';
  assert.throws(() => plan(want(), machine), { name: 'NoPlan', code: 'encoder_missing', what: why });
  const one = 'The encoder v4l2h264enc does not work on this machine: no frames came out.';
  assert.throws(() => plan(want({ encoder: 'v4l2h264enc' }), machine), { code: 'encoder_missing', what: one });
  assert.throws(() => plan(want({ source: '/dev/video9' }), machine), { code: 'source_not_found' });
  // The slate is no picture to stay for, and one that cannot be drawn is none either.
  assert.throws(() => plan(want(), { ...pc, elements: [] }), { code: 'plugin_missing' });
});

describe('from one plan to the next', () => {
  const playing = (...adjustable: [name: string, value: string | number][]): Plan => ({
    ...plan(want(), pc),
    adjustable: adjustable.map(([name, value]) => {
      const [element = '', property = ''] = name.split('.');
      return { element, property, value };
    }),
  });

  test('only what differs is set', () => {
    const running = playing(['venc.bitrate', 1000], ['gain.volume', 1]);
    assert.deepEqual(liveChanges(running, running), []);
    const next = playing(['venc.bitrate', 1000], ['gain.volume', 2]);
    assert.deepEqual(liveChanges(running, next), [{ element: 'gain', property: 'volume', value: 2 }]);
  });

  test('what has other elements, other properties, more or fewer of them has to be played anew', () => {
    const running = playing(['venc.bitrate', 1000]);
    for (const next of [
      playing(['other.bitrate', 1000]),
      playing(['venc.target-bitrate', 1000]),
      playing(),
      playing(['venc.bitrate', 1000], ['gain.volume', 1]),
    ])
      assert.equal(liveChanges(running, next), undefined);
    assert.deepEqual(liveChanges(playing(), playing()), []);
  });

  test('the level of the encoder stays', () => {
    const running = playing(['venc.bitrate', 1000]);
    const at = (level: string): Plan => ({ ...running, video: { ...running.video, level } });
    assert.deepEqual(liveChanges(at('4'), at('4')), []);
    assert.equal(liveChanges(at('4'), at('4.1')), undefined);
    assert.equal(liveChanges(running, at('4')), undefined);
  });

  test("of a camera's knobs only those that move", () => {
    const knobs = (value: string): Plan => playing(['video-source.extra-controls', value]);
    const moved = (before: string, after: string) =>
      liveChanges(knobs(before), knobs(after))?.map(({ value }) => value);
    assert.deepEqual(moved('controls,a=1,b=2,c=3', 'controls,a=1,b=4,c=3'), ['controls,b=4']);
    assert.deepEqual(moved('controls,a=1,b=2', 'controls,a=2,b=3'), ['controls,a=2,b=3']);
    assert.deepEqual(moved('controls,a=1', 'controls,a=1'), []);
    const other = playing(['venc.speed', 'x,a=1,b=2']);
    assert.deepEqual(liveChanges(other, playing(['venc.speed', 'x,a=1,b=3']))?.[0]?.value, 'x,a=1,b=3');
  });
});
