/** Agent, capture and delivery as processes: killed one at a time, stopped in order, and never left behind. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { startAbroad } from '../helpers/network/abroad.js';
import {
  small,
  startAgent,
  type Agent,
  type Environment,
  type LogLine,
  type StatusDocument,
} from '../helpers/agent/agent.js';
import { freePorts, mortal } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { isVideoKey } from '../helpers/content/flv.js';
import { evaluate } from '../helpers/agent/inspector.js';
import { noNamespaces, makeNamespace } from '../helpers/network/namespace.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import type { ProcessInfo } from '../helpers/agent/processes.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { subscribe } from '../helpers/rtmp/client.js';

/** The next keyframe is then that of a new stream. */
const fewKeyframes: Environment = { VIDEO_KEYFRAME_SECONDS: '10' };
/** Where CI cannot make namespaces, the tests fail: they would else be skipped for ever. */
const skip = noNamespaces();
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

const isPlaying =
  (source: string) =>
  (line: LogLine): boolean =>
    line.event === 'playing' && line.message.includes(source);

/** Kills the capture process, another one each time that it is called. */
function crashes(agent: Agent): () => Promise<void> {
  let before = -1;
  return async () => {
    const isAnother = ({ pid, command }: ProcessInfo): boolean =>
      command.includes('makercast-capture') && pid !== before;
    before = (await until(() => agent.processes().find(isAnother), 15_000, 'a capture process')).pid;
    // SIGSEGV would have GStreamer, while it loads a plugin, say so many lines that the log leaves out what is waited for.
    process.kill(before, 'SIGKILL');
  };
}

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

  test('capture, again and again: the next best encoder takes over, then the slate, and it is said why', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    const encoder = (status: StatusDocument) => status.video?.encoder;
    await agent.status((status) => status.actual === 'live' && encoder(status) === 'x264enc');
    const crash = crashes(agent);
    for (let kill = 0; kill < 3; kill++) await crash();
    const { message } = await agent.event('next_best');
    assert.match(
      message,
      /^the encoder x264enc is no longer used, because this has happened 3 times: .*ended unexpectedly/,
    );
    // An encoder that is left out stays a problem, until the broadcast is begun anew.
    const { tags } = server.publishes.items[0]!;
    const isOn = (status: StatusDocument): boolean =>
      status.actual === 'degraded' &&
      encoder(status) === 'openh264enc' &&
      status.problems.some(({ code }) => code === 'child_died');
    await agent.status(isOn, 30_000);
    await tags.waitFor(isVideoKey, 15_000, tags.items.length);
    // There is no other encoder now, and no camera: what is left is the slate.
    const from = agent.log.items.length;
    for (let kill = 0; kill < 3; kill++) await crash();
    const next = await agent.event('next_best', 30_000, from);
    assert.match(
      next.message,
      /^test picture \(bars\) is no longer used, because this has happened 3 times: .*ended unexpectedly/,
    );
    const slate = await agent.waitFor(isPlaying('slate'), 30_000, from);
    const sent = tags.items.length;
    await tags.waitFor(isVideoKey, 15_000, sent);
    // It is tried again, since it did not fail for good.
    await agent.waitFor(isPlaying('test picture'), 30_000, agent.log.items.indexOf(slate));
    assert.equal(server.publishes.items.length, 1);
    await agent.stop();
  });

  test('capture, again and again, by an encoder that is insisted on: the slate goes by another until that one is tried again', async () => {
    await using server = await startRtmpServer();
    const env = { ...small, VIDEO_ENCODER: 'x264enc', STREAM_URL: server.url(), STREAM_KEY: 'k' };
    await using agent = await startAgent(env);
    await live(agent);
    const crash = crashes(agent);
    let from = 0;
    // Each time while it encodes.
    for (let kill = 0; kill < 3; kill++) {
      await agent.waitFor(isPlaying('test picture'), 20_000, from);
      from = agent.log.items.length;
      await crash();
    }
    const { message } = await agent.event('next_best');
    assert.match(message, /^the encoder x264enc is no longer used, because this has happened 3 times/);
    const slate = await agent.waitFor(isPlaying('slate'), 30_000);
    assert.match(slate.message, /openh264enc/);
    const again = await agent.waitFor(isPlaying('test picture'), 30_000, agent.log.items.indexOf(slate));
    assert.match(again.message, /x264enc/);
    assert.equal(server.publishes.items.length, 1);
    await agent.stop();
  });

  test('a child that is stopped (SIGSTOP) is found, killed and replaced, and the agent goes on telling its status', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, ...fewKeyframes, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    const { tags } = server.publishes.items[0]!;
    await tags.waitFor(isVideoKey, 15_000);
    for (const child of ['capture', 'delivery']) {
      const { pid } = await agent.descendant(`makercast-${child}`);
      const [from, sent] = [agent.log.items.length, tags.items.length];
      process.kill(pid, 'SIGSTOP');
      const isHung = ({ event, message }: LogLine): boolean => event === 'child_hung' && message.includes(child);
      const hung = await agent.waitFor(isHung, 30_000, from);
      const meanwhile = agent.log.items.slice(from, agent.log.items.indexOf(hung));
      assert.ok(
        meanwhile.some(({ event }) => event === 'status'),
        `${child}: no status while it was stopped`,
      );
      if (child === 'delivery') await (await server.published('k', { from: 1 })).tags.waitFor(isVideoKey, 15_000);
      else await tags.waitFor(isVideoKey, 15_000, sent);
      assert.equal(server.publishes.items.length, child === 'delivery' ? 2 : 1);
      await agent.status(({ actual }) => actual === 'live', 20_000, agent.log.items.length);
      assert.ok(agent.processes().every((each) => each.pid !== pid));
    }
    await agent.stop();
    await agent.gone();
  });
});

