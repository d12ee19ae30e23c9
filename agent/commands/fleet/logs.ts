/** `makercast fleet logs`: what devices have logged, and what they go on to log. */
import { createInterface } from 'node:readline';
import { Fault } from '../../errors.js';
import type { Cloud } from './cloud.js';
import type { Console } from './console.js';
import { plain } from './console.js';
import type { CloudDevice, LogLine } from './sdk.js';

export interface LogsRequest {
  readonly lines: number;
  readonly follow: boolean;
  readonly json: boolean;
}

/** Ends with the last line, or, following, when `signal` aborts. */
export async function logs(
  devices: readonly CloudDevice[],
  { lines, follow, json }: LogsRequest,
  cloud: Cloud,
  console: Console,
  signal: AbortSignal,
): Promise<number> {
  const show = (device: CloudDevice, line: LogLine): void => {
    if (json) console.print(JSON.stringify({ uuid: device.uuid, name: device.device_name, ...line }));
    else
      console.print(
        `${new Date(line.timestamp).toISOString()} ${devices.length > 1 ? `${plain(device.device_name)}: ` : ''}${plain(line.message)}`,
      );
  };
  if (!follow) {
    for (const device of devices) for (const line of await cloud.logs(device, lines)) show(device, line);
    return 0;
  }
  await Promise.all(devices.map((device) => followOne(device, lines, cloud, signal, show)));
  return 0;
}

async function followOne(
  device: CloudDevice,
  lines: number,
  cloud: Cloud,
  signal: AbortSignal,
  show: (device: CloudDevice, line: LogLine) => void,
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
