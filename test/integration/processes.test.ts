/** Agent, capture and delivery as processes: killed one at a time, stopped in order, and never left behind. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startAbroad } from '../helpers/abroad.js';
import { startAgent, type Agent, type Environment } from '../helpers/agent.js';
import { until } from '../helpers/feed.js';
import { available } from '../helpers/namespace.js';
import { startNginx } from '../helpers/nginx.js';
import { startRtmpServer } from '../helpers/rtmp-server.js';
import { subscribe } from '../helpers/rtmp-client.js';

const small: Environment = { VIDEO_SOURCE: 'test', VIDEO_WIDTH: '640', VIDEO_HEIGHT: '360', VIDEO_BITRATE_KBPS: '800' };
const live = (agent: Agent) => agent.status((status) => status.actual === 'live');

test('three processes, and no GStreamer in the agent', async () => {
  await using server = await startRtmpServer();
  await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
  await live(agent);
  const loads = (pid: number): boolean => readFileSync(`/proc/${pid}/maps`, 'utf8').includes('libgstreamer');
  const capture = await agent.descendant('makercast-capture');
  const delivery = await agent.descendant('makercast-delivery');
  assert.deepEqual([agent.pid, capture.pid, delivery.pid].map(loads), [false, true, true]);
  await agent.stop();
});

describe('killed alone', () => {
  test('capture: the session at the server goes on, and so does the picture', async () => {
    await using nginx = await startNginx();
    await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'cam' });
    await live(agent);
    await using viewer = await subscribe(`${nginx.url()}/cam`);
    await viewer.keyframe();
    process.kill((await agent.descendant('makercast-capture')).pid, 'SIGKILL');
    const died = agent.log.items.length;
    await agent.waitFor(({ event }) => event === 'child_died', 10_000);
    const tags = viewer.tags.items.length;
    await agent.event('playing', 15_000, died);
    await viewer.keyframe(15_000, tags);
    const times = viewer.tags.items.map(({ timestamp }) => timestamp);
    assert.ok(
      times.every((time, i) => i === 0 || time >= times[i - 1]! - 100),
      'times go on',
    );
    assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
    await agent.stop();
  });

  test('delivery: it comes back and publishes again', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    const capture = await agent.descendant('makercast-capture');
    process.kill((await agent.descendant('makercast-delivery')).pid, 'SIGKILL');
    const again = await server.published('k', { from: 1 });
    await again.tags.waitFor(() => true, 15_000);
    assert.equal((await agent.descendant('makercast-capture')).pid, capture.pid);
    await agent.stop();
  });

  test('the agent: nothing is left, though nobody could clean up', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    // A child that does not even run its event loop has to go too.
    process.kill((await agent.descendant('makercast-capture')).pid, 'SIGSTOP');
    await agent.stop('SIGKILL');
    await agent.gone();
  });

  test('a child that is stopped (SIGSTOP) is found, killed and replaced', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    const capture = await agent.descendant('makercast-capture');
    process.kill(capture.pid, 'SIGSTOP');
    await agent.waitFor(({ event }) => event === 'child_hung', 30_000);
    const next = await until(
      () => agent.processes().find(({ pid, command }) => pid !== capture.pid && command.includes('makercast-capture')),
      15_000,
      'a new capture process',
    );
    assert.ok(next);
    await agent.stop();
    await agent.gone();
  });
});

describe('stopped', () => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`${signal}: the server sees the stream end before the connection, exit code 0, nothing left`, async () => {
      await using server = await startRtmpServer();
      await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
      await live(agent);
      const connection = await server.published('k');
      assert.equal((await agent.stop(signal)).code, 0);
      await agent.gone();
      const history = connection.history.items;
      const end = history.indexOf('deleteStream');
      const gone = history.findIndex((step) => step === 'fin' || step === 'reset' || step === 'closed');
      assert.ok(end > 0 && end < gone, history.join(', '));
    });
  }

  test('with a server that says nothing it ends too', async (t) => {
    await using server = await startRtmpServer({ handshake: 'mute' });
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await agent.event('playing');
    const { code, tookMs } = await agent.stop('SIGTERM');
    assert.equal(code, 0);
    t.diagnostic(`ended after ${tookMs.toFixed(0)} ms`);
    await agent.gone();
  });

  test('with a server that has stopped reading it ends too', async (t) => {
    await using server = await startRtmpServer({ stopReadingAfterMs: 0 });
    await using agent = await startAgent({
      ...small,
      VIDEO_BITRATE_KBPS: '4000',
      STREAM_URL: server.url(),
      STREAM_KEY: 'k',
    });
    await server.published('k');
    await agent.status((status) => Number(status.outputs['main']?.['queuedMs']) > 500, 60_000);
    const { code, tookMs } = await agent.stop('SIGTERM');
    assert.equal(code, 0);
    t.diagnostic(`ended after ${tookMs.toFixed(0)} ms`);
    await agent.gone();
  });

  const skip = !available() && 'network namespaces cannot be made here';
  test('with a network that swallows everything it ends too', { skip }, async (t) => {
    await using abroad = await startAbroad(small);
    const { namespace, agent } = abroad;
    await live(agent);
    await namespace.blackHole();
    const { code, tookMs } = await agent.stop('SIGTERM');
    assert.equal(code, 0);
    await agent.gone();
    t.diagnostic(`ended after ${tookMs.toFixed(0)} ms`);
  });

  test('a second signal kills', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    // An end in order waits for this child for 3 s: time enough for an impatient second signal.
    process.kill((await agent.descendant('makercast-capture')).pid, 'SIGSTOP');
    agent.child.kill('SIGTERM');
    await agent.event('stopping');
    // What comes within 0.3 s is npm passing on the first one.
    const again = setInterval(() => agent.child.kill('SIGTERM'), 100);
    const { code } = await agent.end();
    clearInterval(again);
    assert.equal(code, 1);
    await agent.gone();
  });
});
