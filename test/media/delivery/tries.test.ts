/** What a connection that never came to be leaves behind in the process: rtmp2sink (1.22) alone would keep a socket and an eventfd of each. */
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, test } from 'node:test';
import { Pipeline, type BusMessage } from '../../../agent/media/gstreamer.js';
import { rtmpOutput, rtmpProperties } from '../../../pipelines/outputs/rtmp.js';
import { Feed, until } from '../../helpers/feed.js';
import { startRtmpServer, type Connection, type Script } from '../../helpers/rtmp/server.js';
import { startTlsProxy } from '../../helpers/network/tls.js';

const peakKbps = 8_000_001;
const tries = 12;

/** Sockets and eventfds of this process. */
const held = (): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return /^socket:|eventfd/.test(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      return false; // That of the reading itself.
    }
  }).length;

/** Tries to publish to a server that does as `script` says, until `isOver`, again and again; descriptors that were kept. */
async function kept(
  script: Script,
  isOver: (connection: Connection, said: Feed<BusMessage>) => boolean,
  secure = false,
) {
  await using server = await startRtmpServer(script);
  await using tls = await startTlsProxy(server.port);
  const said = new Feed<BusMessage>('bus messages');
  const destination = {
    scheme: secure ? ('rtmps' as const) : ('rtmp' as const),
    host: '127.0.0.1',
    port: secure ? tls.port : server.port,
    application: 'live',
    stream: 'k',
    tlsVerify: false,
  };
  const pipeline = new Pipeline(
    { text: rtmpOutput().text, properties: rtmpProperties(destination, peakKbps) },
    (message) => said.push(message),
  );
  const once = async (): Promise<void> => {
    const before = server.connections.items.length;
    said.forget();
    pipeline.play();
    const connection = await server.connection(before);
    await until(() => isOver(connection, said), 10_000, 'the end of a try');
    pipeline.stop();
    connection.socket.destroy();
  };
  // The first ones load what is kept for good.
  for (let i = 0; i < 4; i += 1) await once();
  const before = held();
  for (let i = 0; i < tries; i += 1) await once();
  const after = held();
  pipeline.destroy();
  return after - before;
}

const failed = (_: Connection, said: Feed<BusMessage>): boolean => said.items.some(({ type }) => type === 'error');
const asked = (command: string) => (connection: Connection) => connection.history.items.includes(command);

describe('of a try nothing stays', () => {
  const denied: Script = { publish: { status: 'NetStream.Publish.Denied' } };
  const table: Record<string, () => Promise<number>> = {
    'where the key is refused': () => kept(denied, failed),
    'where it is refused over TLS': () => kept(denied, failed, true),
    'where the application is refused': () => kept({ connect: { reject: 'no such application' } }, failed),
    'where the server closes': () => kept({ publish: 'close' }, failed),
    'that is given up while the server says nothing to connect': () => kept({ connect: 'mute' }, asked('connect')),
    'that is given up while it says nothing to publish': () => kept({ publish: 'mute' }, asked('publish')),
    'that is given up amid garbage': () => kept({ handshake: 'garbage' }, ({ bytes }) => bytes > 3073),
  };
  for (const [name, count] of Object.entries(table)) {
    test(name, async () => {
      // One that is just ending may still hold its two.
      assert.ok((await count()) <= 2);
    });
  }
});
