/** OpenH264: H.264 in software where x264 is not to be had. */
import type { VideoEncoder } from './encoder.js';

/** Scene change detection would put keyframes in between; `rate-control=bitrate` is needed for the bitrate to count at all. */
export const openh264enc: VideoEncoder = {
  element: 'openh264enc',
  formats: ['I420'],
  bitrate: { property: 'bitrate', set: 'bps' },
  text: ({ bitrateKbps, keyframeFrames }) =>
    `openh264enc name=venc rate-control=bitrate bitrate=${bitrateKbps * 1000} gop-size=${keyframeFrames} complexity=low ` +
    'scene-change-detection=false',
};
