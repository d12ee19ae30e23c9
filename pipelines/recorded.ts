/** Plans of media files: untouched where they fit, transcoded where they do not, one pipeline a file. */
import { avc, composed, encode, encodedSound, type Sound } from './branch.js';
import { workingEncoder } from './choose/encoders.js';
import { playlistUnfit } from './choose/fit.js';
import { type Chain, element, pad } from './graph.js';
import type { Machine, MediaFile } from './machine.js';
import { rawAac } from './mix/aac.js';
import { generatedSound } from './mix/generated.js';
import { NoPlan } from './noplan.js';
import type { OnAir } from './onair.js';
import type { Plan } from './plan.js';
import { fileH264, type FilePicture, fileRaw, findFiles, secondsOf } from './sources/file.js';
import type { EncoderName, Wanted, WantedAudio, WantedVideo, Way } from './wanted.js';

export function filePlan(way: Way, wanted: Wanted, machine: Machine, { filesPlayed }: OnAir): Plan {
  const { video, audio } = wanted;
  if (filesPlayed)
    throw new NoPlan(
      'source_ended',
      'The last file has been played to its end.',
      'Name others in video.files to continue.',
    );
  const { filesFault } = machine;
  if (filesFault) throw new NoPlan(filesFault.code, filesFault.what, filesFault.remedy);
  const files = findFiles(video, machine);
  if (audio.source !== 'auto' && audio.source !== 'none' && audio.source !== 'test') {
    throw new NoPlan(
      'setting_range',
      `A file's sound cannot come from the sound card '${audio.source}'.`,
      "Set audio.source to auto (the file's own sound), test or none.",
    );
  }
  if (way !== 'passthrough') return transcodedPlan(files, way, wanted, machine);
  const why = playlistUnfit(files);
  if (why === undefined) return untouchedPlan(files, wanted, machine);
  throw new NoPlan('passthrough_unfit', `The files cannot be passed through: ${why}.`, 'Set video.encoder to auto.');
}

/** What is wanted of a slate: the format that is on the air, which is the source's own where that passed through. */
export const inFormatOnAir = (wanted: Wanted, { passed }: OnAir): Wanted =>
  passed ? inFormat(wanted, passed.video, passed.audio) : wanted;

/** The same of one that stands in for files: no microphone, which was never meant to be heard, and their format even when they are known only. */
export function inFormatOfFiles(wanted: Wanted, machine: Machine, onAir: OnAir): Wanted {
  const { video, audio } = wanted;
  const muted = { ...wanted, audio: { ...audio, source: audio.source === 'test' ? 'test' : 'none' } };
  if (onAir.passed || !onAir.filesPlayed) return inFormatOnAir(muted, onAir);
  const files = video.files.flatMap((path) => machine.files.find((file) => file.path === path) ?? []);
  const [first] = files;
  const passes = video.encoder === 'auto' || video.encoder === 'passthrough';
  if (!passes || !first?.video || files.length < video.files.length || playlistUnfit(files) !== undefined) return muted;
  return inFormat(muted, first.video, keepsAudio(first, audio) ? first.audio! : audio);
}

/** What a file may have but no encoder makes is approximated: odd sizes, an unknown rate, more than two channels. */
function inFormat(
  wanted: Wanted,
  { width, height, fps }: Pick<WantedVideo, 'width' | 'height' | 'fps'>,
  { rate, channels }: Pick<WantedAudio, 'rate' | 'channels'>,
): Wanted {
  const video = {
    ...wanted.video,
    width: width - (width % 2),
    height: height - (height % 2),
    fps: fps || wanted.video.fps,
  };
  return { ...wanted, video, audio: { ...wanted.audio, rate, channels: Math.min(2, channels) } };
}

/** Whether the sound of `file` is its own. */
const keepsAudio = (file: MediaFile, audio: WantedAudio): boolean =>
  audio.source === 'auto' && file.audio !== undefined;

function madeSound(file: MediaFile, { audio }: Wanted, machine: Machine): Sound {
  const kind = audio.source === 'test' ? 'tone' : 'silence';
  return encodedSound(audio, machine, kind, generatedSound(kind, audio, secondsOf(file)));
}

function untouchedPlan(files: readonly MediaFile[], wanted: Wanted, machine: Machine): Plan {
  const sounds = files.map((file) => (keepsAudio(file, wanted.audio) ? undefined : madeSound(file, wanted, machine)));
  const pictures = files.map((file, index) => fileH264(file, files.length, sounds[index] === undefined));
  const { width, height, fps } = files[0]!.video!;
  const own = files[0]!.audio;
  return {
    kind: 'file',
    pipelines: pictures.map((picture, index) => composed(fileChains(picture, [], sounds[index]), machine)),
    live: false,
    loop: wanted.video.loop,
    video: { source: pictures[0]!.source, encoder: 'passthrough', width, height, fps },
    audio: sounds[0]?.about ?? { source: 'file', encoder: 'passthrough', rate: own!.rate, channels: own!.channels },
    devices: {},
    adjustable: sounds[0]?.adjustable ?? [],
    notes: [],
  };
}

function transcodedPlan(files: readonly MediaFile[], way: EncoderName, wanted: Wanted, machine: Machine): Plan {
  const { video, audio } = wanted;
  const encoder = workingEncoder(way, machine);
  const parts = files.map((file) => {
    const picture = fileRaw(file, files.length, video, encoder.formats[0]!, keepsAudio(file, audio));
    const sound = picture.audio
      ? encodedSound(audio, machine, 'file', picture.audio)
      : madeSound(file, wanted, machine);
    return { ...encode(picture, encoder, video, machine), sound };
  });
  const [first] = parts;
  const sounding = parts.find(({ picture }) => picture.audio) ?? first!;
  return {
    kind: 'file',
    pipelines: parts.map(({ picture, chain, sound }) => composed(fileChains(picture, chain, sound), machine)),
    live: false,
    loop: video.loop,
    video: first!.about,
    audio: sounding.sound.about,
    devices: {},
    adjustable: [...first!.adjustable, ...sounding.sound.adjustable],
    ...(first!.keyframe ? { keyframe: first!.keyframe } : {}),
    notes: first!.notes,
  };
}

/** What an encoder makes ahead of its time obeys neither a bitrate nor a request for a keyframe that comes later: not the usual second. */
const encodedAhead = element('queue', { 'max-size-time': 300_000_000 });

/**
 * A file is paced by its sink: without `sync` five seconds of it would be gone in 14 ms. Matroska tells no decode times, without
 * which `flvmux` ruins the order of B-frames: `h264timestamper` makes them.
 */
const fileChains = (picture: FilePicture, encoder: Chain, sound: Sound | undefined): Chain[] => [
  ...(picture.before ?? []),
  [
    ...[...picture.chain, ...encoder, ...avc],
    ...(encoder.length > 0 ? [encodedAhead] : [element('h264timestamper'), element('queue')]),
    pad('mux', 'video'),
  ],
  [...(sound?.chain ?? [...(picture.audio ?? []), rawAac]), element('queue'), pad('mux', 'audio')],
  [
    element('flvmux', { name: 'mux', streamable: true }),
    element('appsink', { name: 'tags', sync: true, 'max-buffers': 20, 'enable-last-sample': false }),
  ],
];
