/** A child that beats, and needs so many milliseconds of a processor for each beat (`LABOUR_MS`); it spins for ever once it is told to. */
import { serve } from '../../../agent/media/peer.js';

const labourMs = Number(process.env['LABOUR_MS'] ?? 0);

serve<{ readonly type: string }, { readonly type: string }>(() => ({
  handle({ type }) {
    while (type === 'spin');
  },
  beatMs: 100,
  beat() {
    const begun = process.cpuUsage();
    const used = (): number => {
      const { user, system } = process.cpuUsage(begun);
      return (user + system) / 1000;
    };
    while (used() < labourMs);
    return { type: 'beat' };
  },
  halt: () => Promise.resolve(),
}));
