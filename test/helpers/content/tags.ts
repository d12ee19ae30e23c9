/** FLV tags made by hand, for what is tried without GStreamer. */
import { audioTag, tagOf, videoTag, type Tag } from '../../../agent/formats/flv/tag.js';

/** A picture of AVC; `size` bytes of nothing. */
export const picture = (ms: number, keyframe = false, size = 20): Tag =>
  tagOf(videoTag, ms, Buffer.concat([Buffer.from([keyframe ? 0x17 : 0x27, 1, 0, 0, 0]), Buffer.alloc(size)]));

/** A frame of AAC. */
export const sound = (ms: number): Tag => tagOf(audioTag, ms, Buffer.from([0xaf, 1, 1, 2, 3]));

/** Sequence headers; `variant` tells one from another. */
export const avcHeader = (variant = 1): Tag => tagOf(videoTag, 0, Buffer.from([0x17, 0, 0, 0, 0, variant, 2, 3]));
export const aacHeader = (variant = 1): Tag => tagOf(audioTag, 0, Buffer.from([0xaf, 0, 0x11, variant]));
