/** `makercast fleet list` with a broker: figures of devices that speak by their own MQTT at a real Mosquitto, and brokers that are no help. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Payload } from '../../agent/interfaces/mqtt/topics.js';
import { folderFor, run } from '../helpers/command.js';
import { Device } from '../helpers/mqtt/device.js';
import { until } from '../helpers/feed.js';
import { bench, device, fleetOf, key, mustBeWell } from '../helpers/balena/fleet.js';
import { type Broker } from '../helpers/mqtt/broker.js';
import { startExampleMosquitto, startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { makeAuthority } from '../helpers/network/tls.js';

const password = 'SECRETOFTHEBROKER';
const devices = [1, 2, 3, 4].map((number) => device(number));
const [first = '', second = '', third = '', fourth = ''] = devices.map(({ uuid }) => uuid);

/** A Mosquitto that lets in only who knows the password. */
async function closedBroker(t: TestContext): Promise<Broker> {
  const file = path.join(await folderFor(t), 'passwords');
  await run('mosquitto_passwd', ['-b', '-c', file, 'admin', password]);
  const broker = await startMosquitto(['allow_anonymous false', `password_file ${file}`]);
  t.after(() => broker[Symbol.asyncDispose]());
  return broker;
}

const figures = (state: Payload<'telemetry'>['state']): Payload<'telemetry'> => ({
  at: '2026-11-21T10:00:00.000Z',
  boot: 'b',
  uptimeSeconds: 5,
  state,
  temperature: 63.4,
  memoryMb: 40,
  fps: 29.94,
  kbps: 1620.4,
  bitrateKbps: 1500,
  outputs: {
    main: { state: 'live', deliveredKbps: 1618.2, queuedMs: 12, droppedFrames: 0 },
    backup: { state: 'refused', deliveredKbps: 0, queuedMs: 0, droppedFrames: 0 },
  },
});

test('live figures of devices that are there, the last word of those that are not; from a file or the environment', async (t) => {
  const broker = await closedBroker(t);
  const { home, fleet } = await bench(t, [fleetOf(devices)]);
  const credentials = { MQTT_URL: broker.url, MQTT_USERNAME: 'admin', MQTT_PASSWORD: password };
  const onAir = async (id: string): Promise<Device> =>
    new Device(await folderFor(t), { env: { ...credentials, MQTT_ID: id, MQTT_TELEMETRY_SECONDS: '1' } }).start();
  await using operator = await broker.operator(first, { username: 'admin', password });
  await using there = await onAir(first);
  await operator.on('telemetry');
  const gone = await onAir(second);
  await operator.heard.waitFor(({ topic }) => topic === `makercast/v1/${second}/state`, 30_000);
  await gone.stop();
  // A device of a later release, whose documents hold more than is known here; and one of another fleet.
  const later = { ...figures('degraded'), news: { of: ['later'] } };
  const waits = { state: 'live', update: 'update_pending', updateAt: '2026-11-22T03:00:00.000Z', boot: 'b' };
  await operator.send('', waits, { topic: `makercast/v1/${third}/state`, retain: true });
  await operator.send('', JSON.stringify(later), { topic: `makercast/v1/${third}/telemetry`, retain: true });
  await operator.send('', '{"state":"\\u001b[2J","boot":"b"}', { topic: 'makercast/v1/stranger/state', retain: true });

  const file = path.join(home, 'broker');
  await writeFile(file, `# the fleet's\nMQTT_URL=${broker.url}\nMQTT_USERNAME=admin\nMQTT_PASSWORD=${password}\n`, {
    mode: 0o600,
  });
  const { out, stderr } = mustBeWell(await fleet(['list', '--broker', file]));
  assert.equal(stderr, '');
  // Whether this machine has a thermometer is not what is asked.
  const lines = out.replace(/live {22}\d+ °C {4}/, `live${' '.repeat(22)}-        `).split('\n');
  assert.deepEqual(lines, [
    'DEVICE   NAME     ONLINE  STATE  RELEASE          CPU  SINCE  NOW                       CPU NOW  FPS   KBIT/S  OUTPUTS                    PROBLEMS',
    '0001000  cam-001  yes     -      1.0.0 (1a1a1a1)  -    -      live                      -        -     -       main 500                   -',
    '0002000  cam-002  yes     -      1.0.0 (1a1a1a1)  -    -      stopped                   -        -     -       -                          -',
    '0003000  cam-003  yes     -      1.0.0 (1a1a1a1)  -    -      degraded, update_pending  63 °C    29.9  1620    main 1618, backup refused  -',
    '0004000  cam-004  yes     -      1.0.0 (1a1a1a1)  -    -      -                         -        -     -       -                          -',
    '',
  ]);

  const env = { BALENA_API_KEY: key, ...credentials };
  const json = JSON.parse(mustBeWell(await fleet(['list', '--json'], env)).out) as { name: string; live?: object }[];
  const { state, outputs } = json[0]!.live as Payload<'telemetry'>;
  assert.deepEqual([state, outputs['main']], ['live', { state: 'live', deliveredKbps: 500 }]);
  assert.deepEqual(
    json.slice(1).map(({ live }) => live),
    [
      { state: 'stopped' },
      {
        ...{ update: 'update_pending', updateAt: '2026-11-22T03:00:00.000Z' },
        ...{ at: '2026-11-21T10:00:00.000Z', state: 'degraded', temperature: 63.4, fps: 29.94 },
        ...{ kbps: 1620.4, bitrateKbps: 1500 },
        outputs: { main: { state: 'live', deliveredKbps: 1618.2 }, backup: { state: 'refused', deliveredKbps: 0 } },
      },
      undefined,
    ],
  );
  await there.stop();
  // What the broker keeps is shown, however short the wait is.
  await operator.send('', '{"state":"live","boot":"b"}', { topic: `makercast/v1/${fourth}/state`, retain: true });
  const kept = mustBeWell(await fleet(['list', '--json', '--wait', '0', '--device', 'cam-004'], env)).out;
  assert.deepEqual((JSON.parse(kept) as typeof json)[0]!.live, { state: 'live' });
});

