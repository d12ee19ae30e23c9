/** What a Pi's firmware, kernel and packages withhold, and what to set or install about it; inferred from what can be seen. */
import path from 'node:path';
import type { Board } from '../../../pipelines/machine.js';
import { Fault } from '../../errors.js';
import { namesIn, textOf } from './sysfs.js';

/** Names that drivers gave to the nodes in /sys/class/video4linux; two nodes may have one name. */
export interface VideoNames {
  /** Of the nodes that give or take pictures: `bcm2835-codec-encode`, `unicam-image`, `HD Pro Webcam C920`. */
  readonly nodes: readonly string[];
  /** Of the parts behind them, which media controllers show: `imx219 10-0010`. */
  readonly parts: readonly string[];
}

export async function videoNames(root = '/'): Promise<VideoNames> {
  const folder = path.join(root, 'sys/class/video4linux');
  const entries = (await namesIn(folder)).sort();
  const names = async (kind: RegExp): Promise<string[]> =>
    (
      await Promise.all(
        entries.filter((entry) => kind.test(entry)).map((entry) => textOf(path.join(folder, entry, 'name'))),
      )
    ).flatMap((name) => name ?? []);
  return { nodes: await names(/^video\d+$/), parts: await names(/^v4l-subdev\d+$/) };
}

/** An I2C device, `<name> <bus>-<address>`, which is no lens motor, no flash and no HDMI receiver. */
const sensorName = /^(?!dw9|ad5|ak7|lm3|tc358|adv7)([a-z0-9_]+) \d+-[0-9a-f]{4}$/;

/**
 * Sensors such as `imx219` whose raw data comes in through a Pi's camera port, where only libcamera can make pictures of them:
 * `unicam` up to the Pi 4, `rp1-cfe` on the Pi 5. Empty with the legacy stack, which hides the sensor in the GPU.
 */
export function sensors({ nodes, parts }: VideoNames): string[] {
  if (!nodes.some((name) => /^(?:unicam|rp1-cfe)/.test(name))) return [];
  return parts.flatMap((part) => sensorName.exec(part)?.[1] ?? []);
}

/** gpu_mem below this loads the cut-down firmware: no codec, no image processor, no camera (raspberrypi/firmware#1774). */
const wholeFirmwareMb = 32;

const raised = 'gpu_mem to 128 (on balena: BALENA_HOST_CONFIG_gpu_mem) and restart.';

const cutDown = ({ gpuMemoryMb }: Board): boolean => gpuMemoryMb !== undefined && gpuMemoryMb < wholeFirmwareMb;

/** Whether the GPU's codec shows its nodes, the H.264 encoder among them. */
export const hasCodec = ({ nodes }: VideoNames): boolean => nodes.some((name) => name.startsWith('bcm2835-codec'));

/** Why a board that has an H.264 encoder shows none; undefined where it does, and on boards that have none (Pi 5, PCs). */
export function encoderFault(board: Board, names: VideoNames): Fault | undefined {
  if (board.soc === undefined || board.soc === 'bcm2712' || hasCodec(names)) return undefined;
  const none = "The Pi's H.264 encoder is not available";
  if (cutDown(board)) {
    return new Fault(
      'firmware_setting',
      `${none}: gpu_mem is ${board.gpuMemoryMb}, so the firmware leaves out its codec.`,
      `Set ${raised}`,
    );
  }
  if (board.gpuMemoryMb === undefined) {
    return new Fault(
      'firmware_setting',
      `${none}: there is no bcm2835-codec device node.`,
      `If gpu_mem is below ${wholeFirmwareMb} (balenaOS: 16), set it to 128 (BALENA_HOST_CONFIG_gpu_mem) and restart.`,
    );
  }
  return new Fault(
    'firmware_setting',
    `${none}, though gpu_mem (${board.gpuMemoryMb}) is enough for it: the kernel has not loaded bcm2835-codec.`,
    "Use balenaOS's or Raspberry Pi's own kernel (Debian's has no such driver), and run modprobe bcm2835-codec.",
  );
}

/** The image processor that libcamera needs besides a sensor; undefined where it is there, or part of the Pi 5's camera port. */
export function processorFault(board: Board, { nodes }: VideoNames, sensor: string): Fault | undefined {
  if (board.soc === 'bcm2712' || nodes.some((name) => name.startsWith('bcm2835-isp'))) return undefined;
  const what = `The PiCam (${sensor}) cannot be used: the Pi's image processor bcm2835-isp is missing`;
  return cutDown(board)
    ? new Fault('firmware_setting', `${what}, because gpu_mem is ${board.gpuMemoryMb}.`, `Set ${raised}`)
    : new Fault('firmware_setting', `${what}.`, `Run modprobe bcm2835-isp. If gpu_mem is 16, set ${raised}`);
}

/** Whether the kernel has loaded the legacy camera's driver; in a container too, which shows the modules of its host. */
export const hasLegacyDriver = async (root = '/'): Promise<boolean> =>
  (await namesIn(path.join(root, 'sys/module'))).includes('bcm2835_v4l2');

/**
 * For a Pi on which no camera at all was found: what to set if a PiCam is plugged in. Whether one is, cannot be seen: with the
 * wrong settings the firmware does not even look.
 */
export function noCameraFault(board: Board, legacyDriver: boolean): Fault | undefined {
  if (board.soc === undefined) return undefined;
  const what = 'No camera was found.';
  if (board.soc === 'bcm2712') {
    return new Fault(
      'source_not_found',
      what,
      'If a PiCam is plugged in, set camera_auto_detect=1 (on balena: BALENA_HOST_CONFIG_camera_auto_detect), and check its cable.',
    );
  }
  if (cutDown(board)) {
    return new Fault(
      'firmware_setting',
      `${what} gpu_mem is ${board.gpuMemoryMb}, so the firmware leaves out everything that a PiCam needs.`,
      `If one is plugged in, set ${raised}`,
    );
  }
  if (board.is64Bit) {
    return new Fault(
      'source_not_found',
      what,
      'If a PiCam is plugged in, set camera_auto_detect=1 and gpu_mem=128, and no start_x' +
        ' (on balena: BALENA_HOST_CONFIG_camera_auto_detect, _gpu_mem, _start_x), and check its cable.',
    );
  }
  return new Fault(
    'source_not_found',
    what,
    'If a PiCam V1, V2 or HQ is plugged in, set start_x=1 and gpu_mem=128 (on balena: BALENA_HOST_CONFIG_start_x, _gpu_mem)' +
      `${legacyDriver ? '' : ' and run modprobe bcm2835-v4l2, which is not loaded'}; ` +
      'for a V3, set camera_auto_detect=1 and no start_x; and check its cable.',
  );
}
