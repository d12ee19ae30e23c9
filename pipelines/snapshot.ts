/** One picture out of a stream. Runs in `gst-launch-1.0`: what decodes it may fail without a trace on the air. */

/** Reads FLV (sequence header and keyframe) from descriptor 3, and writes a JPEG to descriptor 4. */
export function snapshot(): string {
  return 'filesrc location=/dev/fd/3 ! flvdemux ! h264parse ! avdec_h264 ! videoconvert ! jpegenc quality=85 ! fdsink fd=4 sync=false';
}
