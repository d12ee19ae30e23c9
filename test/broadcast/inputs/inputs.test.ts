/** Cameras and microphones that fail, come back and flap: when they are left out, and when they are tried again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plan } from '../../../pipelines/choose/best.js';
import { type Machine, modeName } from '../../../pipelines/machine.js';
import type { Plan } from '../../../pipelines/plan.js';
import { cameraName } from '../../../pipelines/choose/camera.js';
import type { Wanted } from '../../../pipelines/wanted.js';
import { Fault } from '../../../agent/errors.js';
import { type Audition, Inputs } from '../../../agent/broadcast/inputs/inputs.js';
import { c270, c920, c920Microphone, movie, pc, usbAudio, want } from '../../pipelines/machines.js';

const fault = new Fault('source_failed', 'camera stopped.', 'Check its cable.');
const machine = { ...pc, cameras: [c920], microphones: [c920Microphone] };

/** What is planned of `found` by what `inputs` know. */
function planned(wanted: Wanted, inputs: Inputs, found: Machine): Plan {
  const usable = inputs.usable(found);
  return plan(wanted, usable, inputs.onAir(found, usable));
}

/** Inputs on a clock that the test sets, and the plan that they allow. */
function setup() {
  let now = 1000;
  const inputs = new Inputs({ now: () => now, random: () => 0 });
  return {
    inputs,
    wait: (ms: number) => void (now += ms),
    plan: (of: Machine = machine) => planned(want(), inputs, of),
  };
}

test('a camera that fails is left out, and the slate stands in with its microphone', () => {
  const { inputs, plan: made } = setup();
  const first = made();
  inputs.playing(first, machine);
  assert.ok(inputs.failed('picture', fault, first, machine));
  const next = made();
  assert.deepEqual([next.video.source, next.audio.source], ['slate', first.audio.source]);
  assert.deepEqual(
    inputs.problems.map(({ code }) => code),
    ['source_failed'],
  );
});

test('another camera that works takes over before the slate does', () => {
  const { inputs, plan: made } = setup();
  const both = { ...machine, cameras: [c920, c270] };
  inputs.playing(made(both), both);
  inputs.failed('picture', fault, made(both), both);
  assert.match(made(both).video.source, /C270/);
});

test('a microphone that fails is silence, and the camera goes on', () => {
  const { inputs, plan: made } = setup();
  const first = made();
  assert.ok(inputs.failed('sound', fault, first, machine));
  const next = made();
  assert.deepEqual([next.video.source, next.audio.source], [first.video.source, 'silence']);
  const two = { ...machine, microphones: [c920Microphone, usbAudio] };
  assert.match(made(two).audio.source, /Device/, 'unless there is another one');
});

test('a test picture that fails gives way to the slate, for a while', () => {
  const { inputs, wait } = setup();
  const made = () => planned(want({ source: 'test' }), inputs, pc);
  const first = made();
  assert.ok(inputs.failed('picture', fault, first, pc));
  const slate = made();
  assert.deepEqual([slate.video.source, slate.missed?.code], ['slate', 'source_failed']);
  // There is nothing that could stand in for the slate.
  assert.ok(!inputs.failed('picture', fault, slate, pc));
  wait(inputs.nextMs! + 1);
  assert.equal(made().video.source, first.video.source);
  inputs.playing(made(), pc);
  assert.deepEqual(inputs.problems, []);
});

test('it is tried again: soon once plugged in anew, later where nothing changed, and is forgiven when it works', () => {
  const { inputs, wait, plan: made } = setup();
  const first = made();
  inputs.playing(first, machine);
  inputs.failed('picture', fault, first, machine);
  assert.equal(inputs.nextMs, 2000);
  inputs.devicesChanged();
  assert.equal(inputs.nextMs, 300);
  wait(301);
  assert.equal(inputs.nextMs, undefined);
  const again = made();
  assert.match(again.video.source, /C920/);
  inputs.playing(again, machine);
  assert.deepEqual(inputs.problems, []);
});

