/** Plans that never end: a camera or the test picture, with a microphone or a sound made here. */
import { avc, composed, encode, encodedSound, type Encoding, type Sound } from './branch.js';
import { h264Format, rawFormat, sharedFormat } from './choose/camera.js';
import { rawFormats, workingEncoder } from './choose/encoders.js';
import { rawName } from './choose/format.js';
import type { VideoEncoder } from './encoders/encoder.js';
import { type Chain, element, pad } from './graph.js';
import type { Camera, Machine, Mode } from './machine.js';
import { type Generated, generatedSound, type Span } from './mix/generated.js';
import { autoMicrophone, findMicrophone, microphoneSound, noMicrophone } from './mix/microphone.js';
import { NoPlan } from './noplan.js';
import type { OnAir } from './onair.js';
import type { PlanKind, Plan } from './plan.js';
import { cameraControls } from './sources/controls.js';
import { cameraH264, changesBitrate } from './sources/h264.js';
import { jpegDoubt } from './sources/jpeg.js';
import { cameraRaw } from './sources/raw.js';
import { slatePicture } from './sources/slate.js';
import { testPicture } from './sources/test.js';
import type { Wanted, WantedAudio, Way } from './wanted.js';

export function cameraPlan(camera: Camera, way: Way, wanted: Wanted, machine: Machine): Plan {
  const { video } = wanted;
  const controls = cameraControls(wanted.camera, camera);
  const notes = [...controls.notes, ...(camera.leftOut ?? [])];
  const sound = liveSound(wanted.audio, machine, autoMicrophone(machine, camera)?.id, 'silence', 'tone', 'live');
  if (way !== 'passthrough') {
    const encoder = workingEncoder(way, machine);
    const shared = sharedFormat(camera, way, video);
    const format = shared ?? rawFormat(camera, video, machine);
    const accepted = shared ? [rawName(shared.fourcc)!] : rawFormats(encoder, machine);
    const picture = {
      ...cameraRaw(camera, format, video, accepted, machine, controls),
      sharedMemory: shared !== undefined,
    };
    const doubt = jpegDoubt(format, video, machine);
    return livePlan(
      machine,
      'camera',
      encode(picture, encoder, video, machine),
      sound,
      [...notes, ...(doubt ? [doubt] : [])],
      camera,
      format,
    );
  }
  const format = h264Format(camera, video);
  const { width, height, fps } = format;
  const picture = cameraH264(camera, format, video, controls);
  const encoding: Encoding = {
    picture,
    chain: [],
    about: {
      source: picture.source,
      encoder: 'passthrough',
      width,
      height,
      fps,
      ...(picture.level === undefined ? {} : { level: picture.level }),
      ...(changesBitrate(camera) ? { bitrateKbps: video.bitrateKbps } : {}),
    },
    adjustable: picture.adjustable ?? [],
    ...(picture.keyframe ? { keyframe: picture.keyframe } : {}),
    notes: [],
  };
  return livePlan(machine, 'camera', encoding, sound, notes, camera, format);
}

export function testPlan(way: Way, wanted: Wanted, machine: Machine): Plan {
  const { video, audio } = wanted;
  const { testFault } = machine;
  if (testFault) throw new NoPlan(testFault.code, testFault.what, testFault.remedy);
  const sync = video.testPattern === 'sync';
  const encoder = drawnEncoder(way, machine);
  const picture = testPicture(video, encoder.formats[0]!, new Set(machine.elements));
  const tone = sync ? 'beep' : 'tone';
  const microphone = sync ? undefined : autoMicrophone(machine)?.id;
  const sound = liveSound(audio, machine, microphone, tone, tone, sync ? 'clocked' : 'live');
  return livePlan(machine, 'test', encode(picture, encoder, video, machine), sound, []);
}

/** The card, with the microphone that there still is. */
export function slatePlan(way: Way, wanted: Wanted, machine: Machine, { heard }: OnAir): Plan {
  const { video, audio } = wanted;
  const encoder = drawnEncoder(way, machine);
  const { path, unfit, isJpeg = false } = machine.slateImage ?? {};
  const slate = { ...wanted.slate, image: path === wanted.slate.image && !unfit ? path : '' };
  const picture = slatePicture(slate, isJpeg, video, encoder.formats[0]!, new Set(machine.elements));
  // Of several, none that was never on: nobody expects to be heard by it.
  const microphone = heard ? findMicrophone(heard.microphone ?? '', machine) : autoMicrophone(machine);
  const sound = liveSound(audio, machine, microphone?.id, 'silence', 'tone', 'live');
  const made = livePlan(machine, 'slate', encode(picture, encoder, video, machine), sound, []);
  return slate.image === '' ? made : { ...made, devices: { ...made.devices, slateImage: slate.image } };
}

