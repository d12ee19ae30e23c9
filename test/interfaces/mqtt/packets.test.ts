/** Lengths of packets in a stream that is cut anywhere. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Packets, type Excess } from '../../../agent/interfaces/mqtt/packets.js';

const lengthOf = (bytes: number): number[] =>
  bytes < 0x80 ? [bytes] : [(bytes & 0x7f) | 0x80, ...lengthOf(Math.floor(bytes / 0x80))];
const packet = (type: number, body: Buffer, length = body.length): Buffer =>
  Buffer.concat([Buffer.from([type, ...lengthOf(length)]), body]);
const message = (topic: string, bytes: number): Buffer =>
  Buffer.concat([Buffer.from([0, topic.length]), Buffer.from(topic), Buffer.alloc(bytes)]);

/** What is not taken of `stream` in pieces of these lengths, and after how many bytes. */
function excessOf(stream: Buffer, pieces: readonly number[]): { excess?: Excess; at: number } {
  const packets = new Packets(1000);
  let at = 0;
  for (let i = 0; at < stream.length; i++) {
    const size = pieces[i % pieces.length]!;
    const excess = packets.take(stream.subarray(at, at + size));
    at += size;
    if (excess) return { excess, at };
  }
  return { at };
}

test('packets that fit pass, wherever the stream is cut; the first that does not is found by its length', () => {
  const good = fc.tuple(fc.constantFrom(0x20, 0x30, 0x32, 0x90, 0xd0), fc.uint8Array({ maxLength: 1000 }));
  const property = fc.property(
    fc.array(good, { maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }),
    fc.integer({ min: 1001, max: 268_435_455 }),
    (packets, pieces, bytes) => {
      const before = Buffer.concat(packets.map(([type, body]) => packet(type, Buffer.from(body))));
      assert.equal(excessOf(before, pieces).excess, undefined);
      const long = packet(0x30, message('a/b', 2000), bytes);
      const { excess, at } = excessOf(Buffer.concat([before, long]), pieces);
      assert.deepEqual([excess?.why, excess?.bytes], ['too long', bytes]);
      // No later than the piece that holds the last byte of the length.
      assert.ok(at <= before.length + 1 + lengthOf(bytes).length + 700);
    },
  );
  fc.assert(property, { numRuns: 300 });
});

test('the limit itself fits, one byte more does not; a length of five bytes is none', () => {
  assert.equal(excessOf(packet(0x30, Buffer.alloc(1000)), [4096]).excess, undefined);
  assert.equal(excessOf(packet(0x30, Buffer.alloc(1001)), [4096]).excess?.bytes, 1001);
  assert.equal(excessOf(Buffer.from([0x20, 0x80, 0x80, 0x80, 0x80, 0]), [1]).excess?.why, 'too long');
});

test('the topic is told where it has come; what nobody has subscribed to is not taken', () => {
  assert.deepEqual(excessOf(packet(0x30, message('a/b', 5), 5000), [4096]).excess, {
    why: 'too long',
    bytes: 5000,
    topic: 'a/b',
  });
  assert.equal(excessOf(packet(0x30, message('a/b', 5), 5000), [1]).excess?.topic, undefined);
  assert.equal(excessOf(packet(0x90, message('a/b', 5), 5000), [4096]).excess?.topic, undefined);
  const released = packet(0x34, message('a/b', 5));
  assert.deepEqual(excessOf(released, [4096]).excess, { why: 'unasked', bytes: released.length - 2, topic: 'a/b' });
  assert.equal(excessOf(packet(0x62, Buffer.from([0, 1])), [4096]).excess, undefined);
});
