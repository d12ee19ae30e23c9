/** The name by which this machine is known to others: balena's, else one derived from the board, so that a cloned card has another. */
import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import path from 'node:path';
import { textOf } from './sysfs.js';

/** Letters, digits, `_` and `-` only, at most 64. */
export async function identity(env: NodeJS.ProcessEnv, root = '/'): Promise<string> {
  const uuid = env['BALENA_DEVICE_UUID'];
  if (uuid !== undefined && /^[A-Za-z0-9]{1,64}$/.test(uuid)) return uuid;
  const serial = (await textOf(path.join(root, 'proc/device-tree/serial-number')))?.replace(/\0/g, '').trim();
  if (serial !== undefined && /^[A-Za-z0-9]{4,60}$/.test(serial)) return `pi-${serial}`;
  // machine-id(5): not to be shown as it is, but hashed with a name of the application.
  const machine = (await textOf(path.join(root, 'etc/machine-id')))?.trim();
  const source = machine !== undefined && machine !== '' ? machine : hostname();
  return `pc-${createHash('sha256').update(`makercast ${source}`).digest('hex').slice(0, 16)}`;
}
