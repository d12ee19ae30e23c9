/** The status document: what is wanted and what is, which the log prints and every interface shows. */
import type { FaultReport } from '../errors.js';
import type { BroadcastStatus } from '../broadcast/status.js';
import type { StrainStatus } from './strain.js';

/** The state of balena's Supervisor, on devices that have one. */
export interface BalenaStatus {
  /** Of this device, in the dashboard. */
  readonly name?: string;
  readonly osVersion?: string;
  readonly supervisorVersion?: string;
  /** update_pending: an update is downloaded, or variables have changed, and it waits for our lock. unknown: the Supervisor has not answered yet. */
  readonly update: 'unknown' | 'none' | 'downloading' | 'update_pending' | 'applying';
  /** Since when it waits, and when it will interrupt the broadcast; ISO 8601. */
  readonly waitingSince?: string;
  readonly letInAt?: string;
  /** overridden: somebody has forced an update. */
  readonly lock: 'held' | 'free' | 'overridden';
  /** Why the lock is in this state. */
  readonly lockReason: string;
  readonly fault?: FaultReport;
}

/** The state of the connection to the MQTT broker, where one is set. */
export interface MqttStatus {
  readonly state: 'connected' | 'waiting';
  /** Why it is not connected, or was last disconnected. */
  readonly fault?: FaultReport;
}

/** The status of the broadcast, with what the interfaces and the board add. Never holds a secret: it is shown to anyone who may look. */
export interface Status extends BroadcastStatus {
  readonly mqtt?: MqttStatus;
  readonly balena?: BalenaStatus;
  /** °C of the processor, where there is a sensor. */
  readonly temperature?: number;
  /** What has slowed the board down since the program started, where its firmware reports it. */
  readonly strain?: StrainStatus;
}

const strainNames: Readonly<Record<keyof StrainStatus, string>> = {
  underVoltage: 'under-voltage',
  hot: 'too hot',
  throttled: 'throttled',
};

/** The document in one line, for people. */
export function statusLine(status: Status): string {
  const parts: string[] = [status.actual === 'live' ? 'on the air' : status.actual];
  if (status.video && status.hub) {
    parts.push(`${status.video.source} by ${status.video.encoder}, ${status.hub.fps} fps, ${status.hub.kbps} kbit/s`);
  }
  for (const [name, output] of Object.entries(status.outputs)) {
    const dropped =
      output.droppedFrames > 0
        ? `, ${output.droppedFrames} of ${output.frames + output.droppedFrames} frames dropped`
        : '';
    const rate = output.state === 'live' ? ` ${output.deliveredKbps} kbit/s${dropped}` : '';
    parts.push(`${name} ${output.state}${rate}`);
  }
  if (status.recording) {
    const { state, droppedFrames } = status.recording;
    const dropped = droppedFrames > 0 ? `, ${droppedFrames} frames dropped` : '';
    const code = status.recording.fault ? ` (${status.recording.fault.code})` : '';
    parts.push(state === 'recording' ? `recording${dropped}` : `recording ${state}${code}${dropped}`);
  }
  if (status.balena?.update === 'update_pending') parts.push('an update is waiting');
  if (status.temperature !== undefined) parts.push(`${Math.round(status.temperature)} °C`);
  for (const [kind, when] of Object.entries(status.strain ?? {}))
    parts.push(`${strainNames[kind as keyof StrainStatus]}${when === 'now' ? '' : ' earlier'}`);
  for (const problem of status.problems) parts.push(`${problem.code}: ${problem.what}`);
  return parts.join('; ');
}