for (const [part, kind] of [
  ['picture', 'video'],
  ['sound', 'audio'],
] as const) {
  test(`one that flaps has to hold still ever longer; the same plan is counted once: ${part}`, () => {
    const { inputs, wait, plan: made } = setup();
    const waits: number[] = [];
    for (let flap = 0; flap < 6; flap++) {
      const on = made();
      assert.match(on[kind].source, /C920/);
      inputs.playing(on, machine);
      wait(1000);
      assert.ok(inputs.failed(part, fault, on, machine));
      assert.ok(!inputs.failed(part, fault, on, machine), 'its device vanished, and then its driver said so');
      assert.doesNotMatch(made()[kind].source, /C920/);
      inputs.devicesChanged();
      waits.push(inputs.nextMs!);
      wait(inputs.nextMs! + 1);
    }
    assert.deepEqual(waits, [300, 2000, 5000, 10_000, 30_000, 30_000]);
    wait(200_000);
    const on = made();
    inputs.failed(part, fault, on, machine);
    assert.equal(inputs.nextMs, 2000, 'what lies long back counts no more');
  });
}

/** Unplugs and plugs in, as the looks at the machine see it; what is on the air fails as it goes. */
function plugs({ inputs, plan: made }: ReturnType<typeof setup>, with_: Machine, without: Machine) {
  let on: ReturnType<typeof made> | undefined;
  const look = (found: Machine) => {
    inputs.devicesChanged();
    inputs.looked(found);
  };
  const show = () => {
    on = made(with_);
    inputs.playing(on, with_);
    return on;
  };
  inputs.looked(with_);
  return {
    show,
    pull(part: 'picture' | 'sound') {
      look(without);
      if (on) inputs.failed(part, fault, on, with_);
      on = undefined;
    },
    push: () => look(with_),
  };
}

for (const [part, kind, without] of [
  ['picture', 'video', { ...machine, cameras: [] }],
  ['sound', 'audio', { ...machine, microphones: [] }],
] as const) {
  test(`one that was lost once is back at once; one that comes and goes must be there for a while, with no gap: ${part}`, () => {
    const set = setup();
    const { inputs, wait, plan: made } = set;
    const { show, pull, push } = plugs(set, machine, without);
    show();
    wait(60_000);
    pull(part);
    wait(5000);
    push();
    assert.match(show()[kind].source, /C920/, 'lost once');
    wait(1000);
    pull(part);
    // It comes and goes for long enough that every wait from its last failure on has passed.
    for (let flap = 0; flap < 5; flap++) {
      wait(1000);
      push();
      assert.doesNotMatch(made()[kind].source, /C920/, `flap ${flap}`);
      wait(1000);
      assert.doesNotMatch(made()[kind].source, /C920/, `a second after flap ${flap}`);
      pull(part);
    }
    wait(1000);
    push();
    assert.equal(inputs.nextMs, 2000);
    // Pulled and put back between two looks: the change is seen, the gap is not.
    wait(1500);
    push();
    wait(1500);
    assert.doesNotMatch(made()[kind].source, /C920/);
    wait(inputs.nextMs! + 1);
    assert.match(show()[kind].source, /C920/, 'it has held still');
    assert.deepEqual(inputs.problems, []);
  });
}

test('the slate has the microphone that was on with the camera, and no other', () => {
  const two = { ...machine, microphones: [usbAudio, c920Microphone] };
  const { inputs, plan: made } = setup();
  assert.match(made({ ...two, cameras: [] }).audio.source, /Device/, 'without a camera it is the first');
  const first = made(two);
  assert.match(first.audio.source, /C920/);
  inputs.playing(first, two);
  inputs.failed('picture', fault, first, two);
  const slate = made(two);
  assert.deepEqual([slate.video.source, slate.audio.source], ['slate', first.audio.source]);
  const gone = made({ ...two, cameras: [], microphones: [usbAudio] });
  assert.deepEqual([gone.video.source, gone.audio.source], ['slate', 'silence']);
  inputs.forget();
  assert.match(made({ ...two, cameras: [] }).audio.source, /Device/, 'in another broadcast');
});

