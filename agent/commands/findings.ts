/** What `makercast probe` found, as lines for people: no wider than 100 columns, each long one continued under its own column. */
import type { Camera, CameraControl, Machine, Microphone } from '../../pipelines/machine.js';
import type { Fault } from '../errors.js';
import type { Memory } from '../machine/host/meminfo.js';
import type { Strain } from '../machine/host/power.js';
import type { Wifi } from '../machine/host/wifi.js';

/** What is shown of the machine besides the facts that a plan is made from. */
export interface Host {
  /** Such as `Raspberry Pi 3 Model B Rev 1.2`, or a PC's maker and model. */
  readonly board?: string;
  /** Such as `Debian GNU/Linux 12 (bookworm), Linux 6.1.0, x64`. */
  readonly system?: string;
  /** °C of the processor. */
  readonly temperature?: number;
  /** GStreamer's version; empty where it is missing. */
  readonly gstreamer: string;
  readonly memory?: Memory;
  /** Absent where no Wi-Fi is up, or none can be seen from here. */
  readonly wifi?: readonly Wifi[];
  /** At this moment; absent on machines that do not tell. */
  readonly strain?: Strain;
}

const columns = 100;

/** A blank at which no line is broken, while lines are made. */
const unbroken = '\u00a0';

export function findings(machine: Machine, host: Host, faults: readonly Fault[]): string[] {
  const { soc, gpuMemoryMb } = machine.board;
  const board = [
    `${host.board ?? 'unknown'}${soc ? ` (${soc})` : ''}`,
    ...(gpuMemoryMb === undefined ? [] : [`${gpuMemoryMb} MB for the GPU`]),
  ];
  const encoders = machine.encoders.map(
    ({ element, works, hardware, why }) =>
      [element, works ? `encodes (${hardware ? 'hardware' : 'software'})` : `no: ${why}`] as const,
  );
  return [
    ...table('', [
      ['Board', board.join(', ')],
      ['System', host.system ?? 'unknown'],
      ...(host.temperature === undefined ? [] : [['Temperature', `${host.temperature.toFixed(1)} °C`] as const]),
      ['GStreamer', host.gstreamer || 'not installed'],
      ...(host.memory ? [['Memory', memoryText(host.memory)] as const] : []),
      ...(host.wifi ? [['Wi-Fi', host.wifi.map(wifiText).join('; ')] as const] : []),
    ]),
    ...section(
      'Cameras',
      machine.cameras.flatMap((camera) => cameraLines(camera, microphoneOf(camera, machine))),
    ),
    ...section(
      'Microphones',
      machine.microphones.flatMap((microphone) => microphoneLines(microphone, machine)),
    ),
    ...section('Encoders', table('  ', encoders)),
    ...section(
      'Advice',
      faults.flatMap(({ message }) => wrapped('  - ', message)),
    ),
  ];
}

/** The microphone that is part of the same USB device, as in a webcam or an HDMI dongle. */
export const microphoneOf = ({ usbPath }: Camera, { microphones }: Machine): Microphone | undefined =>
  usbPath === undefined ? undefined : microphones.find((microphone) => microphone.usbPath === usbPath);

const memoryText = ({ totalMb, availableMb, cmaTotalMb, cmaFreeMb }: Memory): string =>
  `${totalMb} MB, ${availableMb} of them available` +
  (cmaTotalMb === undefined ? '' : `; ${cmaTotalMb} set aside for devices (CMA), ${cmaFreeMb} of them free`);

const wifiText = ({ interface: name, powerSave }: Wifi): string => {
  const told =
    powerSave === undefined ? 'does not say whether it saves power' : powerSave ? 'saves power' : 'does not save power';
  return name === undefined ? told : `${name} ${told}`;
};

const section = (title: string, lines: readonly string[]): string[] => [
  '',
  title,
  ...(lines.length > 0 ? lines : ['  none']),
];

/** Names in a column of their own, values beside them. */
function table(indent: string, rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows.flatMap(([name, value]) => wrapped(`${indent}${name.padEnd(width)}  `, value));
}

