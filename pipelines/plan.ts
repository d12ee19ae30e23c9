/** The plan: which source and encoder, and the GStreamer text that makes FLV of them. */
import { aacText, chooseAac } from './audio/aac.js';
import { type Generated, generatedSound, type Span } from './audio/generated.js';
import { autoMicrophone, findMicrophone, microphoneSound } from './audio/microphone.js';
import { requireElements } from './elements.js';
import { chooseEncoder, type VideoEncoder } from './encoders/encoder.js';
import { steppedBitrate } from './encoders/v4l2h264enc.js';
import type { Camera, Facts, MediaFile } from './facts.js';
import { NoPlan } from './noplan.js';
import { cameraH264, cameraRaw, cameraUse, encodesItself, findCamera } from './sources/camera.js';
import { fileH264, fileRaw, findFiles, secondsOf } from './sources/file.js';
import { playlistUnfit } from './sources/fit.js';
import type { Picture } from './sources/picture.js';
import { testPicture } from './sources/test.js';
import type { Wanted, WantedAudio, WantedVideo } from './wanted.js';

export { NoPlan };

/** A value that must never be part of pipeline text (paths, free text): it is set as a property once the text is parsed. */
export interface ElementProperty {
  readonly element: string;
  readonly property: string;
  readonly value: string | number | boolean;
}

/** One pipeline that ends in `appsink name=tags` and gives FLV. */
export interface Piece {
  /** Text for gst_parse_launch. Names nothing that an operator typed freely. */
  readonly text: string;
  readonly properties: readonly ElementProperty[];
}

export interface Plan {
  /** Pipelines in playing order: one, or one for each file of a playlist. */
  readonly pieces: readonly Piece[];
  /** After the last piece ends: start again at the first, or end. Live sources never end. */
  readonly loop: boolean;
  /** What goes on the air, for people and for the status document. */
  readonly video: {
    readonly source: string;
    /** GStreamer element, or `passthrough`. */
    readonly encoder: string;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
    /** kbit/s asked of the encoder; absent in pass-through. */
    readonly bitrateKbps?: number;
  };
  readonly audio: {
    readonly source: string;
    /** GStreamer element, or `passthrough`. */
    readonly encoder: string;
    readonly rate: number;
    readonly channels: number;
    /** kbit/s asked of the encoder; absent in pass-through. */
    readonly bitrateKbps?: number;
  };
  /** How the encoder takes a bitrate while it runs; absent where it cannot. */
  readonly bitrate?: {
    readonly element: string;
    readonly property: string;
    readonly set: 'kbps' | 'bps' | 'extra-controls';
  };
  /** Element with `volume` and `mute` properties, where there is one (pass-through of a file has none). */
  readonly volume?: string;
}

/** Composes the plan. Throws {@link NoPlan} where the machine cannot do what is wanted. */
export function plan(wanted: Wanted, facts: Facts): Plan {
  const made = compose(wanted, facts);
  const installed = new Set(facts.elements);
  for (const piece of made.pieces) requireElements(piece.text, installed);
  return made;
}

function compose(wanted: Wanted, facts: Facts): Plan {
  const { source } = wanted.video;
  if (source === 'file') return filePlan(wanted, facts);
  if (source === 'test') return testPlan(wanted, facts);
  const camera = source === 'auto' ? facts.cameras[0] : findCamera(source, facts);
  return camera ? cameraPlan(camera, wanted, facts) : testPlan(wanted, facts);
}

function cameraPlan(camera: Camera, wanted: Wanted, facts: Facts): Plan {
  const { video } = wanted;
  const use = cameraUse(camera, video, facts);
  const sound = liveSound(wanted.audio, facts, autoMicrophone(facts, camera)?.id, 'silence', 'tone', 'live');
  if (!use.passthrough) {
    const encoder = chooseEncoder(video.encoder, facts);
    return livePlan(cameraRaw(camera, use.format, video, encoder.formats, facts), encoder, video, sound);
  }
  const picture = cameraH264(camera, use.format, video);
  const { width, height, fps } = use.format;
  const own = encodesItself(camera);
  return {
    pieces: [livePiece(picture, '', sound)],
    loop: false,
    video: {
      source: picture.source,
      encoder: 'passthrough',
      width,
      height,
      fps,
      ...(own ? { bitrateKbps: video.bitrateKbps } : {}),
    },
    audio: sound.about,
    ...(own ? { bitrate: { element: 'video-source', property: 'extra-controls', set: 'extra-controls' } } : {}),
    volume: 'gain',
  };
}

