/** Which board it is, and how much memory its firmware keeps for the GPU: by device trees as the firmware writes them. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { board } from '../../../agent/machine/host/board.js';
import { tree } from '../tree.js';

/** Lays out a device tree; numbers as 32-bit cells. */
function machine(t: TestContext, files: Readonly<Record<string, string | readonly number[]>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'makercast-board-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [name, value] of Object.entries(files)) {
    const file = path.join(root, 'proc/device-tree', name);
    mkdirSync(path.dirname(file), { recursive: true });
    const cells = typeof value === 'string' ? [] : value;
    const bytes = Buffer.alloc(4 * cells.length);
    cells.forEach((cell, i) => bytes.writeUInt32BE(cell, 4 * i));
    writeFileSync(file, typeof value === 'string' ? value : bytes);
  }
  return root;
}

const pi4 = { model: 'Raspberry Pi 4 Model B Rev 1.4\0', compatible: 'raspberrypi,4-model-b\0brcm,bcm2711\0' };

test('each Pi by its system on a chip', async () => {
  const seen = async (name: string, arch = 'arm') => {
    using laid = tree(name);
    return await board(laid.root, arch);
  };
  assert.deepEqual(await seen('zero-w-picam'), {
    model: 'Raspberry Pi Zero W Rev 1.1',
    soc: 'bcm2835',
    gpuMemoryMb: 128,
  });
  assert.deepEqual(await seen('pi3-picam'), {
    model: 'Raspberry Pi 3 Model B Rev 1.2',
    soc: 'bcm2837',
    gpuMemoryMb: 128,
  });
  assert.deepEqual(await seen('pi4-libcamera'), {
    model: 'Raspberry Pi 4 Model B Rev 1.4',
    soc: 'bcm2711',
    gpuMemoryMb: 76,
  });
  assert.deepEqual(await seen('pi3-picam', 'arm64'), { ...(await seen('pi3-picam')), is64Bit: true });
  for (const arch of ['x64', 'arm64']) assert.deepEqual(await seen('pc-c270', arch), {});
});

test('two cells an address, more than 1 GB, and 8 GB in three ranges', async (t) => {
  const root = machine(t, {
    ...pi4,
    'system/linux,revision': [0xd03114],
    '#address-cells': [2],
    '#size-cells': [2],
    // 948 MB, then up to 4 GB less the peripherals, then the rest: in any order.
    'memory@0/reg': [0, 0x40000000, 0, 0xbc000000, 1, 0, 1, 0, 0, 0, 0, 0x3b400000],
  });
  assert.equal((await board(root)).gpuMemoryMb, 76);
});

test('a guess is no answer', async (t) => {
  const sure = { ...pi4, 'system/linux,revision': [0xc03111], 'memory@0/reg': [0, 0x3f000000] };
  assert.equal((await board(machine(t, sure))).gpuMemoryMb, 16);
  const unsure: Record<string, Readonly<Record<string, string | readonly number[]>>> = {
    'a revision code of old': { ...sure, 'system/linux,revision': [0x0010] },
    'no revision code': { ...pi4, 'memory@0/reg': [0, 0x3f000000] },
    'no memory node': { ...pi4, 'system/linux,revision': [0xc03111] },
    'memory that was not cut by the firmware': { ...sure, 'memory@0/reg': [0, 0x40000000] },
    'memory cut in mid-page': { ...sure, 'memory@0/reg': [0, 0x3f000400] },
    'a memory node that was torn': { ...sure, 'memory@0/reg': [0] },
    'a Pi 5, whose GPU takes its memory as it goes': { ...sure, compatible: 'raspberrypi,5-model-b\0brcm,bcm2712\0' },
    'another board': { ...sure, compatible: 'pine64,rockpro64\0rockchip,rk3399\0' },
  };
  for (const [why, files] of Object.entries(unsure)) {
    assert.equal((await board(machine(t, files))).gpuMemoryMb, undefined, why);
  }
});
