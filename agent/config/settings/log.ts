/** What is logged. */
import type { Row } from '../row.js';

export interface LogSettings {
  readonly level: 'error' | 'warn' | 'info' | 'debug';
  readonly format: 'auto' | 'text' | 'json';
  readonly statusSeconds: number;
}

export const log: readonly Row[] = [
  {
    path: 'log.level',
    env: 'LOG_LEVEL',
    form: { type: 'choice', choices: ['error', 'warn', 'info', 'debug'] },
    default: 'info',
    cost: 'live',
    doc: 'Lowest level that is logged.',
  },
  {
    path: 'log.format',
    env: 'LOG_FORMAT',
    form: { type: 'choice', choices: ['auto', 'text', 'json'] },
    default: 'auto',
    cost: 'restart',
    doc: "`auto` is text on a terminal and in systemd's journal, and JSON lines elsewhere.",
  },
  {
    path: 'log.statusSeconds',
    env: 'LOG_STATUS_SECONDS',
    form: { type: 'integer', min: 1, max: 3600 },
    default: 120,
    unit: 's',
    cost: 'live',
    doc: 'How often the status line is logged.',
  },
];
