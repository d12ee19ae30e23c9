/** The microphones of this machine: ALSA capture devices with the rates and channels that they really have. */
import path from 'node:path';
import type { Microphone } from '../../../pipelines/machine.js';
import { Fault } from '../../errors.js';
import type { Found } from '../cameras/cameras.js';
import { run as runProgram, type Runner } from '../host/run.js';
import { namesIn, textOf, usbPathOf } from '../host/sysfs.js';

/** `arecord` loads all of ALSA's configuration, which takes seconds where a slow core does something else too. */
const deadlineMs = 10_000;

export interface FoundMicrophone extends Microphone {
  /** The card could not be asked: rates and channels are what most cards have. */
  readonly guessed?: true;
}

interface Abilities {
  readonly rates: Microphone['rates'];
  readonly channels: readonly number[];
}

/** More channels than this nobody plugs in; ranges such as snd-aloop's [1 32] are cut here. */
const maxChannels = 8;

/** Every capture device, by card and device number. Only cards that are not USB need `arecord` (Debian package alsa-utils). */
export async function microphones(root = '/', run: Runner = runProgram): Promise<Found<FoundMicrophone>> {
  const cards = parseCards((await textOf(path.join(root, 'proc/asound/cards'))) ?? '');
  const devices = parseCaptures((await textOf(path.join(root, 'proc/asound/pcm'))) ?? '');
  const faults: Fault[] = [];
  const found = await Promise.all(
    devices.map(async ({ card, device }): Promise<FoundMicrophone[]> => {
      const known = cards.get(card);
      if (!known) return [];
      const usbPath = await usbPathOf(path.join(root, `sys/class/sound/card${card}`));
      const abilities =
        (await usbAbilities(root, card, device)) ?? (await askedAbilities(root, run, known.id, card, device, faults));
      return [{ id: known.id, device, name: known.name, ...abilities, ...(usbPath !== undefined && { usbPath }) }];
    }),
  );
  return { found: found.flat(), faults: faults.slice(0, 1) };
}

/** ` 1 [C920           ]: USB-Audio - HD Pro Webcam C920`, each followed by a line that is of no use here. */
function parseCards(text: string): Map<number, { id: string; name: string }> {
  const lines = text.matchAll(/^\s*(\d+) \[(\S+)\s*\]: .*? - (.*)$/gm);
  return new Map([...lines].map(([, index, id, name]) => [Number(index), { id: id!, name: name!.trim() }]));
}

/** `01-00: USB Audio : USB Audio : playback 1 : capture 1` */
function parseCaptures(text: string): { card: number; device: number }[] {
  const lines = text.matchAll(/^(\d+)-(\d+): .*: capture \d+/gm);
  return [...lines].map(([, card, device]) => ({ card: Number(card), device: Number(device) }));
}

/**
 * What the USB descriptors say, from /proc/asound/cardN/streamM: the only place that tells 16000 and 32000 from
 * "16000 to 32000", which is all that ALSA's parameters would say of a C270.
 */
async function usbAbilities(root: string, card: number, device: number): Promise<Abilities | undefined> {
  const folder = path.join(root, `proc/asound/card${card}`);
  if (!(await namesIn(folder)).includes(`stream${device}`)) return undefined;
  const capture = (await textOf(path.join(folder, `stream${device}`)))
    ?.split(/^Capture:$/m)[1]
    ?.split(/^Playback:$/m)[0];
  if (capture === undefined) return undefined;
  const channels = sorted([...capture.matchAll(/^\s*Channels: (\d+)$/gm)].map(([, count]) => Number(count)));
  const lines = [...capture.matchAll(/^\s*Rates: (.*)$/gm)].map(([, rates]) => rates!);
  const range = lines.map((line) => /^(\d+) - (\d+) \(continuous\)/.exec(line)).find((match) => match !== null);
  if (channels.length === 0 || lines.length === 0) return undefined;
  if (range) return { rates: { min: Number(range[1]), max: Number(range[2]) }, channels };
  return { rates: sorted(lines.flatMap((line) => line.split(',').map(Number))), channels };
}

const sorted = (numbers: number[]): number[] => [...new Set(numbers)].sort((a, b) => a - b);

async function askedAbilities(
  root: string,
  run: Runner,
  id: string,
  card: number,
  device: number,
  faults: Fault[],
): Promise<Abilities & { guessed?: true }> {
  // One sample (-s 1) is enough: the parameters are printed before it is recorded, or refused.
  const args = ['-D', `hw:CARD=${id},DEV=${device}`, '--dump-hw-params', '-s', '1', '/dev/null'];
  const said = await run('arecord', args, { deadlineMs, until: /^TICK_TIME/m });
  const asked = parseParameters(said.stderr) ?? parseParameters(said.stdout);
  if (asked) return asked;
  if (said.missing) {
    const what = `The sample rates of the sound card ${id} cannot be read: arecord is missing.`;
    faults.push(new Fault('plugin_missing', what, 'apt-get install alsa-utils'));
  }
  // Busy: whoever holds it has found a rate that works.
  const held = await textOf(path.join(root, `proc/asound/card${card}/pcm${device}c/sub0/hw_params`));
  const rate = Number(/^rate: (\d+)/m.exec(held ?? '')?.[1]);
  const channels = Number(/^channels: (\d+)/m.exec(held ?? '')?.[1]);
  if (rate > 0 && channels > 0) return { rates: [rate], channels: [channels] };
  return { rates: [44100, 48000], channels: [1, 2], guessed: true };
}

/** `RATE: 48000`, `RATE: [8000 192000]`, `RATE: (44099 48001)`: round brackets leave their end out. */
function parseParameters(text: string): Abilities | undefined {
  const rate = /^RATE: (.*)$/m.exec(text)?.[1];
  const count = /^CHANNELS: (.*)$/m.exec(text)?.[1];
  if (rate === undefined || count === undefined) return undefined;
  const rates = ends(rate);
  const channels = ends(count);
  if (!rates || !channels) return undefined;
  const length = Math.max(1, Math.min(channels.max, maxChannels) - channels.min + 1);
  return {
    rates: rates.min === rates.max ? [rates.min] : rates,
    channels: Array.from({ length }, (_, i) => channels.min + i),
  };
}

function ends(text: string): { min: number; max: number } | undefined {
  const range = /^([[(])(\d+) (\d+)([\])])/.exec(text);
  if (range)
    return { min: Number(range[2]) + Number(range[1] === '('), max: Number(range[3]) - Number(range[4] === ')') };
  const one = /^(\d+)/.exec(text);
  return one ? { min: Number(one[1]), max: Number(one[1]) } : undefined;
}
