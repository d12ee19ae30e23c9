/** RabbitMQ, which takes MQTT for a way into its own exchanges: by 3.1.1 in Debian 12, by 5 in Debian 13. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { connectAsync, type IClientOptions } from 'mqtt';
import type { Broker, Operator } from '../../helpers/mqtt/broker.js';
import { live } from '../../../fleet/live.js';
import { resolve } from '../../../agent/config/resolve.js';
import { folderFor, temporaryFolder } from '../../helpers/command.js';
import { Device } from '../../helpers/mqtt/device.js';
import { until } from '../../helpers/feed.js';
import { gated } from '../../helpers/mqtt/gate.js';
import { daily } from '../../helpers/long.js';
import { passwordOf, startRabbitMq } from '../../helpers/mqtt/rabbitmq.js';
import { makeAuthority } from '../../helpers/network/tls.js';

let broker: Broker;
let ca: Buffer;
const common: Record<string, string> = { CONFIG_PROBATION_SECONDS: '1' };
let remove: () => Promise<void>;

before(async () => {
  const home = await temporaryFolder();
  remove = home.remove;
  const authority = await makeAuthority(home.folder);
  ca = await readFile(authority.ca);
  broker = await startRabbitMq(authority, { devices: ['late', 'quiet', 'gone'], free: ['dotted', 'home'] });
  Object.assign(common, { MQTT_URL: broker.url, MQTT_CA: authority.ca, STREAM_URL: 'rtmp://h/live' });
});

after(async () => {
  await broker?.[Symbol.asyncDispose]();
  await remove();
});

const env = (id: string, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  ...common,
  ...{ MQTT_ID: id, MQTT_USERNAME: id, MQTT_PASSWORD: passwordOf(id) },
  ...more,
});
const as = (name: string): IClientOptions => ({ username: name, password: passwordOf(name), ca });
/** Hears all below the base topic, or only `names` of the device `id`. */
const operator = (id: string, names?: readonly string[]): Promise<Operator> =>
  broker.operator(id, as('operator'), broker.operatorsUrl, names);

test('documents, commands, secrets, state: as at any broker', async (t) => {
  await using kitchen = await operator('kitchen');
  await using device = new Device(await folderFor(t), { env: env('kitchen') });
  await device.start();
  const { protocol } = await kitchen.on('info');
  t.diagnostic(`MQTT ${String(protocol)}`);
  assert.equal((await kitchen.desire(1, { audio: { mute: true } }))['status'], 'applied');
  await kitchen.on('config/reported', ({ proved }) => proved === true);
  assert.equal((await kitchen.desire(2, { audio: { mute: 1 } }))['status'], 'rejected');
  const secret = { path: 'outputs.main.key', value: 'geheim-4711' };
  assert.equal((await kitchen.command('set-secret', secret))['ok'], true);
  assert.equal(device.steering.resolved.settings.outputs['main']?.key, secret.value);
  const from = kitchen.heard.items.length;
  await device.stop();
  await kitchen.on('state', ({ state }) => state === 'stopped', from);
});

test('what is retained comes to a device that starts later: its document, and that of its group', async (t) => {
  await using late = await operator('late');
  await late.send('config/desired', { version: 1, config: { audio: { mute: true } } }, { retain: true });
  const group = { topic: 'makercast/v1/_group/studio/config/desired', retain: true };
  await late.send('', { version: 1, config: { audio: { gainDb: 3 } } }, group);
  await using device = new Device(await folderFor(t), { env: env('late', { MQTT_GROUPS: 'studio' }) });
  await device.start();
  await until(
    () => {
      const { audio } = device.steering.resolved.settings;
      return audio.mute && audio.gainDb === 3;
    },
    30_000,
    'both documents',
  );
});

test('who subscribes with a wildcard gets nothing retained; to the topic itself, as `fleet list` does, it comes', async (t) => {
  await using first = await operator('quiet', ['state']);
  await using device = new Device(await folderFor(t), { env: env('quiet') });
  await device.start();
  await first.on('state', ({ state }) => state === 'live');
  await using wild = await operator('quiet', []);
  await wild.client.subscribeAsync('makercast/v1/+/state', { qos: 1 });
  await wild.client.subscribeAsync('makercast/v1/quiet/info', { qos: 1 });
  // Brokers do one thing after the other for a client: what was retained for the first would have come before.
  await wild.on('info');
  assert.deepEqual(
    wild.heard.items.filter(({ topic }) => topic.endsWith('/state')),
    [],
  );
  const settings = {
    ...resolve({ env: env('quiet') }).settings.mqtt,
    username: 'operator',
    password: passwordOf('operator'),
  };
  const listed = await live(settings, ['quiet', 'nobody'], 1000, () => undefined);
  assert.deepEqual(
    [...listed].map(([id, { state }]) => [id, state]),
    [['quiet', 'live']],
  );
  // The next that is said comes to a wildcard as well.
  device.stand.actual = 'degraded';
  await wild.on('state', ({ state }) => state === 'degraded');
});

