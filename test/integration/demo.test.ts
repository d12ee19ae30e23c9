/** The very first start: nothing is configured, and there is something to see all the same. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { startAgent, type Agent } from '../helpers/agent/agent.js';
import { freePorts } from '../helpers/command.js';
import { subscribe } from '../helpers/rtmp/client.js';

/** The URL of the line that says how to watch. */
async function watchUrl(agent: Agent): Promise<string> {
  const { message } = await agent.event('watch', 30_000);
  const url = /rtmp:\/\/127\.0\.0\.1:\d+\/live\/demo/.exec(message)?.[0];
  assert.ok(url, message);
  return url;
}

test('without a destination a server on this machine shows the stream, and a line says how to watch it', async () => {
  const [port] = await freePorts(1);
  await using agent = await startAgent({ DEMO_PORT: String(port) });
  const url = await watchUrl(agent);
  assert.ok(url.includes(`:${port}/`));
  const { message } = await agent.event('playing');
  // Whatever cameras there are, the picture, its encoder and the sound are named.
  assert.match(message, /\d+x\d+ at [\d.]+ fps, .*; .*Hz/);
  await using viewer = await subscribe(url);
  await viewer.keyframe();
  assert.equal((await agent.stop('SIGINT')).code, 0);
  await agent.gone();
});

test('a port that is taken is named, and another one used', async () => {
  const [port] = await freePorts(1);
  const holder = createServer().listen(port, '127.0.0.1');
  await using agent = await startAgent({ DEMO_PORT: String(port), VIDEO_WIDTH: '320', VIDEO_HEIGHT: '180' });
  const { message } = await agent.event('port_in_use', 30_000);
  assert.match(message, new RegExp(`Port ${port} .*DEMO_PORT`));
  await using viewer = await subscribe(await watchUrl(agent));
  await viewer.keyframe();
  await agent.stop();
  holder.close();
});

test('a demonstration server that is killed comes back at its place, and the stream with it', async () => {
  const [port] = await freePorts(1);
  await using agent = await startAgent({ DEMO_PORT: String(port), VIDEO_SOURCE: 'test', VIDEO_WIDTH: '320' });
  const url = await watchUrl(agent);
  await agent.status(({ actual }) => actual === 'live');
  process.kill((await agent.descendant('makercast-demo')).pid, 'SIGKILL');
  const from = agent.log.items.length;
  await agent.status(({ problems }) => problems.some(({ code }) => code === 'child_died'), 20_000, from);
  await agent.status(({ actual, problems }) => actual === 'live' && problems.length === 0, 30_000, from);
  await using viewer = await subscribe(url);
  await viewer.keyframe();
  await agent.stop();
});
