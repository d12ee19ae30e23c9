/** OpenH264: H.264 in software where x264 is not available. */
import { element } from '../graph.js';
import type { VideoEncoder } from './encoder.js';
import { softwareDoubt } from './software.js';

/** Scene change detection would put keyframes in between; `rate-control=bitrate` is needed for the bitrate to count at all. */
export const openh264enc: VideoEncoder = {
  element: 'openh264enc',
  merit: 'encoded in software, with less quality per bit than x264',
  formats: ['I420'],
  bitrate: (kbps) => ({ property: 'bitrate', value: kbps * 1000 }),
  doubt: (settings, machine) => softwareDoubt('openh264enc', settings, machine),
  chain: ({ bitrateKbps, keyframeFrames }) => [
    element('openh264enc', {
      name: 'venc',
      'rate-control': 'bitrate',
      bitrate: bitrateKbps * 1000,
      'gop-size': keyframeFrames,
      complexity: 'low',
      'scene-change-detection': false,
    }),
  ],
};
