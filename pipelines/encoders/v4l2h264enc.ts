/** The Pi's hardware encoder by V4L2 (driver bcm2835-codec, Pi Zero to 4), and whatever else the kernel offers as one. */
import { caps, element } from '../graph.js';
import type { VideoEncoder } from './encoder.js';
import { levelOf } from './level.js';

/** V4L2_MPEG_VIDEO_H264_PROFILE_HIGH (linux/v4l2-controls.h). */
export const high = 4;

/** bit/s: bcm2835-codec takes 25 000 to 25 000 000 in steps of 25 000. */
export function steppedBitrate(kbps: number): number {
  return Math.min(Math.max(Math.round((kbps * 1000) / 25_000), 1), 1000) * 25_000;
}

/**
 * Asks a driver that encodes for a keyframe (V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, a button: any value presses it, as often as it
 * is set). `v4l2h264enc` hands GStreamer's event on from 1.22.4 only, `v4l2src` never; both set what controls they are told to.
 */
export const forceKeyframe = { property: 'extra-controls', value: 'controls,force_key_frame=1' } as const;

/** bcm2835-codec has been seen to hang at less than 9 fps of 1080p (raspberrypi/linux#4739); pictures are repeated instead. */
export const leastChipFps = 10;

/** bcm2835-codec lays its lines out in steps of 64 bytes; where a width is not a multiple, drivers and GStreamer have disagreed on where a line ends. */
export const strideBytes = 64;

/** Raw formats of webcams of which bcm2835-codec makes 4:2:0 itself; what else the kernel offers may not: they are tried. */
export const maybeTaken: readonly string[] = ['YUY2', 'UYVY'];

/**
 * Before GStreamer 1.30 the element fails to start unless the caps after it carry a level (raspberrypi/linux#3974). The period
 * of keyframes counts frames, headers are repeated with each. Constant bitrate mode is left alone: reported broken.
 */
export const v4l2h264enc: VideoEncoder = {
  element: 'v4l2h264enc',
  merit: 'encoded in hardware: the processor stays free',
  formats: ['I420', 'NV12'],
  bitrate: (kbps) => ({ property: 'extra-controls', value: `controls,video_bitrate=${steppedBitrate(kbps)}` }),
  keyframe: forceKeyframe,
  level: (settings) => levelOf(settings).name,
  doubt: ({ width, fps }, { board }) => {
    if (!board.soc) return undefined;
    if (fps < leastChipFps)
      return `The Pi's encoder has been seen to hang below 9 frames a second (linux#4739): ${leastChipFps} are safe.`;
    if (width % strideBytes === 0) return undefined;
    return (
      `A width of ${width} is not a multiple of ${strideBytes}, with which the Pi's encoder has given slanted or green pictures: ` +
      '640, 1280 and 1920 are safe.'
    );
  },
  chain: (settings) => {
    const level = levelOf(settings);
    const controls = [
      'controls',
      `video_bitrate=${steppedBitrate(settings.bitrateKbps)}`,
      `h264_i_frame_period=${settings.keyframeFrames}`,
      'repeat_sequence_header=1',
      `h264_profile=${high}`,
      `h264_level=${level.v4l2}`,
    ];
    return [
      element('v4l2h264enc', {
        name: 'venc',
        // The other way, which copies, is the element's own choice.
        ...(settings.sharedMemory ? { 'output-io-mode': 'dmabuf-import' } : {}),
        'extra-controls': controls.join(','),
      }),
      caps('video/x-h264', { profile: '(string)high', level: `(string)${level.name}` }),
    ];
  },
};
