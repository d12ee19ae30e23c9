/** One change for each of many devices: several at a time, with a progress bar, and a report of what was not done. */
import { Fault } from '../agent/errors.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice } from './sdk.js';
import { short } from './targets.js';

/** Concurrent calls: 100 devices take seconds, and the cloud's rate limit (429) is far away. */
export const CONCURRENCY = 6;

export interface Outcome {
  readonly device: CloudDevice;
  readonly status: 'done' | 'failed' | 'not tried';
  /** Why it failed. */
  readonly why?: string;
}

/**
 * Does `work` for each device. One that fails does not keep the others; but after a refused key, where the cloud wants to be left alone for long, or when `signal` aborts,
 * no further one is begun. Outcomes come in the order of the devices.
 */
export async function runBatch(
  devices: readonly CloudDevice[],
  work: (device: CloudDevice) => Promise<void>,
  console: Console,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = devices.map((device) => ({ device, status: 'not tried' }));
  let next = 0;
  let done = 0;
  let failed = 0;
  let useless = false;
  const show = (): void => console.draw(progressBar(done, devices.length, failed));
  const lane = async (): Promise<void> => {
    while (next < devices.length && !signal.aborted && !useless) {
      const index = next++;
      const device = devices[index]!;
      try {
        await work(device);
        outcomes[index] = { device, status: 'done' };
      } catch (error) {
        const { code, message } = Fault.from(error);
        outcomes[index] = { device, status: 'failed', why: message };
        useless ||= code === 'fleet_denied' || code === 'fleet_busy';
        failed++;
      }
      done++;
      show();
    }
  };
  show();
  await Promise.all(Array.from({ length: CONCURRENCY }, lane));
  console.draw('');
  return outcomes;
}

const WIDTH = 30;

export function progressBar(done: number, all: number, failed: number): string {
  const full = Math.round((WIDTH * done) / Math.max(all, 1));
  const also = failed > 0 ? `, ${failed} failed` : '';
  return `[${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${done} of ${all}${also}`;
}

export interface Change {
  readonly devices: readonly CloudDevice[];
  /** What would be done, to so many devices: `set VIDEO_FPS = 25 on 4 devices of club/cameras`. */
  would(devices: string): string;
  /** What is done to one. */
  work(device: CloudDevice): Promise<void>;
  /** What it leads to, for people. */
  readonly effect?: string;
  readonly slug: string;
  /** What is changed, for programs. */
  readonly what: object;
  readonly dryRun: boolean;
  readonly json: boolean;
  /** The command line up to its devices, to be repeated for those that failed. */
  readonly again: readonly string[];
}

/** Does it, or with `dryRun` only says to whom. Returns the exit code. */
export async function changeEach(change: Change, console: Console, signal: AbortSignal): Promise<number> {
  const { devices, slug, dryRun, json, effect } = change;
  const document = { fleet: slug, dryRun, ...change.what };
  if (dryRun) {
    if (json) {
      const named = devices.map(({ uuid, device_name: name }) => ({ uuid, name, status: 'not tried' }));
      console.print(JSON.stringify({ ...document, devices: named }));
      return 0;
    }
    console.print(
      `Would ${change.would(`${devices.length} ${devices.length === 1 ? 'device' : 'devices'} of ${slug}`)}:`,
    );
    for (const device of devices) console.print(`  ${short(device)} ${plain(device.device_name)}`);
    return 0;
  }
  const outcomes = await runBatch(devices, (device) => change.work(device), console, signal);
  const code = account(outcomes, change.again, console, json ? document : undefined);
  const some = outcomes.some(({ status }) => status === 'done');
  if (effect !== undefined && some && !json) console.note(effect);
  return code;
}

/**
 * Says what came of it, and with which command the rest is tried again (`again` without its devices). On standard output as
 * JSON where that is asked for. Returns the exit code.
 */
function account(
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
  console.note(`To retry only those:\n  ${repeat}`);
  return 1;
}

/** For a shell, as it would be typed. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
