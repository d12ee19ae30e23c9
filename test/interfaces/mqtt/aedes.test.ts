/** Another broker, which speaks 3.1.1 only: over TCP and over WebSockets. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { Aedes } from 'aedes';
import { connectAsync } from 'mqtt';
import { folderFor, temporaryFolder } from '../../helpers/command.js';
import { Device } from '../../helpers/mqtt/device.js';
import { until } from '../../helpers/feed.js';
import { Operator } from '../../helpers/mqtt/broker.js';
import { makeAuthority } from '../../helpers/network/tls.js';

/** The package over which mqtt.js speaks WebSockets; it has no types of its own. */
const { WebSocketServer, createWebSocketStream } = createRequire(createRequire(import.meta.url).resolve('mqtt'))(
  'ws',
) as {
  WebSocketServer: new (options: { server: HttpServer }) => {
    on(event: 'connection', listener: (socket: object) => void): void;
  };
  createWebSocketStream: (socket: object) => Duplex;
};

/** A broker over TCP, which goes with the test. */
async function startAedes(t: TestContext): Promise<{ broker: Aedes; url: string }> {
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    await new Promise((resolve) => server.close(resolve));
  });
  return { broker, url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

test('over WebSockets', async () => {
  const { folder, remove } = await temporaryFolder();
  const broker = await Aedes.createBroker();
  const server = createHttpServer();
  new WebSocketServer({ server }).on('connection', (socket) => broker.handle(createWebSocketStream(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt`;
  const operator = new Operator(await connectAsync(url), 'makercast/v1/kitchen');
  await operator.client.subscribeAsync('makercast/v1/#', { qos: 1 });
  const device = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
  await device.start();
  await operator.on('info');
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
  assert.equal((await operator.command('stop'))['ok'], true);
  await device.stop();
  await operator[Symbol.asyncDispose]();
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await remove();
});

test('over WebSockets with TLS: documents, commands and secrets; by a certificate that it does not trust it says nothing', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const authority = await makeAuthority(folder);
  const { cert, key } = await authority.sign('localhost');
  const [ca, ...own] = await Promise.all([authority.ca, cert, key].map((file) => readFile(file)));
  const broker = await Aedes.createBroker();
  const server = createHttpsServer({ cert: own[0], key: own[1] });
  new WebSocketServer({ server }).on('connection', (socket) => broker.handle(createWebSocketStream(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `wss://localhost:${(server.address() as AddressInfo).port}/mqtt`;
  await using operator = new Operator(await connectAsync(url, { ca: ca! }), 'makercast/v1/kitchen');
  await operator.client.subscribeAsync('makercast/v1/#', { qos: 1 });
  {
    await using stranger = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
    await stranger.start();
    await stranger.lines.waitFor(({ event }) => event === 'mqtt_tls', 30_000);
    assert.deepEqual(operator.heard.items, []);
  }
  await using device = new Device(folder, {
    env: { MQTT_URL: url, MQTT_ID: 'kitchen', MQTT_CA: authority.ca, STREAM_URL: 'rtmp://h/live' },
  });
  await device.start();
  assert.equal((await operator.on('info'))['protocol'], '3.1.1');
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
  const secret = { path: 'outputs.main.key', value: 'geheim-4711' };
  assert.equal((await operator.command('set-secret', secret))['ok'], true);
  assert.equal(device.steering.resolved.settings.outputs['main']?.key, secret.value);
  const from = operator.heard.items.length;
  await device.stop();
  await operator.on('state', ({ state }) => state === 'stopped', from);
});

test('aedes: the device falls back to MQTT 3.1.1, and all works as with 5', async () => {
  const { folder, remove } = await temporaryFolder();
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const operator = new Operator(await connectAsync(url), 'makercast/v1/kitchen');
  await operator.client.subscribeAsync('makercast/v1/#', { qos: 1 });
  const device = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '1' } });
  await device.start();

  const info = await operator.on('info');
  assert.equal(info['protocol'], '3.1.1');
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
  await operator.on('config/reported', ({ proved }) => proved === true);
  assert.equal((await operator.desire(2, { audio: { mute: 1 } }))['status'], 'rejected');
  assert.equal((await operator.command('stop'))['ok'], true);
  await operator.send('cmd/start', { id: 'evil' }, { retain: true });
  await device.stop();
  await operator.on('state', ({ state }) => state === 'stopped');
  const from = operator.heard.items.length;
  const again = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
  await again.start();
  const answer = await operator.on('cmd/start/ack', () => true, from);
  assert.equal((answer['error'] as { code: string }).code, 'command_retained');
  const reported = await operator.on('config/reported', ({ version }) => version === 2, from);
  assert.equal((reported['config'] as { audio: { mute: boolean } }).audio.mute, true);

  await again.stop();
  await operator[Symbol.asyncDispose]();
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  await new Promise((resolve) => server.close(resolve));
  await remove();
});

test('a broker that does not let it read a group: said, with the topic, and the rest works', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const { broker, url } = await startAedes(t);
  broker.authorizeSubscribe = (_, subscription, done) =>
    done(null, subscription.topic.includes('cellar') ? null : subscription);
  await using operator = new Operator(await connectAsync(url), 'makercast/v1/kitchen');
  await operator.client.subscribeAsync('makercast/v1/kitchen/#', { qos: 1 });
  const env = { MQTT_URL: url, MQTT_ID: 'kitchen', MQTT_GROUPS: 'studio,cellar' };
  await using device = new Device(folder, { env });
  await device.start();
  const { message } = await operator.on('event', ({ event }) => event === 'mqtt_refused');
  assert.match(String(message), /does not allow this device to read makercast\/v1\/_group\/cellar\/config\/desired\./);
  assert.equal(device.mqtt.tells().mqtt?.fault?.code, 'mqtt_refused');
  assert.equal((await operator.desire(1, { mqtt: { groups: ['studio'] } }))['status'], 'applied');
  assert.equal(device.mqtt.tells().mqtt?.fault, undefined);
});

