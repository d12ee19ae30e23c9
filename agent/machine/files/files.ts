/** What a media file holds. Its name never gets near a pipeline text or a command line: programs get it as an open file. */
import { constants, type BigIntStats } from 'node:fs';
import { open, stat, type FileHandle } from 'node:fs/promises';
import type { Matrix, MediaFile } from '../../../pipelines/machine.js';
import { fileAudioScan, fileProbe, fileProbeEnd, fileVideoScan, probedStreams } from '../../../pipelines/probe.js';
import { fullRangeOf } from '../../../pipelines/sources/range.js';
import { Fault, sentence } from '../../errors.js';
import { parseCaps, type Caps } from '../encoders/caps.js';
import { SharedReads } from './reads.js';
import { run as runProgram, type Runner } from '../host/run.js';
import { Scan } from './scan.js';

/** Work on one file ends here; it is judged by what was seen until then. */
const deadlineMs = 20_000;

/** A {@link MediaFile}, and what the plan does not ask for. */
export interface ProbedFile extends MediaFile {
  /** Set where the file was so long that only its beginning was read: `keyframeSeconds` is true of this many seconds. */
  readonly scannedSeconds?: number;
}

/** As many as a playlist may have: with fewer, a long one would be read to its end again and again. */
const mostKept = 1000;

/** What is known of media files, for as long as each is the same. */
export class MediaFiles {
  /** The last answer for each path, by what tells one state of a file from another; what was asked for longest ago comes first. */
  readonly #answers = new Map<string, { readonly state: string; readonly answer: ProbedFile }>();
  readonly #reads = new SharedReads<ProbedFile>();
  readonly #present = new SharedReads<string | undefined>();

  /** `most`: for how many files the answers are kept. */
  constructor(private readonly most = mostKept) {}

  /**
   * Looks into the media file at `path`: 0.1 s, and for H.264 as long as the disk takes to read it, at most {@link deadlineMs}; for ever
   * where its disk hangs. Asked again for a file that has not changed it answers from memory; asked while it looks, as the first look
   * will. Throws `file_unreadable`, `file_broken`, `file_no_video` or `plugin_missing`.
   */
  at(path: string, run: Runner = runProgram): Promise<ProbedFile> {
    return this.#reads.at(path, () => this.#look(path, run));
  }

