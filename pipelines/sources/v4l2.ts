/** A camera by its V4L2 node: webcams, HDMI dongles, the PiCam on the legacy stack. */
import { type Choice, rawName } from '../choose/format.js';
import { fraction } from '../fraction.js';
import { caps, type Chain, element, type ElementProperty, type Fields } from '../graph.js';
import type { Camera } from '../machine.js';

/**
 * What is known of a rate are the three decimals that v4l2-ctl prints: 29.970 may be an interval of 1001/30000 s or one of 100/2997 s. `v4l2src`
 * asks the driver itself and takes no other fraction than one that is listed, so it is told the range that the decimals stand for.
 */
const listed = (fps: number): string => {
  const tenths = Math.round(fps * 10_000);
  return `[${tenths - 5}/10000,${tenths + 5}/10000]`;
};

/** `controls`: `name=value` of what is set before the first picture. */
export function v4l2Source({ path }: Camera, format: Choice, controls: readonly string[]): Chain {
  const { width, height } = format;
  const [media, fields] = pictures(format);
  const extra = controls.length > 0 ? { 'extra-controls': extraControls(controls) } : {};
  const alternatives = [fraction(format.fps), listed(format.fps)].map((framerate) =>
    caps(media, { ...fields, width, height, framerate }),
  );
  return [
    element('v4l2src', { name: 'video-source', ...extra }, { device: path }),
    element('capsfilter', { caps: alternatives }),
  ];
}

function pictures({ kind, fourcc }: Choice): [media: string, fields: Fields] {
  if (kind === 'raw') return ['video/x-raw', { format: rawName(fourcc)! }];
  return [kind === 'jpeg' ? 'image/jpeg' : 'video/x-h264', {}];
}

const extraControls = (controls: readonly string[]): string => ['controls', ...controls].join(',');

/** What of them changes while the camera runs, as `extra-controls` takes it. */
export const adjustableControls = (controls: readonly string[]): ElementProperty[] =>
  controls.length === 0
    ? []
    : [{ element: 'video-source', property: 'extra-controls', value: extraControls(controls) }];
