/** Whether updates are held back at this moment, and why. Pure: time is an argument. */
import { isWithin, nextWithin, parseHours, WallClock } from '../../config/hours.js';
import type { Settings } from '../../config/settings.js';

export interface Situation {
  /** Some output has delivered in the last minutes, and the broadcast has not been stopped. */
  readonly delivering: boolean;
  /** A change of settings has yet to prove itself. */
  readonly probation: boolean;
  /** Somebody has commanded the lock, or that it be let go for now. */
  readonly command?: 'lock' | 'unlock';
  /** When it was first seen that an update waits, in milliseconds since 1970. */
  readonly waitingSince?: number;
}

/**
 * What decides: a setting (`always`, `never`), a command, a change on probation, what is on the air, the hours in which it may be
 * interrupted, the longest wait that has passed, or nothing (`idle`).
 */
export type Reason = 'never' | 'idle' | 'probation' | 'command' | 'onAir' | 'always' | 'window' | 'overdue';

export interface Decision {
  readonly hold: boolean;
  readonly why: Reason;
  /** When an update that waits will be let in though we are on the air; undefined where none waits, or where it never is. */
  readonly letInAt?: number;
}

export type UpdatePolicy = Pick<Settings, 'balena' | 'updates'>;

const dayMs = 24 * 3_600_000;

/** A clock that shows less has not been set: a Pi has no battery for it, and begins where it was switched off or in 1970. */
export const earliest = Date.UTC(2026, 0, 1);

/** `now`: milliseconds since 1970 by the clock of the machine, which may not have been set yet. `clock`: that of the place of the hours. */
export function decide(
  { balena, updates }: UpdatePolicy,
  situation: Situation,
  now: number,
  clock = new WallClock(),
): Decision {
  const { delivering, probation, command, waitingSince } = situation;
  if (balena.lock === 'never') return { hold: false, why: 'never' };
  // Seconds, in which a restart would leave settings behind that nobody has seen working.
  if (probation) return { hold: true, why: 'probation' };
  if (command) return { hold: command === 'lock', why: 'command' };
  const why = balena.lock === 'always' ? 'always' : 'onAir';
  if (why === 'onAir' && !delivering) return { hold: false, why: 'idle' };
  if (now < earliest) return { hold: true, why };
  const letInAt = timeToLetIn(updates, waitingSince, now, clock);
  if (letInAt !== undefined && letInAt <= now) {
    return { hold: false, why: updates.onAir === 'window' ? 'window' : 'overdue' };
  }
  // In its hours a window is open whether an update is known to wait or not: a host OS update is not told to us.
  return { hold: true, why, ...(letInAt !== undefined && waitingSince !== undefined && { letInAt }) };
}

function timeToLetIn(
  { onAir, window, timezone, maxWaitDays }: UpdatePolicy['updates'],
  waitingSince: number | undefined,
  now: number,
  clock: WallClock,
): number | undefined {
  if (onAir === 'window') {
    const hours = parseHours(window);
    if (!hours) return undefined;
    return isWithin(hours, timezone, now, clock) ? now : nextWithin(hours, timezone, now, clock);
  }
  return maxWaitDays > 0 && waitingSince !== undefined ? waitingSince + maxWaitDays * dayMs : undefined;
}

/** Warnings are due a day and an hour before an update is let in; in whole steps, so that each is given once. */
export type Notice = 'none' | 'day' | 'hour';

export function notice({ letInAt }: Decision, now: number): Notice {
  if (letInAt === undefined) return 'none';
  const left = letInAt - now;
  return left <= 3_600_000 ? 'hour' : left <= dayMs ? 'day' : 'none';
}
