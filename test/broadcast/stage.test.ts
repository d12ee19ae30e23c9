/** A capture process that has grown makes room for another while what it plays goes on; one with a camera waits for a quiet moment. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import type { Fault } from '../../agent/errors.js';
import { TagCutter } from '../../agent/formats/flv/tag.js';
import { Stage } from '../../agent/broadcast/stage.js';
import { plan } from '../../pipelines/choose/best.js';
import type { Plan } from '../../pipelines/plan.js';
import { Feed, until } from '../helpers/feed.js';
import { processTree } from '../helpers/agent/processes.js';
import { installedElements } from '../pipelines/gst.js';
import { pc, want } from '../pipelines/machines.js';

const machine = { ...pc, elements: installedElements() };
const ball = plan(want({ source: 'test', width: 320, height: 180, testPattern: 'ball' }, { source: 'test' }), machine);
/** Every process of ours is past the first, and none past the second. */
const limits = { quietBytes: 1, maxBytes: Infinity, everyMs: 250 };

const captures = (): number[] =>
  processTree(process.pid).flatMap(({ pid, command }) => (command.includes('makercast-capture') ? [pid] : []));

/** A stage whose tags a hub of the test receives; its memory is looked at all the time. */
async function stageWithHub() {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'makercast stage '));
  const socket = path.join(folder, 'hub.sock');
  const [streams, recycled, died] = [
    new Feed<number>('streams'),
    new Feed<string>('recycled'),
    new Feed<Fault>('ends'),
  ];
  const played = new Feed<Plan>('playing');
  const beats = new Feed<number>('beats');
  const refused = new Feed<{ told: Plan; what: string; why: string }>('cameras that do as they like');
  const server = createServer((connection) => {
    const cutter = new TagCutter();
    connection.on('data', (bytes: Buffer) => {
      for (const piece of cutter.push(bytes)) if (piece.begin) streams.push(performance.now());
    });
  });
  server.listen(socket);
  await once(server, 'listening');
  const stage = new Stage(
    { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    {
      playing: (on) => played.push(on),
      failed: (_plan, _part, fault) => died.push(fault),
      ended: () => undefined,
      round: () => undefined,
      refused: (told, what, why) => refused.push({ told, what, why }),
      sparse: () => undefined,
      beat: () => beats.push(performance.now()),
      said: () => undefined,
      recycled: (what) => recycled.push(what),
      died: (fault) => died.push(fault),
    },
    limits,
  );
  stage.start(socket);
  return {
    stage,
    streams,
    recycled,
    played,
    beats,
    died,
    refused,
    async [Symbol.asyncDispose]() {
      await stage.stop();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}

/** Asks again and again, as the broadcast does with each beat, until another process plays `made`. */
async function recycle(on: Awaited<ReturnType<typeof stageWithHub>>, quiet: boolean): Promise<void> {
  const seen = on.recycled.items.length;
  await until(() => (on.stage.recycle(quiet), on.recycled.items.length > seen), 30_000, 'another process');
}

test('what is drawn goes on in another process', { timeout: 60_000 }, async (t) => {
  await using on = await stageWithHub();
  on.stage.play(ball, 0, false);
  await on.played.waitFor(() => true, 20_000);
  const [before] = captures();
  assert.ok(before);
  await recycle(on, false);
  await on.played.waitFor((made) => made === ball, 20_000, 1);
  assert.match(on.recycled.items[0]!, /^The capture process uses \d+ MB of memory, more than 0 MB\.$/);
  const after = await until(() => captures().length === 1 && captures(), 10_000, 'the end of the one before');
  assert.notEqual(after[0], before);
  assert.ok(on.stage.onAir);
  await on.streams.waitFor(() => true, 20_000, 1);
  assert.deepEqual(on.died.items, []);
  t.diagnostic(`streams began ${on.streams.items.map((at) => Math.round(at - on.streams.items[0]!)).join(', ')} ms`);
});

test(
  'with a device it waits until nothing is sent; what is asked for meanwhile is played',
  { timeout: 60_000 },
  async () => {
    await using on = await stageWithHub();
    // As if the picture came from a camera: the test picture is what this machine has.
    const camera = { ...ball, devices: { camera: '/dev/video9' } };
    on.stage.play(camera, 0, false);
    await on.played.waitFor(() => true, 20_000);
    const [before] = captures();
    // Its memory has been looked at by the third beat: it has grown, and stays.
    await on.beats.waitFor(() => true, 20_000, on.beats.items.length + 3);
    on.stage.recycle(false);
    assert.deepEqual(captures(), [before]);
    await recycle(on, true);
    const other = { ...camera, notes: ['another'] };
    on.stage.play(other, 0, false);
    await on.played.waitFor((made) => made === other, 20_000);
    assert.notEqual((await until(() => captures().length === 1 && captures(), 10_000, 'one process'))[0], before);
    assert.deepEqual(on.died.items, []);
  },
);

test(
  'a camera whose encoder cannot be told: which plan it was, before that plays all the same',
  { timeout: 60_000 },
  async () => {
    await using on = await stageWithHub();
    const size = { width: 320, height: 180, fps: 30 };
    // A device that is there and knows no such request.
    const encoderUnit = { device: '/dev/null', id: 12, ...size, bitrateKbps: 400, keyframeSeconds: 2 };
    const told = { ...ball, encoderUnit };
    on.stage.play(told, 0, false);
    await on.played.waitFor((made) => made === told, 20_000);
    assert.deepEqual(on.refused.items, [{ told, what: 'setup', why: 'ENOTTY' }]);
    assert.deepEqual(on.died.items, []);
  },
);
