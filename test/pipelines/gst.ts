/** Runs a pipeline in gst-launch-1.0 into an FLV file, and says what FFmpeg sees in it; asks gst-inspect-1.0 about elements. */
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import type { PipelineText } from '../../pipelines/graph.js';

const run = promisify(execFile);

/** Milliseconds after which a run counts as hung. */
const deadline = 30_000;

/** Names of all elements that are installed on this machine. */
export function installedElements(): string[] {
  const listed = execFileSync('gst-inspect-1.0', { encoding: 'utf8', maxBuffer: 2 ** 24 });
  return [...listed.matchAll(/^\S+: {2}(\w+): /gm)].map(([, name]) => name!);
}

const inspected = new Map<string, string>();

/** Names of an element's properties; empty for an element that is not installed. Asked once for each. */
export function propertiesOf(element: string): string[] {
  let text = inspected.get(element);
  if (text === undefined) {
    try {
      text = execFileSync('gst-inspect-1.0', [element], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      text = '';
    }
    inspected.set(element, text);
  }
  return [...text.matchAll(/^ {2}([a-z][\w-]*) *: /gm)].map(([, name]) => name!);
}

/**
 * Names of the elements in a pipeline text of ours: the first word after `!`, after a line break and at the start. Caps hold
 * a `/`, pad references a `.`; neither is an element.
 */
export function elementsOf(text: string): string[] {
  const words = text.split(/\n| ! /).map((step) => step.trim().split(' ')[0]!);
  return [...new Set(words.filter((word) => /^[a-z][a-z0-9_]*$/.test(word)))];
}

/** The text as gst-launch takes it: properties in quotes, and a file for the appsink. */
function launchText(pipeline: PipelineText, output: string, paced: boolean): string {
  let { text } = pipeline;
  for (const { element, property, value } of pipeline.properties) {
    const quoted = String(value).replace(/[\\"]/g, '\\$&');
    text = text.replace(`name=${element} `, () => `name=${element} ${property}="${quoted}" `);
  }
  return text
    .replace(/appsink name=tags .*$/, () => `filesink location="${output}" sync=${paced}`)
    .replaceAll('\n', ' ');
}

/**
 * Live sources end after so many buffers, and give them as fast as they are taken: in real time a busy machine would lose some,
 * as it should on the air.
 */
export function ending(pipeline: PipelineText, frames: number, soundBuffers: number): PipelineText {
  const text = pipeline.text
    .replace('name=video-source', `name=video-source num-buffers=${frames}`)
    .replace('name=audio-source', `name=audio-source num-buffers=${soundBuffers}`)
    .replaceAll(' is-live=true', '')
    .replaceAll(' leaky=downstream', '')
    .replaceAll(' ! clocksync', '');
  return { ...pipeline, text };
}

/** `paced`: in real time, as on the air. Fails where GStreamer does, or hangs. */
export async function launch(pipeline: PipelineText, output: string, paced = false): Promise<void> {
  // One argument would have its blanks escaped; words that hold blanks inside quotes must stay together.
  const words = launchText(pipeline, output, paced).match(/(?:[^\s"]|"(?:\\.|[^"\\])*")+/g)!;
  const args = words.map((word) =>
    word.replace(/"((?:\\.|[^"\\])*)"/g, (_, inner: string) => inner.replace(/\\(.)/g, '$1')),
  );
  await run('gst-launch-1.0', ['-q', ...args], { timeout: deadline, killSignal: 'SIGKILL' });
}

export interface Packet {
  readonly pts: number;
  readonly dts: number;
  readonly keyframe: boolean;
}

export interface Stream {
  readonly codec_name: string;
  readonly profile: string;
  readonly width?: number;
  readonly height?: number;
  readonly pix_fmt?: string;
  readonly sample_rate?: string;
  readonly channels?: number;
  readonly avg_frame_rate?: string;
  readonly sample_aspect_ratio?: string;
}

/** First video or audio stream, with its packets in the order of the file. */
export async function probe(file: string, kind: 'v' | 'a'): Promise<{ stream: Stream; packets: Packet[] }> {
  const args = ['-v', 'error', '-select_streams', `${kind}:0`, '-show_streams', '-show_packets', '-of', 'json', file];
  const { stdout } = await run('ffprobe', args, { timeout: deadline, maxBuffer: 2 ** 26 });
  const { streams, packets } = JSON.parse(stdout) as {
    streams: Stream[];
    packets: { pts_time: string; dts_time: string; flags: string }[];
  };
  return {
    stream: streams[0]!,
    packets: packets.map((packet) => ({
      pts: Number(packet.pts_time),
      dts: Number(packet.dts_time),
      keyframe: packet.flags.startsWith('K'),
    })),
  };
}

/** A media file by FFmpeg: 3 s of a moving picture and a tone. `args` choose codecs and container. */
export async function sample(file: string, args: readonly string[]): Promise<void> {
  const inputs = ['-f', 'lavfi', '-i', 'testsrc2=size=320x240:rate=30:duration=3'];
  const tone = ['-f', 'lavfi', '-i', 'sine=frequency=500:duration=3'];
  await run('ffmpeg', ['-v', 'error', '-y', ...inputs, ...tone, ...args, file], { timeout: deadline });
}

/** Mean brightness (0 to 255) of each picture, and the sound as mono samples at 48 kHz. */
export async function decode(file: string): Promise<{ brightness: number[]; samples: Int16Array }> {
  const options = { timeout: deadline, maxBuffer: 2 ** 26, encoding: 'buffer' } as const;
  const pictures = ['-fps_mode', 'passthrough', '-vf', 'scale=4:4', '-pix_fmt', 'gray', '-f', 'rawvideo', '-'];
  const video = await run('ffmpeg', ['-v', 'quiet', '-i', file, '-map', '0:v:0', ...pictures], options);
  const sound = ['-map', '0:a:0', '-ac', '1', '-ar', '48000', '-f', 's16le', '-'];
  const audio = await run('ffmpeg', ['-v', 'quiet', '-i', file, ...sound], options);
  const brightness = Array.from({ length: video.stdout.length / 16 }, (_, index) => {
    const picture = video.stdout.subarray(index * 16, index * 16 + 16);
    return picture.reduce((sum, value) => sum + value, 0) / 16;
  });
  const bytes = Uint8Array.from(audio.stdout);
  return { brightness, samples: new Int16Array(bytes.buffer, 0, bytes.length >> 1) };
}
