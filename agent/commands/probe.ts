/** `makercast probe`: what was found on this machine, as a table for people or as JSON. */
import type { Camera, Microphone } from '../../pipelines/facts.js';
import { Fault } from '../errors.js';
import { missing, tlsMissing } from '../machine/elements.js';
import { encoderNames } from '../machine/encoders.js';
import { gather, type Machine } from '../machine/facts.js';
import { model, temperature } from '../machine/health.js';
import { networkFault } from '../machine/network.js';
import { childEnvironment } from '../machine/run.js';

/** What some plan or other needs on any machine. Encoders are looked at one by one. */
const usefulElements = [
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

export interface Board {
  /** Such as `Raspberry Pi 3 Model B Rev 1.2`, or a PC's maker and model. */
  readonly board?: string;
  /** Such as `Debian GNU/Linux 12 (bookworm), Linux 6.1.0, x64`. */
  readonly system?: string;
  /** °C of the processor. */
  readonly temperature?: number;
}

/** Prints what it finds; answers the exit code: 0, or 2 for arguments that it does not know. */
export async function probe(args: readonly string[], print: (line: string) => void): Promise<number> {
  const unknown = args.find((arg) => arg !== '--json');
  if (unknown !== undefined) {
    print(
      new Fault('usage', `makercast probe does not know ${JSON.stringify(unknown)}.`, 'Usage: makercast probe [--json]')
        .message,
    );
    return 2;
  }
  const [machine, board, tls] = await Promise.all([
    gather({ camera: true, files: [], encoders: encoderNames }),
    ownBoard(),
    tlsMissing(),
  ]);
  const lacking = machine.gstreamer === '' ? [] : missing(usefulElements, machine.facts.elements);
  const faults = [...machine.faults, ...lacking, ...[tls, networkFault()].flatMap((fault) => fault ?? [])];
  if (args.includes('--json')) {
    const { cameras, microphones, encoders } = machine.facts;
    const reports = faults.map((fault) => fault.report());
    print(
      JSON.stringify(
        { ...board, gstreamer: machine.gstreamer, cameras, microphones, encoders, faults: reports },
        null,
        2,
      ),
    );
  } else {
    for (const line of table(machine, board, faults)) print(line);
  }
  return 0;
}

/** Board and system by the systeminformation package: a few files, and on a PC one run of dmidecode. */
async function ownBoard(): Promise<Board> {
  // The programs that it starts inherit our environment, which may hold a stream key.
  const environment = process.env;
  process.env = childEnvironment();
  try {
    const information = await import('systeminformation');
    const [os, system, pi, warmth] = await Promise.all([
      information.osInfo(),
      information.system(),
      model(),
      temperature(),
    ]);
    const board = pi ?? [system.manufacturer, system.model].filter((part) => part && part !== 'unknown').join(' ');
    const name = `${os.distro} ${os.release}${os.codename ? ` (${os.codename})` : ''}, Linux ${os.kernel}, ${os.arch}`;
    return { ...(board && { board }), system: name, ...(warmth !== undefined && { temperature: warmth }) };
  } catch {
    // A machine that hides its board runs all the same.
    return {};
  } finally {
    process.env = environment;
  }
}

function table({ facts, gstreamer }: Machine, board: Board, faults: readonly Fault[]): string[] {
  const rows = [
    ['Board', board.board ?? 'unknown'],
    ['System', board.system ?? 'unknown'],
    ...(board.temperature === undefined ? [] : [['Temperature', `${board.temperature.toFixed(1)} °C`]]),
    ['GStreamer', gstreamer || 'not installed'],
  ];
  const encoders = facts.encoders.map(({ element, works, hardware, why }) => [
    element,
    works ? `encodes (${hardware ? 'hardware' : 'software'})` : `no: ${why}`,
  ]);
  return [
    ...columns(rows, ''),
    ...section('Cameras', facts.cameras.flatMap(cameraLines)),
    ...section('Microphones', facts.microphones.flatMap(microphoneLines)),
    ...section('Encoders', columns(encoders, '  ')),
    ...section(
      'Missing',
      faults.map((fault) => `  ${fault.message}`),
    ),
  ];
}

const section = (title: string, lines: readonly string[]): string[] => [
  '',
  title,
  ...(lines.length > 0 ? lines : ['  none']),
];

function columns(rows: readonly (readonly string[])[], indent: string): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name!.length));
  return rows.map(([name, value]) => `${indent}${name!.padEnd(width)}  ${value}`);
}

function cameraLines({ path, name, driver, byId, usbPath, formats }: Camera): string[] {
  const ways = [byId, usbPath && `USB ${usbPath}`].filter((way) => way !== undefined);
  const rows = [...new Set(formats.map(({ fourcc }) => fourcc))].flatMap((fourcc) =>
    formats
      .filter((format) => format.fourcc === fourcc)
      .map(({ width, height, fps }, i) => [i === 0 ? fourcc : '', `${`${width}x${height}`.padEnd(10)} ${rates(fps)}`]),
  );
  return [`  ${path}  ${name} (${driver})${ways.map((way) => `, ${way}`).join('')}`, ...columns(rows, '    ')];
}

const rates = (fps: readonly number[]): string =>
  fps.length === 0 ? 'at the rate of its signal' : `${fps.map((rate) => Math.round(rate * 100) / 100).join(', ')} fps`;

function microphoneLines({ id, device, name, rates: hz, channels, usbPath }: Microphone): string[] {
  const range = 'min' in hz ? `${hz.min} to ${hz.max}` : hz.join(', ');
  const from = usbPath === undefined ? '' : `, USB ${usbPath}`;
  return [
    `  ${id}${device > 0 ? `,${device}` : ''}  ${name}${from}`,
    `    ${range} Hz, channels: ${channels.join(', ')}`,
  ];
}