function testPlan(wanted: Wanted, facts: Facts): Plan {
  const { video, audio } = wanted;
  if (video.encoder === 'passthrough')
    throw new NoPlan('passthrough_unfit', 'The test picture has no H.264 of its own.', 'Set video.encoder to auto.');
  const sync = video.testPattern === 'sync';
  const encoder = chooseEncoder(video.encoder, facts);
  const picture = testPicture(video, encoder.formats[0]!, new Set(facts.elements));
  const tone = sync ? 'beep' : 'tone';
  const microphone = sync ? undefined : autoMicrophone(facts)?.id;
  return livePlan(picture, encoder, video, liveSound(audio, facts, microphone, tone, tone, sync ? 'clocked' : 'live'));
}

/** The sound's branch up to AAC, and what the plan says of it. */
interface Sound {
  readonly text: string;
  readonly properties: readonly ElementProperty[];
  readonly about: Plan['audio'];
}

function encodedSound(
  wanted: WantedAudio,
  facts: Facts,
  source: string,
  from: { text: string; properties?: readonly ElementProperty[] },
): Sound {
  const encoder = chooseAac(new Set(facts.elements));
  const { rate, channels, bitrateKbps } = wanted;
  return {
    text: `${from.text} ! ${aacText(wanted, encoder)}`,
    properties: from.properties ?? [],
    about: { source, encoder: encoder.element, rate, channels, bitrateKbps },
  };
}

/** `auto` is the microphone that was found (its card id), else `fallback`; `test` is the `tone`. */
function liveSound(
  wanted: WantedAudio,
  facts: Facts,
  found: string | undefined,
  fallback: Generated,
  tone: Generated,
  span: Span,
): Sound {
  const id = wanted.source === 'auto' ? found : wanted.source;
  if (id === undefined || wanted.source === 'none' || wanted.source === 'test') {
    const kind = wanted.source === 'none' ? 'silence' : wanted.source === 'test' ? tone : fallback;
    return encodedSound(wanted, facts, kind, { text: generatedSound(kind, wanted, span) });
  }
  const microphone = findMicrophone(id, facts);
  return encodedSound(wanted, facts, `microphone ${microphone.name} (${id})`, microphoneSound(microphone, wanted));
}

function encoderText(encoder: VideoEncoder, video: WantedVideo): string {
  return encoder.text({ ...video, keyframeFrames: Math.max(1, Math.round(video.keyframeSeconds * video.fps)) });
}

function livePlan(picture: Picture, encoder: VideoEncoder, video: WantedVideo, sound: Sound): Plan {
  return {
    pieces: [livePiece(picture, ` ! ${encoderText(encoder, video)}`, sound)],
    loop: false,
    video: encodedVideo(picture, encoder, video),
    audio: sound.about,
    bitrate: { element: 'venc', ...encoder.bitrate },
    volume: 'gain',
  };
}

function encodedVideo(picture: Picture, encoder: VideoEncoder, video: WantedVideo): Plan['video'] {
  const { width, height, fps, bitrateKbps } = video;
  return { source: picture.source, encoder: encoder.element, width, height, fps, bitrateKbps };
}

/** FLV keeps SPS and PPS in its sequence header: they are not repeated in the stream (`config-interval` stays 0). */
const avc = 'h264parse ! video/x-h264,stream-format=avc,alignment=au';

/**
 * The muxer waits half a second for the side that is late (nothing waits while both deliver) and drops what then still comes
 * too late, where it would otherwise give it a wrong time. The queues let source and muxer work at their own pace.
 */
function livePiece(picture: Picture, encoder: string, sound: Sound): Piece {
  return {
    text: [
      `${picture.text}${encoder} ! ${avc} ! queue ! mux.video`,
      `${sound.text} ! queue ! mux.audio`,
      'flvmux name=mux streamable=true skip-backwards-streams=true latency=500000000 ! ' +
        'appsink name=tags sync=false max-buffers=200 enable-last-sample=false',
    ].join('\n'),
    properties: [...picture.properties, ...sound.properties],
  };
}

