/** What is kept on the card. */
import type { Row } from '../row.js';

export interface RecordingSettings {
  readonly enabled: boolean;
  readonly folder: string;
  readonly splitMinutes: number;
  readonly quotaGb: number;
  readonly minFreeGb: number;
}

export const recording: readonly Row[] = [
  {
    path: 'recording.enabled',
    env: 'RECORDING_ENABLED',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Records what is on the air, even while no server can be reached or none is configured (docs/recording.md).',
  },
  {
    path: 'recording.folder',
    env: 'RECORDING_FOLDER',
    form: { type: 'text', words: 'path of a folder', lines: true },
    default: '',
    cost: 'live',
    file: true,
    doc: 'Folder for recordings; without it `recordings` in the data folder.',
  },
  {
    path: 'recording.splitMinutes',
    env: 'RECORDING_SPLIT_MINUTES',
    form: { type: 'number', min: 0.1, max: 1440 },
    default: 10,
    unit: 'minutes',
    cost: 'live',
    doc: 'Length of one file. A new file also begins when the format changes, and at a quarter of the quota.',
  },
  {
    path: 'recording.quotaGb',
    env: 'RECORDING_QUOTA_GB',
    form: { type: 'number', min: 0.01, max: 100_000 },
    default: 8,
    unit: 'GB',
    cost: 'live',
    deletesLess: 'larger',
    doc: 'Limit for all recordings together; the oldest are deleted to stay below it, one a second after it was lowered.',
  },
  {
    path: 'recording.minFreeGb',
    env: 'RECORDING_MIN_FREE_GB',
    form: { type: 'number', min: 0.01, max: 100_000 },
    default: 1,
    unit: 'GB',
    cost: 'live',
    deletesLess: 'smaller',
    doc: 'Space to keep free on the card; the oldest recordings are deleted for it, one a second after it was raised.',
  },
];
