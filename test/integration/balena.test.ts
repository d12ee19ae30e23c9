/** makercast as a service of balena: locked on the air, ended for an update in time and in order, back by itself; a Supervisor that hangs. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { small, startAgent, type Environment } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { startRtmpServer, type RtmpServer } from '../helpers/rtmp/server.js';
import { SupervisorServer } from '../helpers/balena/supervisor.js';
import { processInfo } from '../helpers/agent/processes.js';
import { lockAttempt } from '../helpers/balena/update-lock.js';

interface Service {
  readonly supervisor: SupervisorServer;
  readonly server: RtmpServer;
  readonly env: Environment;
  /** Outlives the agent, as /data does. */
  readonly dataFolder: string;
}

/** makercast as a service, without the agent itself: a Supervisor, a server that it streams to, its variables and its data. */
async function service(t: TestContext): Promise<Service> {
  const { folder: dataFolder, remove } = await temporaryFolder();
  t.after(remove);
  const supervisor = await SupervisorServer.start();
  t.after(() => supervisor[Symbol.asyncDispose]());
  const server = await startRtmpServer();
  t.after(() => server[Symbol.asyncDispose]());
  return {
    supervisor,
    server,
    dataFolder,
    env: { ...small, STREAM_KEY: 'q1w2e3r4t5', ...supervisor.environment, STREAM_URL: server.url() },
  };
}

/** The contract with balena: it kills 10 s after SIGTERM. The deadline of each end here. */
const endMs = 10_000;

