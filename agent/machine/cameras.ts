/** The cameras of this machine: V4L2 nodes, told apart by what they can do, never by their number or name. */
import path from 'node:path';
import type { Camera } from '../../pipelines/facts.js';
import { Fault } from '../errors.js';
import { parseControls } from './controls.js';
import { run as runProgram, type Runner } from './run.js';
import { linkOf, namesIn, usbPathOf } from './sysfs.js';
import { formatsOf, isCamera, openRange, parseIntervals, parseNode } from './v4l2.js';

/** A driver that answers no faster than this hangs. */
const deadlineMs = 5000;

export interface Found<T> {
  readonly found: readonly T[];
  readonly faults: readonly Fault[];
}

/** Every camera, by node number. Asks each node through `v4l2-ctl` (Debian package v4l-utils), all at once; opens no stream. */
export async function cameras(root = '/', run: Runner = runProgram): Promise<Found<Camera>> {
  const folder = path.join(root, 'sys/class/video4linux');
  const nodes = (await namesIn(folder)).filter((name) => /^video\d+$/.test(name));
  nodes.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5)));
  const ids = nodes.length > 0 ? await idsByNode(root) : new Map<string, string>();
  const asked = await Promise.all(
    nodes.map(async (node) => {
      const usbPath = await usbPathOf(path.join(folder, node));
      return camera(`/dev/${node}`, { byId: ids.get(node), usbPath }, run);
    }),
  );
  const faults = asked.flatMap((answer) => (answer instanceof Fault ? [answer] : []));
  const found = asked.flatMap((answer) => (answer === undefined || answer instanceof Fault ? [] : [answer]));
  // One missing program is one fault, however many nodes there are.
  return { found, faults: faults.filter((fault, i) => faults.findIndex((other) => other.what === fault.what) === i) };
}

async function camera(
  node: string,
  known: { byId: string | undefined; usbPath: string | undefined },
  run: Runner,
): Promise<Camera | Fault | undefined> {
  const questions = [
    '--info',
    '--get-input',
    '--get-fmt-video',
    '--get-parm',
    '--list-ctrls-menus',
    '--list-formats-ext',
  ];
  const said = await run('v4l2-ctl', ['-d', node, ...questions], { deadlineMs });
  if (said.missing) {
    return new Fault(
      'plugin_missing',
      'Cameras cannot be looked at: v4l2-ctl is missing.',
      'apt-get install v4l-utils',
    );
  }
  if (said.late) {
    return new Fault('source_failed', `${node}: its driver does not answer.`, 'Unplug it and plug it in again.');
  }
  if (/Permission denied/.test(said.stderr)) {
    return new Fault('source_failed', `${node} may not be opened.`, 'Add the user to the group "video".');
  }
  // The exit code says nothing: one question that a driver does not know makes it 1, the other answers stand.
  const info = parseNode(said.stdout);
  if (!info || !isCamera(info)) return undefined;
  const open = openRange(info);
  let rates: number[] = [];
  if (open) {
    const which = `width=${open.width},height=${open.height},pixelformat=${open.fourcc}`;
    rates = parseIntervals(
      (await run('v4l2-ctl', ['-d', node, `--list-frameintervals=${which}`], { deadlineMs })).stdout,
    );
  }
  return {
    api: 'v4l2',
    path: node,
    // The kernel writes "Name: Nam" where a device says its name twice, cut at 31 letters.
    name: info.card.replace(/^(.+?): .*$/, (whole, name: string) =>
      whole.startsWith(`${name}: ${name.slice(0, 4)}`) ? name : whole,
    ),
    driver: info.driver,
    ...(known.byId !== undefined && { byId: known.byId }),
    ...(known.usbPath !== undefined && { usbPath: known.usbPath }),
    formats: formatsOf(info, rates),
    controls: parseControls(said.stdout),
  };
}

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