function filePlan(wanted: Wanted, facts: Facts): Plan {
  const { video, audio } = wanted;
  const files = findFiles(video, facts);
  if (audio.source !== 'auto' && audio.source !== 'none' && audio.source !== 'test') {
    throw new NoPlan(
      'setting_range',
      `A file's sound cannot come from the sound card '${audio.source}'.`,
      "Set audio.source to auto (the file's own sound), test or none.",
    );
  }
  const why = playlistUnfit(files);
  if (why !== undefined && video.encoder === 'passthrough')
    throw new NoPlan('passthrough_unfit', `Not fit to be passed through: ${why}.`, 'Set video.encoder to auto.');
  const untouched = why === undefined && (video.encoder === 'auto' || video.encoder === 'passthrough');
  return untouched ? untouchedPlan(files, wanted, facts) : transcodedPlan(files, wanted, facts);
}

/** Whether the sound of `file` is its own. */
const keepsAudio = (file: MediaFile, audio: WantedAudio): boolean =>
  audio.source === 'auto' && file.audio !== undefined;

function madeSound(file: MediaFile, { audio }: Wanted, facts: Facts): Sound {
  const kind = audio.source === 'test' ? 'tone' : 'silence';
  return encodedSound(audio, facts, kind, { text: generatedSound(kind, audio, secondsOf(file)) });
}

function untouchedPlan(files: readonly MediaFile[], wanted: Wanted, facts: Facts): Plan {
  const sounds = files.map((file) => (keepsAudio(file, wanted.audio) ? undefined : madeSound(file, wanted, facts)));
  const pictures = files.map((file, index) => fileH264(file, files.length, sounds[index] === undefined));
  const { width, height, fps } = files[0]!.video!;
  const own = files[0]!.audio;
  return {
    pieces: pictures.map((picture, index) => filePiece(picture, '', sounds[index])),
    loop: wanted.video.loop,
    video: { source: pictures[0]!.source, encoder: 'passthrough', width, height, fps },
    audio: sounds[0]?.about ?? { source: 'file', encoder: 'passthrough', rate: own!.rate, channels: own!.channels },
    ...(sounds[0] ? { volume: 'gain' } : {}),
  };
}

function transcodedPlan(files: readonly MediaFile[], wanted: Wanted, facts: Facts): Plan {
  const { video, audio } = wanted;
  const encoder = chooseEncoder(video.encoder, facts);
  const parts = files.map((file) => {
    const picture = fileRaw(file, files.length, video, encoder.formats[0]!, keepsAudio(file, audio));
    const sound = picture.audio
      ? encodedSound(audio, facts, 'file', { text: picture.audio })
      : madeSound(file, wanted, facts);
    return { picture, sound };
  });
  return {
    pieces: parts.map(({ picture, sound }) => filePiece(picture, ` ! ${encoderText(encoder, video)}`, sound)),
    loop: video.loop,
    video: encodedVideo(parts[0]!.picture, encoder, video),
    audio: (parts.find((part) => part.picture.audio) ?? parts[0]!).sound.about,
    bitrate: { element: 'venc', ...encoder.bitrate },
    volume: 'gain',
  };
}

/** A file is paced by its sink: without `sync` five seconds of it would be gone in 14 ms. */
function filePiece(picture: Picture & { audio?: string }, encoder: string, sound: Sound | undefined): Piece {
  return {
    text: [
      `${picture.text}${encoder} ! ${avc} ! queue ! mux.video`,
      `${sound?.text ?? `${picture.audio} ! audio/mpeg,mpegversion=4,stream-format=raw`} ! queue ! mux.audio`,
      'flvmux name=mux streamable=true ! appsink name=tags sync=true max-buffers=20 enable-last-sample=false',
    ].join('\n'),
    properties: [...picture.properties, ...(sound?.properties ?? [])],
  };
}

/** The property that gives a running plan another bitrate; undefined where it cannot take one. */
export function bitrateProperty(plan: Plan, kbps: number): ElementProperty | undefined {
  if (!plan.bitrate) return undefined;
  const { element, property, set } = plan.bitrate;
  switch (set) {
    case 'kbps':
      return { element, property, value: kbps };
    case 'bps':
      return { element, property, value: kbps * 1000 };
    case 'extra-controls':
      return { element, property, value: `controls,video_bitrate=${steppedBitrate(kbps)}` };
  }
}