  /** Whether any of the files is not what {@link at} found there last. One that cannot be examined has not changed. */
  async haveChanged(paths: readonly string[]): Promise<boolean> {
    const states = await Promise.all(paths.map((path) => this.#present.at(path, () => stateAt(path))));
    return states.some((state, index) => state !== undefined && state !== this.#answers.get(paths[index]!)?.state);
  }

  async #look(path: string, run: Runner): Promise<ProbedFile> {
    // A path may hold a line break, and a message is one line.
    const name = JSON.stringify(path);
    const file = await opened(path, name);
    try {
      const stats = await file.stat({ bigint: true });
      const state = stateOf(stats);
      const known = this.#answers.get(path);
      if (known?.state === state) return this.#keep(path, state, known.answer);
      if (stats.size === 0n) throw new Fault('file_broken', `The file ${name} is empty.`, 'Copy it again.');
      return this.#keep(path, state, await probed(path, name, file, run));
    } finally {
      await file.close();
    }
  }

  #keep(path: string, state: string, answer: ProbedFile): ProbedFile {
    this.#answers.delete(path);
    this.#answers.set(path, { state, answer });
    const [oldest] = this.#answers.keys();
    if (this.#answers.size > this.most && oldest !== undefined) this.#answers.delete(oldest);
    return answer;
  }
}

const stateAt = (path: string): Promise<string | undefined> =>
  stat(path, { bigint: true }).then(stateOf, () => undefined);

const stateOf = ({ dev, ino, size, mtimeNs }: BigIntStats): string => `${dev} ${ino} ${size} ${mtimeNs}`;

async function opened(path: string, name: string): Promise<FileHandle> {
  const fail = (why: string, remedy: string): Fault => new Fault('file_unreadable', `The file ${name} ${why}.`, remedy);
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would wait here for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') throw fail('does not exist', 'Check its name and folder.');
    if (code === 'EACCES' || code === 'EPERM')
      throw fail('cannot be read: permission denied', 'Make it readable for this user.');
    throw fail(`cannot be opened (${code ?? 'unknown error'})`, 'Check its disk.');
  }
  const kind = await file.stat();
  if (kind.isFile()) return file;
  await file.close();
  throw fail(kind.isDirectory() ? 'is a folder' : 'is not a regular file', 'Name a media file.');
}

async function probed(path: string, name: string, file: FileHandle, run: Runner): Promise<ProbedFile> {
  const end = new RegExp(`from element "${fileProbeEnd}" \\(element\\): progress.*\\n`);
  const args = ['-v', '-m', ...fileProbe().split(' ')];
  const said = await run('gst-launch-1.0', args, { deadlineMs, fd3: file.fd, until: end });
  if (said.missing) {
    throw new Fault(
      'plugin_missing',
      'Media files cannot be examined: gst-launch-1.0 is missing.',
      'apt-get install gstreamer1.0-tools',
    );
  }
  // The last caps of each sink: parsers refine them once they have seen the stream's headers.
  const streams = probedStreams.flatMap((sink) => {
    const lines = [...said.stdout.matchAll(new RegExp(`GstFakeSink:${sink}\\.GstPad:sink: caps = (.*)$`, 'gm'))];
    const last = lines.at(-1)?.[1];
    return last === undefined ? [] : [parseCaps(last)];
  });
  if (streams.length === 0) {
    const why = /^ERROR: from element \S+: (.*)$/m.exec(said.stdout + said.stderr)?.[1];
    throw new Fault(
      'file_broken',
      `The file ${name} cannot be read as media: ${sentence(why ?? 'GStreamer gave no reason')}`,
      'Check that it is a media file, and complete.',
    );
  }
  // Cameras make films of JPEG; a photograph has no frame rate.
  const isFilm = (caps: Caps): boolean => caps.type.startsWith('image/') && (caps.number('framerate') ?? 0) > 0;
  const video = streams.find((caps) => caps.type.startsWith('video/') || isFilm(caps));
  if (!video) throw new Fault('file_no_video', `The file ${name} contains no video.`, 'Name a file with video.');
  const audio = streams.find(({ type }) => type.startsWith('audio/'));
  const seconds = Number(/total=\(gint64\)(\d+), format=\(GstFormat\)time/.exec(end.exec(said.stdout)?.[0] ?? '')?.[1]);
  const orientation = /image-orientation\\=\\\(string\\\)([a-z0-9-]+)/.exec(said.stdout)?.[1];

  const isH264 = video.type === 'video/x-h264';
  const [pictures, asc] = await Promise.all([
    isH264 ? scanned(fileVideoScan(), file, run) : undefined,
    ascOf(audio, file, run),
  ]);
  if (pictures && pictures.frames === 0)
    throw new Fault('file_broken', `The file ${name} has no picture that can be decoded.`, 'Copy it again.');
  // The container's word is in whole seconds here; where all pictures were seen they tell it to the frame.
  const length =
    pictures?.whole && pictures.fps ? pictures.seconds + 1 / pictures.fps : seconds > 0 ? seconds : undefined;
  const fullRange = isH264 ? pictures?.avcc && fullRangeOf(pictures.avcc, video.number('height') ?? 0) : rangeOf(video);
  return {
    path,
    ...(length !== undefined && { seconds: Math.round(length * 1000) / 1000 }),
    video: {
      codec: codecOf(video),
      width: video.number('width') ?? 0,
      height: video.number('height') ?? 0,
      fps: rateOf(video.number('framerate') ?? 0, pictures?.fps),
      ...(pictures?.avcc && { avcc: pictures.avcc }),
      ...(pictures && { keyframeSeconds: pictures.keyframeSeconds }),
      ...(fullRange && { fullRange }),
    },
    ...(audio && {
      audio: {
        codec: codecOf(audio),
        rate: audio.number('rate') ?? 0,
        channels: audio.number('channels') ?? 0,
        ...(asc !== undefined && { asc }),
      },
    }),
    ...(pictures && !pictures.whole && { scannedSeconds: pictures.seconds }),
    ...(orientation !== undefined && orientation !== 'rotate-0' && { orientation }),
  };
}

/** Of what is no H.264: JPEG always has the full range; others say so (the first of the four numbers of a colorimetry, or its name). */
function rangeOf(caps: Caps): Matrix | undefined {
  if (caps.type.startsWith('image/')) return 'bt601';
  const [range, matrix] = (caps.text('colorimetry') ?? '').split(':');
  if (range !== '1') return undefined;
  return matrix === '4' ? 'bt601' : 'bt709';
}

async function scanned(text: string, file: FileHandle, run: Runner, enough?: (scan: Scan) => boolean): Promise<Scan> {
  const scan = new Scan();
  const said = await run('gst-launch-1.0', ['-q', ...text.split(' ')], {
    deadlineMs,
    fd3: file.fd,
    onFd4: (chunk) => {
      try {
        scan.push(chunk);
      } catch {
        // No FLV: an old muxer's quirk, or text between the tags. What was read until here stands.
        return true;
      }
      return enough?.(scan) ?? false;
    },
  });
  scan.whole = !said.late;
  return scan;
}

/** AudioSpecificConfig of AAC: from the container, or (ADTS in a transport stream, which has none) from a parser's words. */
async function ascOf(audio: Caps | undefined, file: FileHandle, run: Runner): Promise<string | undefined> {
  if (!audio || codecOf(audio) !== 'aac') return undefined;
  const raw = audio.text('stream-format') === 'raw' ? audio.text('codec_data') : undefined;
  return raw ?? (await scanned(fileAudioScan(), file, run, ({ asc }) => asc !== undefined)).asc;
}

/** What the container says where it is right to one in a hundred, or else what was counted: phones record at varying rates. */
function rateOf(said: number, counted: number | undefined): number {
  if (counted === undefined || (said > 0 && Math.abs(said - counted) <= counted / 100)) return said;
  return Math.round(counted * 100) / 100;
}

/** `h264`, `aac`, `mp3`, `mpeg4`, or GStreamer's media type without `video/x-`. */
function codecOf(caps: Caps): string {
  const version = caps.number('mpegversion');
  if (caps.type === 'audio/mpeg') return version === 1 ? 'mp3' : 'aac';
  if (caps.type === 'video/mpeg') return version === 4 ? 'mpeg4' : `mpeg${version ?? ''}`;
  return caps.type.replace(/^\w+\/(x-)?/, '');
}
