/** The demonstration server. */
import type { Row } from '../row.js';

export interface DemoSettings {
  readonly port: number;
}

export const demo: readonly Row[] = [
  {
    path: 'demo.port',
    env: 'DEMO_PORT',
    form: { type: 'integer', min: 1024, max: 65_535 },
    default: 1935,
    cost: 'restart',
    doc: 'Port of the demonstration server, which runs when no output is configured.',
  },
];
