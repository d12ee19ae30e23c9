/** PiCams that only libcamera can drive: sensor and image processor are two devices, which it operates together. */
import type { Board, Camera, CameraControl, CameraFormat } from '../../../pipelines/machine.js';
import { sensorControls } from '../../../pipelines/sources/controls.js';
import { Fault } from '../../errors.js';
import type { Found } from './cameras.js';
import type { Elements } from '../encoders/elements.js';
import { processorFault, sensors, type VideoNames } from '../host/firmware.js';
import { run as runProgram, type Runner } from '../host/run.js';
import { fitting, usualSizes } from './v4l2.js';

/** It loads and starts all of libcamera, which takes a Zero 2 W a second or two. */
const deadlineMs = 15_000;

/** What every sensor of a Pi does at the sizes that are broadcast; libcamera of Debian 12 does not list rates. */
const rates: readonly number[] = [30, 25, 24, 20, 15];

/** The largest size to count on where the camera is in use and cannot be asked: each PiCam's sensor has more. */
const surely = { width: 1280, height: 720 };

interface Listed {
  /** As `libcamerasrc camera-name=` takes it: `/base/soc/i2c0mux/i2c@1/imx219@10`. */
  readonly id: string;
  /** Such as `imx219`. */
  readonly model: string;
}

/**
 * Asks `cam` (Debian package libcamera-tools) where the kernel shows a sensor that needs libcamera, and nowhere else: each call
 * costs a second on small boards.
 */
export async function libcameraCameras(
  board: Board,
  names: VideoNames,
  { names: installed, libcamera: properties }: Pick<Elements, 'names' | 'libcamera'>,
  run: Runner = runProgram,
): Promise<Found<Camera>> {
  const present = sensors(names);
  const [first] = present;
  // Without any GStreamer there is one fault already, and it says more.
  if (first === undefined || installed.length === 0) return { found: [], faults: [] };
  const absent = processorFault(board, names, first);
  if (absent) return { found: [], faults: [absent] };
  if (!installed.includes('libcamerasrc')) {
    const what = `The PiCam (${present.join(', ')}) needs libcamera, and GStreamer's libcamerasrc is missing.`;
    return { found: [], faults: [new Fault('plugin_missing', what, installation(board, present))] };
  }
  const said = await run('cam', ['-l'], { deadlineMs });
  if (said.missing) {
    const what = `The PiCam (${present.join(', ')}) cannot be examined: libcamera's program cam is missing.`;
    return { found: [], faults: [new Fault('plugin_missing', what, 'apt-get install libcamera-tools')] };
  }
  if (said.late) {
    const what = `libcamera does not respond when asked for the PiCam (${present.join(', ')}).`;
    return { found: [], faults: [new Fault('source_failed', what, 'Restart the machine.')] };
  }
  const listed = parseList(said.stdout);
  const found: Camera[] = [];
  // One after the other: each takes hold of its camera, and of the image processor that they share.
  for (const { id, model } of listed) {
    const { stdout } = await run('cam', ['-c', id, '-I', '--list-controls'], { deadlineMs });
    const formats = parseFormats(stdout);
    const controls = parseControls(stdout).filter(({ name }) => properties.includes(name));
    found.push({ api: 'libcamera', path: id, name: model, driver: 'libcamera', formats, controls });
  }
  const unknown = present.filter((sensor) => !listed.some(({ model }) => model === sensor));
  return { found, faults: unknown.map((sensor) => unlisted(board, sensor, said.stderr)) };
}

/**
 * `1: 'imx219' (/base/soc/i2c0mux/i2c@1/imx219@10)`, `1: External camera 'imx219' (...)`, `1: Internal front camera (...)`: by
 * version, and by what the device tree says of where it sits. A webcam, whose id ends in `-<port>:1.0-<vendor>:<product>`, is
 * listed as well, and left out: V4L2 has it.
 */
function parseList(text: string): Listed[] {
  const lines = text.matchAll(/^\d+: (?:.*?'([^']+)' |.*?)\((\/base\/.*)\)$/gm);
  return [...lines].flatMap(([, model, id]) =>
    /:\d+\.\d+-[0-9a-f]{4}:[0-9a-f]{4}$/.test(id!) ? [] : [{ id: id!, model: model ?? modelOf(id!) }],
  );
}

/** `imx219` of `/base/soc/i2c0mux/i2c@1/imx219@10`. */
const modelOf = (id: string): string => (id.split('/').at(-1) ?? id).replace(/@.*$/, '');

/**
 * NV12 (which the encoders take as it is) and YUYV (which an encoder may read where it lies) in usual sizes up to what `cam -I` says:
 * ` * Pixelformat: NV12 (64x64)-(3280x2464)/(+2,+2)`, the sensor's whole picture at the upper end. Where it says nothing, the camera is busy.
 */