test('another sound is wanted while the slate stands in for a camera: the slate stays', () => {
  const { inputs, plan: made } = setup();
  const first = made();
  inputs.playing(first, machine);
  inputs.failed('picture', fault, first, machine);
  const gone = { ...machine, cameras: [], microphones: [] };
  inputs.forget({ video: true, sound: false });
  assert.deepEqual(inputs.problems, []);
  assert.deepEqual([made(gone).video.source, made(gone).audio.source], ['slate', 'silence']);
});

test('a camera is known again under another node by where it is plugged in', () => {
  const { inputs, plan: made } = setup();
  inputs.playing(made(), machine);
  inputs.failed('picture', fault, made(), machine);
  const moved = { ...machine, cameras: [{ ...c920, path: '/dev/video4' }] };
  assert.equal(made(moved).video.source, 'slate');
  assert.match(made({ ...machine, cameras: [{ ...c920, usbPath: '1-1.4' }] }).video.source, /C920/);
});

test('a camera that comes back at another port: what it did at the first is over', () => {
  const { inputs, plan: made } = setup();
  inputs.looked(machine);
  inputs.playing(made(), machine);
  inputs.failed('picture', fault, made(), machine);
  const moved = { ...machine, cameras: [{ ...c920, usbPath: '1-1.4' }, c270] };
  inputs.looked(moved);
  inputs.playing(planned(want({ source: c270.path }), inputs, moved), moved);
  assert.equal(inputs.problems.length, 1, 'another camera does not mend it');
  inputs.playing(made(moved), moved);
  assert.deepEqual(inputs.problems, []);
});

test('a camera that opens and gives nothing is listened to again soon, however often, unless another camera is on', () => {
  const silent = new Fault('source_silent', 'camera delivers no pictures.', 'Unplug it.');
  const { inputs, wait, plan: made } = setup();
  const first = made();
  inputs.playing(first, machine);
  assert.ok(inputs.failed('picture', silent, first, machine));
  inputs.playing(made(), machine);
  for (let tries = 0; tries < 20; tries++) {
    assert.equal(inputs.nextMs, 2000);
    assert.deepEqual(inputs.auditions, []);
    wait(2001);
    // It is asked for a picture beside the slate, which would have to make room for it, with the microphone that both have.
    assert.equal(made().video.source, 'slate');
    const [{ camera, mode }] = inputs.auditions as unknown as [Audition];
    assert.deepEqual([camera.path, mode], [c920.path, first.mode]);
    assert.equal(inputs.isDue, false);
    wait(4000);
    inputs.auditioned(camera, false);
  }
  wait(2001);
  inputs.auditioned(c920, true);
  const back = made();
  assert.match(back.video.source, /C920/);
  inputs.playing(back, machine);
  assert.deepEqual(inputs.problems, []);
  // It was lost once: all that it was silent for since is no reason to wait longer at the next loss.
  assert.ok(inputs.failed('picture', fault, back, machine));
  assert.equal(inputs.nextMs, 2000);

  const other = setup();
  const both = { ...machine, cameras: [c920, c270] };
  other.inputs.playing(other.plan(both), both);
  other.inputs.failed('picture', silent, other.plan(both), both);
  const waits: number[] = [];
  for (let tries = 0; tries < 3; tries++) {
    const on = other.plan(both);
    assert.match(on.video.source, /C270/);
    other.inputs.playing(on, both);
    waits.push(other.inputs.nextMs!);
    other.wait(other.inputs.nextMs! + 1);
    other.inputs.auditioned(c920, true);
    other.inputs.failed('picture', silent, other.plan(both), both);
  }
  assert.deepEqual(waits, [2000, 4000, 8000]);
});

