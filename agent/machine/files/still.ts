/** Whether a file is a picture that the slate can show: judged by its first bytes, before anything decodes it. */
import { constants } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import type { SlateImage } from '../../../pipelines/machine.js';
import { Fault } from '../../errors.js';
import { SharedReads, defaultPatienceMs, withDeadline } from './reads.js';

/** A decoded PNG takes 4 bytes a pixel, several times over while it is scaled: this much a Zero W still has. */
const maxPixels = 16e6;
const maxBytes = 20e6;

interface Size {
  readonly width: number;
  readonly height: number;
  readonly isJpeg: boolean;
}

export class Stills {
  readonly #reads = new SharedReads<SlateImage>();

  /**
   * Looks at the picture at `path` (absolute), for so many milliseconds at the most. What is wrong with it is part of the answer: the
   * slate then does without.
   */
  at(path: string, patienceMs = defaultPatienceMs): Promise<SlateImage> {
    const late = (): SlateImage =>
      unfitAt(path, '', `cannot be read: its disk has not responded for ${patienceMs / 1000} s`);
    return withDeadline(
      this.#reads.at(path, () => look(path)),
      patienceMs,
      late,
    );
  }
}

function unfitAt(path: string, version: string, why: string): SlateImage {
  const remedy = 'Name a PNG or JPEG in slate.image; until then the slate shows its text.';
  // A path may hold a line break, and a message is one line.
  const what = `The picture ${JSON.stringify(path)} ${why}.`;
  return { path, version, unfit: new Fault('slate_image', what, remedy).report() };
}

async function look(path: string): Promise<SlateImage> {
  const unfit = (version: string, why: string): SlateImage => unfitAt(path, version, why);
  let file: FileHandle;
  try {
    // Without O_NONBLOCK a named pipe would wait here for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return unfit('', 'does not exist');
    return unfit('', `cannot be read (${code ?? 'unknown error'})`);
  }
  try {
    const stat = await file.stat({ bigint: true });
    const { dev, ino, size, mtimeNs } = stat;
    const version = `${dev} ${ino} ${size} ${mtimeNs}`;
    if (!stat.isFile()) return unfit(version, 'is not a regular file');
    if (size > maxBytes)
      return unfit(version, `is too large: ${Number(size / 1_000_000n)} MB, more than ${maxBytes / 1e6}`);
    const pixels = await sizeOf(file);
    if (!pixels) return unfit(version, 'is neither PNG nor JPEG, or is incomplete');
    const { width, height } = pixels;
    if (width * height > maxPixels)
      return unfit(version, `is too large: ${width}x${height} pixels, more than ${maxPixels / 1e6} million`);
    return { path, version, ...(pixels.isJpeg && { isJpeg: true }) };
  } catch (error) {
    return unfit('', `cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  } finally {
    await file.close();
  }
}

const pngBegin = Buffer.from('89504e470d0a1a0a', 'hex');

/** Width and height; undefined where the file does not begin as such a picture does. */
async function sizeOf(file: FileHandle): Promise<Size | undefined> {
  const begin = await bytesAt(file, 0, 24);
  // PNG, 5.2 and 11.2.2: the signature, then the chunk IHDR, which begins with width and height.
  if (begin?.subarray(0, 8).equals(pngBegin) && begin.toString('latin1', 12, 16) === 'IHDR')
    return { width: begin.readUInt32BE(16), height: begin.readUInt32BE(20), isJpeg: false };
  return begin?.readUInt16BE(0) === 0xffd8 ? jpegSize(file) : undefined;
}

/** Frame headers are SOF0 to SOF15, without three markers among them that mean something else (ITU-T T.81, B.1.1.3). */
const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** From segment to segment: what a camera writes ahead of the frame header (a small picture, a colour profile) may be long. */
async function jpegSize(file: FileHandle): Promise<Size | undefined> {
  for (let at = 2, segments = 0; segments < 1000; segments++) {
    const head = await bytesAt(file, at, 9);
    if (head?.[0] !== 0xff) return undefined;
    // Any number of these may stand before a marker.
    if (head[1] === 0xff) {
      at += 1;
      continue;
    }
    if (isFrame(head[1]!)) return { height: head.readUInt16BE(5), width: head.readUInt16BE(7), isJpeg: true };
    at += 2 + head.readUInt16BE(2);
  }
  return undefined;
}

async function bytesAt(file: FileHandle, at: number, count: number): Promise<Buffer | undefined> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(count), 0, count, at);
  return bytesRead === count ? buffer : undefined;
}
