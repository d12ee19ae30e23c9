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
    doc: 'How often media is handed on, approximately, always right after a picture: a larger value saves CPU, a smaller one reduces the delay.',
  },
  {
    path: 'output.maxQueueSeconds',
    env: 'OUTPUT_MAX_QUEUE_SECONDS',
    form: { type: 'number', min: 1, max: 30 },
    default: 4,
    unit: 's',
    cost: 'live',
    doc: 'When more than this waits for a server, whole groups of pictures are dropped until the server has caught up.',
  },
];
