/** The Pi's hardware encoder by OpenMAX: 32-bit firmware libraries only, retired from GStreamer in 2023. */
import { caps, element } from '../graph.js';
import type { VideoEncoder } from './encoder.js';

/** `interval-intraframes` is the one name of the keyframe interval that every version knows. */
export const omxh264enc: VideoEncoder = {
  element: 'omxh264enc',
  merit: 'encoded in hardware by OpenMAX, which is retired: only where V4L2 has no encoder',
  formats: ['I420', 'NV12'],
  bitrate: (kbps) => ({ property: 'target-bitrate', value: kbps * 1000 }),
  chain: ({ bitrateKbps, keyframeFrames }) => [
    element('omxh264enc', {
      name: 'venc',
      'control-rate': 'variable',
      'target-bitrate': bitrateKbps * 1000,
      'interval-intraframes': keyframeFrames,
    }),
    caps('video/x-h264', { profile: '(string)high' }),
  ],
};
