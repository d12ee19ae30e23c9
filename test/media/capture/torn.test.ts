/** A camera's JPEGs of which some are cut off, empty or no pictures at all: those are left out, and whatever shows something is not. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { Pipeline, type BusMessage } from '../../../agent/media/gstreamer.js';
import { plan } from '../../../pipelines/choose/best.js';
import { folderFor } from '../../helpers/command.js';
import { Feed } from '../../helpers/feed.js';
import { c270, pc, want } from '../../pipelines/machines.js';

const run = promisify(execFile);
const [width, height] = [320, 240];

/** A JPEG with 4:2:2, as webcams make it, by FFmpeg. */
async function jpeg(): Promise<Buffer> {
  const input = ['-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}`, '-frames:v', '1'];
  const output = ['-c:v', 'mjpeg', '-huffman', 'default', '-pix_fmt', 'yuvj422p', '-f', 'image2pipe', '-'];
  const { stdout } = await run('ffmpeg', ['-v', 'error', ...input, ...output], { encoding: 'buffer' });
  return stdout;
}

/** Markers of ITU-T T.81, table B.1. */
const marker = { image: 0xd8, end: 0xd9, huffman: 0xc4, quantiser: 0xdb, scan: 0xda, app0: 0xe0, frame: 0xc0 };
const bare = (code: number): Buffer => Buffer.from([0xff, code]);

interface Parts {
  readonly segments: readonly { readonly code: number; readonly bytes: Buffer }[];
  /** From the header of the scan to the end. */
  readonly scan: Buffer;
}

function partsOf(picture: Buffer): Parts {
  const segments = [];
  let at = 2;
  while (picture[at + 1] !== marker.scan) {
    const length = 2 + picture.readUInt16BE(at + 2);
    segments.push({ code: picture[at + 1]!, bytes: picture.subarray(at, at + length) });
    at += length;
  }
  return { segments, scan: picture.subarray(at) };
}

function segment(code: number, content: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(content.length + 2);
  return Buffer.concat([bare(code), length, content]);
}

/** AVI (RIFF) with a stream of MJPEG: each chunk comes out of `avidemux` as it went in, as one buffer with a time, as from `v4l2src`. */
function avi(pictures: readonly Buffer[], fps: number): Buffer {
  const numbers = (...values: number[]): Buffer => Buffer.from(Uint32Array.from(values).buffer);
  const chunk = (id: string, ...content: Buffer[]): Buffer => {
    const bytes = Buffer.concat(content);
    return Buffer.concat([Buffer.from(id), numbers(bytes.length), bytes, Buffer.alloc(bytes.length % 2)]);
  };
  const list = (type: string, ...content: Buffer[]): Buffer => chunk('LIST', Buffer.from(type), ...content);
  const hasIndex = 0x10;
  const main = numbers(1e6 / fps, 0, 0, hasIndex, pictures.length, 0, 1, 0, width, height, 0, 0, 0, 0);
  const stream = [Buffer.from('vidsMJPG'), numbers(0, 0, 0, 1, fps, 0, pictures.length, 0, 0, 0, 0, 0)];
  const bitmap = numbers(40, width, height, 1 | (24 << 16), 0x47504a4d, width * height * 3, 0, 0, 0, 0);
  let at = 4;
  const index = pictures.map((picture) => {
    const entry = Buffer.concat([Buffer.from('00dc'), numbers(0x10, at, picture.length)]);
    at += 8 + picture.length + (picture.length % 2);
    return entry;
  });
  const headers = list('hdrl', chunk('avih', main), list('strl', chunk('strh', ...stream), chunk('strf', bitmap)));
  const movie = list('movi', ...pictures.map((picture) => chunk('00dc', picture)));
  return chunk('RIFF', Buffer.from('AVI '), headers, movie, chunk('idx1', ...index));
}

/** How many of `pictures` go on the way to the encoder, behind the elements that decode a webcam's; what the bus said last. */
async function arriving(t: TestContext, pictures: readonly Buffer[]): Promise<{ count: number; end: BusMessage }> {
  const location = path.join(await folderFor(t), 'pictures.avi');
  await writeFile(location, avi(pictures, 25));
  const formats = c270.formats.filter(({ fourcc }) => fourcc === 'MJPG');
  const made = plan(want({ encoder: 'x264enc' }), { ...pc, cameras: [{ ...c270, formats }] });
  const text = /capsfilter caps="[^"]*" ! (.* ! videorate name=arrivals [^!]*) !/.exec(made.pipelines[0]!.text)![1]!;
  const said = new Feed<BusMessage>('bus');
  const pipeline = new Pipeline(
    {
      text: `filesrc name=file ! avidemux ! ${text} ! fakesink`,
      properties: [{ element: 'file', property: 'location', value: location }],
    },
    (message) => said.push(message),
  );
  try {
    pipeline.play();
    const end = await said.waitFor(({ type }) => type === 'eos' || type === 'error', 20_000);
    return { count: Number(pipeline.element('arrivals')['in']), end };
  } finally {
    pipeline.destroy();
  }
}

