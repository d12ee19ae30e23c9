/** Who may do what, at a Mosquitto with exactly the configuration of docs/mosquitto/: TLS, certificates, and each rule of the list. */
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:tls';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import { resolve } from '../../../agent/config/resolve.js';
import { temporaryFolder } from '../../helpers/command.js';
import { Device } from '../../helpers/mqtt/device.js';
import { lasts } from '../../helpers/interval.js';
import { type Broker, type Operator } from '../../helpers/mqtt/broker.js';
import { startExampleMosquitto } from '../../helpers/mqtt/mosquitto.js';
import { makeAuthority, type Authority } from '../../helpers/network/tls.js';

const group = (name: string): string => `makercast/v1/_group/${name}/config/desired`;

describe('the example configuration of Mosquitto', () => {
  let authority: Authority;
  let operators: Authority;
  let broker: Broker;
  let operator: Operator;
  let folder: string;
  let remove: () => Promise<void>;
  const clients: MqttClient[] = [];

  const credentials = async (name: string, by = authority): Promise<IClientOptions> => {
    const { cert, key } = await by.sign(name);
    const [ca, certificate, privateKey] = await Promise.all([authority.ca, cert, key].map((file) => readFile(file)));
    return { ca: ca!, cert: certificate!, key: privateKey!, protocolVersion: 5, reconnectPeriod: 0 };
  };
  const as = async (name: string, options: IClientOptions = {}): Promise<MqttClient> => {
    const client = await connectAsync(broker.url, { ...(await credentials(name)), ...options });
    clients.push(client);
    return client;
  };

  before(async () => {
    ({ folder, remove } = await temporaryFolder());
    authority = await makeAuthority(folder);
    const room = path.join(folder, 'operators');
    await mkdir(room);
    operators = await makeAuthority(room);
    broker = await startExampleMosquitto(authority, operators);
    operator = await broker.operator('kitchen', await credentials('operator', operators));
    await operator.client.subscribeAsync('homeassistant/#', { qos: 1 });
  });
  after(async () => {
    for (const client of clients) await client.endAsync(true);
    await operator[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await remove();
  });

  /** Publishes as `client`; whether the operator has heard it before something that follows it. */
  const isWritten = async (client: MqttClient, own: string, topic: string): Promise<boolean> => {
    const from = operator.heard.items.length;
    const mark = `mark ${from} ${Math.random()}`;
    // Version 5 says so itself where it is refused; what counts is what others hear.
    await client.publishAsync(topic, JSON.stringify({ mark }), { qos: 1 }).catch(() => undefined);
    await client.publishAsync(`makercast/v1/${own}/event`, JSON.stringify({ mark, last: true }), { qos: 1 });
    await operator.heard.waitFor(({ value }) => value?.['mark'] === mark && value['last'] === true, 30_000, from);
    return operator.heard.items.slice(from).some(({ value, topic: at }) => at === topic && value?.['mark'] === mark);
  };

  /** Whether what `by` writes to `topic` reaches `client`, which asks for `filter`; everybody hears it who may. */
  const isRead = async (client: MqttClient, topic: string, filter = topic, by = operator.client): Promise<boolean> => {
    const heard: string[] = [];
    client.removeAllListeners('message').on('message', (at) => heard.push(at));
    await client.subscribeAsync(filter, { qos: 1 }).catch(() => undefined);
    const from = operator.heard.items.length;
    await by.publishAsync(topic, '{}', { qos: 1 });
    await operator.heard.waitFor(({ topic: at }) => at === topic, 30_000, from);
    // What reaches it at all has done so before the answer to this.
    await client.unsubscribeAsync(filter);
    return heard.includes(topic);
  };

  test('a device goes by its certificate: documents of its own and of its group, commands, and secrets over TLS', async () => {
    const { cert, key } = await authority.sign('kitchen');
    await using device = new Device(folder, {
      env: {
        ...{ MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_GROUPS: 'studio', CONFIG_PROBATION_SECONDS: '1' },
        ...{ MQTT_CA: authority.ca, MQTT_CERT: cert, MQTT_KEY: key },
      },
    });
    await device.start();
    await operator.on('state', ({ state }) => state === 'live');
    assert.equal((await operator.desire(1, { audio: { gainDb: 3 } }))['status'], 'applied');
    await operator.client.publishAsync(group('studio'), '{"version":1,"config":{"audio":{"mute":true}}}', { qos: 1 });
    await operator.on('config/reported', ({ groups }) => JSON.stringify(groups).includes('"applied"'));
    const set = await operator.command('set-secret', { path: 'outputs.club.key', value: 'geheim-4711' });
    assert.deepEqual([set['ok'], set['error']], [true, undefined]);
  });

  test('a device writes what is its own', async () => {
    const kitchen = await as('kitchen');
    for (const topic of ['state', 'info', 'config/reported', 'cmd/stop/ack', 'telemetry', 'event'])
      assert.ok(await isWritten(kitchen, 'kitchen', `makercast/v1/kitchen/${topic}`), topic);
    assert.ok(await isWritten(kitchen, 'kitchen', 'homeassistant/device/kitchen/config'), 'Home Assistant');
  });

  test('a device writes nothing else: no desired, no command, nothing of another device or a group', async () => {
    const kitchen = await as('kitchen');
    const forbidden = [
      ...['config/desired', 'cmd/stop', 'else'].map((name) => `makercast/v1/kitchen/${name}`),
      ...['state', 'config/desired', 'config/reported', 'cmd/stop', 'cmd/stop/ack', 'event'].map(
        (name) => `makercast/v1/cellar/${name}`,
      ),
      ...[group('studio'), 'makercast/v1/_group/state', 'makercast/other', 'homeassistant/device/cellar/config'],
    ];
    for (const topic of forbidden) assert.ok(!(await isWritten(kitchen, 'kitchen', topic)), topic);
  });

  test('a device reads what is wanted of it and of its groups, and of nobody else', async () => {
    const kitchen = await as('kitchen');
    for (const topic of ['makercast/v1/kitchen/config/desired', 'makercast/v1/kitchen/cmd/stop', group('studio')])
      assert.ok(await isRead(kitchen, topic), topic);
    for (const topic of ['makercast/v1/cellar/config/desired', 'makercast/v1/cellar/cmd/stop', group('cellar')])
      assert.ok(!(await isRead(kitchen, topic)), topic);
    const cellar = await as('cellar');
    assert.ok(!(await isRead(cellar, group('studio'))), 'who is not in the group');
    assert.ok(!(await isRead(cellar, 'makercast/v1/kitchen/config/desired')));
  });

  test('a device that asks for more than its own hears no secret, document or answer of another', async () => {
    const kitchen = await as('kitchen');
    const cellar = await as('cellar');
    for (const [topic, ...filters] of [
      ['makercast/v1/cellar/cmd/set-secret', 'makercast/v1/+/cmd/+', 'makercast/v1/cellar/#', 'makercast/v1/#', '#'],
      ['makercast/v1/cellar/config/desired', 'makercast/v1/+/config/desired', 'makercast/v1/#'],
      [group('cellar'), 'makercast/v1/_group/+/config/desired', 'makercast/v1/_group/#', '#'],
    ] as const)
      for (const filter of filters) assert.ok(!(await isRead(kitchen, topic, filter)), `${topic} by ${filter}`);
    for (const name of ['state', 'info', 'config/reported', 'cmd/stop/ack', 'telemetry', 'event'])
      for (const filter of [`makercast/v1/cellar/${name}`, `makercast/v1/+/${name}`, 'makercast/v1/#'])
        assert.ok(!(await isRead(kitchen, `makercast/v1/cellar/${name}`, filter, cellar)), `${name} by ${filter}`);
    // But the same filter lets through what is its own.
    assert.ok(await isRead(kitchen, 'makercast/v1/kitchen/cmd/set-secret', 'makercast/v1/+/cmd/+'));
  });

  test('no device takes the place of another by going by its client id, nor comes in where operators do', async () => {
    const kitchen = await as('kitchen', { clientId: 'makercast-kitchen' });
    let isGone = false;
    kitchen.on('close', () => (isGone = true));
    for (const clientId of ['makercast-kitchen', 'kitchen']) {
      const cellar = await as('cellar', { clientId });
      assert.ok(
        await isWritten(cellar, 'cellar', 'makercast/v1/cellar/event'),
        'a client id of its own is none of ours',
      );
      assert.ok(await isWritten(kitchen, 'kitchen', 'makercast/v1/kitchen/event'));
    }
    assert.ok(!isGone);
    const options = { ...(await credentials('kitchen')), connectTimeout: 5000 };
    await assert.rejects(connectAsync(broker.operatorsUrl, options, false));
  });

  test('an operator writes no state, report or answer for a device', async () => {
    for (const name of ['state', 'config/reported', 'cmd/stop/ack', 'event', 'info', 'telemetry']) {
      const from = operator.heard.items.length;
      const topic = `makercast/v1/kitchen/${name}`;
      await operator.client.publishAsync(topic, '{"forged":true}', { qos: 1 }).catch(() => undefined);
      await operator.send('cmd/mark', { mark: name });
      await operator.heard.waitFor(({ value }) => value?.['mark'] === name, 30_000, from);
      assert.ok(!operator.heard.items.slice(from).some(({ topic: at }) => at === topic), name);
    }
  });

  test('a user named _group owns nothing', async () => {
    const nobody = await as('_group');
    const from = operator.heard.items.length;
    for (const topic of [group('studio'), 'makercast/v1/_group/state', 'makercast/v1/_group/cmd/x/ack'])
      await nobody.publishAsync(topic, '{"forged":true}', { qos: 1 }).catch(() => undefined);
    await operator.send('cmd/mark', { mark: 'after' });
    await operator.heard.waitFor(({ value }) => value?.['mark'] === 'after', 30_000, from);
    assert.ok(!operator.heard.items.slice(from).some(({ topic }) => topic.includes('_group')));
    for (const topic of [group('studio'), 'makercast/v1/_group/cmd/stop', 'makercast/v1/_group/config/desired'])
      for (const filter of [topic, 'makercast/v1/_group/#', '#'])
        assert.ok(!(await isRead(nobody, topic, filter)), `${topic} by ${filter}`);
    const { problems } = resolve({ env: { MQTT_ID: '_group' } });
    assert.deepEqual(
      problems.map(({ path, code }) => `${path} ${code}`),
      ['mqtt.id setting_range'],
    );
  });

  test('without a certificate, with one of another authority, or without TLS, nobody comes in', async () => {
    const { folder: elsewhere, remove: away } = await temporaryFolder();
    const other = await makeAuthority(elsewhere);
    const forged = await other.sign('operator');
    const { ca } = await credentials('cellar');
    const [cert, key] = await Promise.all([readFile(forged.cert), readFile(forged.key)]);
    const tries: [string, IClientOptions][] = [
      [broker.url, { ca: ca as Buffer }],
      [broker.url, { ca: ca as Buffer, cert, key }],
      [broker.operatorsUrl, { ca: ca as Buffer }],
      [broker.operatorsUrl, { ca: ca as Buffer, cert, key }],
      [broker.url.replace('mqtts://localhost', 'mqtt://127.0.0.1'), {}],
    ];
    for (const [url, options] of tries)
      await assert.rejects(connectAsync(url, { ...options, reconnectPeriod: 0, connectTimeout: 5000 }, false));
    await away();
  });

  test('a device says what is wrong where it does not trust the broker, or the broker does not trust it', async () => {
    const { folder: data, remove: away } = await temporaryFolder();
    const faultOf = async (env: Record<string, string>): Promise<string> => {
      const device = new Device(data, { env: { MQTT_URL: broker.url, MQTT_ID: 'x', ...env } });
      await device.start();
      const { event } = await device.lines.waitFor((line) => /^(mqtt_|clock_)/.test(line.event), 30_000);
      await device.stop();
      return event;
    };
    assert.equal(await faultOf({}), 'mqtt_tls');
    assert.equal(await faultOf({ MQTT_CA: '/nowhere/ca.pem' }), 'mqtt_tls');
    assert.match(await faultOf({ MQTT_CA: authority.ca }), /mqtt_(tls|unreachable)/);
    await away();
  });

  test('a certificate that is out of date is a matter of the clock, where that is not set', async () => {
    const { folder: data, remove: away } = await temporaryFolder();
    const { cert, key } = await authority.sign('localhost', 0);
    const end = Date.parse(new X509Certificate(await readFile(cert)).validTo);
    await lasts(Math.max(0, end + 1000 - Date.now()), 'the certificate is still valid');
    const server = createServer({ cert: await readFile(cert), key: await readFile(key) });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `mqtts://localhost:${(server.address() as AddressInfo).port}`;
    const faultOf = async (builtAt: number): Promise<string> => {
      const device = new Device(data, { env: { MQTT_URL: url, MQTT_ID: 'x', MQTT_CA: authority.ca }, builtAt });
      await device.start();
      const { event } = await device.lines.waitFor((line) => /^(mqtt_|clock_)/.test(line.event), 30_000);
      await device.stop();
      return event;
    };
    assert.equal(await faultOf(0), 'mqtt_tls');
    const builtLater = Date.now() + 1e10;
    assert.equal(await faultOf(builtLater), 'clock_not_set');
    await new Promise((resolve) => server.close(resolve));
    await away();
  });
});
