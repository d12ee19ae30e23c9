/** By which name a machine is known. */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { identity } from '../../../agent/machine/host/identity.js';
import { temporaryFolder } from '../../helpers/command.js';

test("balena's id, else the board's serial number, else what goes by machine-id without showing it", async () => {
  const { folder, remove } = await temporaryFolder();
  const write = async (file: string, text: string): Promise<void> => {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  };
  const nobody = await identity({}, folder);
  assert.match(nobody, /^pc-[0-9a-f]{16}$/);
  await write('etc/machine-id', '0123456789abcdef0123456789abcdef\n');
  const pc = await identity({}, folder);
  assert.match(pc, /^pc-[0-9a-f]{16}$/);
  assert.notEqual(pc, nobody);
  assert.ok(!pc.includes('0123'));
  await write('proc/device-tree/serial-number', '10000000a1b2c3d4\0');
  assert.equal(await identity({}, folder), 'pi-10000000a1b2c3d4');
  // A clone of the card in another board.
  await write('proc/device-tree/serial-number', '10000000ffffffff\0');
  assert.equal(await identity({}, folder), 'pi-10000000ffffffff');
  assert.equal(await identity({ BALENA_DEVICE_UUID: 'abc123' }, folder), 'abc123');
  assert.equal(await identity({ BALENA_DEVICE_UUID: '../_group' }, folder), 'pi-10000000ffffffff');
  await remove();
});
