/** A camera by its V4L2 node: webcams, HDMI dongles, the PiCam on the legacy stack. */
import type { Camera } from '../facts.js';
import { fraction } from '../fraction.js';
import type { ElementProperty } from '../plan.js';
import { type Choice, rawName } from './format.js';

/** `controls`: `name=value` of what is set before the first picture. */
export function v4l2Source(
  camera: Camera,
  format: Choice,
  controls: readonly string[],
): { text: string; properties: readonly ElementProperty[] } {
  const extra = controls.length > 0 ? ` extra-controls="${['controls', ...controls].join(',')}"` : '';
  const type = { raw: `video/x-raw,format=${rawName(format.fourcc)}`, jpeg: 'image/jpeg', h264: 'video/x-h264' };
  return {
    text:
      `v4l2src name=video-source${extra} ! ` +
      `${type[format.kind]},width=${format.width},height=${format.height},framerate=${fraction(format.fps)}`,
    properties: [{ element: 'video-source', property: 'device', value: camera.path }],
  };
}

/** What of them changes while the camera runs, as `extra-controls` takes it. */
export const adjustableControls = (controls: readonly string[]): ElementProperty[] =>
  controls.length === 0
    ? []
    : [{ element: 'video-source', property: 'extra-controls', value: ['controls', ...controls].join(',') }];
