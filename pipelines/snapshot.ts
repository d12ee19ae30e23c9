/** One picture out of a stream. Runs in `gst-launch-1.0`: what decodes it may fail without a trace on the air. */
import { element, launchText } from './graph.js';

/** Reads FLV (sequence header and keyframe) from descriptor 3, and writes a JPEG to descriptor 4. */
export const snapshot = (): string =>
  launchText([
    element('filesrc', { location: '/dev/fd/3' }),
    element('flvdemux'),
    element('h264parse'),
    element('avdec_h264'),
    element('videoconvert'),
    element('jpegenc', { quality: 85 }),
    element('fdsink', { fd: 4, sync: false }),
  ]);
