/** What saves a small board work is tried where its cameras could use it, once, and remembered. Programs of a Pi answer as recorded. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { ProbeCache } from '../../../agent/machine/probecache.js';
import { gather, type ProbeResult } from '../../../agent/machine/machine.js';
import { run, type Runner } from '../../../agent/machine/host/run.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import { tree, type Tree } from '../tree.js';

/** What a trial comes to: the first byte of what comes out, or nothing. */
type Outcome = (pipeline: string) => number | undefined;

/** Runs as the machine does; each trial of a pipeline ends as `outcome` says. */
function trying(machine: Tree, outcome: Outcome, lacking: readonly string[] = []): { run: Runner; tried: string[] } {
  const tried: string[] = [];
  const runner: Runner = async (program, args, options) => {
    const ran = await machine.run(program, args, options);
    const more = lacking.map((name) => `${name}:  ${name}: ${name}\n`).join('');
    if (program === 'gst-inspect-1.0' && args.length === 0) return { ...ran, stdout: ran.stdout + more };
    if (program !== 'gst-launch-1.0') return ran;
    tried.push(args.join(' '));
    const first = outcome(args.join(' '));
    if (first !== undefined) options.onFd4?.(Buffer.from([first, 0, 0]));
    return { ...ran, code: first === undefined ? 1 : 0, stderr: '' };
  };
  return { run: runner, tried };
}

async function storageOf(t: TestContext): Promise<Storage> {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-shortcuts-'));
  t.after(() => rm(folder, { recursive: true }));
  return new Storage(folder, (fault) => assert.fail(fault.message));
}

const ask = (
  machine: Tree,
  runner: Runner,
  storage?: Storage,
  thorough = false,
  cache?: ProbeCache,
): Promise<ProbeResult> =>
  gather({ camera: true, files: [], encoders: ['v4l2h264enc'], thorough }, storage, machine.root, runner, cache);

const takesOf = ({ facts }: ProbeResult) => facts.encoders[0]!.takes;

test('packed pictures of a webcam go to the encoder as they are where it takes them; what failed is not tried again', async (t) => {
  using machine = tree('pi3-c270');
  const storage = await storageOf(t);
  const works = trying(machine, () => 0);
  assert.deepEqual(takesOf(await ask(machine, works.run, storage)), ['YUY2']);
  assert.equal(works.tried.filter((text) => text.includes('format=YUY2')).length, 1);
  assert.ok(!works.tried.some((text) => text.includes('UYVY')), 'no camera here gives that');
  const again = trying(machine, () => assert.fail('it is remembered'));
  assert.deepEqual(takesOf(await ask(machine, again.run, storage)), ['YUY2']);

  const other = await storageOf(t);
  const refuses = trying(machine, (text) => (text.includes('YUY2') ? undefined : 0));
  const first = await ask(machine, refuses.run, other);
  assert.deepEqual([first.facts.encoders[0]!.works, takesOf(first)], [true, undefined]);
  const known = trying(machine, () => assert.fail('that it fails is remembered, too'));
  assert.equal(takesOf(await ask(machine, known.run, other)), undefined);
  assert.deepEqual(takesOf(await ask(machine, works.run, other, true)), ['YUY2'], 'a thorough look tries it again');
});

test('where nothing can be stored, a running program tries once: its encoder may be on the air', async () => {
  using machine = tree('pi3-c270');
  const cache = new ProbeCache();
  const works = trying(machine, () => 0);
  await ask(machine, works.run, undefined, false, cache);
  await ask(machine, works.run, undefined, false, cache);
  assert.equal(works.tried.filter((text) => text.includes('format=YUY2')).length, 1);
});

test('a camera of libcamera shares its memory with the encoder where that was seen to work', async (t) => {
  using machine = tree('pi4-libcamera');
  for (const [came, shares] of [
    [0, true],
    [undefined, undefined],
  ] as const) {
    const trial = trying(machine, (text) => (text.includes('dmabuf') ? came : 0));
    const { facts } = await ask(machine, trial.run, await storageOf(t));
    assert.equal(facts.cameras[0]!.sharesMemory, shares);
    const [text] = trial.tried.filter((each) => each.includes('dmabuf'));
    assert.match(
      text!,
      /^-q libcamerasrc camera-name=\/base\/soc\/i2c0mux\/i2c@1\/imx219@10 ! video\/x-raw,format=YUY2,width=1280,.* ! v4l2h264enc name=venc output-io-mode=dmabuf-import /,
    );
  }
});

test('a JPEG decoder in hardware is told by a white picture: its range, or that it is none', async (t) => {
  using machine = tree('pi3-c270');
  for (const [white, expected] of [
    [255, { fullRange: true }],
    [235, { fullRange: false }],
    [128, undefined],
    [undefined, undefined],
  ] as const) {
    const trial = trying(machine, (text) => (text.includes('jpegdec') ? white : 0), ['v4l2jpegdec']);
    const storage = await storageOf(t);
    // The one of this fixture gives 1280x960 at 30, more than a Pi 3 decodes.
    assert.deepEqual((await ask(machine, trial.run, storage)).facts.jpegDecoder, expected, String(white));
    const again = trying(machine, () => assert.fail('it is remembered'), ['v4l2jpegdec']);
    assert.deepEqual((await ask(machine, again.run, storage)).facts.jpegDecoder, expected);
  }
  const none = trying(machine, () => 0);
  assert.equal((await ask(machine, none.run)).facts.jpegDecoder, undefined);
  assert.ok(!none.tried.some((text) => text.includes('jpegdec')), 'it is not installed');
});

test("the trial's JPEG is as white as JPEG has it, by the real decoder in the place of the chip's", async () => {
  const { jpegProbe } = await import('../../../pipelines/probe.js');
  const { tried } = await import('../../../agent/machine/encoders/trials.js');
  const { why, first } = await tried(jpegProbe().replace('v4l2jpegdec', 'jpegdec'), run);
  assert.equal(why, undefined);
  assert.ok(first! >= 250, String(first));
});
