/** What H.264 says of its colours: decoder configuration records that x264 has made, and broken ones. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { coloursOf } from '../../../pipelines/sources/sps.js';
import { fullRangeOf } from '../../../pipelines/sources/range.js';

const records: readonly [string, string, ReturnType<typeof coloursOf>][] = [
  ['nothing said', '0142c00bffe100176742c00bda05067e7c0440000003004000000503c50aa801000468ce0fc8', undefined],
  [
    'the full range alone',
    '0142c00bffe100196742c00bda05067e7c05b2000003000200000300281e28554001000468ce0fc8',
    { fullRange: true },
  ],
  [
    'a narrow range alone',
    '0142c00bffe100196742c00bda05067e7c05a2000003000200000300281e28554001000468ce0fc8',
    { fullRange: false },
  ],
  [
    'High, cropped to 1080 lines, BT.709',
    '01640028ffe1001f67640028acd940780227e5c05b808080a000000300200000030281e30632c001000668ebe3cb22c0fdf8f800',
    { fullRange: true, matrix: 1 },
  ],
  [
    'the same, narrow',
    '01640028ffe1001f67640028acd940780227e5c05a808080a000000300200000030281e30632c001000668ebe3cb22c0fdf8f800',
    { fullRange: false, matrix: 1 },
  ],
  [
    'interlaced, with an aspect ratio and scaling matrices, BT.601',
    '01640016ffe1002167640016acd940b424dff80080007b70202054000003000400000300507c50a65801000768fba3cb3002c0fdf8f800',
    { fullRange: true, matrix: 5 },
  ],
  [
    'High 4:4:4',
    '01f4000cffe1001e67f4000c919b282833f1b80b70202064000003000400000300503c50a65801000868ebe3c44c000440fff8f800',
    { fullRange: true, matrix: 6 },
  ],
  [
    'scaling lists of its own',
    '0164000cffe1001c6764000cacd941419f9f016e04040280000003008000000a078a14cb01007868ebe3cb3128e8ec21c462a28950e080f1e870e1c101e3c78f43870e1c38203c78f1e3c7a1c3870e1c38721e3c78f1e3c203870e1c390f1e3c784070e1c878f080e52a1c101e3d0e1c38203c78f1e870e1c38704078f1e3c78f43870e1c3870e43c78f1e3c784070e1c38721e3c78f080e1c390f1e101c8bfdf8f800',
    { fullRange: true, matrix: 1 },
  ],
];
for (const [name, hex, wanted] of records) test(name, () => assert.deepEqual(coloursOf(hex), wanted));

test('cut off anywhere, or of other bytes: nothing is said, and nothing is thrown', () => {
  for (const [, hex] of records) {
    for (let bytes = 0; bytes < hex.length / 2; bytes++) {
      assert.doesNotThrow(() => coloursOf(hex.slice(0, 2 * bytes)));
      assert.doesNotThrow(() => coloursOf(`${hex.slice(0, 2 * bytes)}00${hex.slice(2 * bytes + 2)}`));
      assert.doesNotThrow(() => coloursOf(`${hex.slice(0, 2 * bytes)}ff${hex.slice(2 * bytes + 2)}`));
    }
  }
});

test('the matrix that players take where none is named: by the lines', () => {
  const [, unnamed] = records[1]!;
  assert.deepEqual([fullRangeOf(unnamed, 480), fullRangeOf(unnamed, 720)], ['bt601', 'bt709']);
  assert.equal(fullRangeOf(records[4]![1], 1080), undefined);
});
