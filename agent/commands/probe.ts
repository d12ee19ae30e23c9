/** `makercast probe`: what was found on this machine, as a table for people or as JSON. */
import { encoderNames } from '../../pipelines/choose/encoders.js';
import type { Machine } from '../../pipelines/machine.js';
import type { Fault } from '../errors.js';
import { missing, tlsMissing } from '../machine/encoders/elements.js';
import { gather } from '../machine/machine.js';
import { temperature } from '../machine/host/health.js';
import { cmaFault, memory } from '../machine/host/meminfo.js';
import { networkFault } from '../machine/host/network.js';
import { strain } from '../machine/host/power.js';
import { childEnvironment } from '../machine/host/run.js';
import { wifi, wifiFault } from '../machine/host/wifi.js';
import { strainFaults } from '../control/strain.js';
import { findings, microphoneOf, type Host } from './findings.js';

/** What some plan or other needs on any machine. Encoders are tried one by one. */
const usefulElements: readonly string[] = [
  'aacparse',
  'alsasrc',
  'appsink',
  'audioresample',
  'avdec_h264',
  'avenc_aac',
  'clockoverlay',
  'flvmux',
  'h264parse',
  'jpegdec',
  'rtmp2sink',
  'v4l2src',
  'videoconvert',
  'voaacenc',
  'x264enc',
];

/** All that was found on this machine. */
export interface Found {
  readonly facts: Machine;
  readonly host: Host;
  /** What is wrong, or could be better. */
  readonly faults: readonly Fault[];
}

/** Prints what it finds, for programs where `json`; returns the exit code. */
export async function probe(json: boolean, print: (line: string) => void): Promise<number> {
  const found = await lookAround();
  if (json) print(JSON.stringify(forPrograms(found), null, 2));
  else findings(found.facts, found.host, found.faults).forEach(print);
  return 0;
}

/** Probes everything; each encoder is run. */
export async function lookAround(): Promise<Found> {
  const [{ facts, gstreamer, faults: found }, own, tls, memoryNow, wifis, strainNow] = await Promise.all([
    gather({ camera: true, files: [], encoders: encoderNames, thorough: true }),
    ownHost(),
    tlsMissing(),
    memory(),
    wifi(),
    strain(),
  ]);
  const host: Host = {
    ...own,
    ...(facts.board.model !== undefined && { board: facts.board.model }),
    gstreamer,
    ...(memoryNow && { memory: memoryNow }),
    ...(wifis.length > 0 && { wifi: wifis }),
    ...(strainNow && { strain: strainNow }),
  };
  const lacking = gstreamer === '' ? [] : missing(usefulElements, facts.elements);
  const others = [tls, networkFault(), ...strainFaults(strainNow), cmaFault(facts.board, memoryNow), wifiFault(wifis)];
  return { facts, host, faults: [...found, ...lacking, ...others.flatMap((fault) => fault ?? [])] };
}

/** The same for programs. `microphone` of a camera is the ALSA id of the one in the same USB device. */
export function forPrograms({ facts, host, faults }: Found): object {
  const cameras = facts.cameras.map((camera) => {
    const microphone = microphoneOf(camera, facts);
    return { ...camera, ...(microphone && { microphone: microphone.id }) };
  });
  const { microphones, encoders } = facts;
  // JSON leaves out what is undefined; `board` is the name, as for people.
  const { soc, gpuMemoryMb } = facts.board;
  return { ...host, soc, gpuMemoryMb, cameras, microphones, encoders, faults: faults.map((fault) => fault.report()) };
}

/** Board and system by the systeminformation package: a few files, and on a PC one run of dmidecode. */
async function ownHost(): Promise<Pick<Host, 'board' | 'system' | 'temperature'>> {
  // The programs that it starts inherit our environment, which may hold a stream key.
  const environment = process.env;
  process.env = childEnvironment();
  try {
    const information = await import('systeminformation');
    const [os, system, warmth] = await Promise.all([information.osInfo(), information.system(), temperature()]);
    const board = [system.manufacturer, system.model].filter((part) => part && part !== 'unknown').join(' ');
    const name = `${os.distro} ${os.release}${os.codename ? ` (${os.codename})` : ''}, Linux ${os.kernel}, ${os.arch}`;
    return { ...(board && { board }), system: name, ...(warmth !== undefined && { temperature: warmth }) };
  } catch {
    // A machine that hides its board runs all the same.
    return {};
  } finally {
    process.env = environment;
  }
}