describe('spinning', () => {
  test('capture, then delivery: found by their silence, killed and replaced', async () => {
    await using server = await startRtmpServer();
    await using agent = await startAgent({ ...small, ...fewKeyframes, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    await live(agent);
    const { tags } = server.publishes.items[0]!;
    await tags.waitFor(isVideoKey, 15_000);
    const { pid } = await agent.descendant('makercast-capture');
    const sent = tags.items.length;
    await evaluate(pid, 'for (;;);');
    await agent.waitFor(({ event, message }) => event === 'child_hung' && message.includes('capture'), 30_000);
    await tags.waitFor(isVideoKey, 15_000, sent);
    assert.equal(server.publishes.items.length, 1, 'the session is the same');
    await evaluate((await agent.descendant('makercast-delivery')).pid, 'for (;;);');
    await agent.waitFor(({ event, message }) => event === 'child_hung' && message.includes('delivery'), 30_000);
    const again = await server.published('k', { from: 1 });
    await again.tags.waitFor(isVideoKey, 15_000);
    await agent.status(({ actual }) => actual === 'live', 20_000, agent.log.items.length);
    await agent.stop();
    await agent.gone();
  });
});

// Each in a network of its own.
describe('killed in each state of an output', { skip, concurrency: true }, () => {
  /** What each output is to be, by what its server does. */
  const table = {
    accepted: 'live',
    mute: 'connecting',
    swallowed: 'stalled',
    absent: 'waiting',
    refusing: 'refused',
  } as const;
  type Name = keyof typeof table;
  const names = Object.keys(table) as Name[];

  for (const child of ['capture', 'delivery'] as const) {
    test(`${child}: each comes to where it was`, async () => {
      await using namespace = await makeNamespace(2);
      const [near, far] = [namespace.links[0]!.host, namespace.links[1]!.host];
      await using accepted = await startRtmpServer({}, near);
      await using mute = await startRtmpServer({ connect: 'mute' }, near);
      await using swallowed = await startRtmpServer({}, far);
      await using refusing = await startRtmpServer({ publish: { status: 'NetStream.Publish.Denied' } }, near);
      const [nobody] = await freePorts(1);
      const ports = {
        accepted: accepted.port,
        mute: mute.port,
        swallowed: swallowed.port,
        absent: nobody!,
        refusing: refusing.port,
      };
      const env = names.map((name): [string, string][] => [
        [`OUTPUT_${name.toUpperCase()}_URL`, `rtmp://${name === 'swallowed' ? far : near}:${ports[name]}/live`],
        [`OUTPUT_${name.toUpperCase()}_KEY`, `k-${name}`],
      ]);
      await using agent = await startAgent(
        { ...small, ...fewKeyframes, ...Object.fromEntries(env.flat()) },
        { prefix: namespace.prefix },
      );
      await agent.status(({ outputs }) => outputs['swallowed']?.state === 'live');
      await namespace.blackHole(1);
      // Not at the same time: some of them last for seconds only.
      const seen = names.map((name) =>
        agent.status(({ outputs }) => outputs[name]?.state === table[name], 40_000, agent.log.items.length),
      );
      const before = (await Promise.all(seen))[names.indexOf('swallowed')]!;
      const { pid } = await agent.descendant(`makercast-${child}`);
      const tries = mute.connections.items.length;
      const [lines, sent] = [agent.log.items.length, accepted.publishes.items[0]!.tags.items.length];
      process.kill(pid, child === 'capture' ? 'SIGSEGV' : 'SIGKILL');
      await agent.waitFor(({ event }) => event === 'child_died', 10_000, lines);
      if (child === 'capture') {
        await accepted.publishes.items[0]!.tags.waitFor(isVideoKey, 15_000, sent);
        const isSteady = ({ outputs, problems }: StatusDocument): boolean =>
          problems.length === 0 &&
          (['accepted', 'absent', 'refusing'] as const).every((name) => outputs[name]?.state === table[name]);
        const after = await agent.status(isSteady, 20_000, agent.log.items.length);
        assert.deepEqual(
          names.map((name) => after.outputs[name]!['connects']),
          names.map((name) => before.outputs[name]!['connects']),
        );
      } else {
        const again = await accepted.published('k-accepted', { from: 1 });
        await again.tags.waitFor(isVideoKey, 15_000);
        await mute.connections.waitFor(() => mute.connections.items.length > tries, 15_000);
        // One that was live and is swallowed cannot be found stalled by a process that never had it: it is being connected.
        await agent.status(
          ({ outputs, problems }) =>
            problems.length === 0 &&
            names.every((name) => name === 'swallowed' || outputs[name]?.state === table[name]) &&
            /^(connecting|waiting)$/.test(outputs['swallowed']?.state ?? ''),
          20_000,
          agent.log.items.length,
        );
      }
      await namespace.heal(1);
      await agent.status(({ outputs }) => outputs['swallowed']?.state === 'live', 40_000, agent.log.items.length);
      assert.ok(agent.processes().every(({ pid: other }) => other !== pid));
      await agent.stop();
      await agent.gone();
    });
  }
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

  test('with a server that has just begun to read again: it sees the stream end', async () => {
    await using server = await startRtmpServer({ stopReadingAfterMs: 1500 });
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
    const { socket, history } = await server.published('k');
    await agent.status(({ outputs }) => outputs['main']?.state === 'stalled', 30_000);
    const ended = agent.stop('SIGTERM');
    socket.resume();
    assert.equal((await ended).code, 0);
    await history.waitFor((what) => what === 'closed', 10_000);
    assert.ok(history.items.includes('deleteStream'), history.items.join(', '));
  });

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
    // By a process of its own, which does nothing else. What comes within 0.3 s is npm passing on the first one.
    spawn(...mortal('sh', ['-c', `while kill -TERM ${agent.pid}; do sleep 0.1; done`]), { stdio: 'ignore' });
    const { code } = await agent.end();
    assert.equal(code, 1);
    await agent.gone();
  });
});
