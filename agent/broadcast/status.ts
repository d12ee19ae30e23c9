/** What is wanted of the broadcast and what it is, in one document. */
import type { FaultReport } from '../errors.js';
import type { HubStatus, OutputStatus, RecordingStatus } from '../media/messages.js';
import type { Plan } from '../../pipelines/plan.js';

/**
 * idle: nothing is wanted, or there is nowhere to stream or record to. starting: no media yet. live: media flows and every output that is
 * switched on is live, the recording too. degraded: something is not as wanted; `problems` and the outputs say what. ended: the files were played.
 * stopping: the agent ends; updating: it ends for an update.
 */
export type ActualState = 'idle' | 'starting' | 'live' | 'degraded' | 'ended' | 'stopping' | 'updating';

/** Never holds a secret: it is shown to anyone who may look. */
export interface BroadcastStatus {
  readonly version: string;
  /** What was commanded last, over restarts too. */
  readonly wanted: 'on air' | 'idle';
  readonly actual: ActualState;
  /** Seconds since the agent started. */
  readonly uptimeSeconds: number;
  readonly problems: readonly FaultReport[];
  readonly video?: Plan['video'];
  readonly audio?: Plan['audio'];
  /** Settings that the source cannot follow, and why. */
  readonly notes?: readonly string[];
  readonly hub?: HubStatus;
  readonly outputs: Readonly<Record<string, OutputStatus & { /** Without its secrets. */ readonly url: string }>>;
  /** Where recording is switched on. */
  readonly recording?: RecordingStatus;
}

/** Whether the broadcast is on, however well: `wanted` is what was commanded, which stays so while it is paused, over, or has nowhere to go. */
export function isOn({ wanted, actual }: Pick<BroadcastStatus, 'wanted' | 'actual'>): boolean {
  return wanted === 'on air' && (actual === 'starting' || actual === 'live' || actual === 'degraded');
}