test('Home Assistant, which looks for devices with a wildcard, is told at its birth message', async (t) => {
  const home = await connectAsync(broker.url, { ...as('home'), clientId: 'makercast-home' });
  t.after(() => home.endAsync(true));
  const found: string[] = [];
  home.on('message', (topic) => found.push(topic));
  await using late = await operator('late', ['info']);
  await using device = new Device(await folderFor(t), { env: env('late', { MQTT_DISCOVERY: 'yes' }) });
  await device.start();
  const announcement = 'homeassistant/device/late/config';
  await late.client.subscribeAsync(announcement, { qos: 1 });
  await late.heard.waitFor(({ topic }) => topic === announcement, 30_000);
  await home.subscribeAsync('homeassistant/+/+/config', { qos: 1 });
  await home.publishAsync('homeassistant/status', 'online', { qos: 1 });
  // One client is served in order: what had come by itself would have come before.
  assert.equal(found.length, 0);
  await until(() => found.includes(announcement), 30_000, 'the announcement');
});

test('lost without a word: the will is said, and kept', async (t) => {
  await using gone = await operator('gone', ['state']);
  const gate = await gated(t, broker.port);
  const through = { MQTT_URL: `mqtts://localhost:${gate.port}` };
  await using device = new Device(await folderFor(t), { env: env('gone', through) });
  await device.start();
  await gone.on('state', ({ state }) => state === 'live');
  gate.cut();
  await gone.on('state', ({ state }) => state === 'lost');
  await using after = await operator('gone', ['state']);
  assert.equal((await after.on('state'))['state'], 'lost');
});

test('a base topic with a dot, which RabbitMQ takes for a slash: the device says that it does not hear itself', async (t) => {
  await using device = new Device(await folderFor(t), {
    env: env('dotted', { MQTT_BASE_TOPIC: 'maker.cast' }),
    echoMs: 2000,
  });
  await device.start();
  const { message } = await device.lines.waitFor(({ event }) => event === 'mqtt_unheard', 30_000);
  assert.match(message, /RabbitMQ treats \. as \//);
});

test('a group that the rules do not name: said by its topic, and the rest works; another device is out of reach', async (t) => {
  await using kitchen = await operator('kitchen');
  const device = new Device(await folderFor(t), { env: env('kitchen', { MQTT_GROUPS: 'studio,cellar' }) });
  t.after(() => device.stop());
  await device.start();
  const { message } = await device.lines.waitFor(({ event }) => event === 'mqtt_refused', 60_000);
  assert.match(message, /does not allow this device to read makercast\/v1\/_group\/cellar\/config\/desired\./);
  await until(() => device.mqtt.tells().mqtt?.state === 'connected', 60_000, 'connection');
  const from = kitchen.heard.items.length;
  const document = { version: 10, config: { mqtt: { groups: ['studio'] } } };
  await kitchen.send('config/desired', document, { retain: true });
  await kitchen.on('config/reported', ({ version, proved }) => version === 10 && proved === true, from);
  assert.equal(device.mqtt.tells().mqtt?.fault, undefined);

  const thief = await connectAsync(broker.url, { ...as('late'), reconnectPeriod: 0 });
  t.after(() => thief.endAsync(true));
  const closed = new Promise<void>((resolve) => thief.once('close', () => resolve()));
  await Promise.race([
    closed,
    thief
      .publishAsync('makercast/v1/kitchen/config/desired', '{"version":11,"config":{}}', { qos: 1 })
      .catch(() => undefined),
  ]);
  assert.equal((await kitchen.command('stop'))['ok'], true);
  assert.equal(device.steering.report().decisions['device']?.version, 10);
});

const restarts = daily(1, 5);
test(`RabbitMQ starts anew (${restarts}): the device comes back, and what is retained is still there`, async (t) => {
  await using device = new Device(await folderFor(t), { env: env('quiet') });
  await device.start();
  await until(() => device.mqtt.tells().mqtt?.state === 'connected', 60_000, 'connection');
  for (let version = 1; version <= restarts; version++) {
    {
      await using quiet = await operator('quiet');
      await quiet.desire(version, { audio: { gainDb: version } });
    }
    await broker.kill('SIGTERM');
    await until(() => device.mqtt.tells().mqtt?.state === 'waiting', 60_000, 'loss');
    await broker.start();
    await using again = await operator('quiet', ['state', 'config/desired']);
    assert.equal((await again.on('config/desired'))['version'], version);
    await again.on('state', ({ state }) => state === 'live');
  }
});
