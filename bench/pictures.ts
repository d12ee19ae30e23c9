/**
 * What it costs to make a webcam's pictures right before they are encoded, step by step, and what else could be done in each step's place:
 * `npm run bench -- pictures [--rounds 3]`.
 */
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import path from 'node:path';
import { plan } from '../pipelines/choose/best.js';
import type { PipelineText } from '../pipelines/graph.js';
import { ended, run, temporaryFolder } from '../test/helpers/command.js';
import { c270, pc, pi3, v4l2, want } from '../test/pipelines/machines.js';
import { costs } from './processes.js';
import { median, table, type Row, writeResults } from './report.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const rounds = Number(values.rounds);
if (!(rounds >= 1) || !Number.isInteger(rounds)) {
  process.stderr.write('usage: npm run bench -- pictures [--rounds N]   (each pipeline runs twice a round)\n');
  process.exit(2);
}

/** Pictures of a short and of a long run: what starting costs is in both. */
const [few, many] = [100, 700];

/** From makercast's own plan for a C270: what is done to a picture between the camera's caps and the encoder. */
function steps(width: number, height: number, takes?: readonly string[]): readonly string[] {
  const machine = takes ? { ...pi3, encoders: [{ ...v4l2, takes }] } : pc;
  const [{ text }] = plan(want({ width, height }), { ...machine, cameras: [c270] }).pipelines as [PipelineText];
  const between = /capsfilter caps="[^"]*" ! (.*?) ! queue /.exec(text)?.[1];
  if (between === undefined) throw new Error(`the plan has no steps before its encoder: ${text}`);
  return between.split(' ! ');
}

/** Where caps would stand beside caps, which GStreamer's text does not know, `identity` costs nothing. */
const without = (all: readonly string[], ...names: readonly string[]): string[] => {
  const left = all.map((step) => (names.some((name) => step.startsWith(name)) ? 'identity' : step));
  if (!left.includes('identity')) throw new Error(`none of ${names.join(', ')} is in the plan: ${all.join(' ! ')}`);
  return left;
};

const { folder, remove } = await temporaryFolder();
const picture = path.join(folder, 'picture.jpg');

const jpegSource = ['multifilesrc', `location=${picture}`, 'caps=image/jpeg,width=1280,height=720,framerate=30/1'];
const rawSource = (format: string, width: number, height: number): string[] => [
  ...['videotestsrc', 'num-buffers=1', 'pattern=smpte', '!'],
  ...[`video/x-raw,format=${format},width=${width},height=${height},framerate=30/1`, '!', 'imagefreeze'],
];

type Chain = readonly [source: readonly string[], steps: readonly string[]];

/** Processor seconds of a pipeline that makes so many pictures of a source as fast as it can. */
async function cpuSeconds([source, all]: Chain, pictures: number): Promise<number> {
  const chain = all.flatMap((step) => ['!', ...step.split(/\s+/)]);
  const args = ['-q', ...source, `num-buffers=${pictures}`, ...chain, '!', 'fakesink', 'sync=false'];
  const before = ownChildren();
  const child = spawn('gst-launch-1.0', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const { code } = await ended(child);
  if (code !== 0) throw new Error(`gst-launch-1.0 ${args.join(' ')} ended with ${code}: ${stderr.slice(-1000)}`);
  return ownChildren() - before;
}

/** Seconds of all children that have ended, and of this process, which does nothing meanwhile. */
const ownChildren = (): number => costs(process.pid, false).find(({ pid }) => pid === process.pid)!.cpuSeconds;

/** Milliseconds of processor time a picture, of each chain: in turns, so that a machine that slows down favours nobody. */
async function measured<Name extends string>(chains: Readonly<Record<Name, Chain>>): Promise<Record<Name, number>> {
  const names = Object.keys(chains) as Name[];
  const taken = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let round = 0; round < rounds; round += 1) {
    process.stdout.write(`round ${round + 1} of ${rounds}\n`);
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length]!;
      const start = await cpuSeconds(chains[name], few);
      const whole = await cpuSeconds(chains[name], many);
      taken[name].push(((whole - start) / (many - few)) * 1000);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(taken[name])!])) as Record<Name, number>;
}

const encoder = ['x264enc tune=zerolatency speed-preset=ultrafast bitrate=2500 key-int-max=60'];
/** What else gives the right values: through RGB, where the range is known to be JPEG's, `videoconvert` does count anew. */
const throughRgb = [
  'videoconvert',
  'video/x-raw,format=BGRx',
  'videoconvert',
  'video/x-raw,format=I420,colorimetry=bt601',
];

try {
  await run('gst-launch-1.0', [
    ...['-q', 'videotestsrc', 'num-buffers=1', 'pattern=smpte', '!', 'video/x-raw,format=I420,width=1280,height=720'],
    ...['!', 'jpegenc', '!', 'filesink', `location=${picture}`],
  ]);
  const jpeg = steps(1280, 720);
  const yuyv = steps(640, 480);
  const packed = steps(640, 480, ['YUY2']);
  const cost = await measured({
    jpeg: [jpegSource, jpeg],
    jpegDecoded: [jpegSource, ['jpegdec']],
    jpegWide: [jpegSource, without(jpeg, 'videobalance', 'capssetter')],
    jpegRgb: [
      jpegSource,
      without(jpeg, 'capssetter').flatMap((step) => (step.startsWith('videobalance') ? throughRgb : [step])),
    ],
    jpegUnsteady: [jpegSource, without(jpeg, 'compositor')],
    jpegEncoded: [rawSource('I420', 1280, 720), encoder],
    yuyv: [rawSource('YUY2', 640, 480), yuyv],
    yuyvUnsteady: [rawSource('YUY2', 640, 480), without(yuyv, 'compositor')],
    packed: [rawSource('YUY2', 640, 480), packed],
    packedUnsteady: [rawSource('YUY2', 640, 480), without(packed, 'compositor')],
    yuyvEncoded: [rawSource('I420', 640, 480), encoder],
  });

  const rowsOf =
    (encoded: number) =>
    (measure: string, value: number): Row => ({
      ...{ measure, unit: 'CPU ms a picture', value, goal: null, met: null },
      versus: { 'x264enc ultrafast': encoded },
    });
  const [hd, sd] = [rowsOf(cost.jpegEncoded), rowsOf(cost.yuyvEncoded)];
  const rows: Row[] = [
    hd('JPEG 1280x720: from the camera to the encoder', cost.jpeg),
    hd('– decoded (jpegdec)', cost.jpegDecoded),
    hd('– its range narrowed (videobalance)', cost.jpeg - cost.jpegWide),
    hd('  instead: through RGB (videoconvert, twice)', cost.jpegRgb - cost.jpegWide),
    hd('– one whenever one is due (compositor)', cost.jpeg - cost.jpegUnsteady),
    sd('YUYV 640x480: from the camera to the encoder', cost.yuyv),
    sd('– to I420 (videoconvert)', cost.yuyvUnsteady - cost.packedUnsteady),
    sd('– one whenever one is due (compositor)', cost.yuyv - cost.yuyvUnsteady),
    sd('the same, as it is, where the encoder takes it', cost.packed),
    sd('– one whenever one is due (compositor)', cost.packed - cost.packedUnsteady),
  ];
  process.stdout.write(`\n${table(rows)}\n`);
  await writeResults('pictures', { rounds, rows });
} finally {
  await remove();
}
