/** A real Mosquitto over WebSockets, plain and with TLS and a certificate for each client. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { freePorts, temporaryFolder } from '../helpers/command.js';
import { Device } from '../helpers/device.js';
import { startMosquitto } from '../helpers/mosquitto.js';
import { makeAuthority } from '../helpers/tls.js';

/** A second listener: with one of WebSockets alone Mosquitto 2.0 does not start, and it takes no address for that one. */
const listener = (port: number, lines: readonly string[]): string[] => [
  'per_listener_settings true',
  'allow_anonymous true',
  `listener ${port}`,
  'protocol websockets',
  ...lines,
];
const secret = { path: 'outputs.club.key', value: 'geheim-4711' };

test('ws: documents and commands, and no secret, since it would go in the clear', async () => {
  const { folder, remove } = await temporaryFolder();
  const [port] = (await freePorts(1)) as [number];
  await using broker = await startMosquitto(listener(port, ['allow_anonymous true']));
  const url = `ws://127.0.0.1:${port}/mqtt`;
  await using operator = await broker.operator('kitchen', {}, url);
  await using device = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
  await device.start();
  assert.equal((await operator.on('info'))['protocol'], '5');
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
  assert.equal((await operator.command('stop'))['ok'], true);
  assert.match(((await operator.command('set-secret', secret))['error'] as { what: string }).what, /without TLS/);
  await broker.kill();
  await device.lines.waitFor(({ event }) => event === 'mqtt_unreachable', 30_000);
  const from = operator.heard.items.length;
  await broker.start();
  await operator.on('info', () => true, from);
  await remove();
});

test('wss with a client certificate: documents, commands and secrets; without one, or unknown to it, nobody comes in', async () => {
  const { folder, remove } = await temporaryFolder();
  const authority = await makeAuthority(folder);
  const [server, own, theirs] = await Promise.all(['localhost', 'kitchen', 'operator'].map((n) => authority.sign(n)));
  const [port] = (await freePorts(1)) as [number];
  const lines = [
    ...[`cafile ${authority.ca}`, `certfile ${server!.cert}`, `keyfile ${server!.key}`],
    ...['require_certificate true', 'use_identity_as_username true', 'allow_anonymous false'],
  ];
  await using broker = await startMosquitto(listener(port, lines));
  const url = `wss://localhost:${port}/mqtt`;
  const [ca, cert, key] = await Promise.all([authority.ca, theirs!.cert, theirs!.key].map((file) => readFile(file)));
  const credentials: IClientOptions = { ca: ca!, cert: cert!, key: key! };
  await using operator = await broker.operator('kitchen', credentials, url);
  const named = { MQTT_URL: url, MQTT_ID: 'kitchen' };
  const trusted = { ...named, MQTT_CA: authority.ca, MQTT_CERT: own!.cert, MQTT_KEY: own!.key };
  {
    await using device = new Device(folder, { env: trusted });
    await device.start();
    assert.equal((await operator.on('info'))['protocol'], '5');
    assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
    assert.equal((await operator.command('set-secret', secret))['ok'], true);
    assert.match(broker.log, /as makercast-kitchen .*u'kitchen'/);
  }
  await operator.on('state', ({ state }) => state === 'stopped');

  const faultOf = async (env: Record<string, string>): Promise<string> => {
    await using device = new Device(folder, { env });
    await device.start();
    return (await device.lines.waitFor(({ event }) => /^(mqtt_|clock_)/.test(event), 30_000)).event;
  };
  assert.equal(await faultOf(named), 'mqtt_tls');
  assert.match(await faultOf({ ...named, MQTT_CA: authority.ca }), /mqtt_(tls|unreachable)/);
  await remove();
});