const balenaOf = (status: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  (status['balena'] ?? {}) as Record<string, unknown>;

/** Hours that hold this moment, and will for half an hour. */
function hoursNow(): string {
  const text = (minutes: number): string => new Date(Date.now() + minutes * 60_000).toISOString().slice(11, 16);
  return `${text(-30)}-${text(30)}`;
}

test('locked on the air; ended in order for the update that its hours let in; back by itself', async (t) => {
  const { supervisor, server, env, dataFolder } = await service(t);
  {
    await using agent = await startAgent(env, { dataFolder });
    await agent.status((status) => balenaOf(status)['lock'] === 'held');
    assert.deepEqual(await lockAttempt(supervisor.lockPath), { file: false, flock: false });
    const { code } = await agent.stop('SIGTERM', endMs);
    assert.equal(code, 0);
    assert.ok(!existsSync(supervisor.lockPath));
    await agent.gone();
  }
  supervisor.updateStatus = 'downloaded';
  const from = server.publishes.items.length;
  {
    const windowed = { ...env, UPDATES_ON_AIR: 'window', UPDATES_WINDOW: hoursNow() };
    await using agent = await startAgent(windowed, { dataFolder });
    await agent.status((status) => status.actual === 'live' && balenaOf(status)['update'] === 'update_pending');
    const connection = await server.published('q1w2e3r4t5', { from });
    await supervisor.tryUpdate(false);
    assert.equal(supervisor.applied.items.length, 1);
    const { code } = await agent.stop('SIGTERM', endMs);
    assert.equal(code, 0);
    assert.ok(connection.history.items.includes('deleteStream'), 'closed in order');
    const last = agent.log.items.findLast(({ event }) => event === 'status');
    assert.equal((last?.['status'] as { actual: string }).actual, 'updating');
    assert.ok(existsSync(supervisor.lockPath), "the Supervisor's own lock is not ours to remove");
  }
  await supervisor.dropLock();
  supervisor.updateStatus = 'done';
  await using back = await startAgent(env, { dataFolder });
  await back.status((status) => status.actual === 'live' && balenaOf(status)['lock'] === 'held');
  await back.stop();
});

test('an update that is forced by MQTT: the broadcast is stopped in order before the Supervisor hears of it', async (t) => {
  const { supervisor, server, env, dataFolder } = await service(t);
  await using broker = await startMosquitto();
  await using operator = await broker.operator(env['BALENA_DEVICE_UUID'] ?? '');
  {
    await using agent = await startAgent({ ...env, MQTT_URL: broker.url }, { dataFolder });
    await agent.status((status) => status.actual === 'live' && balenaOf(status)['lock'] === 'held');
    const connection = await server.published('q1w2e3r4t5');
    supervisor.updateStatus = 'downloaded';
    const { ok } = await operator.command('update', { force: true });
    assert.equal(ok, true);
    await supervisor.applied.waitFor(({ force }) => force, 5000);
    // Nobody has told the agent to end yet.
    await until(() => connection.history.items.includes('deleteStream'), 5000, 'the end of the stream');
    await operator.on('state', ({ state }) => state === 'updating');
    assert.equal((await agent.stop()).code, 0);
  }
  await supervisor.dropLock();
  supervisor.updateStatus = 'done';
  await using back = await startAgent(env, { dataFolder });
  await back.status((status) => status.actual === 'live');
  await back.stop();
});

test('an update that waits on the air is said, also at the end; no key anywhere', async (t) => {
  const { supervisor, env } = await service(t);
  supervisor.updateStatus = 'downloaded';
  await using agent = await startAgent({ ...env, LOG_LEVEL: 'debug' });
  const status = await agent.status(
    (each) => balenaOf(each)['update'] === 'update_pending' && balenaOf(each)['lock'] === 'held',
  );
  assert.equal(balenaOf(status)['name'], 'kitchen');
  // While its children are there to be looked at.
  const children = [...agent.environments()].filter(([pid]) => pid !== agent.pid);
  const { code } = await agent.stop();
  assert.equal(code, 0);
  const last = agent.log.items.findLast(({ event }) => event === 'status');
  assert.equal((last?.['status'] as { actual: string }).actual, 'updating');
  assert.doesNotMatch(agent.output, new RegExp(supervisor.key));
  assert.ok(children.length >= 2, `${children.length} children`);
  for (const [, seen] of children) assert.doesNotMatch(JSON.stringify(seen), new RegExp(supervisor.key));
});

test('the order at the end: said to be updating, the stream closed in order, then the lock let go', async (t) => {
  const { supervisor, server, env } = await service(t);
  await using broker = await startMosquitto();
  await using operator = await broker.operator(env['BALENA_DEVICE_UUID'] ?? '');
  supervisor.updateStatus = 'downloaded';
  await using agent = await startAgent({ ...env, MQTT_URL: broker.url });
  await operator.on('state', ({ state, update }) => state === 'live' && update === 'update_pending');
  await agent.status((status) => balenaOf(status)['lock'] === 'held');
  const connection = await server.published('q1w2e3r4t5');
  const delivery = await agent.descendant('delivery');
  // What closes the stream does not come to it until it is let.
  process.kill(delivery.pid, 'SIGSTOP');
  const end = agent.stop('SIGTERM', endMs);
  await operator.on('state', ({ state }) => state === 'updating');
  assert.ok(existsSync(supervisor.lockPath), 'locked while the stream is still there');
  assert.ok(!connection.history.items.includes('deleteStream'));
  // Delivery is killed 3 s after it was told to end.
  const letGo = until(() => !existsSync(supervisor.lockPath), 500, 'the lock let go');
  await assert.rejects(letGo, 'locked as long as the stream is there');
  process.kill(delivery.pid, 'SIGCONT');
  const isOver = (): boolean => {
    // In this order, whatever comes between the two: what is unlocked has no stream any more.
    const isLocked = existsSync(supervisor.lockPath);
    const now = processInfo(delivery.pid);
    const isThere = now?.started === delivery.started && now.state !== 'Z';
    assert.ok(isLocked || !isThere, 'locked until the stream is closed');
    return !isThere;
  };
  await until(isOver, 10_000, 'the end of delivery');
  await connection.history.waitFor((item) => item === 'deleteStream', 5000);
  const { code } = await end;
  assert.equal(code, 0);
  assert.ok(!existsSync(supervisor.lockPath));
  await operator.on('state', ({ state }) => state === 'stopped');
});

test('a broker that hangs, and a Supervisor too: the stream is closed in order, the lock let go, in time', async (t) => {
  const { supervisor, server, env } = await service(t);
  await using broker = await startMosquitto();
  await using operator = await broker.operator(env['BALENA_DEVICE_UUID'] ?? '');
  await using agent = await startAgent({ ...env, MQTT_URL: broker.url });
  await operator.on('state', ({ state }) => state === 'live');
  await agent.status((status) => balenaOf(status)['lock'] === 'held');
  const connection = await server.published('q1w2e3r4t5');
  supervisor.hangs = true;
  await broker.kill('SIGSTOP');
  const { code } = await agent.stop('SIGTERM', endMs);
  assert.equal(code, 0);
  assert.ok(connection.history.items.includes('deleteStream'));
  assert.ok(!existsSync(supervisor.lockPath));
  await agent.gone();
});

test('a Supervisor that hangs: on the air, locked, and out in time', async (t) => {
  const { supervisor, env } = await service(t);
  supervisor.hangs = true;
  await using agent = await startAgent(env);
  const status = await agent.status((each) => each.actual === 'live' && balenaOf(each)['lock'] === 'held');
  assert.equal(balenaOf(status)['update'], 'unknown');
  const { code } = await agent.stop('SIGTERM', endMs);
  assert.equal(code, 0);
  assert.ok(!existsSync(supervisor.lockPath));
});

test('a child that does not end, and a Supervisor that hangs: out in time all the same, and unlocked', async (t) => {
  const { supervisor, env } = await service(t);
  supervisor.hangs = true;
  await using agent = await startAgent(env);
  await agent.status((each) => each.actual === 'live' && balenaOf(each)['lock'] === 'held');
  for (const name of ['capture', 'delivery']) process.kill((await agent.descendant(name)).pid, 'SIGSTOP');
  await agent.stop('SIGTERM', endMs);
  assert.ok(!existsSync(supervisor.lockPath));
  await agent.gone();
});

test('told to end while it still looks at the machine: out in time', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  // Every program that is asked about the machine takes its time.
  for (const name of ['gst-launch-1.0', 'gst-inspect-1.0', 'v4l2-ctl', 'arecord']) {
    await writeFile(path.join(folder, name), '#!/bin/sh\nexec sleep 60\n', { mode: 0o755 });
  }
  await using supervisor = await SupervisorServer.start();
  const env = { ...small, ...supervisor.environment, STREAM_URL: 'rtmp://127.0.0.1:1/live', STREAM_KEY: 'k' };
  await using agent = await startAgent({ ...env, PATH: `${folder}:${process.env['PATH']}` });
  await agent.descendant('sleep 60');
  await agent.stop('SIGTERM', endMs);
  await agent.gone();
});