test('a format that comes to nothing: the next is tried at once, and said; where none is left it is the slate, and all of it again', () => {
  const { inputs, wait, plan: made } = setup();
  inputs.looked(machine);
  const silent = new Fault('source_silent', 'camera delivers no pictures.', 'Unplug it.');
  const tried: string[] = [];
  for (;;) {
    const next = made();
    if (!next.mode) break;
    tried.push(modeName(next.mode));
    assert.ok(inputs.failed('picture', silent, next, machine));
    assert.ok(tried.length < 5);
  }
  assert.deepEqual(tried, ['H264 1280x720', 'MJPG 1280x720', 'H264 1920x1080', 'MJPG 1920x1080']);
  const slate = made();
  assert.deepEqual(
    [slate.video.source, slate.missed?.code],
    ['slate', 'source_not_found'],
    'no bars, though it was never on',
  );
  wait(inputs.nextMs! + 1);
  // In each of the formats it may have come to life.
  const asked: string[] = [];
  for (let tries = 0; tries < 5; tries++) {
    asked.push(modeName(inputs.auditions[0]!.mode));
    inputs.auditioned(c920, false);
    wait(inputs.nextMs! + 1);
  }
  assert.deepEqual(asked, ['MJPG 1920x1080', 'H264 1280x720', 'MJPG 1280x720', 'H264 1920x1080', 'MJPG 1920x1080']);
  inputs.auditioned(c920, true);
  const [first] = [made()];
  assert.equal(modeName(first.mode!), 'H264 1280x720');
  inputs.failed('picture', silent, first, machine);
  const second = made();
  assert.match(second.notes.join(), /gives no pictures in H264 1280x720: another of its formats is used/);
  inputs.playing(second, machine);
  assert.deepEqual(inputs.problems, []);
  // What has worked and fails is the camera's fault, not the format's.
  inputs.failed('picture', silent, second, machine);
  assert.equal(made().video.source, 'slate');
  // Plugged in anew, all may be tried.
  inputs.looked({ ...machine, cameras: [] });
  inputs.looked(machine);
  wait(60_000);
  assert.equal(modeName(made().mode!), 'H264 1280x720');
});

test('H.264 whose keyframes are too far apart is encoded here, where it can be', () => {
  const { inputs, plan: made } = setup();
  const sparse = new Fault('keyframes_sparse', 'camera has given no keyframe for 5 s.', 'Set their distance.');
  inputs.looked(machine);
  const passing = made();
  assert.equal(passing.video.encoder, 'passthrough');
  inputs.playing(passing, machine);
  assert.ok(!inputs.encodeInstead(passing, sparse, { ...machine, encoders: [] }), 'nothing encodes here');
  const alone = { ...c920, formats: c920.formats.filter(({ fourcc }) => fourcc === 'H264') };
  assert.ok(!inputs.encodeInstead(passing, sparse, { ...machine, cameras: [alone] }), 'it has nothing else');
  assert.equal(made().video.encoder, 'passthrough', 'better than none');
  assert.ok(inputs.encodeInstead(passing, sparse, machine));
  const encoded = made();
  assert.deepEqual([encoded.video.encoder, encoded.mode?.fourcc], ['x264enc', 'MJPG']);
  assert.match(encoded.notes.join(), /no keyframe for 5 s\. It is encoded here instead\./);
  assert.deepEqual(inputs.problems, []);
});

test('what a camera does not take it is not told again, until it is plugged in anew', () => {
  const { inputs, plan: made } = setup();
  inputs.looked(machine);
  const told = made();
  assert.equal(told.encoderUnit?.id, 12);
  inputs.refused(told, 'keyframe', 'EPIPE', machine);
  assert.deepEqual([made().keyframe, made().video.bitrateKbps], [undefined, told.video.bitrateKbps]);
  assert.match(made().notes.join(), /The camera \/dev\/video0 gives no keyframe when asked for one \(EPIPE\)\./);
  inputs.refused(told, 'bitrate', 'EPIPE', machine);
  assert.deepEqual(made().encoderUnit, told.encoderUnit, 'it starts as it is told');
  assert.equal(made().video.bitrateKbps, undefined);
  inputs.refused(told, 'setup', 'ENOENT', machine);
  const left = made();
  assert.deepEqual([left.encoderUnit, left.keyframe, left.video.bitrateKbps], [undefined, undefined, undefined]);
  assert.deepEqual([left.video.encoder, left.pipelines], [told.video.encoder, told.pipelines], 'it plays as before');
  assert.match(
    left.notes.join(),
    /The camera \/dev\/video0 does not allow its H\.264 encoder to be configured, .* \(ENOENT\)\./,
  );
  // Its keyframes are too far apart then, and both are said.
  assert.ok(inputs.encodeInstead(left, new Fault('keyframes_sparse', 'None for 5 s.', 'Set it.'), machine));
  const encoded = made();
  assert.deepEqual([encoded.video.encoder, encoded.encoderUnit], ['x264enc', undefined]);
  assert.match(encoded.notes.join(), /be configured, .* \(ENOENT\).*None for 5 s/);
  inputs.looked({ ...machine, cameras: [] });
  inputs.looked(machine);
  assert.deepEqual(made(), told);
});

