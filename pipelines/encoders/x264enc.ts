/** x264: H.264 in software, everywhere. */
import { element } from '../graph.js';
import type { VideoEncoder } from './encoder.js';
import { softwareDoubt } from './software.js';

/**
 * `ultrafast` is what a Pi can afford (Constrained Baseline, no scene cuts: keyframes come at the exact interval), `zerolatency`
 * means no B-frames and no lookahead. The rate buffer of one second makes the bitrate as good as constant. Access unit
 * delimiters are of no use inside FLV.
 */
export const x264enc: VideoEncoder = {
  element: 'x264enc',
  merit: 'encoded in software: works everywhere, but takes most of a processor',
  formats: ['I420', 'NV12'],
  bitrate: (kbps) => ({ property: 'bitrate', value: kbps }),
  doubt: (settings, machine) => softwareDoubt('x264enc', settings, machine),
  chain: ({ bitrateKbps, keyframeFrames }) => [
    element('x264enc', {
      name: 'venc',
      tune: 'zerolatency',
      'speed-preset': 'ultrafast',
      bitrate: bitrateKbps,
      'vbv-buf-capacity': 1000,
      'key-int-max': keyframeFrames,
      aud: false,
    }),
  ],
};
