import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatOf, formatTag, metadataTag } from '../../../agent/formats/flv/metadata.js';
import {
  isAacHeader,
  isAvcHeader,
  isKeyframe,
  stamp,
  TagCutter,
  timestampOf,
  type Tag,
} from '../../../agent/formats/flv/tag.js';
import { aacHeader, avcHeader, picture, sound } from '../../helpers/content/tags.js';

const fileHeader = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);

test('a stream is cut into the same tags, in whatever chunks it comes', () => {
  const tag = fc.oneof(
    fc
      .record({ ms: fc.nat(), key: fc.boolean(), size: fc.nat(300) })
      .map(({ ms, key, size }) => picture(ms, key, size)),
    fc.nat().map(sound),
    fc.constantFrom(avcHeader(), aacHeader(), fileHeader),
  );
  fc.assert(
    fc.property(
      fc.array(tag, { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
      (tags, sizes) => {
        const stream = Buffer.concat(tags);
        const cutter = new TagCutter();
        const seen: (Tag | 'begin')[] = [];
        for (let at = 0, i = 0; at < stream.length; i += 1) {
          const size = sizes[i % sizes.length]!;
          for (const piece of cutter.push(stream.subarray(at, at + size))) seen.push(piece.begin ? 'begin' : piece.tag);
          at += size;
        }
        assert.deepEqual(
          seen,
          tags.map((each) => (each === fileHeader ? 'begin' : each)),
        );
      },
    ),
  );
});

test('bytes that are not FLV are refused', () => {
  assert.throws(() => [...new TagCutter().push(Buffer.from('HTTP/1.1 200 OK'))], /not an FLV tag/);
});

test('times are written and read back, modulo 32 bits', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 40 }), (ms) => {
      const tag = picture(0);
      stamp(tag, ms);
      assert.equal(timestampOf(tag), ms % 2 ** 32);
    }),
  );
});

test('keyframes and sequence headers are told apart', () => {
  assert.deepEqual([picture(0, true), picture(0), avcHeader(), sound(0)].map(isKeyframe), [true, false, false, false]);
  assert.deepEqual([picture(0, true), avcHeader(), aacHeader()].map(isAvcHeader), [false, true, false]);
  assert.deepEqual([sound(0), avcHeader(), aacHeader()].map(isAacHeader), [false, false, true]);
});

test("capture's note of the format reaches the hub, and flvmux's own metadata is not taken for it", () => {
  const format = { width: 1280, height: 720, fps: 30, videoKbps: 2500, audioRate: 48000, audioChannels: 2 };
  assert.deepEqual(formatOf(formatTag(format)), format);
  assert.equal(formatOf(metadataTag(format)), undefined);
  assert.equal(formatOf(picture(0)), undefined);
});
