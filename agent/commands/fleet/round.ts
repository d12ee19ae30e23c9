/** One change for each of many devices: so many at a time, with a bar, and an account of what was not done. */
import { Fault } from '../../errors.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice } from './sdk.js';
import { short } from './targets.js';

/** Calls at a time: 100 devices are done in seconds, and the cloud's limit (it says 429) is far. */
export const AT_A_TIME = 6;

export interface Outcome {
  readonly device: CloudDevice;
  readonly status: 'done' | 'failed' | 'not tried';
  /** Why it failed. */
  readonly why?: string;
}

/**
 * Does `work` for each device. One that fails does not keep the others; but after a refused key, or when `signal` aborts,
 * no further one is begun. Outcomes come in the order of the devices.
 */
export async function round(
  devices: readonly CloudDevice[],
  work: (device: CloudDevice) => Promise<void>,
  console: Console,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = devices.map((device) => ({ device, status: 'not tried' }));
  let next = 0;
  let done = 0;
  let failed = 0;
  let denied = false;
  const show = (): void => console.draw(bar(done, devices.length, failed));
  const lane = async (): Promise<void> => {
    while (next < devices.length && !signal.aborted && !denied) {
      const index = next++;
      const device = devices[index]!;
      try {
        await work(device);
        outcomes[index] = { device, status: 'done' };
      } catch (error) {
        const { code, message } = Fault.from(error);
        outcomes[index] = { device, status: 'failed', why: message };
        denied ||= code === 'fleet_denied';
        failed++;
      }
      done++;
      show();
    }
  };
  show();
  await Promise.all(Array.from({ length: AT_A_TIME }, lane));
  console.draw('');
  return outcomes;
}

const WIDTH = 30;

export function bar(done: number, all: number, failed: number): string {
  const full = Math.round((WIDTH * done) / Math.max(all, 1));
  const also = failed > 0 ? `, ${failed} failed` : '';
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${done} of ${all}${also}`;
}

/**
 * Says what came of it, and with which command the rest is tried again (`again` without its devices). On standard output as
 * JSON where that is asked for. Returns the exit code.
 */
export function account(
  outcomes: readonly Outcome[],
  again: readonly string[],
  console: Console,
  json: object | undefined,
): number {
  const left = outcomes.filter(({ status }) => status !== 'done');
  const repeat = [...again, ...left.flatMap(({ device }) => ['--device', device.uuid])].map(quoted).join(' ');
  if (json !== undefined) {
    const devices = outcomes.map(({ device: { uuid, device_name: name }, status, why }) => ({
      uuid,
      name,
      status,
      ...(why !== undefined && { why }),
    }));
    console.print(JSON.stringify({ ...json, devices, ...(left.length > 0 && { repeat }) }));
  } else {
    console.print(`${outcomes.length - left.length} of ${outcomes.length} done.`);
  }
  if (left.length === 0) return 0;
  for (const { device, status, why } of left) {
    console.note(`${short(device)} ${plain(device.device_name)}: ${status}${why === undefined ? '' : `: ${why}`}`);
  }
  console.note(`Only those again:\n  ${repeat}`);
  return 1;
}

/** For a shell, as it would be typed. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
