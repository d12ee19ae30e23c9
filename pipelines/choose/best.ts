/** The choice: the best plan that this machine has for what is wanted. */
import type { Machine } from '../machine.js';
import type { OnAir } from '../onair.js';
import type { Plan } from '../plan.js';
import type { Wanted } from '../wanted.js';
import { candidates } from './candidates.js';
import { noEncoder } from './encoders.js';

/**
 * The best plan that this machine has for what is wanted; what kept a better source out is among its notes. Throws
 * {@link NoPlan} where there is none, and where it would be the slate for no other reason than an encoder that cannot be had: a
 * picture that is on the air is better.
 */
export function plan(wanted: Wanted, machine: Machine, onAir: OnAir = {}): Plan {
  const all = candidates(wanted, machine, onAir);
  const best = all.findIndex((candidate) => candidate.plan);
  const before = (best < 0 ? all : all.slice(0, best)).filter(({ kind }) => kind !== 'slate');
  const refusals = before.flatMap(({ refused }) => refused ?? []);
  // That one encoder does not work needs no action while another one does.
  const serious = refusals.filter(({ code }) => code !== 'encoder_missing' && code !== 'passthrough_unfit');
  const foremost = serious[0] ?? (wanted.video.encoder === 'auto' ? noEncoder(machine) : refusals[0]!);
  const made = all[best]?.plan;
  if (!made) throw foremost;
  if (made.kind === 'slate') {
    if (onAir.picture && serious.length === 0) throw foremost;
    const { code, what, remedy } = foremost;
    return { ...made, missed: { code, what, remedy } };
  }
  return { ...made, notes: [...new Set(serious.map(({ what, remedy }) => `${what} ${remedy}`)), ...made.notes] };
}
