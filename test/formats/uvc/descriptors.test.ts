/** Extension units in a camera's descriptors: a C920's, and those of devices that are odd or broken. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { findUnit } from '../../../agent/formats/uvc/descriptors.js';
import { h264UnitGuid } from '../../../agent/formats/uvc/h264.js';
import { tree } from '../../machine/tree.js';

const file = 'sys/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.2/descriptors';
const c920 = ((): Buffer => {
  using machine = tree('pi3-c920');
  return readFileSync(path.join(machine.root, file));
})();
const control = { configuration: 1, number: 0 };

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/\s/g, ''), 'hex'));
const configuration = (value: number): string => `0902 0000 02 ${value.toString(16).padStart(2, '0')} 00 80 fa`;
const videoControl = (number: number, alternate = '00'): string => `0904 0${number} ${alternate} 01 0e 01 00 00`;
const guid = '41769ea2 04dee347 8b2bf434 1aff003b';

test('the H.264 unit of a C920: its number and controls', () => {
  assert.deepEqual(findUnit(c920, h264UnitGuid, control), { id: 12, selectors: [1, 2, 3, 9, 10, 11, 12, 13, 14, 15] });
  const logitech = bytes('d09ee423 7811314f ae52d2fb 8a8d3b48');
  assert.deepEqual(findUnit(c920, logitech, control), { id: 6, selectors: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] });
});

test('a camera without it has none, nor has another interface or configuration of the same device', () => {
  assert.equal(findUnit(c920, bytes('00'.repeat(16)), control), undefined);
  assert.equal(findUnit(c920, h264UnitGuid, { configuration: 1, number: 1 }), undefined);
  assert.equal(findUnit(c920, h264UnitGuid, { configuration: 2, number: 0 }), undefined);
});

test('two cameras in one device: each has its own unit', () => {
  const unit = (id: string): string => `1a24 06 ${id} ${guid} 0b 01 02 01 03 00`;
  const both = bytes(
    configuration(1) + videoControl(0) + unit('05') + videoControl(2) + unit('07') + configuration(2) + videoControl(0),
  );
  const found = [
    [1, 0],
    [1, 2],
    [2, 0],
  ].map(([of, number]) => findUnit(both, h264UnitGuid, { configuration: of!, number: number! })?.id);
  assert.deepEqual(found, [5, 7, undefined]);
});

test('a unit with several inputs has its controls further back; what is cut short is none', () => {
  const begin = configuration(1) + videoControl(0);
  const two = bytes(`${begin} 1c24 06 03 ${guid} 10 02 0102 02 0021 00`);
  assert.deepEqual(findUnit(two, h264UnitGuid, control), { id: 3, selectors: [9, 14] });
  const short = bytes(`${begin} 1924 06 03 ${guid} 10 01 01 06 03`);
  assert.equal(findUnit(short, h264UnitGuid, control), undefined);
  const ends = bytes(`${begin} 1a24 06 03 ${guid} 10 01`);
  assert.equal(findUnit(ends, h264UnitGuid, control), undefined);
});

test('whatever bytes a device gives, the search ends, and what it finds is in them', () => {
  const part = fc.oneof(
    fc.constant([...c920.subarray(18)]),
    fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), fc.nat(600), (parts, cut) => {
      const found = findUnit(Uint8Array.from(parts.flat().slice(cut)), h264UnitGuid, control);
      if (!found) return;
      assert.ok(found.id > 0 && found.id < 256);
      assert.ok(found.selectors.every((selector) => selector > 0 && selector <= 8 * 255));
    }),
  );
});