test('a camera that is in use has no other format that is not', () => {
  const { inputs, plan: made } = setup();
  inputs.failed('picture', new Fault('source_busy', 'camera is in use.', 'Stop it.'), made(), machine);
  assert.equal(made().video.source, 'slate');
});

test('files that fail in mid-play are the slate for a while, and are then played again', () => {
  const { inputs, wait } = setup();
  const onAir = { ...pc, files: [movie] };
  const wanted = want({ source: 'file', files: [movie.path] });
  const made = () => planned(wanted, inputs, onAir);
  const first = made();
  assert.equal(first.video.source, 'file');
  assert.ok(inputs.failed('picture', fault, first, onAir));
  assert.deepEqual([made().video.source, made().missed?.code], ['slate', 'source_failed']);
  wait(2001);
  const again = made();
  assert.equal(again.video.source, 'file');
  inputs.playing(again, onAir);
  assert.deepEqual(inputs.problems, []);
});

test('a picture of the slate that fails is left out until its file changes', () => {
  const { inputs } = setup();
  const onAir = { ...pc, slateImage: { path: '/card.png', version: '1' } };
  const wanted = { ...want({ source: '/dev/video9' }), slate: { text: '', image: '/card.png' } };
  const made = (of: Machine) => planned(wanted, inputs, of);
  const first = made(onAir);
  assert.equal(first.devices.slateImage, '/card.png');
  assert.ok(inputs.failed('picture', fault, first, onAir));
  assert.equal(inputs.usable(onAir).slateImage!.unfit!.code, 'slate_image');
  assert.deepEqual(made(onAir).devices, {});
  assert.equal(inputs.nextMs, undefined);
  const changed = { ...onAir, slateImage: { path: '/card.png', version: '2' } };
  assert.equal(made(changed).devices.slateImage, '/card.png');
});

test('an encoder that is left out makes room for the next; a fault of nothing in particular changes nothing', () => {
  const { inputs, plan: made } = setup();
  const raw = { ...machine, cameras: [c270] };
  const first = made(raw);
  assert.equal(first.video.encoder, 'x264enc');
  assert.ok(!inputs.failed('other', fault, first, raw));
  assert.ok(!inputs.failed('encoder', fault, first, raw));
  inputs.leaveOut('x264enc', fault);
  assert.equal(made(raw).video.encoder, 'openh264enc');
  inputs.devicesChanged();
  assert.equal(made(raw).video.encoder, 'openh264enc');
  inputs.forget();
  assert.equal(made(raw).video.encoder, 'x264enc');
});

test('an encoder that is insisted on is left out for a while: the slate goes by another', () => {
  const { inputs, wait } = setup();
  const raw = { ...machine, cameras: [c270] };
  const made = () => planned(want({ encoder: 'x264enc' }), inputs, raw);
  for (const waitMs of [2000, 4000]) {
    const on = made();
    assert.deepEqual([on.video.source, on.video.encoder], [cameraName(c270), 'x264enc']);
    inputs.playing(on, raw);
    assert.deepEqual(inputs.problems, []);
    inputs.leaveOut('x264enc', fault, true);
    const slate = made();
    assert.deepEqual([slate.video.source, slate.video.encoder], ['slate', 'openh264enc']);
    assert.equal(slate.missed?.code, 'encoder_missing');
    assert.equal(inputs.nextMs, waitMs);
    wait(waitMs + 1);
  }
});
