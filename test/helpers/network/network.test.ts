/** TLS in front of a server, and namespaces, tried with publishers that are not makercast. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { until } from '../feed.js';
import { isVideoKey } from '../content/flv.js';
import { launch, gstPublisher } from '../rtmp/publisher.js';
import { noNamespaces, makeNamespace } from './namespace.js';
import { startRtmpServer } from '../rtmp/server.js';
import { startTlsProxy } from './tls.js';

test('RTMPS: a client that does not check is let in, one that does is not', async () => {
  await using server = await startRtmpServer();
  await using proxy = await startTlsProxy(server.port);
  const location = `rtmps://127.0.0.1:${proxy.port}/live/key`;
  await using checking = gstPublisher(location);
  assert.notEqual((await checking.ended).code, 0);
  assert.equal(server.publishes.items.length, 0);
  await using trusting = gstPublisher(location, { sink: 'tls-validation-flags=0' });
  await (await server.published('key')).tags.waitFor(isVideoKey, 15_000);
  assert.ok(proxy.handshakes() >= 1);
  assert.equal(trusting.child.exitCode, null);
});

const skip = noNamespaces();

test('a namespace without links has a loopback and nothing else', { skip }, async () => {
  await using namespace = await makeNamespace();
  const [command, ...args] = [...namespace.prefix, 'ip', '-o', 'addr'] as string[] as [string, ...string[]];
  const { stdout } = spawnSync(command, args, { encoding: 'utf8' });
  assert.match(stdout, /lo .*127\.0\.0\.1/);
  assert.ok(
    stdout
      .trim()
      .split('\n')
      .every((line) => / lo /.test(line)),
    stdout,
  );
});

test('links are throttled, swallowed and healed one by one', { skip }, async () => {
  await using namespace = await makeNamespace(2);
  const [near, far] = namespace.links as [(typeof namespace.links)[0], (typeof namespace.links)[0]];
  const ping = (host: string, patienceMs = 5000): boolean => {
    const script = `require('net').connect(${port}, '${host}').on('connect', () => process.exit(0)).on('error', () => process.exit(1)); setTimeout(() => process.exit(2), ${patienceMs})`;
    const [command, ...args] = [...namespace.prefix, process.execPath, '-e', script] as string[] as [
      string,
      ...string[],
    ];
    return spawnSync(command, args).status === 0;
  };
  await using server = await startRtmpServer({}, '0.0.0.0');
  const { port } = server;
  assert.ok(ping(near.host) && ping(far.host));
  await namespace.blackHole(0);
  assert.ok(!ping(near.host, 500) && ping(far.host));
  await namespace.heal(0);
  assert.ok(ping(near.host));
  const limitKbps = 100;
  await namespace.throttle(limitKbps, { link: 0 });
  const [command, ...args] = [
    ...namespace.prefix,
    'bash',
    '-c',
    `head -c 2000000 /dev/zero > /dev/tcp/${near.host}/${port}`,
  ] as string[] as [string, ...string[]];
  server.script = { handshake: 'mute' };
  const before = server.connections.items.length;
  const start = performance.now();
  await using sender = launch(command, args);
  const connection = await server.connection(before);
  await until(() => connection.bytes > 50_000, 20_000, '50 kB over the slow link');
  // It would be hundreds of times the limit; the burst of 8 kB, and what was on its way, may be above it.
  const kbps = (connection.bytes * 8) / (performance.now() - start);
  assert.ok(kbps < 2 * limitKbps, `${Math.round(kbps)} kbit/s`);
  assert.equal(sender.child.exitCode, null);
  await namespace.throttle(undefined);
  await namespace.cut(0);
  await namespace.restore(0);
  assert.ok(await until(() => ping(near.host), 20_000, 'the mended link'));
});
