/**
 * Time as the subject of a test: an outage of a given length, a while in which nothing may come, a pause that must not be shorter.
 * Whoever waits for an effect waits for its event instead (feed.ts). The linter lets no other file of test/ and bench/ wait.
 */
import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';

/** Lets `ms` pass, since that is how long something lasts or stays away: `why` says what. Not stretched by TEST_PATIENCE. */
export async function lasts(ms: number, why: string): Promise<void> {
  assert.ok(why !== '' && ms >= 0, `${ms} ms: ${why}`);
  await wait(ms);
}

/** At least `ms` of this machine's clock have passed, `passedMs` of them: there is no such thing for at most, since a busy machine takes longer. */
export function atLeast(ms: number, passedMs: number, what: string): void {
  assert.ok(passedMs >= ms, `${what}: after ${Math.round(passedMs)} ms, before ${ms} ms were over`);
}
