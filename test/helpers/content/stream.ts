/** Judges a recorded or a live stream by its content, as the receiver sees it: ffprobe for what it holds, ffmpeg for whether it decodes. */
import { run } from '../command.js';
import { drift, isPicture, wallClock } from './flv.js';
import { subscribe } from '../rtmp/client.js';

interface Track {
  readonly codec: string;
  readonly profile: string;
  readonly packets: number;
  /** Seconds from the first packet to the last, in stream time. */
  readonly seconds: number;
  /** Decode times never go back nor stand still. */
  readonly monotonic: boolean;
  /** Milliseconds from each packet to the next, and the most of them. */
  readonly gapsMs: readonly number[];
  readonly largestGapMs: number;
  /** Stream time of the first packet's presentation, in seconds. */
  readonly start: number;
}

export interface VideoTrack extends Track {
  /** As ffprobe writes it: 31 is level 3.1. */
  readonly level: number;
  readonly width: number;
  readonly height: number;
  readonly pixelFormat: string;
  /** Frames a second that the stream names, and that it has. */
  readonly nominalFps: number;
  readonly fps: number;
  /** Seconds from each keyframe to the next. */
  readonly keyframeIntervals: readonly number[];
  readonly keyframes: number;
  /** Some picture is shown later than it is decoded. */
  readonly bFrames: boolean;
  readonly kbps: number;
  readonly startsWithKeyframe: boolean;
}

export interface AudioTrack extends Track {
  readonly rate: number;
  readonly channels: number;
  readonly kbps: number;
}

export interface Analysis {
  readonly video?: VideoTrack;
  readonly audio?: AudioTrack;
  /** What ffmpeg complained of while it decoded everything, lost reference pictures included; empty when all is well. */
  readonly decodeErrors: readonly string[];
}

interface Packet {
  codec_type: string;
  pts_time?: string;
  dts_time?: string;
  size: string;
  flags: string;
}

interface Probe {
  packets: Packet[];
  streams: {
    codec_type: string;
    codec_name: string;
    profile?: string;
    level?: number;
    width?: number;
    height?: number;
    pix_fmt?: string;
    r_frame_rate: string;
    sample_rate?: string;
    channels?: number;
  }[];
}

const decodeTime = (packet: Packet): number => Number(packet.dts_time ?? packet.pts_time);

function differences(times: readonly number[]): number[] {
  return times.slice(1).map((time, index) => time - times[index]!);
}

function track(stream: Probe['streams'][number], packets: readonly Packet[]): Track & { kbps: number } {
  const times = packets.map(decodeTime);
  const steps = differences(times);
  const seconds = (times.at(-1) ?? 0) - (times[0] ?? 0);
  return {
    codec: stream.codec_name,
    profile: stream.profile ?? '',
    packets: packets.length,
    seconds,
    monotonic: steps.every((step) => step > 0),
    gapsMs: steps.map((step) => Math.round(1000 * step)),
    largestGapMs: Math.round(1000 * steps.reduce((most, step) => Math.max(most, step), 0)),
    start: Number(packets[0]?.pts_time ?? 0),
    kbps: (packets.reduce((sum, packet) => sum + Number(packet.size), 0) * 8) / 1000 / seconds,
  };
}

function videoTrack(stream: Probe['streams'][number], packets: readonly Packet[]): VideoTrack {
  const base = track(stream, packets);
  const keys = packets.filter((packet) => packet.flags.startsWith('K')).map(decodeTime);
  const [over, under] = stream.r_frame_rate.split('/').map(Number) as [number, number];
  return {
    ...base,
    level: stream.level ?? 0,
    width: stream.width ?? 0,
    height: stream.height ?? 0,
    pixelFormat: stream.pix_fmt ?? '',
    nominalFps: over / under,
    fps: (packets.length - 1) / base.seconds,
    keyframeIntervals: differences(keys),
    keyframes: keys.length,
    bFrames: packets.some((packet) => Number(packet.pts_time) - decodeTime(packet) > 0.0005),
    startsWithKeyframe: packets[0]?.flags.startsWith('K') ?? false,
  };
}

