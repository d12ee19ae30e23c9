/** Shortcuts that save a small board work, where its drivers support them. No list says so: each is tried once, and the result kept. */
import { maybeTaken, v4l2h264enc } from '../../../pipelines/encoders/v4l2h264enc.js';
import type { Camera, Machine } from '../../../pipelines/machine.js';
import { encoderProbe, jpegProbe, sharedProbe } from '../../../pipelines/probe.js';
import { sharedFourcc } from '../../../pipelines/choose/camera.js';
import { kindOf, rawName } from '../../../pipelines/choose/format.js';
import { isTooMuch } from '../../../pipelines/sources/jpeg.js';
import type { ProbeCache } from '../probecache.js';
import type { Elements } from './elements.js';
import { run as runProgram, type Runner } from '../host/run.js';
import type { Storage } from '../storage/storage.js';
import { tried, Trials, type Tried } from './trials.js';

/** Of a white picture: JPEG's 255 with what a codec may take off, television's 235 with what it may add. */
const leastFull = 250;
const leastNarrow = 230;
const mostNarrow = 240;

/**
 * The facts with what of these was found: formats that a hardware encoder takes besides the usual ones, a JPEG decoder in hardware, a camera
 * whose pictures the encoder can read where they lie. Only what the cameras and the board could use is tried. One that has failed is not tried again
 * unless it is to be `thorough`: each may take as long as a driver that hangs, and there is another way.
 */
export async function shortcuts(
  facts: Machine,
  installed: Pick<Elements, 'names' | 'version'>,
  thorough: boolean,
  storage?: Storage,
  root = '/',
  run: Runner = runProgram,
  cache?: ProbeCache,
): Promise<Machine> {
  const chip = facts.encoders.find(({ element, works }) => element === v4l2h264enc.element && works);
  const takes = chip ? wantedFormats(facts.cameras) : [];
  const sharing = chip ? facts.cameras.filter(mayShare) : [];
  const decodes = installed.names.includes('v4l2jpegdec') && facts.cameras.some((camera) => isHeavy(camera, facts));
  if (takes.length + sharing.length === 0 && !decodes) return facts;
  const trials = await Trials.load(installed, storage, root);
  // Kept for as long as the program runs, also where nothing can be stored: an encoder that is on the air must not be tried.
  const once = (text: string): Promise<Tried> =>
    cache
      ? cache.of(
          text,
          () => tried(text, run),
          () => true,
        )
      : tried(text, run);
  const isOpen = (name: string): boolean => trials.of(name) === undefined || (thorough && trials.of(name) === false);
  const works = async (name: string, text: string): Promise<boolean> => {
    if (isOpen(name)) trials.note(name, (await once(text)).why === undefined);
    return trials.of(name)!;
  };
  const taken: string[] = [];
  for (const format of takes) {
    if (await works(`${v4l2h264enc.element} ${format}`, encoderProbe(v4l2h264enc.element, format))) taken.push(format);
  }
  const shared: Camera[] = [];
  for (const camera of sharing) if (await works(`shared ${camera.path}`, sharedProbe(camera))) shared.push(camera);
  const [full, narrow] = ['v4l2jpegdec full', 'v4l2jpegdec narrow'] as const;
  if (decodes && isOpen(full) && isOpen(narrow)) {
    const { first = 0 } = await once(jpegProbe());
    trials.note(full, first >= leastFull);
    trials.note(narrow, first >= leastNarrow && first <= mostNarrow);
  }
  await trials.save();
  const fullRange = trials.of(full) === true;
  return {
    ...facts,
    cameras: facts.cameras.map((camera) => (shared.includes(camera) ? { ...camera, sharesMemory: true } : camera)),
    encoders: facts.encoders.map((each) => (each === chip && taken.length > 0 ? { ...each, takes: taken } : each)),
    ...(decodes && (fullRange || trials.of(narrow)) ? { jpegDecoder: { fullRange } } : {}),
  };
}

/** GStreamer's names of raw formats that a camera here gives and the encoder may take. */
function wantedFormats(cameras: readonly Camera[]): string[] {
  const given = new Set(
    cameras.flatMap(({ api, formats }) => (api === 'v4l2' ? formats.map(({ fourcc }) => rawName(fourcc)) : [])),
  );
  return maybeTaken.filter((format) => given.has(format));
}

const mayShare = ({ api, formats }: Camera): boolean =>
  api === 'libcamera' && formats.some(({ fourcc }) => fourcc === sharedFourcc);

/** Whether it gives JPEGs of a size and rate that the processor does not manage. */
const isHeavy = ({ formats }: Camera, { board }: Machine): boolean =>
  formats.some(
    ({ fourcc, width, height, fps }) =>
      kindOf(fourcc) === 'jpeg' && isTooMuch({ width, height, fps: Math.max(...fps) }, board),
  );
