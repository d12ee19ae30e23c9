/** `makercast fleet logs`: what devices have logged, and what they go on to log. */
import { createInterface } from 'node:readline';
import { Fault } from '../../errors.js';
import type { Cloud } from './cloud.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice, LogLine } from './sdk.js';
import { short } from './targets.js';

export interface LogsRequest {
  readonly lines: number;
  readonly json: boolean;
}

/** The last lines of each device, one device after the other. Returns the exit code. */
export async function lastLogs(
  devices: readonly CloudDevice[],
  { lines, json }: LogsRequest,
  cloud: Cloud,
  console: Console,
): Promise<number> {
  const show = printer(devices.length > 1, json, console);
  let code = 0;
  for (const device of devices) {
    try {
      for (const line of await cloud.logs(device, lines)) show(device, line);
    } catch (error) {
      code = failed(device, error, console);
    }
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
  const follow = async (device: CloudDevice): Promise<void> => {
    try {
      await followOne(device, lines, cloud, signal, show);
    } catch (error) {
      code = failed(device, error, console);
    }
  };
  await Promise.all(devices.map(follow));
  return code;
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
  lines: number,
  cloud: Cloud,
  signal: AbortSignal,
  show: Show,
): Promise<void> {
  try {
    const stream = await cloud.followLogs(device, lines, signal);
    for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
      if (text.trim() !== '') show(device, JSON.parse(text) as LogLine);
    }
  } catch (error) {
    if (signal.aborted) return;
    throw Fault.from(error);
  }
  if (signal.aborted) return;
  throw new Fault('fleet_unreachable', `The log of ${plain(device.device_name)} has broken off.`, 'Start again.');
}
