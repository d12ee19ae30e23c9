/** Brightness as the viewer gets it: sources of the full range (JPEG, some films) come out narrow, narrow ones as they are. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { MediaFiles } from '../../../agent/machine/files/files.js';
import { Stills } from '../../../agent/machine/files/still.js';
import { plan } from '../../../pipelines/choose/best.js';
import type { Machine } from '../../../pipelines/machine.js';
import type { Plan } from '../../../pipelines/plan.js';
import { folderFor } from '../../helpers/command.js';
import { ending, installedElements, launch } from '../gst.js';
import { c270, pc, want } from '../machines.js';

const run = promisify(execFile);
const [width, height] = [640, 480];
/** Luma of five stripes, and the chroma of all of them; what is seen of them is measured in the middle of each. */
const full = { luma: [0, 64, 128, 192, 255], chroma: [100, 150] };
const narrow = { luma: [16, 71, 126, 181, 235], chroma: [103, 147] };
/** Of JPEG, H.264 and the rounding of both. */
const tolerance = 3;

type Stripes = typeof full;

/** Pictures of them by FFmpeg, which takes them for what `args` say: a format, a codec, how many. */
async function drawn(
  file: string,
  { luma, chroma }: Stripes,
  args: readonly string[],
  input: string[] = [],
): Promise<void> {
  const line = Buffer.from(Array.from({ length: width }, (_, x) => luma[Math.floor((x * luma.length) / width)]!));
  const planes = [...chroma.map((value) => Buffer.alloc((width * height) / 4, value))];
  const picture = `${file}.yuv`;
  await writeFile(picture, Buffer.concat([...Array.from({ length: height }, () => line), ...planes]));
  const format = luma[0] === 0 ? 'yuvj420p' : 'yuv420p';
  const frames = [
    '-f',
    'rawvideo',
    '-s',
    `${width}x${height}`,
    '-pix_fmt',
    format,
    '-stream_loop',
    '29',
    ...input,
    '-i',
    picture,
  ];
  await run('ffmpeg', ['-v', 'error', '-y', '-r', '30', ...frames, ...args, file]);
}

/** What a viewer has on the screen: luma of the stripes, chroma, and the range that the stream says it has. */
async function seen(file: string): Promise<Stripes & { range: string }> {
  const last = ['-sseof', '-0.2', '-i', file, '-frames:v', '1', '-f', 'rawvideo', '-'];
  const { stdout: bytes } = await run('ffmpeg', ['-v', 'error', ...last], { encoding: 'buffer', maxBuffer: 2 ** 24 });
  const range = await run('ffprobe', ['-v', 'error', '-show_entries', 'stream=color_range', '-of', 'csv=p=0', file]);
  const middle = (height / 2) * width;
  const plane = (width * height) / 4;
  const ofChroma = width * height + (height / 4) * (width / 2) + width / 10;
  return {
    luma: full.luma.map((_, i) => bytes[middle + ((2 * i + 1) * width) / 10]!),
    chroma: [bytes[ofChroma]!, bytes[ofChroma + plane]!],
    range: range.stdout.split(/[,\n]/)[0]!,
  };
}

function assertSeen({ luma, chroma, range }: Stripes & { range: string }, wanted: Stripes): void {
  const off = [...luma, ...chroma].map((value, i) => Math.abs(value - [...wanted.luma, ...wanted.chroma][i]!));
  assert.ok(Math.max(...off) <= tolerance, `seen ${luma.join(' ')}, chroma ${chroma.join(' ')}`);
  assert.notEqual(range, 'pc');
}

const machine: Machine = { ...pc, elements: installedElements() };

async function delivered(
  t: TestContext,
  made: Plan,
  replace: (text: string) => string = (text) => text,
): Promise<string> {
  const out = path.join(await folderFor(t), 'out.flv');
  const [pipeline] = made.pipelines;
  const properties = pipeline!.properties.filter(({ property }) => property !== 'device');
  await launch(ending({ text: replace(pipeline!.text), properties }, 30, 50), out);
  return out;
}

