/** Outputs that come back: servers that hang, die, refuse or fall silent. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { broadcastIn, smallTo } from '../helpers/agent/broadcast.js';
import { folderFor } from '../helpers/command.js';
import { small, startAgent, type Agent, type StatusDocument } from '../helpers/agent/agent.js';
import { until } from '../helpers/feed.js';
import { isVideoKey } from '../helpers/content/flv.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { live, noChildSuffered, noticedMs, publishedAgain } from '../helpers/rtmp/outage.js';
import { subscribe } from '../helpers/rtmp/client.js';
import { startRtmpServer, type Script } from '../helpers/rtmp/server.js';
import { startTlsProxy } from '../helpers/network/tls.js';

/** Names of an output's states in the order of the status documents from line `from` of the log on. */
function statesOf(agent: Agent, name = 'main', from = 0): string[] {
  return agent.log.items
    .slice(from)
    .flatMap(({ event, status }) =>
      event === 'status' ? [(status as { outputs: Record<string, { state: string }> }).outputs[name]?.state ?? ''] : [],
    );
}

// Nearly all of this is waiting: one server's tests run beside the other's.
describe('outputs come back', { concurrency: 2 }, () => {
  describe('a real nginx-rtmp', () => {
    test('killed and started again', async () => {
      await using nginx = await startNginx();
      await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'k' });
      await live(agent);
      await nginx.kill();
      await agent.status(({ outputs }) => outputs['main']?.state === 'waiting');
      const calls = nginx.calls.items.length;
      await nginx.restart();
      await nginx.waitForCall('publish', { name: 'k', from: calls, deadlineMs: 30_000 });
      await using viewer = await subscribe(`${nginx.url()}/k`);
      await viewer.keyframe();
      noChildSuffered(agent);
      await agent.stop();
    });

    test('whose application is taken away, and given back: said to be looked at there, and back by itself', async () => {
      await using nginx = await startNginx();
      await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'k' });
      await live(agent);
      await nginx.restart(['another']);
      // It closes the connection without a word.
      const isSaid = ({ outputs }: StatusDocument): boolean => {
        const fault = outputs['main']?.['fault'] as { code: string } | undefined;
        return outputs['main']?.state === 'waiting' && fault?.code === 'output_closed_connecting';
      };
      const status = await agent.status(isSaid, 30_000);
      assert.equal(status.actual, 'degraded');
      assert.match(JSON.stringify(status.outputs['main']!['fault']), /Check the application and the key/);
      const calls = nginx.calls.items.length;
      await nginx.restart(['live']);
      await nginx.waitForCall('publish', { name: 'k', from: calls, deadlineMs: 30_000 });
      await live(agent);
      await using viewer = await subscribe(`${nginx.url()}/k`);
      await viewer.keyframe();
      noChildSuffered(agent);
      await agent.stop();
    });

    test('stopped (SIGSTOP) and continued: found by what nobody reads any more, and nothing waits for it', async (t) => {
      await using nginx = await startNginx();
      await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'k' });
      // Its kernel would take 5 s of this stream, and acknowledge all of it.
      await agent.status(({ actual, uptimeSeconds }) => actual === 'live' && Number(uptimeSeconds) > 8, 30_000);
      const [from, stopped] = [agent.log.items.length, performance.now()];
      await nginx.kill('SIGSTOP');
      const failed = await agent.waitFor(({ event }) => event === 'output_failed', noticedMs);
      assert.equal(failed['code'], 'output_stalled');
      t.diagnostic(`noticed ${Math.round(performance.now() - stopped)} ms after the stop`);
      assert.ok(statesOf(agent, 'main', from).includes('stalled'));
      const calls = nginx.calls.items.length;
      await nginx.kill('SIGCONT');
      await nginx.waitForCall('publish', { name: 'k', from: calls, deadlineMs: 60_000 });
      await live(agent);
      await using viewer = await subscribe(`${nginx.url()}/k`);
      await viewer.keyframe();
      noChildSuffered(agent);
      await agent.stop();
    });

    test('stopped for good: the program still ends in time', async () => {
      await using nginx = await startNginx();
      await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'k' });
      await live(agent);
      await nginx.kill('SIGSTOP');
      await agent.status(({ outputs }) => outputs['main']?.state === 'stalled', 60_000);
      assert.equal((await agent.stop()).code, 0);
      await agent.gone();
      noChildSuffered(agent);
    });
  });

  describe('a scripted server', () => {
    test('that stops reading: a new connection; another output to the same port is not disturbed', async () => {
      await using server = await startRtmpServer((nth) => (nth === 1 ? { stopReadingAfterMs: 1500 } : {}));
      await using both = await startAgent({
        ...small,
        OUTPUT_ONE_URL: server.url(),
        OUTPUT_ONE_KEY: 'key-1',
        OUTPUT_TWO_URL: server.url(),
        OUTPUT_TWO_KEY: 'key-2',
      });
      const stuck = await server.connection(1);
      const name = await until(() => stuck.name, 15_000, 'the name of the stream');
      const [which, other] = name === 'key-1' ? ['one', 'two'] : ['two', 'one'];
      const failed = await both.waitFor(({ event }) => event === 'output_failed', 60_000);
      assert.equal(failed['output'], which);
      assert.equal(failed['code'], 'output_stalled');
      const again = await server.published(name, { from: 2, deadlineMs: 30_000 });
      await again.tags.waitFor(isVideoKey, 30_000);
      // From now on: at the beginning one of them was live before the other.
      const isLive = ({ outputs }: StatusDocument): boolean => outputs[which]?.state === 'live';
      const status = await both.status(isLive, 20_000, both.log.items.length);
      assert.equal(status.outputs[other]!['connects'], 1);
      assert.ok(!statesOf(both, other).includes('waiting'));
      await both.stop();
    });

    test('that accepts and then says nothing, whatever it is asked: given up in time, and tried until it speaks', async () => {
      const scripts: Script[] = [{ handshake: 'mute' }, { connect: 'mute' }, { publish: 'mute' }];
      const servers = await Promise.all(scripts.map((script) => startRtmpServer(script)));
      try {
        const env = servers.flatMap((server, i): [string, string][] => [
          [`OUTPUT_O${i}_URL`, server.url()],
          [`OUTPUT_O${i}_KEY`, `k${i}`],
        ]);
        await using agent = await startAgent({ ...small, ...Object.fromEntries(env) });
        await Promise.all(servers.map((server) => server.connection()));
        await Promise.all(
          servers.map((_, i) =>
            agent.waitFor(({ output, code }) => output === `o${i}` && code === 'output_timeout', noticedMs),
          ),
        );
        for (const server of servers) server.script = {};
        await agent.status(({ outputs }) => Object.values(outputs).every(({ state }) => state === 'live'), 30_000);
        noChildSuffered(agent);
        await agent.stop();
      } finally {
        await Promise.all(servers.map((server) => server.stop()));
      }
    });

    test('that never acknowledges by RTMP is left in peace: TCP says enough', async () => {
      await using server = await startRtmpServer({ acknowledge: false });
      await using tls = await startTlsProxy(server.port);
      await using agent = await startAgent({
        ...small,
        STREAM_URL: server.url(),
        STREAM_KEY: 'k',
        OUTPUT_TLS_URL: `rtmps://127.0.0.1:${tls.port}/live`,
        OUTPUT_TLS_KEY: 'k-tls',
        OUTPUT_TLS_TLS_VERIFY: 'no',
      });
      const connection = await server.published('k-tls');
      // 20 s of media are twice the time in which a silent one is given up.
      await connection.tags.waitFor(({ timestamp }) => timestamp > 20_000, 60_000);
      assert.equal(server.publishes.items.length, 2);
      for (const name of ['main', 'tls']) {
        assert.ok(!statesOf(agent, name).includes('waiting'), name);
      }
      await agent.stop();
    });

    test('that drops each connection, or answers with garbage in mid-stream: tried until it behaves', async () => {
      await using server = await startRtmpServer((nth) =>
        nth === 0 ? { garbageAfterMs: 300, dropAfterMs: 1500 } : nth < 4 ? { dropAfterMs: 300 } : {},
      );
      await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
      const connection = await server.publishes.waitFor(() => server.publishes.items.length === 5, 60_000);
      await connection.tags.waitFor(({ timestamp }) => timestamp > 3000, 30_000);
      assert.equal(server.publishes.items.length, 5);
      noChildSuffered(agent);
      await agent.stop();
    });

    test('that says "already publishing" right after it dropped us: tried again fast', async () => {
      const ghost = { publish: { status: 'NetStream.Publish.BadName', description: 'Already publishing' } };
      await using server = await startRtmpServer((nth) => (nth === 0 ? { dropAfterMs: 1500 } : nth < 3 ? ghost : {}));
      await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
      await publishedAgain(server, 1, 20_000);
      assert.ok(!statesOf(agent).includes('refused'));
      await agent.stop();
    });

    test('that refuses the key: said to be the operator’s, and tried slowly', async () => {
      await using server = await startRtmpServer({ publish: { status: 'NetStream.Publish.Denied' } });
      await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k' });
      const status = await agent.status(({ outputs }) => outputs['main']?.state === 'refused');
      assert.equal((status.outputs['main']!['fault'] as { code: string }).code, 'output_denied');
      assert.equal(status.actual, 'degraded');
      await agent.stop();
    });

    test('that refuses the key: asked again by a change of the network, not by every one; by the operator always', async (t) => {
      await using server = await startRtmpServer({ publish: { status: 'NetStream.Publish.Denied' } });
      const { broadcast } = broadcastIn(t, await folderFor(t), smallTo(server.url()));
      const refused = (): Promise<boolean> =>
        until(() => broadcast.status().outputs['main']?.state === 'refused', 15_000, 'a refusal');
      await broadcast.start();
      await refused();
      // A container that is restarted again and again brings and takes a link each time.
      for (let changes = 0; changes < 5; changes += 1) {
        broadcast.networkChanged();
        await broadcast.applied();
        await refused();
      }
      assert.equal(server.connections.items.length, 2);
      broadcast.retry();
      await server.connection(2);
      await refused();
      await broadcast.stop();
    });
  });
});
