/** AAC-LC encoders, and the way of the sound from its source to the muxer. */
import { packageOf } from '../elements.js';
import { caps, type Chain, element } from '../graph.js';
import { NoPlan } from '../noplan.js';
import type { WantedAudio } from '../wanted.js';

interface AacEncoder {
  readonly element: string;
  /** The sample format that it takes. */
  readonly format: string;
}

/** In order of preference: fdk sounds best where it is installed (it is not free software), voaacenc is the lightest. */
const encoders: readonly AacEncoder[] = [
  { element: 'fdkaacenc', format: 'S16LE' },
  { element: 'voaacenc', format: 'S16LE' },
  { element: 'avenc_aac', format: 'F32LE' },
];

/** The best AAC encoder that is installed. Throws NoPlan where there is none. */
export function chooseAac(installed: ReadonlySet<string>): AacEncoder {
  const chosen = encoders.find((encoder) => installed.has(encoder.element));
  if (chosen) return chosen;
  throw new NoPlan(
    'plugin_missing',
    'GStreamer has no AAC encoder.',
    `Install the Debian package ${packageOf('voaacenc')} (voaacenc).`,
  );
}

/** Linear factor of a gain in dB: 0 gives 1, 20 gives 10, which is the most that the `volume` element takes. */
export function volumeOf(gainDb: number): number {
  return Number((10 ** (gainDb / 20)).toFixed(4));
}

/** From raw sound in any form to AAC-LC at the muxer. All three encoders count bit/s. */
export const aacChain = ({ rate, channels, gainDb, mute, bitrateKbps }: WantedAudio, encoder: AacEncoder): Chain => [
  element('audioconvert'),
  element('audioresample'),
  caps('audio/x-raw', { format: encoder.format, layout: 'interleaved', rate, channels }),
  element('volume', { name: 'gain', volume: volumeOf(gainDb), mute }),
  element(encoder.element, { name: 'aenc', bitrate: bitrateKbps * 1000 }),
  element('aacparse'),
  rawAac,
];

/** AAC without headers of its own, as FLV has it. */
export const rawAac = caps('audio/mpeg', { mpegversion: 4, 'stream-format': 'raw' });
