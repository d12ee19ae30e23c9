/** A camera by libcamera: the PiCams on today's stack, whose sensor and image processor it drives. */
import type { Camera } from '../facts.js';
import { fraction } from '../fraction.js';
import type { ElementProperty } from '../plan.js';
import { type Choice, rawName } from './format.js';

/**
 * The caps say all that there is to say: an encoder right behind them is asked for exactly that, and what is left open here
 * has come out as something that it refuses (raspberrypi/libcamera issue 30).
 */
export function libcameraSource(
  camera: Pick<Camera, 'path'>,
  format: Choice,
): { text: string; properties: readonly ElementProperty[] } {
  return {
    text:
      'libcamerasrc name=video-source ! ' +
      `video/x-raw,format=${rawName(format.fourcc)},width=${format.width},height=${format.height},` +
      `framerate=${fraction(format.fps)},interlace-mode=progressive,colorimetry=bt709`,
    properties: [{ element: 'video-source', property: 'camera-name', value: camera.path }],
  };
}
