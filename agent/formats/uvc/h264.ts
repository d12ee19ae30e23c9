/**
 * The extension unit by which a USB camera's H.264 encoder is told how (USB Device Class Definition for Video Devices: H.264 Payload,
 * revision 1.00; GStreamer's uvch264src and FreeRDP speak it likewise). Numbers are little-endian.
 */

/** {A29E7641-DE04-47E3-8B2B-F4341AFF003B}, as it stands in descriptors. */
export const h264UnitGuid = Uint8Array.from([
  ...[0x41, 0x76, 0x9e, 0xa2, 0x04, 0xde, 0xe3, 0x47],
  ...[0x8b, 0x2b, 0xf4, 0x34, 0x1a, 0xff, 0x00, 0x3b],
]);

/** Its controls that are used here (UVCX_VIDEO_CONFIG_PROBE, …_COMMIT, UVCX_PICTURE_TYPE_CONTROL, UVCX_BITRATE_LAYERS). */
export const selectors = { probe: 0x01, commit: 0x02, pictureType: 0x09, bitrate: 0x0e } as const;

/** Requests (USB Video Class 1.5, table A-8). */
export const requests = { setCurrent: 0x01, getCurrent: 0x81, getDefault: 0x87 } as const;

/** Bytes of uvcx_video_config_probe_commit_t. */
export const configBytes = 46;

/** What is asked of the encoder before it starts, and what it offers. */
export interface EncoderConfig {
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  readonly bitrateKbps: number;
  /** Seconds from one keyframe to the next; 0 is as the camera likes. */
  readonly keyframeSeconds: number;
}

/** Places in the structure. */
const at = {
  frameInterval: 0,
  bitRate: 4,
  hints: 8,
  width: 12,
  height: 14,
  keyframeMs: 22,
  rateControl: 29,
  muxing: 33,
  streamFormat: 34,
} as const;

/** 100 ns. */
const ticksPerSecond = 10_000_000;
/** bmHints: what of the structure the camera shall keep if it can: size, frame interval, bitrate, keyframe period. */
const hints = 0x0001 | 0x0800 | 0x2000 | 0x8000;
/** bRateControlMode; the camera may make another of it. */
const constantBitrate = 1;
const most16 = 0xffff;

/**
 * The structure to ask with: `before` (what the camera has by default, {@link configBytes} long) with what is wanted in place. H.264 of a format of its own,
 * as Annex B has it (not inside of JPEG pictures): that is what a camera sends whose driver lists H.264.
 */
export function askedConfig(before: Uint8Array, wanted: EncoderConfig): Buffer {
  const bytes = Buffer.from(before);
  bytes.writeUInt32LE(Math.round(ticksPerSecond / wanted.fps), at.frameInterval);
  bytes.writeUInt32LE(wanted.bitrateKbps * 1000, at.bitRate);
  bytes.writeUInt16LE(hints, at.hints);
  bytes.writeUInt16LE(wanted.width, at.width);
  bytes.writeUInt16LE(wanted.height, at.height);
  bytes.writeUInt16LE(Math.min(most16, Math.round(wanted.keyframeSeconds * 1000)), at.keyframeMs);
  bytes.writeUInt8(constantBitrate, at.rateControl);
  bytes.writeUInt8(0, at.muxing);
  bytes.writeUInt8(0, at.streamFormat);
  return bytes;
}

/** What a structure of {@link configBytes} says. */
export function readConfig(bytes: Buffer): EncoderConfig {
  const interval = bytes.readUInt32LE(at.frameInterval);
  return {
    width: bytes.readUInt16LE(at.width),
    height: bytes.readUInt16LE(at.height),
    fps: interval === 0 ? 0 : ticksPerSecond / interval,
    bitrateKbps: Math.round(bytes.readUInt32LE(at.bitRate) / 1000),
    keyframeSeconds: bytes.readUInt16LE(at.keyframeMs) / 1000,
  };
}

/** uvcx_bitrate_layers_t: peak and average of the one layer that there is (wLayerID 0). */
export function bitrateLayers(kbps: number): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeUInt32LE(kbps * 1000, 2);
  bytes.writeUInt32LE(kbps * 1000, 6);
  return bytes;
}

/** uvcx_picture_type_control_t: the next picture is to be an IDR picture with its parameter sets (2). */
export function keyPicture(): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(2, 2);
  return bytes;
}