test('pictures that are none are left out, be they the first ones or in between', async (t) => {
  const good = await jpeg();
  const { segments } = partsOf(good);
  const toScan = 2 + segments.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const cuts = Array.from({ length: Math.ceil(toScan / 7) }, (_, i) => good.subarray(0, 1 + 7 * i));
  const none = [
    Buffer.concat([bare(marker.image), bare(marker.end)]),
    Buffer.alloc(1000),
    Buffer.from(Array.from({ length: 1000 }, (_, i) => (i * 91 + 7) & 0xff)),
    good.subarray(toScan),
    Buffer.concat([good.subarray(0, toScan), bare(marker.end)]),
    ...cuts,
  ];
  const pictures = [...none, good, ...none.flatMap((each) => [each, good])];
  const { count, end } = await arriving(t, pictures);
  assert.equal(end.type, 'eos', JSON.stringify(end));
  assert.equal(count, 1 + none.length);
});

test('pictures that other programs show are not left out, however odd', async (t) => {
  const good = await jpeg();
  const { segments, scan } = partsOf(good);
  const built = (parts: Parts['segments'], rest = scan): Buffer =>
    Buffer.concat([bare(marker.image), ...parts.map(({ bytes }) => bytes), rest]);
  const without = (code: number) => segments.filter((each) => each.code !== code);
  const app = (code: number, content: Buffer) => ({ code, bytes: segment(code, content) });
  const many = Array.from({ length: 16 }, (_, i) => app(marker.app0 + i, Buffer.from(`XX${i}`.padEnd(99))));
  const odd: Readonly<Record<string, Buffer>> = {
    'no Huffman tables': built(without(marker.huffman)),
    'AVI1 instead of JFIF': built([app(marker.app0, Buffer.from('AVI1'.padEnd(14, '\0'))), ...without(marker.app0)]),
    'many application segments': built([...many, ...segments]),
    'an end of image in an application segment': built([app(0xe4, bare(marker.end)), ...segments]),
    'no end of image': good.subarray(0, -2),
    'two ends of image': Buffer.concat([good, bare(marker.end)]),
    'zeros behind the end': Buffer.concat([good, Buffer.alloc(777)]),
    'remains of another picture behind the end': Buffer.concat([good, good.subarray(600)]),
    'half of it, and the end': Buffer.concat([good.subarray(0, good.length / 2), bare(marker.end)]),
    'half of it': good.subarray(0, good.length / 2),
  };
  for (const [name, picture] of Object.entries(odd)) {
    const { count, end } = await arriving(t, [good, picture, good, picture, good]);
    assert.equal(end.type, 'eos', `${name}: ${JSON.stringify(end)}`);
    assert.equal(count, 5, name);
  }
});
