/**
 * Sample media files, made once by ffmpeg and kept in .cache/media. No Debian package holds a small real clip (opencv-doc would be 96 MB),
 * so they are made to be like one: a zoom into a fractal with film grain (detail and motion everywhere) and a spoken text.
 */
import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../command.js';
import { root } from '../root.js';

const folder = path.join(root, '.cache', 'media');
/** Part of the files' names: raise it when a recipe changes. */
const edition = 2;

interface Recipe {
  readonly size?: string;
  readonly seconds?: number;
  readonly fps?: string;
  /** ffmpeg's output options; an empty list leaves the track out. */
  readonly video: string;
  readonly audio: string;
}

const x264 = '-c:v libx264 -preset veryfast -threads 1 -pix_fmt yuv420p';
const aac = '-c:a aac -b:a 128k -ar 48000 -ac 2';

/** Of those that are only shown and transcoded. */
const brief = { size: '320x180', seconds: 4 };

/** Names are file names; what they end on is the container. */
const recipes = {
  /** Fits for pass-through as it is: High, B-frames, a keyframe every 2 s, AAC-LC 48 kHz stereo. */
  'h264-bframes.mp4': { video: `${x264} -bf 3 -g 60 -sc_threshold 0`, audio: aac },
  /** The same format once more with another picture rate inside the same track settings: a second part of a playlist. */
  'h264-bframes-2.mp4': { video: `${x264} -bf 3 -g 60 -sc_threshold 0 -vf negate`, audio: aac },
  'h264.mkv': { video: `${x264} -bf 0 -g 60`, audio: aac },
  'h264.ts': { video: `${x264} -bf 2 -g 60`, audio: aac },
  /** Keyframes 6 s apart: too far for pass-through. */
  'h264-long-gop.mp4': { video: `${x264} -bf 0 -g 9999 -keyint_min 9999 -sc_threshold 0`, audio: aac },
  /** 4:4:4 chroma: no player of a live stream takes it. */
  'h264-444.mp4': { video: '-c:v libx264 -preset veryfast -threads 1 -pix_fmt yuv444p -g 60', audio: aac },
  /** Fits but for its sound. */
  'h264-mp3.mkv': { ...brief, video: `${x264} -bf 0 -g 60`, audio: '-c:a libmp3lame -b:a 128k -ar 44100 -ac 2' },
  'h264-silent.mp4': { video: `${x264} -bf 0 -g 60`, audio: '' },
  'vp8-opus.webm': {
    ...brief,
    video: '-c:v libvpx -b:v 1M -deadline realtime -cpu-used 8 -threads 1',
    audio: '-c:a libopus -b:a 96k -ac 2',
  },
  'vp9-opus.webm': {
    ...brief,
    video: '-c:v libvpx-vp9 -b:v 1M -deadline realtime -cpu-used 8 -threads 1',
    audio: '-c:a libopus -b:a 96k -ac 2',
  },
  'mpeg4-mp3.mov': {
    ...brief,
    video: '-c:v mpeg4 -q:v 5 -threads 1',
    audio: '-c:a libmp3lame -b:a 128k -ar 44100 -ac 1',
    fps: '25',
  },
  'hevc.mp4': {
    ...brief,
    video: '-c:v libx265 -preset ultrafast -x265-params log-level=error:pools=1:frame-threads=1 -tag:v hvc1',
    audio: aac,
  },
  /** Odd in every way: 4:3, 24 frames/s, 22.05 kHz mono. */
  'theora-vorbis.ogv': {
    video: '-c:v libtheora -q:v 6',
    audio: '-c:a libvorbis -ar 22050 -ac 1',
    size: '240x180',
    seconds: 4,
    fps: '24',
  },
  'sound-only.m4a': { video: '', audio: aac },
} as const satisfies Record<string, Recipe>;

export type Sample = keyof typeof recipes;

const speech = 'A maker flashes a card, plugs in a camera, enters a stream address and a key, and is on the air.';

/** Path of a sample file of 6 s, 640x360 at 30 frames/s unless its recipe says otherwise; made at the first call. */
export async function sample(name: Sample): Promise<string> {
  const file = path.join(folder, `${edition}-${name}`);
  if (existsSync(file)) return file;
  await mkdir(folder, { recursive: true });
  const { size = '640x360', seconds = 6, fps = '30', video, audio }: Recipe = recipes[name];
  const words = (text: string): string[] => text.split(' ').filter((word) => word !== '');
  // Made under a name of its own: test files run at the same time, and a half-made file must not be taken for a whole one.
  const temporary = path.join(folder, `making-${process.pid}-${name}`);
  try {
    await run(
      'ffmpeg',
      [
        ...['-nostdin', '-v', 'error', '-y', '-fflags', '+bitexact'],
        ...['-f', 'lavfi', '-i', `mandelbrot=size=${size}:rate=${fps}:maxiter=500,noise=all_seed=1:alls=6:allf=t`],
        ...['-f', 'lavfi', '-i', `flite=text='${speech}',aresample=48000,apad`],
        ...(video ? ['-map', '0:v', ...words(video)] : []),
        ...(audio ? ['-map', '1:a', ...words(audio)] : []),
        ...['-t', String(seconds), '-flags:v', '+bitexact', '-flags:a', '+bitexact', '-map_metadata', '-1', temporary],
      ],
      { deadlineMs: 120_000 },
    );
    await rename(temporary, file);
  } finally {
    await rm(temporary, { force: true });
  }
  return file;
}
