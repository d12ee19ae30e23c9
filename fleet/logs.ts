/** `makercast fleet logs`: what devices have logged, and what they go on to log. */
import { createInterface } from 'node:readline';
import { Fault } from '../agent/errors.js';
import type { Cloud } from './cloud.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import { CONCURRENCY } from './batch.js';
import type { CloudDevice, LogLine } from './sdk.js';
import { short } from './targets.js';

export interface LogsRequest {
  readonly lines: number;
  readonly json: boolean;
}

/** The last lines of each device, one device after the other, while those of the next ones are fetched. Returns the exit code. */
export async function lastLogs(
  devices: readonly CloudDevice[],
  { lines, json }: LogsRequest,
  cloud: Cloud,
  console: Console,
): Promise<number> {
  const show = printer(devices.length > 1, json, console);
  let code = 0;
  const fetch = async (device: CloudDevice): Promise<{ found: LogLine[] } | { error: unknown }> => {
    try {
      return { found: await cloud.logs(device, lines) };
    } catch (error) {
      return { error };
    }
  };
  const ahead = devices.slice(0, CONCURRENCY).map(fetch);
  for (const [i, device] of devices.entries()) {
    const fetched = await ahead[i]!;
    const next = devices[i + CONCURRENCY];
    if (next) ahead.push(fetch(next));
    if ('error' in fetched) code = failed(device, fetched.error, console);
    else for (const line of fetched.found) show(device, line);
  }
  return code;
}

/** The same, and what comes then, of all devices as it comes; until `signal` aborts, or the last of the logs has ended. */
export async function followLogs(
  devices: readonly CloudDevice[],
  { lines, json }: LogsRequest,
  cloud: Cloud,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const show = printer(devices.length > 1, json, console);
  let code = 0;
  const few = gate(CONCURRENCY);
  const follow = async (device: CloudDevice): Promise<void> => {
    try {
      // All stay open, but only so many are requested at a time.
      await followOne(device, () => few(() => cloud.followLogs(device, lines, signal)), signal, show);
    } catch (error) {
      code = failed(device, error, console);
    }
  };
  await Promise.all(devices.map(follow));
  return code;
}

/** Runs at most `max` works at a time, first come first served. */
function gate(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  let free = max;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((go) => waiting.push(go));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}

/** One log that cannot be had does not keep the others; a refused key would be refused for them too, and is thrown. Returns the exit code. */
function failed(device: CloudDevice, error: unknown, console: Console): number {
  const { code, message } = Fault.from(error);
  if (code === 'fleet_denied') throw error;
  console.note(`${short(device)} ${plain(device.device_name)}: failed: ${message}`);
  return 1;
}

type Show = (device: CloudDevice, line: LogLine) => void;

const printer =
  (named: boolean, json: boolean, console: Console): Show =>
  (device, line) => {
    const { uuid, device_name: name } = device;
    const time = new Date(line.timestamp).toISOString();
    if (json) console.print(JSON.stringify({ uuid, name, ...line }));
    else console.print(`${time} ${named ? `${plain(name)}: ` : ''}${plain(line.message)}`);
  };

async function followOne(
  device: CloudDevice,
  open: () => Promise<NodeJS.ReadableStream>,
  signal: AbortSignal,
  show: Show,
): Promise<void> {
  try {
    const stream = await open();
    for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (text.trim() !== '') show(device, JSON.parse(text) as LogLine);
    }
  } catch (error) {
    if (signal.aborted) return;
    throw Fault.from(error);
  }
  if (signal.aborted) return;
  throw new Fault(
    'fleet_unreachable',
    `The log of ${plain(device.device_name)} ended unexpectedly.`,
    'Run the command again.',
  );
}
