/** FLV tags: what they say of themselves, and how a byte stream is cut into them (Adobe FLV 10.1, annex E). Pure. */

/** Bytes before a tag's body: type, 3 of size, 3 + 1 of timestamp, 3 of stream id. */
const tagHeaderBytes = 11;
/** Bytes after a tag's body: its whole size once more. */
const tagTrailerBytes = 4;
/** `FLV`, version, flags (sound and picture), header size, and the size of a tag that is not there. */
export const fileHeader = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);
const fileHeaderBytes = fileHeader.length;

/** One whole FLV tag (header, body, trailer) as it stands in a file. */
export type Tag = Buffer;

export const audioTag = 8;
export const videoTag = 9;
export const scriptTag = 18;

export const isVideo = (tag: Tag): boolean => tag[0] === videoTag;
export const isAudio = (tag: Tag): boolean => tag[0] === audioTag;

/** Milliseconds, 32 bits: the decode time; a picture is shown `compositionMs` later. */
export const timestampOf = (tag: Tag): number => ((tag[7]! << 24) | (tag[4]! << 16) | (tag[5]! << 8) | tag[6]!) >>> 0;

/** A keyframe's picture data (not its sequence header). */
export const isKeyframe = (tag: Tag): boolean => isVideo(tag) && tag[tagHeaderBytes]! >> 4 === 1 && tag[12] === 1;

/** The last word of an H.264 stream: no picture. */
export const isEndOfSequence = (tag: Tag): boolean =>
  isVideo(tag) && (tag[tagHeaderBytes]! & 15) === 7 && tag[12] === 2;

/** AVCDecoderConfigurationRecord: SPS and PPS, without which no picture can be decoded. */
export const isAvcHeader = (tag: Tag): boolean => isVideo(tag) && (tag[tagHeaderBytes]! & 15) === 7 && tag[12] === 0;

/** AudioSpecificConfig, without which no AAC can be decoded. */
export const isAacHeader = (tag: Tag): boolean => isAudio(tag) && tag[tagHeaderBytes]! >> 4 === 10 && tag[12] === 0;

export const isSequenceHeader = (tag: Tag): boolean => isAvcHeader(tag) || isAacHeader(tag);

/** What a tag of H.264 or AAC carries: a picture, a frame of sound, or the record or config of a sequence header. */
export const payloadOf = (tag: Tag): Buffer =>
  tag.subarray(tagHeaderBytes + (isVideo(tag) ? 5 : 2), tag.length - tagTrailerBytes);

/** Writes the time into `tag` itself: milliseconds, taken modulo 2^32 as RTMP does. */
export function stamp(tag: Tag, timestampMs: number): void {
  const time = timestampMs % 2 ** 32;
  tag.writeUIntBE(time % 2 ** 24, 4, 3);
  tag[7] = Math.floor(time / 2 ** 24);
}

/** Milliseconds from the decode time of picture `tag` to when it is shown: signed, 24 bits. */
export const compositionOf = (tag: Tag): number => tag.readIntBE(tagHeaderBytes + 2, 3);

/** Writes that into the tag itself. */
export const setComposition = (tag: Tag, ms: number): void => void tag.writeIntBE(ms, tagHeaderBytes + 2, 3);

/** A whole tag around `body`. */
export function tagOf(type: number, timestampMs: number, body: Buffer): Tag {
  const tag = Buffer.alloc(tagHeaderBytes + body.length + tagTrailerBytes);
  tag[0] = type;
  tag.writeUIntBE(body.length, 1, 3);
  stamp(tag, timestampMs);
  body.copy(tag, tagHeaderBytes);
  tag.writeUInt32BE(tagHeaderBytes + body.length, tagHeaderBytes + body.length);
  return tag;
}

/** The whole tags in `tags`, which share its memory; a file header in between is passed over. */
function* tagsIn(tags: Buffer): Generator<Tag> {
  let at = 0;
  while (at + tagHeaderBytes <= tags.length) {
    // "FLV": no tag has such a type.
    if (tags[at] === 0x46) at += fileHeaderBytes;
    else {
      const bytes = tagHeaderBytes + tags.readUIntBE(at + 1, 3) + tagTrailerBytes;
      yield tags.subarray(at, at + bytes);
      at += bytes;
    }
  }
}

/** The types of {@link tagsIn}. */
export function* tagTypes(tags: Buffer): Generator<number> {
  for (const tag of tagsIn(tags)) yield tag[0]!;
}

/** Whether one of the whole tags in `tags` is a keyframe. */
export function hasKeyframe(tags: Buffer): boolean {
  for (const tag of tagsIn(tags)) if (isKeyframe(tag)) return true;
  return false;
}

/** What a {@link TagCutter} finds: a file header (a new stream begins here), or a tag. */
export type Piece = { readonly begin: true } | { readonly begin: false; readonly tag: Tag };

/** Cuts a byte stream, in whatever chunks it comes, into tags. Several FLV files may follow each other. */
export class TagCutter {
  #rest: Buffer = Buffer.alloc(0);

  /** Tags share memory with `chunk`. Throws where the bytes are not FLV. */
  *push(chunk: Buffer): Generator<Piece> {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    for (;;) {
      const type = bytes[0];
      const begin = type === 0x46;
      if (type !== undefined && !begin && type !== audioTag && type !== videoTag && type !== scriptTag) {
        throw new Error(`not an FLV tag: type ${type}`);
      }
      const body = bytes.length < tagHeaderBytes ? 0 : bytes.readUIntBE(1, 3);
      const need = begin ? fileHeaderBytes : tagHeaderBytes + body + tagTrailerBytes;
      if (bytes.length < need) {
        this.#rest = bytes;
        return;
      }
      yield begin ? { begin } : { begin, tag: bytes.subarray(0, need) };
      bytes = bytes.subarray(need);
    }
  }
}
