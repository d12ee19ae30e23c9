/** A media file: its H.264 and AAC as they are, or decoded for an encoder. */
import { caps, type Caps, type Chain, type Element, element, pad } from '../graph.js';
import type { Machine, MediaFile } from '../machine.js';
import { NoPlan } from '../noplan.js';
import type { WantedVideo } from '../wanted.js';
import { type Picture, rawCaps } from './picture.js';
import { narrowed } from './range.js';

/** What was found of the wanted files, in playing order. Throws NoPlan. */
export function findFiles(video: WantedVideo, machine: Machine): MediaFile[] {
  if (video.files.length === 0)
    throw new NoPlan('source_not_found', 'video.source is file, but no file is named.', 'Name one in video.files.');
  return video.files.map((path) => {
    const file = machine.files.find((known) => known.path === path);
    if (!file) {
      throw new NoPlan('file_unreadable', `The file ${path} cannot be read.`, 'Check video.files and the permissions.');
    }
    if (!file.video)
      throw new NoPlan('file_no_video', `The file ${path} contains no video.`, 'Name another in video.files.');
    return file;
  });
}

/**
 * Seconds of sound to make for a file that has none, or whose own is not wanted. Made sound must be bounded: the muxer ends when
 * both of its sides have ended.
 */
export function secondsOf(file: MediaFile): number {
  if (file.seconds !== undefined) return file.seconds;
  throw new NoPlan(
    'file_broken',
    `The file ${file.path} does not state its length, which is needed to replace its sound.`,
    'Copy it into another container: ffmpeg -i FILE -c copy NEW.mp4',
  );
}

const open = ({ path }: MediaFile): Element => element('filesrc', { name: 'file' }, { location: path });
const sourceOf = (files: number) => (files === 1 ? 'file' : `playlist of ${files} files`);

export interface FilePicture extends Picture {
  /** The file's own sound, open at its end; absent where it is not wanted. */
  readonly audio?: Chain;
}

/**
 * Demultiplexed, not decoded. A `multiqueue` grows where one track lies ahead of the other in the file, where two queues
 * would block each other for ever. Tracks that nothing asks for (subtitles, further languages) stay unlinked.
 */
export function fileH264(file: MediaFile, files: number, ownAudio: boolean): FilePicture {
  const track = (media: Caps, index: number): Chain => [
    pad('demux'),
    media,
    pad('tracks', `sink_${index}`),
    pad('tracks', `src_${index}`),
  ];
  return {
    before: [[element('multiqueue', { name: 'tracks' })], [open(file), element('parsebin', { name: 'demux' })]],
    chain: track(caps('video/x-h264'), 0),
    source: sourceOf(files),
    ...(ownAudio ? { audio: [...track(caps('audio/mpeg', { mpegversion: 4 }), 1), element('aacparse')] } : {}),
  };
}

/**
 * Decoded, upright (phones film sideways), without interlacing, at the broadcast's size and rate. `skip-to-first`, since
 * without it videorate of GStreamer 1.22 sends its filling for a late start after the first frame, with earlier times. HD is
 * BT.709 as it is; whatever else (wide gamut) would come out in wrong colours at some players.
 */
export function fileRaw(
  file: MediaFile,
  files: number,
  video: WantedVideo,
  format: string,
  ownAudio: boolean,
): FilePicture {
  const full = file.video?.fullRange;
  return {
    before: [[open(file), element('decodebin', { name: 'decode' })]],
    chain: [
      pad('decode'),
      caps('video/x-raw(ANY)'),
      element('deinterlace', { fields: 'top' }),
      element('videorate', { 'skip-to-first': true }),
      element('videoconvert'),
      ...(full === undefined ? [] : [...narrowed(full), element('videoconvert')]),
      element('videoflip', { 'video-direction': 'auto' }),
      element('videoscale', { 'add-borders': true }),
      rawCaps(video, format, { colorimetry: 'bt709' }),
    ],
    source: sourceOf(files),
    ...(ownAudio ? { audio: [pad('decode'), caps('audio/x-raw(ANY)')] } : {}),
  };
}