test('over TLS, by the certificate of an operator, at the Mosquitto of docs/', async (t) => {
  const folder = await folderFor(t);
  const authority = await makeAuthority(folder);
  const operators = await makeAuthority(await folderFor(t));
  const broker = await startExampleMosquitto(authority, operators);
  t.after(() => broker[Symbol.asyncDispose]());
  const as = async (name: string, by = authority): Promise<Record<string, string>> => {
    const { cert, key: privateKey } = await by.sign(name);
    const url = by === operators ? broker.operatorsUrl : broker.url;
    return { MQTT_URL: url, MQTT_CA: authority.ca, MQTT_CERT: cert, MQTT_KEY: privateKey };
  };
  const env = { ...(await as(first)), MQTT_ID: first, MQTT_TELEMETRY_SECONDS: '1' };
  await using there = await new Device(await folderFor(t), { env }).start();
  const { fleet } = await bench(t, [fleetOf(devices)]);
  const list = async (more: Record<string, string>): Promise<string> =>
    mustBeWell(await fleet(['list', '--device', 'cam-001'], { BALENA_API_KEY: key, ...more })).out;
  const operator = await as('operator', operators);
  await until(async () => /main 500/.test(await list(operator)), 20_000, 'the figures');
  // Who trusts nobody, and who may not read.
  const stranger = { ...operator, MQTT_CA: '' };
  assert.match(
    (await fleet(['list'], { BALENA_API_KEY: key, ...stranger })).stderr,
    /secure connection to mqtts:.* cannot be made/,
  );
  assert.doesNotMatch(await list(await as(second)), /main 500/);
  await there.stop();
});

test('nobody of this fleet at the broker: said, and the rest is shown', async (t) => {
  const broker = await startMosquitto();
  t.after(() => broker[Symbol.asyncDispose]());
  const { fleet } = await bench(t, [fleetOf(devices)]);
  const said = mustBeWell(await fleet(['list'], { BALENA_API_KEY: key, MQTT_URL: broker.url }));
  assert.match(said.stderr, /^warning: mqtt:\/\/127\.0\.0\.1:\d+ has nothing about these devices: .*mqtt\.id/);
  assert.match(said.out, /cam-004/);
});

test('a broker that refuses, is not there, or never answers is a warning; the password is said nowhere', async (t) => {
  const broker = await closedBroker(t);
  const mute = createServer().listen(0, '127.0.0.1');
  t.after(() => mute.close());
  const { fleet } = await bench(t, [fleetOf(devices)]);
  for (const [url, want] of [
    [broker.url, /refuses this .*Check mqtt\.username, mqtt\.password/],
    ['mqtt://127.0.0.1:9', /cannot be reached \(ECONNREFUSED\)/],
    [`mqtt://127.0.0.1:${(mute.address() as AddressInfo).port}`, /does not answer within 5 s/],
  ] as const) {
    const env = { BALENA_API_KEY: key, MQTT_URL: url, MQTT_USERNAME: 'admin', MQTT_PASSWORD: 'SECRETBUTWRONG' };
    const said = mustBeWell(await fleet(['list'], env));
    assert.match(said.stderr, /^warning: there are no live figures\. [^\n]*\n$/);
    assert.match(said.stderr, want);
    assert.match(said.out, /^DEVICE +NAME +ONLINE +STATE +RELEASE +CPU +SINCE +PROBLEMS\n0001000 +cam-001 /);
  }
});

test('a file or an environment that names no broker as it should: said before anybody is asked', async (t) => {
  const { api, home, fleet } = await bench(t, [fleetOf(devices)]);
  const file = path.join(home, 'broker');
  for (const [text, want] of [
    ['MQTT_USERNAME=admin\n', /names no broker/],
    ['MQTT_URL=mqtt://127.0.0.1\nVIDEO_FPS=SECRET\n', /contains something else/],
    ['SECRETOFTHEBROKER\n', /is not KEY=VALUE/],
    ['MQTT_URL=mqtt://admin:SECRET@127.0.0.1\n', /MQTT_URL \(mqtt\.url\)/],
  ] as const) {
    await writeFile(file, text, { mode: 0o600 });
    const said = await fleet(['list', '--broker', file]);
    assert.equal(said.code, 2);
    assert.match(said.stderr, want);
  }
  assert.equal((await fleet(['list'], { BALENA_API_KEY: key, MQTT_URL: 'http://admin:SECRET@127.0.0.1' })).code, 2);
  assert.equal((await fleet(['list', '--wait', 'long'])).code, 2);
  assert.deepEqual(api.calls, []);
});
