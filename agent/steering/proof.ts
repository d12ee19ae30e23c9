/** Whether a change has done the stream no harm: what was live before it is live after it. Pure. */
import type { BroadcastStatus } from '../broadcast/status.js';

/** What was live before a change. */
export interface Mark {
  readonly live: boolean;
  readonly outputs: readonly string[];
}

const isLive = (state: string): boolean => state === 'live' || state === 'stalled';

/** Everything is live that can be: an output without a key for its new address lacks only the key. */
export function isAsLive({ actual, problems, outputs, recording }: BroadcastStatus): boolean {
  if (actual === 'live') return true;
  const states = Object.values(outputs).map(({ state }) => state);
  const isKeyAllThatIsMissing = problems.length > 0 && problems.every(({ code }) => code === 'output_key_missing');
  const isAnywhere = states.length > 0 || recording?.state === 'recording';
  return actual === 'degraded' && isKeyAllThatIsMissing && isAnywhere && states.every(isLive);
}

export function mark(status: BroadcastStatus): Mark {
  const outputs = Object.entries(status.outputs).filter(([, { state }]) => isLive(state));
  return { live: isAsLive(status), outputs: outputs.map(([name]) => name) };
}

/**
 * Whether what was live before is live now. If everything was live, everything must be. If something had failed before, those outputs
 * must be live that were, and are still wanted. A broadcast that was commanded off the air, is over, or is paused for an update, is as
 * it should be; one whose settings name no destination is not (`hasTarget`).
 */
export function isBack(before: Mark, now: BroadcastStatus, hasTarget: boolean): boolean {
  if (now.wanted === 'idle' || now.actual === 'ended' || now.actual === 'stopping') return true;
  if (now.actual === 'idle' && hasTarget) return true;
  if (before.live) return isAsLive(now);
  const still = before.outputs.filter((name) => now.outputs[name]);
  const states = Object.entries(now.outputs);
  if (still.length > 0) return states.every(([name, { state }]) => !still.includes(name) || isLive(state));
  return before.outputs.length === 0 || states.some(([, { state }]) => isLive(state));
}
