/** A sound card by ALSA: which one, and at which of its actual rates and channel counts. */
import { caps, type Chain, element } from '../graph.js';
import type { Camera, Machine, Microphone } from '../machine.js';
import { NoPlan } from '../noplan.js';
import type { WantedAudio } from '../wanted.js';

/** The card that `source` names. */
export const findMicrophone = (source: string, machine: Machine): Microphone | undefined =>
  machine.microphones.find((microphone) => microphone.id === source);

export function noMicrophone(source: string, machine: Machine): NoPlan {
  const there = machine.microphones.map((microphone) => microphone.id).join(', ') || 'none';
  return new NoPlan(
    'source_not_found',
    `There is no sound card '${source}'; found: ${there}.`,
    'Plug it in, or set audio.source to auto or to a card that `makercast probe` lists.',
  );
}

/** The microphone of the camera itself, where it has one, else the first; absent where there is none. */
export function autoMicrophone(machine: Machine, camera?: Camera): Microphone | undefined {
  const own = camera?.usbPath && machine.microphones.find((microphone) => microphone.usbPath === camera.usbPath);
  return own || machine.microphones[0];
}

/** Hz that the card has and that is nearest to what is wanted; the higher of two that are equally near. */
export function nearestRate(rates: Microphone['rates'], wanted: number): number {
  if ('min' in rates) return Math.min(Math.max(wanted, rates.min), rates.max);
  return [...rates].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || b - a)[0] ?? wanted;
}

function nearestChannels(channels: readonly number[], wanted: number): number {
  return [...channels].sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || b - a)[0] ?? wanted;
}

/**
 * The pipeline runs on the system clock, as cameras do. The driver tells by that clock when it took each piece of sound, and `audiorate`
 * follows: it fills what a card loses, and where the card's own clock has drifted 20 ms away, so much is left out or put in (lip-sync
 * holds within 40 ms; a card that is wrong by 50 ppm needs that once in 400 s). `skew` alone would catch only a card that is slow, and
 * only after a whole ring buffer. 20 ms segments halve the wake-ups of ALSA's default.
 */
export function microphoneSound({ id, device, rates, channels }: Microphone, wanted: WantedAudio): Chain {
  return [
    element(
      'alsasrc',
      { name: 'audio-source', 'provide-clock': false, 'slave-method': 'skew', 'latency-time': 20_000 },
      { device: `hw:CARD=${id},DEV=${device}` },
    ),
    caps('audio/x-raw', {
      rate: nearestRate(rates, wanted.rate),
      channels: nearestChannels(channels, wanted.channels),
    }),
    element('audiorate', { 'skip-to-first': true, tolerance: 20_000_000 }),
  ];
}
