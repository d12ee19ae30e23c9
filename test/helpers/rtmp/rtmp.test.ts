/** The instruments at the wire: nginx-rtmp, the scripted server and the subscriber, tried with publishers that are not makercast. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { until } from '../feed.js';
import { startNginx } from './nginx.js';
import { decodeAmf, encodeAmf } from './amf.js';
import { isAudioHeader, isSound, isVideoHeader, isVideoKey } from '../content/flv.js';
import { ffmpegPublisher, gstPublisher } from './publisher.js';
import { startRtmpServer } from './server.js';
import { subscribe } from './client.js';
import { ChunkReader, chunked, control } from './wire.js';

test('AMF0 comes back as it was', () => {
  const values = ['connect', 1, { app: 'live', flag: false, nothing: null, list: [1, 'x', undefined] }, 'ü'];
  assert.deepEqual(decodeAmf(encodeAmf(...values)), values);
});

test('chunks come back as messages, in whatever pieces, across a change of chunk size', () => {
  const reader = new ChunkReader();
  const body = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 251));
  const media = { type: 9, streamId: 1, timestamp: 0x1234567, body };
  const bytes = Buffer.concat([chunked(4, media, 128), chunked(2, control(1, 300), 128), chunked(4, media, 300)]);
  const messages = [...bytes].flatMap((byte) => [...reader.push(Buffer.from([byte]))]);
  assert.deepEqual(
    messages.map(({ type }) => type),
    [9, 1, 9],
  );
  assert.deepEqual(messages[0], media);
  assert.deepEqual(messages[2], media);
  assert.deepEqual(reader.chunkSizes, [300]);
});

test('nginx tells who publishes, with which name and query, serves a subscriber that came first, and sees an orderly end', async () => {
  await using nginx = await startNginx({ applications: ['live', 'second'], record: true });
  await using subscriber = await subscribe(`${nginx.url('second')}/cam`);
  await using publisher = gstPublisher(`${nginx.url('second')}/cam?token=a%20b`);
  const call = await nginx.waitForCall('publish');
  assert.deepEqual([call.app, call.name, call.args], ['second', 'cam', { token: 'a b' }]);
  await subscriber.keyframe();
  await subscriber.tags.waitFor(isSound, 15_000);
  const kinds = subscriber.tags.items;
  for (const [isHeader, isMedia] of [
    [isVideoHeader, isVideoKey],
    [isAudioHeader, isSound],
  ] as const) {
    assert.ok(kinds.some(isHeader) && kinds.findIndex(isHeader) < kinds.findIndex(isMedia));
  }
  const stream = (await nginx.stat()).find(({ name }) => name === 'cam');
  assert.equal(stream?.application, 'second');
  assert.equal(stream.publishing, true);
  assert.equal(stream.video?.width, 320);
  await publisher.stop();
  await nginx.waitForCall('publish_done', { name: 'cam' });
  assert.match(await nginx.log(), /deleteStream/);
  assert.equal((await nginx.recordings('second')).length, 1);
});

test('nginx refuses a publish, is killed, and comes back on the same port', async () => {
  await using nginx = await startNginx();
  nginx.allowPublish = (call) => call.name !== 'wrong';
  await using refused = gstPublisher(`${nginx.url()}/wrong`);
  assert.notEqual((await refused.ended).code, 0);
  await using first = gstPublisher(`${nginx.url()}/right`);
  await nginx.waitForCall('publish', { name: 'right' });
  await nginx.kill();
  assert.notEqual((await first.ended).code, 0);
  await nginx.restart();
  const before = nginx.calls.items.length;
  await using second = gstPublisher(`${nginx.url()}/right`);
  await nginx.waitForCall('publish', { name: 'right', from: before });
  assert.equal(second.child.exitCode, null);
});

for (const [name, publish] of [
  ['gst-launch', gstPublisher],
  ['ffmpeg', ffmpegPublisher],
] as const) {
  test(`the scripted server takes ${name}: names verbatim, headers before pictures, the end in order`, async () => {
    await using server = await startRtmpServer();
    await using publisher = publish(`${server.url('live')}/key`);
    const connection = await server.connection();
    await connection.tags.waitFor(isVideoKey, 15_000);
    assert.equal(connection.app, 'live');
    assert.equal(connection.name, 'key');
    assert.equal(connection.tcUrl, server.url('live'));
    const media = connection.tags.items;
    const [header, keyframe] = [media.findIndex(isVideoHeader), media.findIndex(isVideoKey)];
    assert.ok(header >= 0 && header < keyframe, `${header}, ${keyframe}`);
    assert.ok(connection.flv().length > 1000);
    await publisher.stop();
    await connection.history.waitFor((event) => event === 'closed', 5000);
    const history = connection.history.items;
    assert.ok(history.indexOf('deleteStream') > history.indexOf('publish'), history.join());
    assert.ok(history.indexOf('deleteStream') < history.indexOf('closed'), history.join());
  });

  test(`${name} is refused, dropped and left in silence as the script says`, async () => {
    await using server = await startRtmpServer({ publish: { status: 'NetStream.Publish.BadName' } });
    await using denied = publish(`${server.url()}/key`);
    assert.notEqual((await denied.ended).code, 0);
    for (const script of [
      { handshake: 'close' },
      { connect: 'close' },
      { connect: 'reset' },
      { connect: { reject: 'no such application' } },
    ] as const) {
      server.script = script;
      await using publisher = publish(`${server.url()}/key`);
      assert.notEqual((await publisher.ended).code, 0, JSON.stringify(script));
    }
    server.script = { dropAfterMs: 500 };
    await using dropped = publish(`${server.url()}/key`);
    assert.notEqual((await dropped.ended).code, 0);
    // Neither ffmpeg nor rtmp2sink of GStreamer 1.22 gives up on a web server's answer within seconds: only one's own deadline helps.
    for (const handshake of ['mute', 'garbage'] as const) {
      const nth = server.connections.items.length;
      server.script = { handshake };
      await using waiting = publish(`${server.url()}/key`);
      const connection = await server.connection(nth);
      await new Promise((resolve) => connection.socket.once('data', resolve));
      assert.equal(waiting.child.exitCode, null);
      assert.equal(connection.app, undefined);
    }
  });
}

test('Adobe authentication lets the right account in, and only that', async () => {
  await using server = await startRtmpServer({ account: { user: 'maker', password: 'secret' } });
  await using wrong = gstPublisher(`${server.url()}/key`, { sink: 'authmod=adobe username=maker password=other' });
  assert.notEqual((await wrong.ended).code, 0);
  assert.equal(server.publishes.items.length, 0);
  server.script = { account: { user: 'maker', password: 'other' } };
  await using gst = gstPublisher(`${server.url()}/key`, { sink: 'authmod=adobe username=maker password=other' });
  await (await server.published('key')).tags.waitFor(isVideoKey, 15_000);
  await using ffmpeg = ffmpegPublisher(`rtmp://maker:other@127.0.0.1:${server.port}/live/key2`);
  await (await server.published('key2')).tags.waitFor(isVideoKey, 15_000);
  assert.deepEqual([gst.child.exitCode, ffmpeg.child.exitCode], [null, null]);
});

test('a server that stops reading fills the pipe, and says nothing', async () => {
  await using server = await startRtmpServer({ stopReadingAfterMs: 0, acknowledge: false });
  await using publisher = gstPublisher(`${server.url()}/key`);
  const connection = await server.published();
  const { bytes } = connection;
  await until(() => sendQueue(server.port) > 20_000, 15_000, 'a send queue at the publisher');
  assert.equal(connection.bytes, bytes);
  assert.equal(publisher.child.exitCode, null);
});

/** Bytes that wait to be received on connections to or from `port`, both ends (tx_queue:rx_queue in /proc/net/tcp). */
function sendQueue(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const lines = readFileSync('/proc/self/net/tcp', 'utf8').split('\n');
  return lines
    .filter((line) => line.includes(`:${hex} `) && / 01 /.test(line))
    .map((line) => line.trim().split(/\s+/)[4]!.split(':'))
    .reduce((sum, [tx, rx]) => sum + parseInt(tx!, 16) + parseInt(rx!, 16), 0);
}
