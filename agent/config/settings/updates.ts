/** When an update may interrupt the broadcast. */
import type { Row } from '../row.js';

/** When a release, a restart or a reboot that the Supervisor wants may end the broadcast. */
export interface UpdateSettings {
  readonly onAir: 'wait' | 'window';
  /** Hours of the day, as `hours.ts` reads them. */
  readonly window: string;
  readonly timezone: string;
  /** 0: no end. */
  readonly maxWaitDays: number;
}

export const updates: readonly Row[] = [
  {
    path: 'updates.onAir',
    env: 'UPDATES_ON_AIR',
    form: { type: 'choice', choices: ['wait', 'window'] },
    default: 'wait',
    cost: 'live',
    doc: 'What an update does that arrives during a broadcast: it waits for the end (`wait`), or for the hours of `updates.window`, in which it interrupts the broadcast (`window`).',
  },
  {
    path: 'updates.window',
    env: 'UPDATES_WINDOW',
    form: { type: 'hours' },
    default: '03:00-04:00',
    cost: 'live',
    doc: 'Hours of the day in which a broadcast may be interrupted for an update, with `updates.onAir: window`.',
  },
  {
    path: 'updates.timezone',
    env: 'UPDATES_TIMEZONE',
    form: { type: 'zone' },
    default: 'UTC',
    cost: 'live',
    doc: 'Time zone of `updates.window`.',
  },
  {
    path: 'updates.maxWaitDays',
    env: 'UPDATES_MAX_WAIT_DAYS',
    form: { type: 'number', min: 0, max: 365 },
    default: 7,
    unit: 'days',
    cost: 'live',
    doc: 'With `updates.onAir: wait`, an update that has waited this long interrupts the broadcast, after warnings a day and an hour before; 0: never.',
  },
];
