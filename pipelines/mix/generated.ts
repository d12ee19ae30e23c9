/** Sound that is made here: a tone, a beep each second, silence. */
import { caps, type Chain, element, type Fields } from '../graph.js';
import type { WantedAudio } from '../wanted.js';

export type Generated = 'tone' | 'beep' | 'silence';

/** Samples in one AAC frame, so that each buffer makes exactly one. */
const frameSamples = 1024;

const waves: Readonly<Record<Generated, Fields>> = {
  // -20 dBFS: audible, and pleasant enough to leave on.
  tone: { wave: 'sine', freq: 440, volume: 0.1 },
  // A tenth of a second of 1 kHz at every whole second of running time.
  beep: { wave: 'ticks', freq: 1000, 'sine-periods-per-tick': 100, volume: 0.3 },
  silence: { wave: 'silence' },
};

/**
 * How long the sound goes on: `live` for ever; `clocked` for ever too, but from running time 0 exactly, where a live source
 * starts some milliseconds late; or so many seconds, for a file, whose end must not be waited for in vain.
 */
export type Span = 'live' | 'clocked' | number;

export function generatedSound(kind: Generated, { rate, channels }: WantedAudio, span: Span): Chain {
  const source = { name: 'audio-source', ...waves[kind], samplesperbuffer: frameSamples };
  const sound = caps('audio/x-raw', { rate, channels });
  if (span === 'live') return [element('audiotestsrc', { ...source, 'is-live': true }), sound];
  if (span === 'clocked') return [element('audiotestsrc', source), sound, element('clocksync')];
  const buffers = Math.max(1, Math.ceil((span * rate) / frameSamples));
  return [element('audiotestsrc', { ...source, 'num-buffers': buffers }), sound];
}
