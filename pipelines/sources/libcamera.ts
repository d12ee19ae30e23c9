/** A camera by libcamera: the PiCams on today's stack, whose sensor and image processor it drives. */
import type { Camera } from '../machine.js';
import { fraction } from '../fraction.js';
import type { ElementProperty } from '../graph.js';
import type { Controls } from './controls.js';
import { type Choice, rawName } from './format.js';

/**
 * The caps say all that there is to say: an encoder right behind them is asked for exactly that, and what is left open here
 * has come out as something that it refuses (raspberrypi/libcamera issue 30).
 */
export function libcameraSource(
  camera: Pick<Camera, 'path' | 'controls'>,
  format: Choice,
  controls: Controls,
): { text: string; properties: readonly ElementProperty[]; adjustable: readonly ElementProperty[] } {
  const set = controls.set.map(property);
  const all = new Map(controls.all.map(property).map((one) => [one.property, one]));
  return {
    text:
      'libcamerasrc name=video-source ! ' +
      `video/x-raw,format=${rawName(format.fourcc)},width=${format.width},height=${format.height},` +
      `framerate=${fraction(format.fps)},interlace-mode=progressive,colorimetry=bt709`,
    properties: [{ element: 'video-source', property: 'camera-name', value: camera.path }, ...set],
    // Always the same ones, so that each wish can follow another: what an automatic has in hand ignores its value.
    adjustable: camera.controls.map(({ name, default: start }) => all.get(name) ?? property(`${name}=${start}`)),
  };
}

/** Of `name=value`. */
function property(control: string): ElementProperty {
  const [name = '', value = ''] = control.split('=');
  return { element: 'video-source', property: name, value };
}