test('killed, it leaves a lock behind; the next one takes it over', async (t) => {
  const { supervisor, env, dataFolder } = await service(t);
  {
    await using agent = await startAgent(env, { dataFolder });
    await agent.status((status) => balenaOf(status)['lock'] === 'held');
    await agent.stop('SIGKILL');
    await agent.gone();
  }
  assert.deepEqual(await lockAttempt(supervisor.lockPath), { file: false, flock: true });
  await using next = await startAgent(env, { dataFolder });
  await next.status((status) => balenaOf(status)['lock'] === 'held');
  assert.equal((await lockAttempt(supervisor.lockPath)).flock, false);
  await next.stop();
  assert.ok(!existsSync(supervisor.lockPath));
});

test('empty variables of balena, and those of a device that is no service of it, do no harm', async (t) => {
  const { supervisor, env } = await service(t);
  const empty = Object.fromEntries(Object.keys(supervisor.environment).map((name) => [name, '']));
  const settings = { UPDATE_LOCK: '', UPDATES_WINDOW: '', UPDATES_TIMEZONE: '', GPIO_BUTTON: '', GPIO_LED: '' };
  await using agent = await startAgent({ ...env, ...empty, ...settings });
  const status = await agent.status((each) => each.actual === 'live');
  assert.equal(status['balena'], undefined);
  assert.deepEqual(status.problems, []);
  await agent.stop();
});
