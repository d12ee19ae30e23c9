/** Who is compared: makercast, gst-launch-1.0 with the elements of makercast's own plan, ffmpeg with the same settings. */
import path from 'node:path';
import { mainFile } from '../test/helpers/agent/agent.js';
import { run } from '../test/helpers/command.js';

export const contenders = ['makercast', 'gst-launch', 'ffmpeg'] as const;
export type Contender = (typeof contenders)[number];

export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** 720p30, x264 ultrafast/zerolatency at 2500 kbit/s with a keyframe every 2 s, AAC 128 kbit/s 48 kHz stereo: makercast's defaults, but for the ball. */
const settings = {
  VIDEO_SOURCE: 'test',
  VIDEO_TEST_PATTERN: 'ball',
  VIDEO_WIDTH: '1280',
  VIDEO_HEIGHT: '720',
  VIDEO_FPS: '30',
  VIDEO_BITRATE_KBPS: '2500',
  VIDEO_KEYFRAME_SECONDS: '2',
  VIDEO_ENCODER: 'x264enc',
  AUDIO_SOURCE: 'test',
  AUDIO_RATE: '48000',
  AUDIO_CHANNELS: '2',
  AUDIO_BITRATE_KBPS: '128',
} as const;

/** makercast's environment: nothing of ours but PATH. `folder` is its home, `url` the application at the server. */
export function environment(folder: string, url: string, name: string): Record<string, string> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: folder,
    MAKERCAST_DATA: path.join(folder, 'data'),
    ...settings,
    STREAM_URL: url,
    STREAM_KEY: name,
  };
}

/** The text of `makercast plan`, with RTMP where makercast's own pipeline ends. */
export async function gstText(folder: string): Promise<string> {
  const env = environment(folder, 'rtmp://127.0.0.1/live', 'name');
  const { stdout } = await run(process.execPath, [mainFile, 'plan'], { env, cwd: folder });
  const text = stdout
    .toString()
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join(' ');
  const direct = text.replace(/appsink name=tags[^!]*$/, 'rtmp2sink name=sink sync=false chunk-size=4096');
  if (direct === text) throw new Error('makercast plan does not end in its appsink');
  return direct;
}

/**
 * A white square instead of the ball, on the same path and by the same clock. `realtime` paces what filters make; `-re` would
 * pace too, but first reads ahead to probe its inputs, and stays that much behind (0.3 s).
 */
const ffmpegGraph = [
  'color=black:size=1280x720:rate=30[ground]',
  'color=white:size=40x40:rate=30[square]',
  "[ground][square]overlay=x='(W-w)/2+160*sin(2*PI*time(0))':y='(H-h)/2-160*cos(2*PI*time(0))':eval=frame,format=yuv420p,realtime[video]",
  'sine=frequency=440:sample_rate=48000:samples_per_frame=1024,volume=-17dB,aformat=channel_layouts=stereo,arealtime[audio]',
].join(';');

/** How ffmpeg encodes and sends, from its mapped inputs on. */
const ffmpegOutput = [
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-tune', 'zerolatency', '-pix_fmt', 'yuv420p', '-g', '60'],
  ...['-b:v', '2500k', '-maxrate', '2500k', '-bufsize', '2500k', '-c:a', 'aac', '-b:a', '128k', '-ac', '2'],
  ...['-flush_packets', '1', '-f', 'flv'],
];

/** ffmpeg with a file for ever in place of the ball: what a file is made of can be too much for a link. */
export const ffmpegFile = (file: string, url: string): Command => ({
  command: 'ffmpeg',
  args: ['-nostdin', '-v', 'error', '-re', '-stream_loop', '-1', '-i', file, ...ffmpegOutput, url],
  env: { PATH: process.env['PATH'] ?? '' },
});

export function commandOf(contender: Contender, url: string, name: string, folder: string, gst: string): Command {
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  switch (contender) {
    case 'makercast':
      return { command: process.execPath, args: [mainFile], env: environment(folder, url, name) };
    case 'gst-launch':
      return {
        command: 'gst-launch-1.0',
        args: ['-q', '-e', ...gst.trim().split(/\s+/), `location=${url}/${name}`],
        env,
      };
    case 'ffmpeg':
      return {
        command: 'ffmpeg',
        args: [
          ...['-nostdin', '-v', 'error', '-filter_complex', ffmpegGraph, '-map', '[video]', '-map', '[audio]'],
          ...ffmpegOutput,
          `${url}/${name}`,
        ],
        env,
      };
  }
}
