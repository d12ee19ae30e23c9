/** A network that becomes too slow for what is sent, and fast again: the server stays close behind, and the bitrate comes back. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startAbroad, type Abroad } from '../helpers/network/abroad.js';
import type { Environment, StatusDocument } from '../helpers/agent/agent.js';
import { isPicture, isVideoKey, lags, type ArrivedTag } from '../helpers/content/flv.js';
import { daily } from '../helpers/long.js';
import { sample } from '../helpers/content/media.js';
import { noNamespaces } from '../helpers/network/namespace.js';

const skip = noNamespaces();
const fullKbps = 2500;
const throttledKbps = 800;
const throttledMs = daily(22_000, 45_000);
/** So much of what it would fall behind without following may be usual. */
const mostOf = daily(0.2, 0.1);
/** What the encoder and the links need to come to rest; the goal is 10 s, the rest is for a busy machine. */
const settleMs = 15_000;

const kbps = (status: StatusDocument): number => status.video!.bitrateKbps!;
const output = (status: StatusDocument) =>
  status.outputs['main'] as unknown as { state: string; deliveredKbps: number; queuedMs: number; connects: number };

/** An agent in a namespace that sends 2.5 Mbit/s of a noisy picture to a server outside. */
async function scene(env: Environment = {}): Promise<Abroad> {
  const abroad = await startAbroad({
    VIDEO_SOURCE: 'file',
    VIDEO_FILES: await sample('h264-bframes.mp4'),
    VIDEO_ENCODER: 'x264enc',
    VIDEO_WIDTH: '640',
    VIDEO_HEIGHT: '360',
    VIDEO_FPS: '30',
    VIDEO_BITRATE_KBPS: String(fullKbps),
    ...env,
  });
  const enough = 0.8 * fullKbps;
  await abroad.agent.status((status) => status.actual === 'live' && output(status).deliveredKbps > enough, 60_000);
  return abroad;
}

describe('800 kbit/s for a stream of 2.5 Mbit/s', { skip }, () => {
  test('the bitrate follows, the server stays close behind; and it comes back', async () => {
    await using on = await scene();
    const { namespace, server, agent } = on;
    const connection = server.publishes.items[0]!;
    await namespace.throttle(throttledKbps);
    const began = performance.timeOrigin + performance.now();
    await agent.event('bitrate_lowered', 30_000);
    await agent.lasts(throttledMs, 'the link is too slow');
    const lifted = performance.timeOrigin + performance.now();
    const lagging = lags(connection.tags.items).filter(({ at }) => at > began + settleMs && at < lifted);
    // What a machine that stood still for a moment has kept waiting takes a while over so slow a link.
    const behind = lagging.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
    const [most, worst] = [behind[Math.floor(0.75 * behind.length)]!, behind.at(-1)!];
    // What a stream that does not follow falls behind meanwhile.
    const fallsMs = (lifted - began) * (1 - throttledKbps / fullKbps);
    assert.ok(most <= mostOf * fallsMs && worst <= 0.5 * fallsMs, `the server is ${most}, at most ${worst} ms behind`);
    const from = agent.log.items.length;
    await namespace.throttle(undefined);
    await agent.event('bitrate_restored', 90_000, from);
    const isBack = (each: StatusDocument): boolean =>
      kbps(each) === fullKbps && output(each).deliveredKbps >= 0.9 * fullKbps;
    const status = await agent.status(isBack, 30_000, from);
    assert.equal(output(status).connects, 1);
    await agent.stop();
  });

  test('without adaptation: whole groups of pictures are left out, the rest decodes from a keyframe on', async () => {
    await using on = await scene({ VIDEO_ADAPTIVE: 'false', OUTPUT_MAX_QUEUE_SECONDS: '2' });
    const { namespace, server, agent } = on;
    await namespace.throttle(throttledKbps);
    await agent.status((status) => Number(status.outputs['main']?.['droppedFrames']) > 60, 60_000);
    // What follows the gap may still be on its way.
    let before: ArrivedTag | undefined;
    const { tags } = server.publishes.items[0]!;
    const after = await tags.waitFor((tag) => {
      if (!isPicture(tag)) return false;
      const gap = before !== undefined && tag.timestamp - before.timestamp > 500;
      before = tag;
      return gap;
    }, 60_000);
    assert.ok(isVideoKey(after), 'a gap ends with a keyframe');
    assert.ok(!agent.log.items.some(({ event }) => event === 'bitrate_lowered'));
    await agent.stop();
  });

  test('a picture that passes through, whose bitrate follows nothing: nothing is left out before output.maxQueueSeconds', async () => {
    const film = {
      VIDEO_SOURCE: 'file',
      VIDEO_FILES: await sample('h264-bframes.mp4'),
      OUTPUT_MAX_QUEUE_SECONDS: '15',
    };
    await using on = await startAbroad(film);
    const { namespace, agent } = on;
    await agent.status(({ actual }) => actual === 'live', 60_000);
    const lagging = agent.status((status) => output(status).queuedMs > 3000, 60_000, agent.log.items.length);
    const [status] = await Promise.all([lagging, namespace.throttle(150)]);
    assert.match((await agent.event('playing')).message, /as it comes/);
    // How soon TCP finds out that a link is free again is its own matter: over BBR it may take 15 s.
    assert.deepEqual([status.outputs['main']!['droppedFrames'], output(status).connects], [0, 1]);
    await namespace.throttle(undefined);
    await agent.stop();
  });
});
