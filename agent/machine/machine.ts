/** This machine in the terms of the planner: everything that the other files here find out, gathered at once. */
import { encoderNames } from '../../pipelines/choose/encoders.js';
import type { Board, Camera, Encoder, Machine } from '../../pipelines/machine.js';
import { gpuEncodes } from '../../pipelines/sources/h264.js';
import type { EncoderName, Wish } from '../../pipelines/wanted.js';
import { Fault } from '../errors.js';
import { ProbeCache } from './probecache.js';
import { board as boardOf } from './host/board.js';
import { cameras, type Found } from './cameras/cameras.js';
import { elements, registration, type Elements } from './encoders/elements.js';
import { encoders } from './encoders/encoders.js';
import type { MediaFiles, ProbedFile } from './files/files.js';
import {
  encoderFault,
  hasCodec,
  hasLegacyDriver,
  noCameraFault,
  sensors,
  videoNames,
  type VideoNames,
} from './host/firmware.js';
import { libcameraCameras } from './cameras/libcamera.js';
import { defaultPatienceMs, withDeadline } from './files/reads.js';
import { microphones } from './sound/microphones.js';
import { run as runProgram, type Runner } from './host/run.js';
import { shortcuts } from './encoders/shortcuts.js';
import type { Storage } from './storage/storage.js';
import { codecNodes } from './encoders/trials.js';

export interface Question {
  /** Whether the picture is to come from a camera: only then is libcamera asked, and is a missing camera a fault. */
  readonly camera: boolean;
  /** Media files that are wanted; leave empty unless `video.source` is `file`. */
  readonly files: readonly string[];
  /** Files that are not known after this many milliseconds are a fault. Reading them goes on, and helps the next time. */
  readonly patienceMs?: number;
  /** Encoders to try; leave out those that the plan will not need, each costs a run (0.2 s on a PC, seconds on a Zero W). */
  readonly encoders: readonly EncoderName[];
  /** Try all of them, and not only until one works: to show what there is. */
  readonly thorough?: boolean;
  /** Where none of those works, these are tried until one does, best first: a slate goes by any. */
  readonly spare?: readonly EncoderName[];
}

/** What probing the machine has found. */
export interface ProbeResult {
  readonly facts: Machine;
  /** GStreamer's version, such as `1.22.0`; empty where it is missing. */
  readonly gstreamer: string;
  /** What could not be found out, and why. A file that has a fault is not among the facts. */
  readonly faults: readonly Fault[];
}

const noCameras: Found<Camera> = { found: [], faults: [] };

/**
 * Looks at cameras, microphones, elements, encoders and files at the same time. `storage` remembers encoders that work, `cache` what
 * else need not be asked again, `arch` is the system's as Node.js calls it.
 */
export async function gather(
  question: Question,
  storage?: Storage,
  root = '/',
  run: Runner = runProgram,
  cache?: ProbeCache,
  arch: string = process.arch,
): Promise<ProbeResult> {
  const [board, names, legacy] = await Promise.all([boardOf(root, arch), videoNames(root), hasLegacyDriver(root)]);
  const installed = elementsOf(root, names, question.camera, run, cache);
  const [video, picams, audio, gstreamer, encoding, files] = await Promise.all([
    cameras(root, run, cache),
    installed.then((known) => (question.camera ? libcameraCameras(board, names, known, run) : noCameras)),
    microphones(root, run),
    installed,
    installed.then((known) =>
      encodersFor(question, cache, (some) =>
        encoders(some, known, { board, video: names }, question.thorough ?? false, storage, root, run),
      ),
    ),
    installed.then((known) =>
      known.names.length > 0 ? mediaFiles(question, (cache ?? new ProbeCache()).files, run) : [],
    ),
  ]);
  const looked: Machine = {
    board,
    elements: gstreamer.names,
    cameras: inOrder(board, video.found, picams.found),
    microphones: audio.found,
    encoders: encoding,
    files: files.flatMap((file) => (file instanceof Fault ? [] : [file])),
  };
  const found = looked.cameras;
  // The encoder was tried before, and has let go of its chip.
  const facts = question.camera
    ? await shortcuts(looked, gstreamer, question.thorough ?? false, storage, root, run, cache)
    : looked;
  const unseen = [
    question.encoders.includes('v4l2h264enc') ? encoderFault(board, names) : undefined,
    question.camera && found.length + video.faults.length + picams.faults.length === 0
      ? noCameraFault(board, legacy)
      : undefined,
  ];
  return {
    facts,
    gstreamer: gstreamer.version,
    faults: [
      ...gstreamer.faults,
      ...video.faults,
      ...picams.faults,
      ...audio.faults,
      ...unseen.flatMap((fault) => fault ?? []),
      ...files.flatMap((file) => (file instanceof Fault ? [file] : [])),
    ],
  };
}