/** What a file (or anything else that ffmpeg reads to its end) holds. Reads and decodes all of it. */
export async function analyse(file: string): Promise<Analysis> {
  const [probe, errors] = await Promise.all([
    run('ffprobe', [
      '-v',
      'error',
      '-of',
      'json',
      '-show_streams',
      '-show_entries',
      'packet=codec_type,pts_time,dts_time,size,flags',
      file,
    ]),
    decodeErrors(file),
  ]);
  const { packets, streams } = JSON.parse(probe.stdout.toString()) as Probe;
  const of = (type: string) => packets.filter((packet) => packet.codec_type === type);
  const video = streams.find((stream) => stream.codec_type === 'video');
  const audio = streams.find((stream) => stream.codec_type === 'audio');
  return {
    ...(video && { video: videoTrack(video, of('video')) }),
    ...(audio && {
      audio: { ...track(audio, of('audio')), rate: Number(audio.sample_rate), channels: audio.channels ?? 0 },
    }),
    decodeErrors: errors,
  };
}

/**
 * ffmpeg's complaints while it decodes all of a file; a lost reference picture is one of them, though ffmpeg says that only to
 * debuggers. Timestamps are the matter of `monotonic`, not of the null muxer.
 */
async function decodeErrors(file: string): Promise<string[]> {
  const output = ['-fps_mode', 'passthrough', '-enc_time_base:v', '1:1000', '-f', 'null', '-'];
  const { stderr } = await run('ffmpeg', ['-nostdin', '-v', 'level+debug', '-i', file, ...output], { mayFail: true });
  return stderr
    .split('\n')
    .filter((line) => /\[(error|fatal|panic)\]|Frame num gap/.test(line) && !line.startsWith('[null @'));
}

export interface Observation extends Analysis {
  /** The stream's clock against the subscriber's, as {@link drift} has it. */
  readonly driftMs: number;
}

/**
 * Subscribes, takes `seconds` of stream time from the first keyframe on, keeps it in `file` (FLV, timestamps untouched), and
 * judges that. What comes before that keyframe is left out: nginx-rtmp lets a late subscriber in between two of them.
 */
export async function observe(url: string, seconds: number, file: string): Promise<Observation> {
  await using subscriber = await subscribe(url);
  const first = await subscriber.keyframe(20_000);
  const index = subscriber.tags.items.indexOf(first);
  const end = first.timestamp + seconds * 1000;
  await subscriber.tags.waitFor((tag) => isPicture(tag) && tag.timestamp >= end, seconds * 1000 + 15_000, index);
  await subscriber.save(file, index);
  return { ...(await analyse(file)), driftMs: drift(subscriber.tags.items.slice(index)) };
}

/** Milliseconds from the start of a subscriber (ffmpeg) until it has decoded a picture; includes about 0.1 s of its own start. */
export async function firstPicture(url: string, deadlineMs = 20_000): Promise<number> {
  const start = wallClock();
  await run(
    'ffmpeg',
    [
      '-nostdin',
      '-v',
      'error',
      '-fflags',
      'nobuffer',
      '-flags',
      'low_delay',
      '-i',
      url,
      '-an',
      '-frames:v',
      '1',
      '-f',
      'null',
      '-',
    ],
    { deadlineMs },
  );
  return wallClock() - start;
}

/** The picture at `seconds` as ffmpeg's `output` arguments make it. */
async function frame(source: string, seconds: number, output: readonly string[]): Promise<Buffer> {
  const input = ['-nostdin', '-v', 'error', '-i', source, '-ss', String(seconds), '-an', '-frames:v', '1'];
  const { stdout } = await run('ffmpeg', [...input, ...output, '-']);
  return stdout;
}

/** One picture as PNG, `seconds` after the beginning of a file (or now, of a live URL). */
export const picture = (source: string, seconds = 0): Promise<Buffer> =>
  frame(source, seconds, ['-c:v', 'png', '-f', 'image2pipe']);

/** Mean colour of a rectangle (fractions of the picture, 0 to 1) of the picture at `seconds`: red, green, blue from 0 to 255. */
export async function colour(
  source: string,
  area: { x: number; y: number; width: number; height: number },
  seconds = 0,
): Promise<[number, number, number]> {
  const crop = `crop=iw*${area.width}:ih*${area.height}:iw*${area.x}:ih*${area.y},scale=1:1:flags=area,format=rgb24`;
  const rgb = await frame(source, seconds, ['-vf', crop, '-f', 'rawvideo']);
  return [rgb[0]!, rgb[1]!, rgb[2]!];
}
