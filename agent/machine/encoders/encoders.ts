/** Which H.264 encoders of this machine really encode: each is run with the settings of a real broadcast. */
import { packageOf } from '../../../pipelines/elements.js';
import { encoderNames } from '../../../pipelines/choose/encoders.js';
import type { Board, Encoder } from '../../../pipelines/machine.js';
import { encoderProbe } from '../../../pipelines/probe.js';
import type { EncoderName } from '../../../pipelines/wanted.js';
import type { Elements } from './elements.js';
import { hasCodec, type VideoNames } from '../host/firmware.js';
import { run as runProgram, type Runner } from '../host/run.js';
import type { Storage } from '../storage/storage.js';
import { Trials, tried } from './trials.js';

const hardware = (name: EncoderName): boolean => name === 'v4l2h264enc' || name === 'omxh264enc';

/** What else was found out about this machine: it tells why there is no encoder. */
export interface Seen {
  readonly board: Board;
  readonly video: VideoNames;
}

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
  const trials = await Trials.load(installed, storage, root);
  const result: Encoder[] = [];
  for (const element of encoderNames.filter((name) => names.includes(name))) {
    const isThere = installed.names.includes(element);
    const isKnown = trials.of(element) === true;
    const presumed = isThere && !thorough && !isKnown && result.some(({ works }) => works);
    const why = !isThere
      ? notInstalled(element, installed.names, seen)
      : presumed || isKnown
        ? undefined
        : (await tried(encoderProbe(element), run)).why;
    result.push({
      ...{ element, hardware: hardware(element), works: why === undefined },
      ...(why !== undefined && { why }),
      ...(presumed && { presumed }),
    });
    if (why === undefined && !presumed) trials.note(element, true);
  }
  await trials.save();
  return result;
}

function notInstalled(element: EncoderName, installed: readonly string[], seen: Seen): string {
  switch (element) {
    case 'v4l2h264enc':
      return noNode(installed, seen);
    case 'omxh264enc':
      return 'not installed (it was retired; only old 32-bit systems have it)';
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
    ? 'the kernel offers an encoder, but this user may not open it: add the user to the group "video"'
    : `not installed: apt-get install ${packageOf('v4l2h264enc')}`;
}