/**
 * The order in which `auto` takes them: libcamera's after the others, but on a 64-bit system before a PiCam of the legacy stack, which
 * Raspberry Pi has disowned there (raspberrypi/documentation#2399); it is still taken where it is all that there is.
 */
function inOrder({ is64Bit }: Board, video: readonly Camera[], picams: readonly Camera[]): readonly Camera[] {
  const legacy = is64Bit ? video.findIndex(gpuEncodes) : -1;
  return video.toSpliced(legacy < 0 ? video.length : legacy, 0, ...picams);
}

/** A codec that GStreamer made no element for may have been busy, or not yet ours to open: it is looked for again. */
async function elementsOf(
  root: string,
  names: VideoNames,
  camera: boolean,
  run: Runner,
  cache?: ProbeCache,
): Promise<Elements> {
  const sensor = camera && sensors(names).length > 0;
  const ask = (): Promise<Elements> => elements(run, sensor);
  if (!cache) return ask();
  const lasting = ({ names: all, version, faults }: Elements): boolean =>
    all.length > 0 && version !== '' && faults.length === 0 && (all.includes('v4l2h264enc') || !hasCodec(names));
  const key = await registration(root, await codecNodes(root));
  return cache.of(key && `${key}${sensor ? ' with a sensor' : ''}`, ask, lasting);
}

async function encodersFor(
  { encoders: wanted, spare = [] }: Question,
  cache: ProbeCache | undefined,
  tried: (names: readonly EncoderName[]) => Promise<readonly Encoder[]>,
): Promise<readonly Encoder[]> {
  const found = [...(await tried(wanted))];
  for (const name of spare) {
    if (found.some(({ works }) => works)) break;
    const ask = (): Promise<readonly Encoder[]> => tried([name]);
    // One that fails may take its 20 s to do so, too long to wait each time for a slate.
    const fails = ([encoder]: readonly Encoder[]): boolean => encoder?.works === false;
    found.push(...(await (cache ? cache.of(`spare ${name}`, ask, fails) : ask())));
  }
  return found;
}

/** One after the other: two would only make the disk seek. */
async function mediaFiles(
  { files, patienceMs = defaultPatienceMs }: Question,
  known: MediaFiles,
  run: Runner,
): Promise<readonly (ProbedFile | Fault)[]> {
  const answers: (ProbedFile | Fault)[] = [];
  const paths = [...new Set(files)];
  const all = async (): Promise<readonly (ProbedFile | Fault)[]> => {
    for (const path of paths) answers.push(await known.at(path, run).catch((error: unknown) => Fault.from(error)));
    return answers;
  };
  return withDeadline(all(), patienceMs, () => [...answers, slow(paths[answers.length]!, patienceMs)]);
}

const slow = (path: string, ms: number): Fault =>
  new Fault(
    'file_slow',
    `The file ${JSON.stringify(path)} is still being read after ${ms / 1000} s.`,
    'If it is large, wait; otherwise check its disk or network drive.',
  );

/**
 * The facts that a wanted broadcast and its slate need, and no more of them: each probe costs time at the start. `warn` hears what could not be
 * found out; `cache` need not be found out again. A media file that cannot be used is part of the facts; throws the fault of a GStreamer that is not installed.
 */
export async function machineFor(
  { video, slate }: Wish,
  storage: Storage,
  warn: (fault: Fault) => void,
  { patienceMs, cache = new ProbeCache() }: { readonly patienceMs?: number; readonly cache?: ProbeCache } = {},
): Promise<Machine> {
  const question = {
    camera: video.source !== 'file' && video.source !== 'test',
    files: video.source === 'file' ? video.files : [],
    ...(patienceMs === undefined ? {} : { patienceMs }),
    encoders: encoderNames.filter((name) => video.encoder === 'auto' || video.encoder === name),
    // For the slate, whichever way is insisted on.
    spare: encoderNames.filter((name) => video.encoder !== 'auto' && video.encoder !== name),
  };
  const [{ facts, faults }, slateImage] = await Promise.all([
    gather(question, storage, '/', runProgram, cache),
    slate.image === '' ? undefined : cache.stills.at(slate.image, patienceMs),
  ]);
  const none = facts.elements.length === 0 ? faults.find(({ code }) => code === 'plugin_missing') : undefined;
  if (none) throw none;
  const filesFault = faults.find(({ code }) => code.startsWith('file_'));
  for (const fault of faults) if (!fault.code.startsWith('file_')) warn(fault);
  return {
    ...facts,
    ...(filesFault ? { filesFault: filesFault.report() } : {}),
    ...(slateImage ? { slateImage } : {}),
  };
}
