/** The update lock. */
import type { Row } from '../row.js';

export interface BalenaSettings {
  readonly lock: 'onAir' | 'always' | 'never';
}

export const balena: readonly Row[] = [
  {
    path: 'balena.lock',
    // Names that begin with BALENA are balena's own: a fleet cannot set them.
    env: 'UPDATE_LOCK',
    form: { type: 'choice', choices: ['onAir', 'always', 'never'] },
    default: 'onAir',
    cost: 'live',
    doc: 'When balena is kept from updating, restarting and rebooting: while something is delivered (`onAir`), `always`, or `never` (docs/fleet.md).',
  },
];
