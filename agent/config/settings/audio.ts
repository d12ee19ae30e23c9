/** What is heard. */
import type { WantedAudio } from '../../../pipelines/wanted.js';
import { truthy, type Row } from '../row.js';

export interface AudioSettings extends WantedAudio {
  /** Milliseconds by which the sound is later than the picture; below 0: earlier. */
  readonly delayMs: number;
}

export const audio: readonly Row[] = [
  {
    path: 'audio.source',
    env: 'AUDIO_SOURCE',
    form: { type: 'text', words: 'auto, test, none, or an ALSA card id' },
    default: 'auto',
    cost: 'rebuild',
    doc: 'Where the sound comes from: `auto` (the microphone of the camera, else the first), `test`, `none` (silence is sent), or an ALSA card id (`C920`).',
    renamed: [{ env: 'AV_DISABLE_AUDIO', read: (value) => (truthy(value) ? 'none' : undefined) }],
  },
  {
    path: 'audio.rate',
    env: 'AUDIO_RATE',
    form: { type: 'choice', choices: [44_100, 48_000] },
    default: 48_000,
    unit: 'Hz',
    cost: 'restart',
    doc: 'Sampling rate of the broadcast.',
    renamed: [{ env: 'AV_AUDIO_SAMPLING_RATE' }],
  },
  {
    path: 'audio.channels',
    env: 'AUDIO_CHANNELS',
    form: { type: 'choice', choices: [1, 2] },
    default: 2,
    cost: 'restart',
    doc: 'Mono or stereo broadcast.',
  },
  {
    path: 'audio.bitrateKbps',
    env: 'AUDIO_BITRATE_KBPS',
    form: { type: 'integer', min: 32, max: 320 },
    default: 128,
    unit: 'kbit/s',
    cost: 'rebuild',
    doc: 'Bitrate of the AAC encoder.',
    // The 2018 project documented its variable in kbit/s.
    renamed: [{ env: 'AV_AUDIO_BITRATE' }],
  },
  {
    path: 'audio.gainDb',
    env: 'AUDIO_GAIN_DB',
    form: { type: 'number', min: -60, max: 20 },
    default: 0,
    unit: 'dB',
    cost: 'live',
    doc: 'Gain: above 0 louder, below 0 softer; 0 leaves the sound as it is.',
  },
  {
    path: 'audio.mute',
    env: 'AUDIO_MUTE',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Send silence; the microphone stays open.',
  },
  {
    path: 'audio.delayMs',
    env: 'AUDIO_DELAY_MS',
    form: { type: 'integer', min: -2000, max: 2000 },
    default: 0,
    unit: 'ms',
    cost: 'live',
    doc: 'Shifts the sound against the picture: above 0 later, below 0 earlier.',
  },
];
