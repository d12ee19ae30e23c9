/** A camera by libcamera: the PiCams on today's stack, whose sensor and image processor it drives. */
import { type Choice, rawName } from '../choose/format.js';
import { fraction } from '../fraction.js';
import { caps, type Chain, element, type ElementProperty } from '../graph.js';
import type { Camera } from '../machine.js';
import type { Controls } from './controls.js';

/**
 * The caps say all that there is to say: an encoder right behind them is asked for exactly that, and what is left open here
 * has come out as something that it refuses (raspberrypi/libcamera issue 30).
 */
export function libcameraSource(
  camera: Pick<Camera, 'path' | 'controls'>,
  format: Choice,
  controls: Controls,
): { chain: Chain; adjustable: readonly ElementProperty[] } {
  const all = new Map(controls.all.map(property).map((one) => [one.property, one]));
  const set = Object.fromEntries(controls.set.map(property).map((one) => [one.property, one.value]));
  const { width, height } = format;
  return {
    chain: [
      element('libcamerasrc', { name: 'video-source' }, { 'camera-name': camera.path, ...set }),
      caps('video/x-raw', {
        format: rawName(format.fourcc)!,
        width,
        height,
        framerate: fraction(format.fps),
        'interlace-mode': 'progressive',
        colorimetry: 'bt709',
      }),
    ],
    // Always the same ones, so that each wish can follow another: what an automatic has in hand ignores its value.
    adjustable: camera.controls.map(({ name, default: start }) => all.get(name) ?? property(`${name}=${start}`)),
  };
}

/** Of `name=value`. */
function property(control: string): ElementProperty {
  const [name = '', value = ''] = control.split('=');
  return { element: 'video-source', property: name, value };
}
