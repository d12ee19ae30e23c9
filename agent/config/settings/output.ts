/** How media is handed to every destination. */
import type { Row } from '../row.js';

export interface DeliverySettings {
  readonly batchMs: number;
  readonly maxQueueSeconds: number;
}

export const output: readonly Row[] = [
  {
    path: 'output.batchMs',
    env: 'OUTPUT_BATCH_MS',
    form: { type: 'integer', min: 0, max: 200 },
    default: 58,
    unit: 'ms',
    cost: 'rebuild',
    doc: 'Media is handed on about this often, always right after a picture: more saves CPU, less saves delay.',
  },
  {
    path: 'output.maxQueueSeconds',
    env: 'OUTPUT_MAX_QUEUE_SECONDS',
    form: { type: 'number', min: 1, max: 30 },
    default: 4,
    unit: 's',
    cost: 'live',
    doc: 'When more than this waits for a server, whole groups of pictures are left out until it has caught up.',
  },
];
