/** What is done over and over in a long broadcast leaves nothing behind: replans, and readings of an output's counters. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Pipeline } from '../../agent/media/gstreamer.js';
import { Stage } from '../../agent/broadcast/stage.js';
import { plan } from '../../pipelines/choose/best.js';
import { rtmpOutput, rtmpProperties } from '../../pipelines/outputs/rtmp.js';
import { Feed } from '../helpers/feed.js';
import { daily } from '../helpers/long.js';
import { holdings, processTree } from '../helpers/agent/processes.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { installedElements } from '../pipelines/gst.js';
import { pc, want } from '../pipelines/machines.js';

/** The first of them fill heaps and pools. */
const warmUp = daily(60, 300);
const replans = daily(100, 700);
const readings = daily(30_000, 100_000);
/**
 * A pipeline that is not given back keeps 1 to 2 MB and 2 descriptors: hundreds of each here. A reading that does not release what it
 * has read loses 83 MB in 100,000. Accessors of each element's own were 22 kB a pipeline in JavaScript's heap, and 25 MB in all in the
 * long form, which alone sees them.
 */
const mayGrowMb = 14;
const mayGrowHandles = 4;

test(`${replans} replans in one capture process`, { timeout: 300_000 }, async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'makercast growth '));
  const hub = createServer((socket) => socket.resume()).listen(path.join(folder, 'hub.sock'));
  await once(hub, 'listening');
  const playing = new Feed<number>('plans that play');
  const ended: string[] = [];
  const stage = new Stage(
    { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    {
      playing: () => playing.push(playing.items.length),
      failed: (_plan, _part, fault) => ended.push(fault.message),
      ended: () => ended.push('ended'),
      round: () => undefined,
      refused: () => undefined,
      sparse: () => undefined,
      beat: () => undefined,
      said: () => undefined,
      died: (fault) => ended.push(fault.message),
      recycled: (what) => ended.push(what),
    },
  );
  t.after(async () => {
    await stage.stop();
    hub.close();
    await rm(folder, { recursive: true });
  });
  const machine = { ...pc, elements: installedElements() };
  const plans = (['bars', 'ball'] as const).map((testPattern) =>
    plan(want({ source: 'test', width: 320, height: 180, fps: 60, testPattern }, { source: 'test' }), machine),
  );
  stage.start(path.join(folder, 'hub.sock'));
  const pid = (): number | undefined =>
    processTree(process.pid).find(({ command }) => command.includes('makercast-capture'))?.pid;
  /** One after the other; each fifth puts off what is on first, as where both need one device. */
  const replan = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      const from = playing.items.length;
      stage.play(plans[i % 2]!, 0, i % 5 === 0);
      await playing.waitFor(() => true, 20_000, from);
    }
  };
  await replan(warmUp);
  const first = pid()!;
  const before = holdings(first)!;
  await replan(replans);
  const after = holdings(first)!;
  t.diagnostic(`${JSON.stringify(before)}, then ${JSON.stringify(after)}`);
  assert.deepEqual([ended, pid()], [[], first]);
  assert.ok(after.rssMb - before.rssMb < mayGrowMb, `${before.rssMb} MB, then ${after.rssMb}`);
  assert.ok(after.handles - before.handles <= mayGrowHandles, `${before.handles} descriptors, then ${after.handles}`);
  assert.ok(after.threads - before.threads <= mayGrowHandles, `${before.threads} threads, then ${after.threads}`);
});

test(`${readings} readings of what a connected output has sent`, { timeout: 120_000 }, async (t) => {
  await using server = await startRtmpServer();
  const destination = { scheme: 'rtmp', host: '127.0.0.1', port: server.port, application: 'live' } as const;
  const properties = rtmpProperties({ ...destination, stream: 'k', tlsVerify: true }, 0);
  const pipeline = new Pipeline({ text: rtmpOutput().text, properties }, () => undefined);
  pipeline.play();
  await server.published('k');
  const read = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i += 1) {
      assert.match(String(pipeline.element('sink')['stats']), /out-bytes-total=\(guint64\)\d/);
      // As between two looks of an output: what JavaScript holds may go.
      if (i % 100 === 0) await turn();
    }
  };
  await read(readings / 5);
  const before = holdings(process.pid)!;
  await read(readings);
  const after = holdings(process.pid)!;
  pipeline.destroy();
  t.diagnostic(`${JSON.stringify(before)}, then ${JSON.stringify(after)}`);
  assert.ok(after.rssMb - before.rssMb < mayGrowMb, `${before.rssMb} MB, then ${after.rssMb}`);
  assert.ok(after.handles - before.handles <= mayGrowHandles, `${before.handles} descriptors, then ${after.handles}`);
});
