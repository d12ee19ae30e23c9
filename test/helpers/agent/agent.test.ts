/** The instrument that drives makercast: lines, status, descendants, endings, and that what it leaves behind is found. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { until } from '../feed.js';
import { Agent, runAgent, startAgent } from './agent.js';
import { startRtmpServer } from '../rtmp/server.js';

test('makercast is run to its end, and its exit code and words are kept', async () => {
  const wrong = await runAgent(['nonsense']);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /nonsense/);
  assert.equal((await runAgent(['help'])).code, 0);
});

test('makercast is started, followed in its log, and stopped; nothing of it is left', async () => {
  await using server = await startRtmpServer();
  await using agent = await startAgent({
    STREAM_URL: server.url(),
    STREAM_KEY: 'key',
    VIDEO_SOURCE: 'test',
    AUDIO_SOURCE: 'test',
  });
  await server.published('key');
  const status = await agent.status(({ actual }) => actual === 'live');
  assert.equal(status.outputs['main']?.state, 'live');
  const capture = await agent.descendant('capture');
  assert.ok(agent.processes().some(({ pid }) => pid === capture.pid));
  assert.equal(agent.environments().get(agent.pid)?.['STREAM_KEY'], 'key');
  const { code } = await agent.stop();
  assert.equal(code, 0);
  await agent.gone();
});

test('a process that outlives its parent is found, and killed at the end', async () => {
  const child = spawn('bash', ['-c', 'sleep 600 & echo \'{"event":"up"}\'; exit 3'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const agent = new Agent(child, '', () => Promise.resolve());
  try {
    await agent.event('up');
    await until(() => agent.leftovers().some(({ command }) => command === 'sleep 600'), 10_000, 'sleep');
    await assert.rejects(agent.gone(200), /sleep 600/);
  } finally {
    await agent[Symbol.asyncDispose]();
  }
  assert.deepEqual(agent.leftovers(), []);
});