test('moved to a broker that does not let it read what steers it: taken back, with that reason', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const here = await startAedes(t);
  const there = await startAedes(t);
  await using operator = new Operator(await connectAsync(here.url), 'makercast/v1/kitchen');
  await operator.client.subscribeAsync('makercast/v1/kitchen/#', { qos: 1 });
  const env = { MQTT_URL: here.url, MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '5' };
  await using device = new Device(folder, { env });
  await device.start();
  await operator.on('config/reported');
  for (const [i, name] of ['cmd/+', 'config/desired'].entries()) {
    there.broker.authorizeSubscribe = (_, subscription, done) =>
      done(null, subscription.topic.endsWith(name) ? null : subscription);
    await operator.send('config/desired', { version: i + 1, config: { mqtt: { url: there.url } } });
    const { reason } = await operator.on(
      'config/reported',
      ({ status, version }) => status === 'rolled_back' && version === i + 1,
    );
    const text = (reason as { what: string }).what;
    assert.match(
      text,
      /mqtt\.url has not worked within 5 s \(mqtt_refused: The broker does not allow this device to read /,
    );
    assert.ok(text.includes(`makercast/v1/kitchen/${name}.`), text);
  }
});

test('its own state comes back late: until then a broker is not proved, and from then on it is', async (t) => {
  const [here, there] = [await startAedes(t), await startAedes(t)];
  let isSwallowed = true;
  there.broker.authorizeForward = ({ id }, packet) =>
    isSwallowed && id === 'makercast-kitchen' && packet.topic.endsWith('/state') ? null : packet;
  await using operator = new Operator(await connectAsync(here.url), 'makercast/v1/kitchen');
  await using beyond = new Operator(await connectAsync(there.url), 'makercast/v1/kitchen');
  for (const { client } of [operator, beyond]) await client.subscribeAsync('makercast/v1/kitchen/#', { qos: 1 });
  const env = { MQTT_URL: here.url, MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '5' };
  await using device = new Device(await folderFor(t), { env, echoMs: 300 });
  await device.start();
  await operator.on('config/reported');
  const move = async (version: number): Promise<void> => {
    const from = beyond.heard.items.length;
    await operator.send('config/desired', { version, config: { mqtt: { url: there.url } } });
    await beyond.on('event', ({ event }) => event === 'mqtt_unheard', from);
  };
  await move(1);
  const { reason } = await operator.on('config/reported', ({ status }) => status === 'rolled_back');
  assert.match((reason as { what: string }).what, /mqtt\.url has not worked within 5 s \(mqtt_unheard: /);
  await move(2);
  isSwallowed = false;
  device.stand.actual = 'degraded';
  await until(() => device.mqtt.tells().mqtt?.fault === undefined, 30_000, 'its own state');
  device.stand.actual = 'live';
  await beyond.on('config/reported', ({ version, proved }) => version === 2 && proved === true);
});

test('a cloned card: over 3.1.1 nobody is told that its place was taken, and it is noticed all the same', async (t) => {
  const broker = await Aedes.createBroker();
  const server = createServer((socket) => broker.handle(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const devices: Device[] = [];
  for (let i = 0; i < 2; i++) {
    const { folder, remove } = await temporaryFolder();
    t.after(remove);
    const device = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
    devices.push(await device.start());
  }
  await until(
    () => devices.some(({ lines }) => lines.items.some(({ event }) => event === 'duplicate_id')),
    90_000,
    'duplicate_id',
  );
  for (const device of devices) await device.stop();
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  await new Promise((resolve) => server.close(resolve));
});
