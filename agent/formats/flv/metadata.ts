/** The `onMetaData` script tag that heads a stream for servers and players (Adobe FLV 10.1, E.5). Pure. */
import { scriptTag, tagOf, type Tag } from './tag.js';

/** What the hub tells of a stream; capture sends it ahead of the tags. */
export interface StreamFormat {
  readonly width: number;
  readonly height: number;
  readonly fps: number;
  /** kbit/s, where an encoder was asked for it. */
  readonly videoKbps?: number;
  readonly audioRate: number;
  readonly audioChannels: number;
}

const amfString = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const amfValue = (value: number | boolean | string): Buffer => {
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), amfString(value)]);
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  const bytes = Buffer.alloc(9);
  bytes.writeDoubleBE(value, 1);
  return bytes;
};

/** The tag, at time 0. */
export function metadataTag(format: StreamFormat): Tag {
  const fields: Record<string, number | boolean | string> = {
    width: format.width,
    height: format.height,
    framerate: format.fps,
    videocodecid: 7,
    ...(format.videoKbps === undefined ? {} : { videodatarate: format.videoKbps }),
    audiocodecid: 10,
    audiosamplerate: format.audioRate,
    audiosamplesize: 16,
    stereo: format.audioChannels === 2,
    encoder: 'makercast',
  };
  const entries = Object.entries(fields);
  const count = Buffer.alloc(5);
  count[0] = 8; // ECMA array
  count.writeUInt32BE(entries.length, 1);
  const body = Buffer.concat([
    amfValue('onMetaData'),
    count,
    ...entries.flatMap(([name, value]) => [amfString(name), amfValue(value)]),
    Buffer.from([0, 0, 9]),
  ]);
  return tagOf(scriptTag, 0, body);
}

/**
 * Capture's note to the hub of what follows: a script tag whose body is JSON. `flvmux`'s own script tags begin with an AMF
 * string (2), so the two cannot be taken for each other.
 */
export const formatTag = (format: StreamFormat): Tag => tagOf(scriptTag, 0, Buffer.from(JSON.stringify(format)));

/** The note in `tag`, if it is one. */
export function formatOf(tag: Tag): StreamFormat | undefined {
  if (tag[0] !== scriptTag || tag[11] !== 0x7b) return undefined;
  return JSON.parse(tag.toString('utf8', 11, tag.length - 4)) as StreamFormat;
}

/** Width and height that an `onMetaData` tag tells, in pixels; nothing where it does not. */
export function sizeOf(tag: Tag): { width: number; height: number } | undefined {
  const number = (name: string): number | undefined => {
    const at = tag.indexOf(Buffer.concat([amfString(name), Buffer.from([0])]));
    const value = at + 2 + name.length + 1;
    return at < 0 || value + 8 > tag.length ? undefined : tag.readDoubleBE(value);
  };
  const [width, height] = [number('width'), number('height')];
  return width === undefined || height === undefined ? undefined : { width, height };
}
