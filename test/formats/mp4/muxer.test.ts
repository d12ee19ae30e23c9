/** FLV into fragmented MP4, judged by ffprobe and ffmpeg: every packet is there as it was, and every prefix plays. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { TagCutter, timestampOf, type Tag } from '../../../agent/formats/flv/tag.js';
import { hide } from '../../../agent/formats/mp4/fragment.js';
import { Muxer, type Fragment } from '../../../agent/formats/mp4/muxer.js';
import { folderFor, run } from '../../helpers/command.js';
import { sample, type Sample } from '../../helpers/content/media.js';
import { packets } from '../../helpers/content/mp4.js';
import { analyse } from '../../helpers/content/stream.js';

const born = Date.UTC(2026, 4, 3, 2, 1, 0);
const endless = Number.MAX_SAFE_INTEGER;

/** A sample as FLV, made by ffmpeg: the path of the file, and its tags. */
async function flv(t: TestContext, name: Sample): Promise<{ file: string; tags: Tag[]; folder: string }> {
  const folder = await folderFor(t);
  const file = path.join(folder, 'sample.flv');
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-i', await sample(name), '-c', 'copy', '-f', 'flv', file]);
  const pieces = [...new TagCutter().push(await readFile(file))];
  return { file, folder, tags: pieces.flatMap((piece) => (piece.begin ? [] : [piece.tag])) };
}

function mux(tags: readonly Tag[], muxer = new Muxer(endless, () => born)): Fragment[] {
  return [...tags.flatMap((tag) => muxer.add(tag, timestampOf(tag))), ...muxer.end()];
}

const opens = ({ bornMs }: Fragment): boolean => bornMs !== undefined;
const bytes = (fragments: readonly Fragment[]): Buffer => Buffer.concat(fragments.map((each) => each.bytes));

describe('a real stream', () => {
  for (const name of ['h264-bframes.mp4', 'h264.mkv', 'h264-silent.mp4'] as const) {
    test(`${name}: each packet with its bytes, its times to the millisecond, and its keyframe flag`, async (t) => {
      const { file, tags, folder } = await flv(t, name);
      const made = path.join(folder, 'made.mp4');
      await writeFile(made, bytes(mux(tags)));
      const all = await packets(file);
      // Nothing is kept that comes before the first picture.
      const before = all.slice(all.findIndex(({ type }) => type === 'video'));
      const after = await packets(made);
      assert.ok(before.length > 150);
      for (const type of ['video', 'audio']) {
        const [one, other] = [before, after].map((list) => list.filter((packet) => packet.type === type));
        assert.deepEqual(
          other!.map(({ hash, key }) => ({ hash, key })),
          one!.map(({ hash, key }) => ({ hash, key })),
        );
        for (const [i, packet] of one!.entries()) {
          for (const time of ['dts', 'pts'] as const) {
            const off = other![i]![time] - packet[time] - (after[0]!.dts - before[0]!.dts);
            assert.ok(Math.abs(off) <= 0.0021, `${type} packet ${i}: ${time} is off by ${off} s`);
          }
        }
      }
      const { video, audio, decodeErrors } = await analyse(made);
      assert.deepEqual(decodeErrors, []);
      assert.equal(`${video!.width}x${video!.height}`, '640x360');
      assert.ok(video!.monotonic && Math.abs(video!.fps - 30) < 0.1);
      assert.deepEqual(
        audio && [audio.codec, audio.rate, audio.channels, audio.monotonic],
        name === 'h264-silent.mp4' ? undefined : ['aac', 48_000, 2, true],
      );
    });
  }

  test('fragments begin with keyframes, last 2 s at most, and every prefix of them plays without an error', async (t) => {
    const { tags, folder } = await flv(t, 'h264-bframes.mp4');
    const fragments = mux(tags);
    assert.deepEqual(
      fragments.map((each) => [opens(each), each.frames]),
      [
        [true, 60],
        [false, 60],
        [false, 60],
      ],
    );
    for (let count = 1; count <= fragments.length; count += 1) {
      const file = path.join(folder, `${count}.mp4`);
      await writeFile(file, bytes(fragments.slice(0, count)));
      const { video, decodeErrors } = await analyse(file);
      assert.deepEqual([video!.packets, decodeErrors], [60 * count, []]);
    }
  });

  test('a file that was cut anywhere plays up to its last complete fragment', async (t) => {
    const { tags, folder } = await flv(t, 'h264-bframes.mp4');
    const [one, two, three] = mux(tags);
    const whole = bytes([one!, two!]);
    const begin = hide(three!.bytes, three!.headerBytes);
    for (const cut of [3, 8, 100, 2000, 50_000, three!.bytes.length]) {
      const file = path.join(folder, `${cut}.mp4`);
      await writeFile(file, Buffer.concat([whole, three!.bytes.subarray(0, cut)]));
      const { video, decodeErrors } = await analyse(file);
      assert.deepEqual([video!.packets, decodeErrors], [120, []], `${cut} bytes of the third fragment`);
    }
    begin.copy(three!.bytes, three!.headerBytes);
    const file = path.join(folder, 'whole.mp4');
    await writeFile(file, Buffer.concat([whole, three!.bytes]));
    assert.equal((await analyse(file)).video!.packets, 180);
  });

  test('every fragment begins at a multiple of 8 bytes', async (t) => {
    const { tags } = await flv(t, 'h264-bframes.mp4');
    const fragments = mux(tags);
    assert.equal(fragments.length, 3);
    for (const each of fragments) assert.deepEqual([each.bytes.length % 8, each.headerBytes % 8], [0, 0]);
  });

  test('keyframes that are far apart do not make fragments longer', async (t) => {
    const { tags, folder } = await flv(t, 'h264-long-gop.mp4');
    const fragments = mux(tags);
    const steps = fragments.slice(1).map(({ atMs }, i) => atMs - fragments[i]!.atMs);
    assert.ok(fragments.length >= 3 && steps.every((step) => step > 1900 && step <= 2000), steps.join(', '));
    const file = path.join(folder, 'made.mp4');
    await writeFile(file, bytes(fragments));
    assert.deepEqual((await analyse(file)).decodeErrors, []);
  });

  test('two files of one stream hold all of it between them', async (t) => {
    const { file, tags, folder } = await flv(t, 'h264-bframes.mp4');
    const fragments = mux(tags, new Muxer(1500, () => born));
    const starts = fragments.flatMap((each, i) => (opens(each) ? [i] : []));
    assert.equal(starts.length, 3);
    const hashes: string[] = [];
    for (const [i, from] of starts.entries()) {
      const part = path.join(folder, `part-${i}.mp4`);
      await writeFile(part, bytes(fragments.slice(from, starts[i + 1])));
      const { video, audio, decodeErrors } = await analyse(part);
      assert.deepEqual(decodeErrors, []);
      assert.ok(video!.startsWithKeyframe && video!.start < 0.1 && audio!.start < 0.06);
      hashes.push(...(await packets(part)).map(({ hash }) => hash));
    }
    assert.deepEqual(hashes.sort(), (await packets(file)).map(({ hash }) => hash).sort());
  });
});
