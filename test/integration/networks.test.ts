/** Outputs that come back: networks that swallow, refuse, break or change. */
import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { startAbroad } from '../helpers/network/abroad.js';
import { small, startAgent, type StatusDocument } from '../helpers/agent/agent.js';
import { isVideoKey } from '../helpers/content/flv.js';
import { daily } from '../helpers/long.js';
import { makeNamespace, noNamespaces } from '../helpers/network/namespace.js';
import { live, noChildSuffered, noticedMs, publishedAgain } from '../helpers/rtmp/outage.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

/** Where CI cannot make namespaces, the tests fail: they would else be skipped for ever. */
const skip = noNamespaces();

/** The goal is 5 s; the rest is for a busy machine. */
const backMs = 10_000;

/** Media within {@link backMs} after a link was down for so long. */
async function cutFor(seconds: number, t: TestContext): Promise<void> {
  await using abroad = await startAbroad(small);
  const { namespace, server, agent } = abroad;
  await live(agent);
  const before = server.publishes.items[0]!;
  await namespace.cut();
  await agent.lasts(seconds * 1000, 'the link is down');
  const [sent, from] = [before.tags.items.length, performance.now()];
  await namespace.restore();
  // After a short one TCP may go on where it was; after a long one the connection is another.
  await Promise.race([publishedAgain(server, 1, backMs), before.tags.waitFor(isVideoKey, backMs, sent)]);
  t.diagnostic(`media ${Math.round(performance.now() - from)} ms after the link`);
  await live(agent);
  noChildSuffered(agent);
  await agent.stop();
}

/** An agent on the air over the first of two links; the way over the second is open, but longer. */
async function startOverTwo() {
  const namespace = await makeNamespace(2);
  await namespace.wayOut(1);
  const server = await startRtmpServer({}, '0.0.0.0');
  const url = `rtmp://${namespace.links[0]!.host}:${server.port}/live`;
  const agent = await startAgent({ ...small, STREAM_URL: url, STREAM_KEY: 'k' }, { prefix: namespace.prefix });
  const dispose = async (): Promise<void> => {
    await agent[Symbol.asyncDispose]();
    await server.stop();
    await namespace.stop();
  };
  await live(agent);
  await (await server.published('k')).tags.waitFor(isVideoKey, 15_000);
  return { namespace, server, agent, [Symbol.asyncDispose]: dispose };
}

/** The first is shorter than an output is waited for; after the others the connection was given up, and tried again and again. */
const cuts = daily([3, 14], [5, 30, 120]);

// Each in a network of its own: most of their time is waiting.
describe('outputs come back over a network', { skip, concurrency: 3 }, () => {
  for (const seconds of ['1', '4']) {
    test(`that swallows everything, then not any more, where ${seconds} s may wait`, async () => {
      await using abroad = await startAbroad({ ...small, OUTPUT_MAX_QUEUE_SECONDS: seconds });
      const { namespace, server, agent } = abroad;
      await live(agent);
      await namespace.blackHole();
      const failed = await agent.waitFor(({ event }) => event === 'output_failed', noticedMs);
      assert.equal(failed['code'], 'output_stalled');
      await namespace.heal();
      await publishedAgain(server, 1);
      noChildSuffered(agent);
      await agent.stop();
    });
  }

  test('that rejects everything, then not any more: it says so, and so does the status', async () => {
    await using abroad = await startAbroad(small);
    const { namespace, server, agent } = abroad;
    await live(agent);
    await namespace.reject();
    const isSaid = ({ outputs }: StatusDocument): boolean => {
      const fault = outputs['main']?.['fault'] as { code: string } | undefined;
      return outputs['main']?.state === 'waiting' && fault?.code === 'output_unreachable';
    };
    await agent.status(isSaid, 60_000);
    await namespace.permit();
    await publishedAgain(server, 1);
    noChildSuffered(agent);
    await agent.stop();
  });

  test('that is cut while it stays live: the link is back before it is given up, or a new connection is made', async () => {
    await using abroad = await startAbroad(small);
    const { namespace, server, agent } = abroad;
    await live(agent);
    await namespace.cut();
    await agent.status(({ outputs }) => outputs['main']?.state === 'stalled', 30_000);
    const before = server.publishes.items.at(-1)!;
    const sent = before.tags.items.length;
    await namespace.restore();
    // By the change of address it is known at once that a new connection is worth a try.
    const first = await Promise.race([
      publishedAgain(server, 1).then(() => 'again'),
      before.tags.waitFor((tag) => before.tags.items.indexOf(tag) > sent + 20, 60_000).then(() => 'on'),
    ]);
    assert.ok(['again', 'on'].includes(first));
    await live(agent);
    await agent.stop();
  });

  test('that is away for long: tried at once when it is back, however seldom it was tried before', async () => {
    await using abroad = await startAbroad(small);
    const { namespace, server, agent } = abroad;
    await live(agent);
    await namespace.cut();
    const cut = agent.log.items.length;
    await agent.waitFor(({ event }) => event === 'output_failed', 60_000);
    await agent.status(({ outputs }) => outputs['main']?.state === 'waiting', 30_000, cut);
    await namespace.restore();
    await publishedAgain(server, 1);
    await agent.stop();
  });

  test('of two links: where the one in use goes, a new connection goes over the other before its silence would end it', async (t) => {
    await using two = await startOverTwo();
    const { namespace, server, agent } = two;
    const before = server.publishes.items[0]!;
    const from = agent.log.items.length;
    await namespace.cut(0);
    const again = await publishedAgain(server, 1, 30_000);
    t.diagnostic(`${Math.round(again.tags.items[0]!.at - before.tags.items.at(-1)!.at)} ms without media`);
    // It is given up for its silence when it has been stalled for 4 s, in which the status is said four times.
    const said = agent.log.items.slice(from).filter(({ event }) => event === 'status');
    const stalled = said.filter(({ status }) => (status as StatusDocument).outputs['main']?.state === 'stalled');
    assert.ok(stalled.length <= 2, `stalled in ${stalled.length} of ${said.length} documents`);
    await live(agent);
    noChildSuffered(agent);
    await agent.stop();
  });

  test('of two links: one that blinks keeps its connection', async () => {
    await using two = await startOverTwo();
    const { namespace, server, agent } = two;
    await namespace.cut(0);
    await agent.lasts(500, 'the link blinks');
    await namespace.restore(0);
    const { tags } = server.publishes.items[0]!;
    const blinkedAt = tags.items.at(-1)!.timestamp;
    // Longer than the change is remembered for.
    await tags.waitFor(({ timestamp }) => timestamp > blinkedAt + 8000, 30_000);
    assert.equal(server.connections.items.length, 1);
    await agent.stop();
  });

  for (const seconds of cuts) {
    test(`that is cut for ${seconds} s: media soon after it is back`, (t) => cutFor(seconds, t));
  }
});