function drawnEncoder(way: Way, machine: Machine): VideoEncoder {
  if (way !== 'passthrough') return workingEncoder(way, machine);
  throw new NoPlan(
    'passthrough_unfit',
    'A test picture or slate does not come as H.264: it has to be encoded.',
    'Set video.encoder to auto.',
  );
}

/** `auto` is the microphone that was found (its card id), else `fallback`; `test` is the `tone`. One that is named and away is silence. */
function liveSound(
  wanted: WantedAudio,
  machine: Machine,
  found: string | undefined,
  fallback: Generated,
  tone: Generated,
  span: Span,
): Sound {
  const id = wanted.source === 'auto' ? found : wanted.source;
  if (id === undefined || wanted.source === 'none' || wanted.source === 'test') {
    const kind = wanted.source === 'none' ? 'silence' : wanted.source === 'test' ? tone : fallback;
    return encodedSound(wanted, machine, kind, generatedSound(kind, wanted, span));
  }
  const microphone = findMicrophone(id, machine);
  if (!microphone) {
    const sound = encodedSound(wanted, machine, 'silence', generatedSound('silence', wanted, span));
    const { code, what, remedy } = noMicrophone(id, machine);
    return { ...sound, missed: { code, what, remedy } };
  }
  const from = microphoneSound(microphone, wanted);
  return { ...encodedSound(wanted, machine, `microphone ${microphone.name} (${id})`, from), microphone: id };
}

function livePlan(
  machine: Machine,
  kind: PlanKind,
  video: Encoding,
  sound: Sound,
  notes: readonly string[],
  camera?: Camera,
  mode?: Mode,
): Plan {
  return {
    kind,
    pipelines: [composed(liveChains(video, sound, !camera && sound.microphone === undefined), machine)],
    live: true,
    loop: false,
    video: video.about,
    audio: sound.about,
    devices: {
      ...(camera ? { camera: camera.path } : {}),
      ...(sound.microphone === undefined ? {} : { microphone: sound.microphone }),
    },
    ...(mode ? { mode: { fourcc: mode.fourcc, width: mode.width, height: mode.height } } : {}),
    adjustable: [...video.adjustable, ...sound.adjustable],
    ...(video.keyframe ? { keyframe: video.keyframe } : {}),
    ...(video.picture.encoderUnit ? { encoderUnit: video.picture.encoderUnit } : {}),
    ...(video.picture.pulse ? { pulse: video.picture.pulse } : {}),
    notes: [...video.notes, ...notes],
    ...(sound.missed ? { missed: sound.missed } : {}),
  };
}

/**
 * How long the muxer waits for the side that is late; nothing waits while both deliver. A machine that is just fast enough is late by
 * the pictures that wait on their way: one in videorate, two before the encoder, some in it. A picture that is dropped behind the
 * encoder spoils all that follow it, so there is room for eight. After a stall of the machine, sound has caught up while the encoder
 * still works. Where both are made here (`drawn`) none goes silent alone, and the picture is waited for; which device has gone silent
 * is told by what still comes, so there the wait is shorter than a second.
 */
const patienceMs = (fps: number, drawn: boolean): number => Math.max(drawn ? 3000 : 500, Math.ceil(8000 / fps));

/** What comes later than the muxer waits is dropped: it would otherwise get a wrong time. Queues let source and muxer work at their own pace. */
const liveChains = ({ picture, chain, about }: Encoding, sound: Sound, drawn: boolean): Chain[] => [
  [...picture.chain, ...chain, ...avc, element('queue'), pad('mux', 'video')],
  [...sound.chain, element('queue'), pad('mux', 'audio')],
  [
    element('flvmux', {
      name: 'mux',
      streamable: true,
      'skip-backwards-streams': true,
      latency: patienceMs(about.fps, drawn) * 1_000_000,
    }),
    element('appsink', { name: 'tags', sync: false, 'max-buffers': 200, 'enable-last-sample': false }),
  ],
];
