/** The cameras of this machine: V4L2 nodes, told apart by what they can do, never by their number or name. */
import { access, constants } from 'node:fs/promises';
import path from 'node:path';
import type { Camera } from '../../../pipelines/machine.js';
import { kindOf } from '../../../pipelines/choose/format.js';
import { Fault } from '../../errors.js';
import { findUnit } from '../../formats/uvc/descriptors.js';
import { h264UnitGuid, selectors } from '../../formats/uvc/h264.js';
import type { ProbeCache } from '../probecache.js';
import { hasButton, parseControls } from './controls.js';
import { run as runProgram, type Runner } from '../host/run.js';
import { bytesOf, linkOf, namesIn, usbInterfaceOf, usbPathOf } from '../host/sysfs.js';
import { formatsOf, isCamera, isNever, listsAll, openRange, parseIntervals, parseNode } from './v4l2.js';

/** A driver that answers no faster than this hangs. */
const deadlineMs = 5000;

export interface Found<T> {
  readonly found: readonly T[];
  readonly faults: readonly Fault[];
}

/** What a node says about itself, and what came of asking it. */
interface Asked {
  /** A camera, nothing, or what stands in the way. */
  readonly is:
    Pick<Camera, 'name' | 'driver' | 'formats' | 'controls' | 'givesKeyframes' | 'encoderUnit'> | Fault | undefined;
  /** It would say the same again: a camera that has answered every question and lists all that it can, or what can never be one. */
  readonly lasting: boolean;
  /** The name under /dev/v4l/by-id that it had last: udev makes it some time after the node. */
  byId?: string;
}

/**
 * Every camera, by node number. Asks each node through `v4l2-ctl` (Debian package v4l-utils), all at once; opens no stream. `cache`:
 * nodes that it knows, and that may be opened, are not asked again.
 */
export async function cameras(root = '/', run: Runner = runProgram, cache?: ProbeCache): Promise<Found<Camera>> {
  const folder = path.join(root, 'sys/class/video4linux');
  const nodes = (await namesIn(folder)).filter((name) => /^video\d+$/.test(name));
  nodes.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
  const ids = nodes.length > 0 ? await idsByNode(root) : new Map<string, string>();
  const asked = await Promise.all(
    nodes.map(async (node): Promise<Camera | Fault | undefined> => {
      const usbPath = await usbPathOf(path.join(folder, node));
      const ask = async (): Promise<Asked> => {
        const { is, lasting } = await look(`/dev/${node}`, run);
        if (is === undefined || is instanceof Fault) return { is, lasting };
        const encoderUnit = await encoderUnitOf(is, path.join(folder, node));
        return { is: { ...is, ...(encoderUnit && { encoderUnit }) }, lasting };
      };
      const known = cache && (await mayOpen(path.join(root, 'dev', node)));
      const answer = known ? await cache.ofNode(root, node, ask, ({ lasting }) => lasting) : await ask();
      const { is } = answer;
      if (is === undefined || is instanceof Fault) return is;
      const now = ids.get(node);
      if (now !== undefined) answer.byId = now;
      const isTaken = now === undefined && [...ids.values()].some((name) => name === answer.byId);
      const byId = isTaken ? undefined : answer.byId;
      return {
        api: 'v4l2',
        path: `/dev/${node}`,
        ...is,
        ...(byId !== undefined && { byId }),
        ...(usbPath !== undefined && { usbPath }),
      };
    }),
  );
  const faults = asked.flatMap((answer) => (answer instanceof Fault ? [answer] : []));
  const found = asked.flatMap((answer) => (answer === undefined || answer instanceof Fault ? [] : [answer]));
  // One missing program is one fault, however many nodes there are.
  return { found, faults: faults.filter((fault, i) => faults.findIndex((other) => other.what === fault.what) === i) };
}

async function look(node: string, run: Runner): Promise<Asked> {
  const questions = [
    '--info',
    '--get-input',
    '--get-fmt-video',
    '--get-parm',
    '--list-ctrls-menus',
    '--list-formats-ext',
  ];
  const said = await run('v4l2-ctl', ['-d', node, ...questions], { deadlineMs });
  const failed = (...fault: ConstructorParameters<typeof Fault>): Asked => ({
    is: new Fault(...fault),
    lasting: false,
  });
  if (said.missing) {
    return failed('plugin_missing', 'Cameras cannot be examined: v4l2-ctl is missing.', 'apt-get install v4l-utils');
  }
  if (said.late) {
    return failed('source_failed', `The driver of ${node} does not respond.`, 'Unplug it and plug it in again.');
  }
  if (/Permission denied/.test(said.stderr)) {
    return failed('source_failed', `No permission to open ${node}.`, 'Add the user to the group "video".');
  }
  // The exit code says nothing of a camera: one question that a driver does not know makes it 1, the other answers stand.
  const info = parseNode(said.stdout);
  if (!info || !isCamera(info)) return { is: undefined, lasting: info !== undefined && isNever(info) };
  const open = openRange(info);
  let rates: number[] = [];
  if (open) {
    const which = `width=${open.width},height=${open.height},pixelformat=${open.fourcc}`;
    rates = parseIntervals(
      (await run('v4l2-ctl', ['-d', node, `--list-frameintervals=${which}`], { deadlineMs })).stdout,
    );
  }
  const is = {
    // The kernel writes "Name: Nam" where a device says its name twice, cut at 31 letters.
    name: info.card.replace(/^(.+?): .*$/, (whole, name: string) =>
      whole.startsWith(`${name}: ${name.slice(0, 4)}`) ? name : whole,
    ),
    driver: info.driver,
    formats: formatsOf(info, rates),
    controls: parseControls(said.stdout),
    ...(hasButton(said.stdout, 'force_key_frame') ? { givesKeyframes: true } : {}),
  };
  return { is, lasting: said.code === 0 && listsAll(info) && (!open || rates.length > 0) };
}

/** By which a USB camera that encodes can be told how; undefined where it cannot. Its descriptors say so: the camera is not asked. */
async function encoderUnitOf(
  { driver, formats }: Pick<Camera, 'driver' | 'formats'>,
  entry: string,
): Promise<Camera['encoderUnit']> {
  if (driver !== 'uvcvideo' || !formats.some(({ fourcc }) => kindOf(fourcc) === 'h264')) return undefined;
  const at = await usbInterfaceOf(entry);
  const descriptors = at && (await bytesOf(path.join(at.device, 'descriptors')));
  const unit = descriptors && findUnit(descriptors, h264UnitGuid, at);
  const has = (selector: number): boolean => unit?.selectors.includes(selector) === true;
  if (!unit || !has(selectors.probe) || !has(selectors.commit)) return undefined;
  return { id: unit.id, givesKeyframes: has(selectors.pictureType), changesBitrate: has(selectors.bitrate) };
}

/** Right after a device came, udev has not given its node to the group yet. */
const mayOpen = (file: string): Promise<boolean> =>
  access(file, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );

/** Names under /dev/v4l/by-id by the node that each points at; empty where no udev runs. */
async function idsByNode(root: string): Promise<Map<string, string>> {
  const folder = path.join(root, 'dev/v4l/by-id');
  const ids = new Map<string, string>();
  for (const name of (await namesIn(folder)).sort()) {
    const target = await linkOf(path.join(folder, name));
    if (target !== undefined) ids.set(path.basename(target), name);
  }
  return ids;
}