function parseFormats(text: string): CameraFormat[] {
  const line = /^ \* Pixelformat: (NV12|YUYV) \((\d+)x(\d+)\)-\((\d+)x(\d+)\)\/\(\+(\d+),\+(\d+)\)$/gm;
  const listed = [...text.matchAll(line)].map(([, fourcc, ...numbers]) => {
    const [a, b, c, d, e, f] = numbers.map(Number) as [number, number, number, number, number, number];
    return { fourcc: fourcc!, sizes: fitting({ min: [a, b], max: [c, d], step: [e || 1, f || 1] }) };
  });
  const small = usualSizes.filter(([width, height]) => width <= surely.width && height <= surely.height);
  const known = listed.length > 0 ? listed : [{ fourcc: 'NV12', sizes: small }];
  return known.flatMap(({ fourcc, sizes }) => sizes.map(([width, height]) => ({ fourcc, width, height, fps: rates })));
}

/**
 * Of the camera's controls those that a setting goes by, under the names of libcamerasrc, as 0.4.0 prints them:
 * `Control: [inout] libcamera::ExposureTime: [75..11766829]` (µs), `…LensPosition: [0.000000..32.000000]` (dioptres), and of one
 * whose values have names those below it, `  - AfModeContinuous (2)`. What it starts with is not printed: 0 leaves the exposure to
 * libcamera, a lens stands by hand, where the V3's tuning puts it at 1.
 */
function parseControls(text: string): CameraControl[] {
  const slider = (of: string, name: string, start: number): CameraControl[] => {
    const range = new RegExp(
      `^Control: \\[.*\\] libcamera::${of}: \\[(\\d+(?:\\.\\d+)?)\\.\\.(\\d+(?:\\.\\d+)?)`,
      'm',
    ).exec(text);
    return range ? [{ name, min: Number(range[1]), max: Number(range[2]), step: 1, default: start }] : [];
  };
  const { exposure, focusMode, focus } = sensorControls;
  // The third, `AfModeAuto`, waits for a trigger that nobody gives it.
  const choices = { 0: 'Manual', 2: 'Continuous' };
  return [
    ...slider('ExposureTime', exposure, 0),
    ...(/^ {2}- AfModeContinuous \(2\)$/m.test(text)
      ? [{ name: focusMode, min: 0, max: 2, step: 1, default: 0, choices }]
      : []),
    ...slider('LensPosition', focus, 1),
  ];
}

const ownPackages = "install Raspberry Pi's own libcamera packages, as on Raspberry Pi OS";

/**
 * What Debian's libcamera lacks for this camera: 0.0.3 (Debian 12) has no tuning for the V3's sensor, which 0.4.0 (Debian 13) has;
 * neither is built with what drives a Pi 5's camera port. `version` undefined: of whichever could be installed.
 */
function lacking(board: Board, sensor: string, version?: string): { what: string; remedy: string } | undefined {
  // Raspberry Pi's own builds call themselves `0.5.2+99-bfd68f78`.
  if (board.soc === 'bcm2712' && !version?.includes('+'))
    return { what: "Debian's libcamera does not support the cameras of a Pi 5", remedy: ownPackages };
  if (sensor.startsWith('imx708') && (version ?? '0.0.').startsWith('0.0.'))
    return { what: "Debian 12's libcamera does not support the PiCam V3", remedy: `use Debian 13, or ${ownPackages}` };
  return undefined;
}

function installation(board: Board, present: readonly string[]): string {
  const usual = 'apt-get install gstreamer1.0-libcamera libcamera-ipa libcamera-tools';
  const [lack] = present.flatMap((sensor) => lacking(board, sensor) ?? []);
  return lack ? `${usual}; ${lack.what}: ${lack.remedy}.` : usual;
}

/** A sensor that the kernel shows and libcamera does not list. */
function unlisted(board: Board, sensor: string, stderr: string): Fault {
  // eslint-disable-next-line no-control-regex -- libcamera colours its log
  const log = stderr.replace(/\x1b\[[\d;]*m/g, '');
  const version = /libcamera v(\d+\.\d+\.\d+\+?)/.exec(log)?.[1];
  const what = `The PiCam's sensor ${sensor} is present, but libcamera${version ? ` ${version.replace('+', '')}` : ''} cannot drive it`;
  const lack = lacking(board, sensor, version);
  if (lack) return new Fault('camera_unsupported', `${what}.`, `${lack.what}: ${lack.remedy}.`);
  // `[0:10:30.355] [3656] ERROR RPI raspberrypi.cpp:1265 Failed to load a suitable IPA library`
  const reason = /\bERROR \S+ \S+:\d+ (.*)$/m.exec(log)?.[1];
  // Debian only recommends the package with what drives each sensor.
  const remedy = reason?.includes('IPA')
    ? 'apt-get install libcamera-ipa'
    : "Run `cam -l` to see its log; the user has to be in the group 'video'.";
  return new Fault('camera_unsupported', `${what}${reason ? `: ${reason}` : ''}.`, remedy);
}
