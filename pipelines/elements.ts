/** GStreamer elements: the Debian package that each comes in, and whether all that a pipeline needs are installed. */
import { type Chain, elementsOf } from './graph.js';
import { NoPlan } from './noplan.js';

/** Packages of Debian 12 and 13; whatever is not named here is in GStreamer's core or in `gstreamer1.0-plugins-base`. */
const packages: Readonly<Record<string, readonly string[]>> = {
  'gstreamer1.0-x': ['clockoverlay', 'textoverlay'],
  'gstreamer1.0-alsa': ['alsasrc'],
  'gstreamer1.0-libcamera': ['libcamerasrc'],
  'gstreamer1.0-plugins-good': [
    'aacparse',
    'capssetter',
    'deinterlace',
    'flvmux',
    'imagefreeze',
    'jpegdec',
    'v4l2h264dec',
    'v4l2h264enc',
    'v4l2jpegdec',
    'v4l2src',
    'videobalance',
    'videoflip',
  ],
  'gstreamer1.0-plugins-bad': [
    'fdkaacenc',
    'h264parse',
    'h264timestamper',
    'openh264dec',
    'openh264enc',
    'rtmp2sink',
    'voaacenc',
  ],
  'gstreamer1.0-plugins-ugly': ['x264enc'],
  'gstreamer1.0-libav': ['avdec_h264', 'avenc_aac'],
};

/** The Debian package that holds `element`. */
export function packageOf(element: string): string {
  const found = Object.entries(packages).find(([, elements]) => elements.includes(element));
  return found ? found[0] : 'gstreamer1.0-plugins-base';
}

/** Throws where an element is needed that is not installed. */
export function requireElements(chains: readonly Chain[], installed: ReadonlySet<string>): void {
  const needed = new Set(elementsOf(chains).map(({ element }) => element));
  const missing = [...needed].filter((element) => !installed.has(element));
  if (missing.length === 0) return;
  const debian = [...new Set(missing.map(packageOf))].sort().join(' ');
  throw new NoPlan('plugin_missing', `GStreamer lacks ${missing.join(', ')}.`, `Install the Debian package ${debian}.`);
}
