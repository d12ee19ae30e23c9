/** A media file: its H.264 and AAC as they are, or decoded for an encoder. */
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
      throw new NoPlan('file_no_video', `The file ${path} holds no video.`, 'Name another in video.files.');
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
    `The file ${file.path} does not tell its length, which is needed to give it another sound.`,
    'Copy it into another container: ffmpeg -i FILE -c copy NEW.mp4',
  );
}

const open = (file: MediaFile) => [{ element: 'file', property: 'location', value: file.path }];
const sourceOf = (files: number) => (files === 1 ? 'file' : `playlist of ${files} files`);

/**
 * Demultiplexed, not decoded. A `multiqueue` grows where one track lies ahead of the other in the file, where two queues
 * would block each other for ever. Tracks that nothing asks for (subtitles, further languages) stay unlinked.
 */
export function fileH264(file: MediaFile, files: number, ownAudio: boolean): Picture & { audio?: string } {
  return {
    text:
      'multiqueue name=tracks\n' +
      'filesrc name=file ! parsebin name=demux\n' +
      'demux. ! video/x-h264 ! tracks.sink_0 tracks.src_0',
    properties: open(file),
    source: sourceOf(files),
    ...(ownAudio ? { audio: 'demux. ! audio/mpeg,mpegversion=4 ! tracks.sink_1 tracks.src_1 ! aacparse' } : {}),
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
): Picture & { audio?: string } {
  const full = file.video?.fullRange;
  return {
    text:
      'filesrc name=file ! decodebin name=decode\n' +
      'decode. ! video/x-raw(ANY) ! deinterlace fields=top ! videorate skip-to-first=true ! videoconvert ! ' +
      `${full === undefined ? '' : `${narrowed(full)} ! videoconvert ! `}videoflip video-direction=auto ! ` +
      `videoscale add-borders=true ! ${rawCaps(video, format)},colorimetry=bt709`,
    properties: open(file),
    source: sourceOf(files),
    ...(ownAudio ? { audio: 'decode. ! audio/x-raw(ANY)' } : {}),
  };
}
