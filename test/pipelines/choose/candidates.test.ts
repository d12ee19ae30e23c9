/** Every way to a broadcast on a machine: in which order, under which names, and why one is none. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { candidates } from '../../../pipelines/choose/candidates.js';
import type { Machine } from '../../../pipelines/machine.js';
import { NoPlan } from '../../../pipelines/noplan.js';
import type { OnAir } from '../../../pipelines/onair.js';
import type { Wanted } from '../../../pipelines/wanted.js';
import { c270, c920, movie, pc, pi3, piCam, usbAudio, v4l2, want, webm } from '../machines.js';

const ways = ['v4l2h264enc', 'omxh264enc', 'x264enc', 'openh264enc'];
const asItComes = 'H.264 as it comes';
const slates = ways.map((way) => `slate, ${way}`);
const each = (name: string, of: readonly string[]): string[] => of.map((way) => `${name}, ${way}`);
const names = (wanted: Wanted, machine: Machine, onAir?: OnAir): string[] =>
  candidates(wanted, machine, onAir).map(({ what }) => what);

const ofC920 = 'camera HD Pro Webcam C920 (/dev/video0)';
const ofC270 = 'camera C270 HD WEBCAM (/dev/video2)';

describe('the order', () => {
  const orders: [name: string, wanted: Wanted, machine: Machine, want: string[], onAir?: OnAir][] = [
    ['of the test picture', want({ source: 'test' }), { ...pc, cameras: [c920] }, each('test picture', ways)],
    ['of files', want({ source: 'file', files: [movie.path] }), pc, each('file', [asItComes, ...ways])],
    ['where there is no camera', want(), pc, each('test picture', ways)],
    [
      'of all cameras, as they were found',
      want(),
      { ...pc, cameras: [c270, c920] },
      [...each(ofC270, [...ways, asItComes]), ...each(ofC920, [asItComes, ...ways])],
    ],
    [
      'of one camera that is named',
      want({ source: c920.path }),
      { ...pc, cameras: [c270, c920] },
      each(ofC920, [asItComes, ...ways]),
    ],
    ['where the named one is away', want({ source: '1-9' }), { ...pc, cameras: [c270] }, [`camera 1-9, ${asItComes}`]],
    ['where the camera is lost', want(), pc, [`camera, ${asItComes}`], { cameraLost: true }],
    [
      'where one camera is lost and another is there',
      want(),
      { ...pc, cameras: [c270] },
      each(ofC270, [...ways, asItComes]),
      { cameraLost: true },
    ],
  ];
  for (const [name, wanted, machine, order, onAir] of orders)
    test(`${name}: slates by any encoder come last`, () =>
      assert.deepEqual(names(wanted, machine, onAir), [...order, ...slates]));

  test('has one way only where that is insisted on, and slates by any encoder all the same', () => {
    const machine = { ...pc, cameras: [c920] };
    assert.deepEqual(names(want({ encoder: 'x264enc' }), machine), [`${ofC920}, x264enc`, ...slates]);
    assert.deepEqual(names(want({ encoder: 'passthrough' }), machine), [`${ofC920}, ${asItComes}`, ...slates]);
    assert.deepEqual(names(want({ encoder: 'x264enc', source: 'test' }), machine), [
      'test picture, x264enc',
      ...slates,
    ]);
    assert.deepEqual(names(want({ encoder: 'x264enc', source: 'file' }), machine), ['file, x264enc', ...slates]);
  });

  test("puts the camera's own H.264 first unless something else is nearer to what is wanted", () => {
    const small = { ...c920, formats: c920.formats.filter(({ fourcc, width }) => fourcc !== 'H264' || width === 640) };
    const first = (...formats: string[]): string =>
      names(want(), {
        ...pc,
        cameras: [{ ...small, formats: small.formats.filter((one) => formats.includes(one.fourcc)) }],
      })[0]!;
    assert.equal(first('H264', 'MJPG'), `${ofC920}, v4l2h264enc`);
    assert.equal(first('H264'), `${ofC920}, ${asItComes}`, 'there is nothing else');
    assert.equal(first('MJPG'), `${ofC920}, v4l2h264enc`);
    assert.equal(first(), `${ofC920}, v4l2h264enc`);
    // What cannot be decoded is no alternative.
    const bare = { ...pc, elements: pc.elements.filter((element) => element !== 'jpegdec') };
    const noRaw = { ...small, formats: small.formats.filter(({ fourcc }) => fourcc !== 'YUYV') };
    assert.equal(names(want(), { ...bare, cameras: [noRaw] })[0], `${ofC920}, ${asItComes}`);
  });
});

test('only a slate stands in, and each says why it stands where it does', () => {
  const all = candidates(want(), { ...pi3, cameras: [c920] });
  assert.deepEqual(
    all.map(({ kind }) => kind),
    [...[...ways, 'H.264'].map(() => 'camera'), ...ways.map(() => 'slate')],
  );
  assert.equal(all[0]!.why, 'encoded by the source itself: nothing to do here');
  assert.equal(new Set(all.map(({ why }) => why)).size, 5);
  for (const { why } of all) assert.match(why, /^\w.{20,}/);
});

test('the next best is known, and every refusal has a reason', () => {
  const all = candidates(want(), { ...pi3, cameras: [c920] });
  assert.deepEqual(
    all.map(({ plan }) => plan?.video.encoder),
    [
      ...['passthrough', 'v4l2h264enc', undefined, 'x264enc', 'openh264enc'],
      ...['v4l2h264enc', undefined, 'x264enc', 'openh264enc'],
    ],
  );
  assert.equal(all[0]!.plan!.video.source, all[1]!.plan!.video.source);
  for (const { plan, refused } of all) assert.notEqual(plan === undefined, refused === undefined);
});

describe('what is refused', () => {
  const first = (wanted: Wanted, machine: Machine, onAir?: OnAir): NoPlan => {
    const { refused, plan } = candidates(wanted, machine, onAir)[0]!;
    assert.ok(refused instanceof NoPlan);
    assert.equal(plan, undefined);
    return refused;
  };

  test('is a camera that is not there', () => {
    const named = first(want({ source: '1-9' }), { ...pc, cameras: [c270] });
    assert.deepEqual([named.code, named.what], ['source_not_found', "There is no camera '1-9'; found: /dev/video2."]);
    const lost = first(want(), pc, { cameraLost: true });
    assert.deepEqual(
      [lost.code, lost.what, lost.remedy],
      [
        'source_not_found',
        'The camera is missing or delivers nothing, and there is no other.',
        'Plug it in again; it is retried automatically.',
      ],
    );
  });

  test('is a plan with an element that is not installed, in whichever of its pipelines', () => {
    const files = want({ source: 'file', files: [movie.path, webm.path], encoder: 'x264enc' });
    const machine = { ...pc, files: [movie, webm] };
    assert.ok(candidates(files, machine)[0]!.plan);
    const without = (element: string): Machine => ({
      ...machine,
      elements: pc.elements.filter((name) => name !== element),
    });
    assert.equal(first(files, without('flvmux')).code, 'plugin_missing');
    // Only the second one needs it: its sound is made here.
    const silent = { path: webm.path, seconds: 10, video: webm.video! };
    const mixed = { ...without('audiotestsrc'), files: [movie, silent] };
    assert.match(first(files, mixed).what, /audiotestsrc/);
    assert.ok(candidates(files, { ...mixed, elements: pc.elements })[0]!.plan);
  });

  test('is an encoder that does not work, with what was found out', () => {
    const broken = { ...v4l2, works: false, why: 'no frames came out' };
    const refused = first(want(), { ...pc, encoders: [broken, ...pc.encoders] });
    assert.deepEqual(
      [refused.code, refused.what],
      ['encoder_missing', 'The encoder v4l2h264enc does not work on this machine: no frames came out.'],
    );
  });

  test('is none of our own mistakes: those are thrown', () => {
    const machine = {
      ...pc,
      cameras: [piCam],
      get microphones(): never {
        throw new RangeError('a mistake');
      },
    };
    assert.throws(() => candidates(want(), machine), RangeError);
  });
});

test('a slate that stands in for files never listens; one for a camera does', () => {
  const heard = (wanted: Wanted): (string | undefined)[] => {
    const all = candidates(wanted, { ...pc, microphones: [usbAudio] }).filter(
      ({ plan, kind }) => plan && kind === 'slate',
    );
    assert.ok(all.length > 0);
    return [...new Set(all.map(({ plan }) => plan!.devices.microphone))];
  };
  assert.deepEqual(heard(want({ source: 'file', files: [movie.path] })), [undefined]);
  assert.deepEqual(heard(want({ source: '/dev/video9' })), ['Device']);
});