const jpeg = (chroma: string): string[] => ['-frames:v', '1', '-pix_fmt', chroma, '-q:v', '1', '-f', 'mjpeg'];
const raw = ['-pix_fmt', 'yuyv422', '-f', 'rawvideo'];
const jpegs = 'multifilesrc name=video-source caps=image/jpeg,framerate=30/1 location=';
const yuyv = `rawvideoparse format=yuy2 width=${width} height=${height} framerate=30/1`;
/** In place of the device: what gives such pictures, and what stands behind it. */
const cameras: readonly [string, Stripes, string[], (picture: string) => string][] = [
  ['MJPEG', full, jpeg('yuvj420p'), (picture) => jpegs + picture],
  ['MJPEG with half the chroma, as webcams have it', full, jpeg('yuvj422p'), (picture) => jpegs + picture],
  [
    'YUYV',
    narrow,
    raw,
    (picture) => `filesrc name=video-source blocksize=${width * height * 2} location=${picture} ! ${yuyv}`,
  ],
];
for (const [name, stripes, args, source] of cameras) {
  test(`a camera that gives ${name}`, async (t) => {
    const picture = path.join(await folderFor(t), 'picture');
    await drawn(picture, stripes, args);
    const formats = c270.formats.filter(({ fourcc }) => (fourcc === 'MJPG') === name.startsWith('MJPEG'));
    const camera = { ...c270, formats };
    const made = plan(want({ width, height, encoder: 'x264enc' }), { ...machine, cameras: [camera] });
    const file = await delivered(t, made, (text) =>
      text
        .replace(/v4l2src name=video-source [^!]*! /, `${source(picture)} ! `)
        .replace(/alsasrc [^!]*/, 'audiotestsrc name=audio-source '),
    );
    assertSeen(await seen(file), narrow);
  });
}

const stills: readonly [string, Stripes, string[]][] = [
  ['JPEG', full, jpeg('yuvj444p')],
  ['grey JPEG', { ...full, chroma: [128, 128] }, jpeg('gray')],
  ['PNG', { ...narrow, chroma: [128, 128] }, ['-frames:v', '1', '-pix_fmt', 'rgb24', '-c:v', 'png']],
];
for (const [name, stripes, args] of stills) {
  test(`a slate that is a ${name}`, async (t) => {
    const image = path.join(await folderFor(t), name === 'PNG' ? 'card.png' : 'card.jpg');
    await drawn(image, stripes, args);
    const wanted = { ...want({ source: '/dev/video9', width, height }), slate: { text: '', image } };
    const file = await delivered(t, plan(wanted, { ...machine, slateImage: await new Stills().at(image) }));
    assertSeen(await seen(file), { ...narrow, chroma: stripes.chroma[0] === 128 ? [128, 128] : narrow.chroma });
  });
}

/** Said of what goes in as well as of what comes out: FFmpeg 7 converts where they differ. */
const colours = (matrix: string, range: string): string[] => [
  ...['-color_range', range === 'on' ? 'pc' : 'tv', '-colorspace', matrix],
  ...['-color_primaries', matrix, '-color_trc', matrix],
];
const h264 = (matrix: string, range = 'on'): string[] => [
  ...colours(matrix, range),
  ...['-c:v', 'libx264', '-qp', '4', '-g', '30'],
  ...['-x264-params', `fullrange=${range}:colormatrix=${matrix}:colorprim=${matrix}:transfer=${matrix}`],
];
// BT.709 throughout: a change of the matrix moves luma, too, wherever there is colour.
const films: readonly [string, string, Stripes, string[]][] = [
  ['H.264 of the full range, which MP4 says and GStreamer 1.22 overlooks', 'a.mp4', full, h264('bt709')],
  ['H.264 of the full range in Matroska', 'a.mkv', full, h264('bt709')],
  ['H.264 as in television', 'b.mp4', narrow, h264('bt709', 'off')],
];
for (const [name, file, stripes, args] of films) {
  test(`a film of ${name}, encoded anew`, async (t) => {
    const film = path.join(await folderFor(t), file);
    await drawn(film, stripes, args, colours('bt709', stripes === full ? 'on' : 'off'));
    const wanted = want({ source: 'file', files: [film], width, height, encoder: 'x264enc' }, { source: 'none' });
    const made = plan(wanted, { ...machine, files: [await new MediaFiles().at(film)] });
    assertSeen(await seen(await delivered(t, made)), narrow);
  });
}

test('a film of JPEG pictures without colour, encoded anew', async (t) => {
  const film = path.join(await folderFor(t), 'c.avi');
  await drawn(film, { ...full, chroma: [128, 128] }, ['-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '1']);
  const wanted = want({ source: 'file', files: [film], width, height, encoder: 'x264enc' }, { source: 'none' });
  const made = plan(wanted, { ...machine, files: [await new MediaFiles().at(film)] });
  assertSeen(await seen(await delivered(t, made)), { ...narrow, chroma: [128, 128] });
});
