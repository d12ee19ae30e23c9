/** A real Mosquitto over WebSockets, plain and with TLS and a certificate for each client. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { test } from 'node:test';
import type { IClientOptions } from 'mqtt';
import { freePorts, temporaryFolder } from '../../helpers/command.js';
import { Device } from '../../helpers/mqtt/device.js';
import { startMosquitto } from '../../helpers/mqtt/mosquitto.js';
import { makeAuthority } from '../../helpers/network/tls.js';

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

/** The head of a WebSocket frame of binary data, unmasked, as servers send them (RFC 6455, section 5.2). */
const frame = (bytes: number): Buffer => {
  if (bytes < 126) return Buffer.from([0x82, bytes]);
  const head = Buffer.alloc(10);
  head.set([0x82, 127]);
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
};

for (const [what, pieces] of [
  ['a frame of 100 MB', [frame(100_000_000)]],
  // The packet begins in a frame that is short enough.
  [
    'a packet of 100 MB in many frames',
    [frame(11), Buffer.from([0x31, 0x80, 0xc2, 0xd7, 0x2f, 0, 4, 97, 98, 99, 100])],
  ],
] as const) {
  test(`ws: ${what} closes the connection at its length, and it is said`, async (t) => {
    const { folder, remove } = await temporaryFolder();
    const sockets: Socket[] = [];
    const server = createServer().on('upgrade', ({ headers }, stream) => {
      const socket = stream as Socket;
      sockets.push(socket);
      socket.on('error', () => undefined);
      const accept = createHash('sha1').update(`${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`);
      socket.write(
        [
          'HTTP/1.1 101 Switching Protocols',
          'Upgrade: websocket',
          'Connection: Upgrade',
          'Sec-WebSocket-Protocol: mqtt',
        ]
          .concat(`Sec-WebSocket-Accept: ${accept.digest('base64')}`, '', '')
          .join('\r\n'),
      );
      // CONNECT is there; CONNACK, and what is too long.
      socket.once('data', () => {
        socket.write(Buffer.concat([frame(5), Buffer.from([0x20, 3, 0, 0, 0]), ...pieces]));
        const zeros = Buffer.concat([frame(60_000), Buffer.alloc(60_000)]);
        const more = (): void => {
          while (!socket.destroyed && socket.write(zeros));
          socket.once('drain', more);
        };
        more();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    t.after(async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await remove();
    });
    const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/mqtt`;
    await using device = new Device(folder, { env: { MQTT_URL: url, MQTT_ID: 'kitchen' } });
    await device.start();
    const { message } = await device.lines.waitFor(({ event }) => event === 'mqtt_too_long', 30_000);
    assert.match(message, /above the limit of 266240 bytes/);
  });
}
