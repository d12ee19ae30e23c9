/** The Pi's hardware encoder by V4L2 (driver bcm2835-codec, Pi Zero to 4), and whatever else the kernel offers as one. */
import type { VideoEncoder } from './encoder.js';
import { levelOf } from './level.js';

/** V4L2_MPEG_VIDEO_H264_PROFILE_HIGH (linux/v4l2-controls.h). */
const high = 4;

/** bit/s: bcm2835-codec takes 25 000 to 25 000 000 in steps of 25 000. */
export function steppedBitrate(kbps: number): number {
  return Math.min(Math.max(Math.round((kbps * 1000) / 25_000), 1), 1000) * 25_000;
}

/**
 * Before GStreamer 1.30 the element fails to start unless the caps after it carry a level (raspberrypi/linux#3974). The period
 * of keyframes counts frames, headers are repeated with each. Constant bitrate mode is left alone: reported broken.
 */
export const v4l2h264enc: VideoEncoder = {
  element: 'v4l2h264enc',
  formats: ['I420', 'NV12'],
  bitrate: { property: 'extra-controls', set: 'extra-controls' },
  text: ({ width, height, fps, bitrateKbps, keyframeFrames }) => {
    const level = levelOf(width, height, fps, bitrateKbps);
    const controls = [
      'controls',
      `video_bitrate=${steppedBitrate(bitrateKbps)}`,
      `h264_i_frame_period=${keyframeFrames}`,
      'repeat_sequence_header=1',
      `h264_profile=${high}`,
      `h264_level=${level.v4l2}`,
    ];
    return (
      `v4l2h264enc name=venc extra-controls="${controls.join(',')}" ! ` +
      `video/x-h264,profile=(string)high,level=(string)${level.name}`
    );
  },
};