/** `text` behind `head`, broken at blanks; what does not fit stands under it. */
function wrapped(head: string, text: string): string[] {
  const lines: string[] = [];
  let line = head;
  let empty = true;
  for (const word of text.split(' ')) {
    if (!empty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = ' '.repeat(head.length);
      empty = true;
    }
    line += `${empty ? '' : ' '}${word}`;
    empty = false;
  }
  return [...lines, line].map((whole) => whole.replaceAll(unbroken, ' '));
}

function cameraLines(camera: Camera, microphone: Microphone | undefined): string[] {
  const { api, path, name, driver, byId, usbPath, formats, controls, encoderUnit } = camera;
  const ways = [
    api === 'libcamera' ? 'driven by libcamera' : `driver ${driver}`,
    ...(usbPath === undefined ? [] : [`USB ${usbPath}`]),
    ...(microphone ? [`with the microphone ${microphone.id}`] : []),
  ];
  return [
    ...wrapped('  ', `${path}  ${name}`),
    ...wrapped('    ', ways.join(', ')),
    ...(byId === undefined ? [] : [`    ${byId}`]),
    ...formatLines(formats),
    ...(encoderUnit ? wrapped('    ', encoderText(encoderUnit)) : []),
    ...(controls.length > 0 ? ['    Controls', ...table('      ', controls.map(controlRow))] : []),
  ];
}

/** What its own encoder takes. */
function encoderText({ id, changesBitrate, givesKeyframes }: NonNullable<Camera['encoderUnit']>): string {
  const live = [...(changesBitrate ? ['a new bitrate'] : []), ...(givesKeyframes ? ['requests for keyframes'] : [])];
  const running = live.length > 0 ? `, and while it runs ${live.join(' and ')}` : '';
  return `H.264 encoder (unit ${id}) accepts a keyframe interval and a bitrate${running}`;
}

/** Formats that come in the same sizes and rates stand together, and so do sizes of the same rates. */
function formatLines(formats: Camera['formats']): string[] {
  const alike = new Map<string, string[]>();
  for (const fourcc of new Set(formats.map((format) => format.fourcc))) {
    const bySpeed = new Map<string, string[]>();
    for (const { width, height, fps } of formats.filter((format) => format.fourcc === fourcc)) {
      const rates = fps.map((rate) => Math.round(rate * 100) / 100).join(', ');
      const speed = rates ? `at ${rates} fps` : 'at the rate of its signal';
      bySpeed.set(speed, [...(bySpeed.get(speed) ?? []), `${width}x${height}`]);
    }
    const rows = [...bySpeed]
      .map(([speed, sizes]) => `${sizes.join(' ')} ${speed.replaceAll(' ', unbroken)}`)
      .join('\n');
    alike.set(rows, [...(alike.get(rows) ?? []), fourcc]);
  }
  return [...alike].flatMap(([rows, fourccs]) => [
    ...wrapped('    ', fourccs.join(' ')),
    ...rows.split('\n').flatMap((row) => wrapped('      ', row)),
  ]);
}

function controlRow({ name, min, max, step, default: initial, choices }: CameraControl): readonly [string, string] {
  if (choices) {
    const listed = Object.entries(choices).map(([value, label]) => `${value} = ${label}`.replaceAll(' ', unbroken));
    return [name, `${listed.join(', ')}; default${unbroken}${initial}`];
  }
  const range = min === 0 && max === 1 ? '0 or 1' : `${min} to ${max}${step > 1 ? ` in steps of ${step}` : ''}`;
  return [name, `${range}; default ${initial}`];
}

function microphoneLines(microphone: Microphone, { cameras }: Machine): string[] {
  const { id, device, name, rates, channels, usbPath } = microphone;
  const range = 'min' in rates ? `${rates.min} to ${rates.max}` : rates.join(', ');
  const camera = usbPath === undefined ? undefined : cameras.find((known) => known.usbPath === usbPath);
  const from = [
    ...(usbPath === undefined ? [] : [`USB ${usbPath}`]),
    ...(camera ? [`part of the camera ${camera.path}`] : []),
  ];
  return [
    ...wrapped('  ', [`${id}${device > 0 ? `,${device}` : ''}  ${name}`, ...from].join(', ')),
    `    ${range} Hz; channels: ${channels.join(', ')}`,
  ];
}
