/** A camera by its V4L2 node: webcams, HDMI dongles, the PiCam on the legacy stack. */
import type { Camera } from '../machine.js';
import { fraction } from '../fraction.js';
import type { ElementProperty } from '../graph.js';
import { type Choice, rawName } from './format.js';

/**
 * What is known of a rate are the three decimals that v4l2-ctl prints: 29.970 may be an interval of 1001/30000 s or one of 100/2997 s. `v4l2src`
 * asks the driver itself and takes no other fraction than one that is listed, so it is told the range that the decimals stand for.
 */
const listed = (fps: number): string => {
  const tenths = Math.round(fps * 10_000);
  return `[${tenths - 5}/10000,${tenths + 5}/10000]`;
};

/** `controls`: `name=value` of what is set before the first picture. */
export function v4l2Source(
  camera: Camera,
  format: Choice,
  controls: readonly string[],
): { text: string; properties: readonly ElementProperty[] } {
  const extra = controls.length > 0 ? ` extra-controls="${['controls', ...controls].join(',')}"` : '';
  const type = { raw: `video/x-raw,format=${rawName(format.fourcc)}`, jpeg: 'image/jpeg', h264: 'video/x-h264' };
  const picture = `${type[format.kind]},width=${format.width},height=${format.height}`;
  const caps = [fraction(format.fps), listed(format.fps)].map((rate) => `${picture},framerate=${rate}`);
  return {
    text: `v4l2src name=video-source${extra} ! capsfilter caps="${caps.join(';')}"`,
    properties: [{ element: 'video-source', property: 'device', value: camera.path }],
  };
}

/** What of them changes while the camera runs, as `extra-controls` takes it. */
export const adjustableControls = (controls: readonly string[]): ElementProperty[] =>
  controls.length === 0
    ? []
    : [{ element: 'video-source', property: 'extra-controls', value: ['controls', ...controls].join(',') }];
