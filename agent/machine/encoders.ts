/** Which H.264 encoders of this machine really encode: each is run with the settings of a real broadcast. */
import { release } from 'node:os';
import path from 'node:path';
import { packageOf } from '../../pipelines/elements.js';
import { encoderNames } from '../../pipelines/encoders/encoder.js';
import type { Board, Encoder } from '../../pipelines/facts.js';
import { encoderProbe } from '../../pipelines/probe.js';
import type { EncoderName } from '../../pipelines/wanted.js';
import type { Elements } from './elements.js';
import { hasCodec, type VideoNames } from './firmware.js';
import { run as runProgram, type Runner } from './run.js';
import type { Storage } from './storage.js';
import { namesIn, textOf, usbPathOf } from './sysfs.js';

/** x264 makes 3 frames a second of 720p on a Zero W, which also takes seconds to load it; a hung driver takes for ever. */
const deadlineMs = 20_000;

const hardware = (name: EncoderName): boolean => name === 'v4l2h264enc' || name === 'omxh264enc';

/** What the data folder remembers of encoders that worked. */
interface Remembered {
  readonly machine: string;
  readonly works: readonly string[];
}

/** What else was found out about this machine: it tells why there is no encoder. */
export interface Seen {
  readonly board: Board;
  readonly video: VideoNames;
}

const stateName = 'encoders';
const stateFormat = 1;

/**
 * Runs each of `names` in the order of preference, one after the other (two at once could share one hardware encoder). That one works is remembered in
 * `storage` for as long as kernel, GStreamer and codec nodes stay the same; that one does not is never remembered: a camera
 * that was busy or a processor too hot must not cost the hardware encoder for good. Unless it is to be `thorough`, the first that works
 * ends it, and those behind it are presumed to work: a run of x264 takes many seconds on a Zero W, whose chip works.
 */
export async function encoders(
  names: readonly EncoderName[],
  installed: Pick<Elements, 'names' | 'version'>,
  seen: Seen,
  thorough: boolean,
  storage?: Storage,
  root = '/',
  run: Runner = runProgram,
): Promise<Encoder[]> {
  const machine = `${release()} ${installed.version} ${await codecNodes(root)}`;
  const known = await storage?.readState(stateName, stateFormat, isRemembered);
  const remembered = known?.machine === machine ? known.works : [];
  const result: Encoder[] = [];
  for (const element of encoderNames.filter((name) => names.includes(name))) {
    const isThere = installed.names.includes(element);
    const presumed = isThere && !thorough && !remembered.includes(element) && result.some(({ works }) => works);
    const why = !isThere
      ? notInstalled(element, installed.names, seen)
      : presumed || remembered.includes(element)
        ? undefined
        : await tried(element, run);
    result.push({
      ...{ element, hardware: hardware(element), works: why === undefined },
      ...(why !== undefined && { why }),
      ...(presumed && { presumed }),
    });
  }
  const works = result.flatMap((encoder) => (encoder.works && !encoder.presumed ? [encoder.element] : []));
  const still = remembered.filter((name) => !result.some(({ element }) => element === name));
  if (works.length > 0)
    await storage?.writeState(stateName, stateFormat, { machine, works: [...still, ...works].sort() });
  return result;
}

function isRemembered(value: unknown): value is Remembered {
  const { machine, works } = (value ?? {}) as Partial<Remembered>;
  return typeof machine === 'string' && Array.isArray(works);
}

function notInstalled(element: EncoderName, installed: readonly string[], seen: Seen): string {
  switch (element) {
    case 'v4l2h264enc':
      return noNode(installed, seen);
    case 'omxh264enc':
      return 'not installed (it was retired; only 32-bit systems of old have it)';
    case 'x264enc':
    case 'openh264enc':
      return `not installed: apt-get install ${packageOf(element)}`;
  }
}

/** The element v4l2h264enc registers only where GStreamer could open an encoder node of the kernel's. */
function noNode(installed: readonly string[], { board: { soc }, video }: Seen): string {
  if (soc === 'bcm2712') return 'a Pi 5 has no H.264 encoder';
  if (soc === undefined) return 'the kernel offers no H.264 encoder';
  if (!hasCodec(video)) return 'the firmware offers no H.264 encoder (see the advice of `makercast probe`)';
  return installed.includes('v4l2src')
    ? 'the kernel offers an encoder that may not be opened: add the user to the group "video"'
    : `not installed: apt-get install ${packageOf('v4l2h264enc')}`;
}

/** Why it does not work; undefined where H.264 came out. */
async function tried(element: EncoderName, run: Runner): Promise<string | undefined> {
  let bytes = 0;
  const said = await run('gst-launch-1.0', ['-q', ...encoderProbe(element).split(' ')], {
    deadlineMs,
    onFd4: (chunk) => {
      bytes += chunk.length;
      return false;
    },
  });
  if (said.late) return `it hangs: no end after ${deadlineMs / 1000} s`;
  if (said.missing) return 'gst-launch-1.0 is missing: apt-get install gstreamer1.0-tools';
  const error = /^ERROR: (?:from element \S+: )?(.*)$/m.exec(said.stderr)?.[1] ?? said.stderr.trim().split('\n')[0];
  if (said.code !== 0) return `it fails: ${error || 'no reason given'}`;
  return bytes > 0 ? undefined : 'it runs, but gives nothing';
}

/** Names of the video nodes that are part of the machine (a USB camera that comes or goes changes no encoder). */
export async function codecNodes(root: string): Promise<string> {
  const folder = path.join(root, 'sys/class/video4linux');
  const nodes = await Promise.all(
    (await namesIn(folder)).sort().map(async (node) => {
      if ((await usbPathOf(path.join(folder, node))) !== undefined) return [];
      return [`${node}=${(await textOf(path.join(folder, node, 'name'))) ?? ''}`];
    }),
  );
  return nodes.flat().join(',');
}
