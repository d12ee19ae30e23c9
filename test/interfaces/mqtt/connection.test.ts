/** The connection to brokers that are none: whatever they answer, nothing is thrown, and they are asked ever more seldom. */
import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { describe, test, type TestContext } from 'node:test';
import type { Clock } from '../../../agent/clock.js';
import { defaults } from '../../../agent/config/resolve.js';
import type { Fault } from '../../../agent/errors.js';
import { Connection, type ConnectionEvents, type Message } from '../../../agent/interfaces/mqtt/connection.js';
import { Feed, until } from '../../helpers/feed.js';
import { atLeast } from '../../helpers/interval.js';

/** When each connection came (ms), to a server that does `answer` with the CONNECT of each; the device draws no lots unless `clock` says so. */
async function visits(
  t: TestContext,
  answer: (socket: Socket, isFive: boolean) => void,
  events: Partial<ConnectionEvents> = {},
  clock: Clock = { now: () => performance.now(), random: () => 0 },
): Promise<{ came: Feed<number>; connection: Connection }> {
  const came = new Feed<number>('connections');
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    came.push(performance.now());
    socket.on('error', () => undefined);
    socket.once('data', (connect) => answer(socket, connect[connect.indexOf('MQTT') + 4] === 5));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const nothing = (): void => undefined;
  const connection = new Connection(
    { ...defaults().mqtt, url },
    'kitchen',
    undefined,
    {
      ...{ subscriptions: () => [{ topic: 'a' }], subscribed: nothing, connected: nothing, message: nothing },
      ...{ lost: nothing, takenOver: nothing, ...events },
    },
    clock,
    () => true,
  );
  t.after(async () => {
    await connection.stop();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  connection.start();
  return { came, connection };
}

/** CONNACK: welcome. */
const welcome = (isFive: boolean): Buffer => Buffer.from(isFive ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0]);

const odd: Readonly<Record<string, (socket: Socket, isFive: boolean) => void>> = {
  'welcomes everybody and closes': (socket, isFive) => socket.end(welcome(isFive)),
  'gives every place away at once': (socket, isFive) => socket.end(Buffer.concat([welcome(isFive), takenOver])),
  'sends a topic by a number that nobody knows': (socket, isFive) =>
    socket.end(Buffer.concat([welcome(isFive), alias])),
  'sends a length that never ends': (socket, isFive) => socket.end(Buffer.concat([welcome(isFive), endless])),
};
const takenOver = Buffer.from([0xe0, 2, 0x8e, 0]);
const hello = Buffer.from([0x30, 4, 0, 1, 0x61, 0]);
const alias = Buffer.from([0x30, 7, 0, 0, 3, 0x23, 0, 7, 120]);
const endless = Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0xff]);

for (const [what, answer] of Object.entries(odd)) {
  test(`a broker that ${what} is asked ever more seldom`, async (t) => {
    const { came } = await visits(t, answer);
    await came.waitFor(() => came.items.length >= 3, 60_000);
    const [first, second, third] = came.items as [number, number, number];
    // Half of 2 s, and of 4 s.
    atLeast(990, second - first, 'the first try after a loss');
    atLeast(1990, third - second, 'the second');
  });
}

test('a broker that speaks neither version of MQTT is asked for both, and then ever more seldom', async (t) => {
  const versions: number[] = [];
  const { came } = await visits(t, (socket, isFive) => {
    versions.push(isFive ? 5 : 4);
    socket.end(Buffer.from(isFive ? [0x20, 3, 0, 0x84, 0] : [0x20, 2, 0, 1]));
  });
  await until(() => versions.length >= 6, 60_000, 'six visits');
  assert.deepEqual(versions.slice(0, 6), [5, 4, 5, 4, 5, 4]);
  const at = came.items;
  atLeast(990, at[2]! - at[1]!, 'the second try with MQTT 5');
  atLeast(1990, at[4]! - at[3]!, 'the third');
});

test('many that lose a broker which had long been there come back spread over ten seconds, as each draws its lot', async (t) => {
  const comesBackAfter = async (random: number): Promise<number> => {
    let looks = 0;
    // Ten seconds go by with each look: at the second one the connection has stood for long.
    const clock: Clock = { now: () => ++looks * 10_000, random: () => random };
    let there: Socket | undefined;
    const welcomed = (socket: Socket, isFive: boolean): void => void (there = socket).write(welcome(isFive));
    const { came } = await visits(t, welcomed, {}, clock);
    await until(() => looks >= 2, 30_000, 'a connection that has stood');
    const lost = performance.now();
    there!.destroy();
    await came.waitFor(() => came.items.length >= 2, 60_000);
    return came.items[1]! - lost;
  };
  const [early, late] = await Promise.all([comesBackAfter(0.05), comesBackAfter(0.5)]);
  atLeast(490, early, 'a device that draws 0.05');
  atLeast(4990, late, 'one that draws 0.5');
  assert.ok(early < late, `${early} and ${late} ms`);
});

test('while nothing gets through, events are left out and answers are not, up to a bound', async (t) => {
  const { connection } = await visits(t, (socket, isFive) => {
    socket.write(welcome(isFive));
    socket.pause();
  });
  await until(() => connection.isConnected, 30_000, 'the connection');
  const text = 'x'.repeat(100_000);
  const send = (isAnswer: boolean): boolean =>
    connection.publish('a', text, { qos: 1, retain: false }, isAnswer ? { isAnswer } : {});
  const whole = async (isAnswer: boolean, most: number): Promise<number> => {
    let sent = 0;
    // What has been handed over is written before the next is.
    for (; sent < most && send(isAnswer); sent++) await new Promise((resolve) => setImmediate(resolve));
    return sent;
  };
  assert.ok((await whole(false, 1000)) < 1000, 'events end');
  assert.ok(!send(false) && send(true), 'answers do not yet');
  assert.ok((await whole(true, 1000)) < 50, 'but they do');
});

test('a broker that is left is not heard any more: neither that the place was given to the next connection, nor anything else', async (t) => {
  const told: string[] = [];
  let there: Socket | undefined;
  const { connection } = await visits(
    t,
    (socket, isFive) => {
      there = socket;
      socket.write(welcome(isFive));
    },
    {
      message: ({ topic }) => told.push(topic),
      takenOver: () => told.push('taken over'),
      lost: () => told.push('lost'),
    },
  );
  await until(() => connection.isConnected, 30_000, 'the connection');
  there!.write(hello);
  await until(() => told.length > 0, 30_000, 'a message');
  // Never acknowledged, so that the end in order takes as long as it may.
  connection.publish('a', 'farewell', { qos: 1, retain: false });
  const end = connection.stop();
  there!.write(Buffer.concat([hello, takenOver]));
  await end;
  assert.deepEqual(told, ['a']);
});

/** SUBSCRIBE: the packet's number and its one topic; undefined for another packet. */
function subscription(packet: Buffer, isFive: boolean): { id: Buffer; topic: string } | undefined {
  if (packet[0] !== 0x82) return undefined;
  const at = isFive ? 5 : 4;
  return { id: packet.subarray(2, 4), topic: packet.toString('utf8', at + 2, at + 2 + packet.readUInt16BE(at)) };
}

test('a broker that closes over a topic that it forbids: the others are kept, and that one is named', async (t) => {
  const told: string[] = [];
  const asked: string[] = [];
  await visits(
    t,
    (socket, isFive) => {
      socket.write(welcome(isFive));
      let rest = Buffer.alloc(0);
      socket.on('data', (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length > 1 && rest.length >= 2 + rest[1]!) {
          const found = subscription(rest.subarray(0, 2 + rest[1]!), isFive);
          rest = rest.subarray(2 + rest[1]!);
          if (!found) continue;
          asked.push(found.topic);
          if (found.topic === 'forbidden') return socket.destroy();
          socket.write(
            Buffer.concat([Buffer.from(isFive ? [0x90, 4] : [0x90, 3]), found.id, Buffer.from(isFive ? [0, 1] : [1])]),
          );
        }
      });
    },
    {
      subscriptions: () => ['own', 'forbidden', 'other'].map((topic) => ({ topic })),
      subscribed: (topic, isGranted) => told.push(`${topic} ${isGranted}`),
    },
  );
  await until(() => told.includes('other true'), 60_000, 'the topic behind the forbidden one');
  assert.deepEqual(told.slice(-3).sort(), ['forbidden false', 'other true', 'own true']);
  assert.equal(asked.filter((topic) => topic === 'forbidden').length, 2);
});

for (const [what, bytes, says] of [
  [
    'CONNACK: no retained messages',
    [0x20, 3, 0, 0x9a, 0],
    /mqtt_refused .*it does not support retained messages \(0x9a\).*QoS 1/,
  ],
  ['CONNACK: no QoS 1', [0x20, 3, 0, 0x9b, 0], /mqtt_refused .*does not support this quality of service \(0x9b\)/],
  [
    'DISCONNECT: no retained messages, in its own words',
    [0x20, 3, 0, 0, 0, 0xe0, 9, 0x9a, 7, 0x1f, 0, 4, 0x6e, 0x6f, 0x70, 0x65],
    /mqtt_refused .*closed the connection: it does not support retained messages \(0x9a\): "nope"/,
  ],
  ['DISCONNECT: quota exceeded', [0x20, 3, 0, 0, 0, 0xe0, 1, 0x97], /mqtt_unreachable .*quota exceeded \(0x97\)/],
] as const) {
  test(`the broker's own reason reaches the operator: ${what}`, async (t) => {
    const faults = new Feed<string>('faults');
    await visits(t, (socket) => socket.end(Buffer.from(bytes)), {
      lost: ({ code, message }) => faults.push(`${code} ${message}`),
    });
    await faults.waitFor(() => true, 30_000);
    assert.match(faults.items[0]!, says);
  });
}

/** PUBLISH of `bytes` on the topic `long`, with the flags of `type`. */
const publishOf = (type: number, bytes: number): Buffer => {
  const length: number[] = [];
  for (let rest = bytes; rest > 0 || length.length === 0; rest >>= 7)
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
  return Buffer.concat([Buffer.from([type, ...length, 0, 4]), Buffer.from('long')]);
};

/** Sends zeros for as long as anybody takes them. */
const flood = (socket: Socket): void => {
  const zeros = Buffer.alloc(64 * 1024);
  const more = (): void => {
    while (!socket.destroyed && socket.write(zeros));
    socket.once('drain', more);
  };
  more();
};

const tooMuch: Readonly<Record<string, { readonly packet: Buffer; readonly says: RegExp }>> = {
  'a packet of 100 MB': {
    packet: publishOf(0x31, 100_000_000),
    says: /a packet of 100000000 bytes, above the limit of 266240 bytes \(long\)/,
  },
  'a message with QoS 2, which nobody has asked for': { packet: publishOf(0x35, 100), says: /with QoS 2.*\(long\)/ },
};
describe('what is not taken', { concurrency: true }, () => {
  for (const [what, { packet, says }] of Object.entries(tooMuch)) {
    for (const version of ['5', '3.1.1'] as const) {
      test(`${what} (MQTT ${version}): the connection is closed at its length, it is said what, and tried again ever more seldom`, async (t) => {
        const faults = new Feed<Fault>('faults');
        const messages: Message[] = [];
        const { came } = await visits(
          t,
          (socket, isFive) => {
            if (isFive && version === '3.1.1') return socket.end(Buffer.from([0x20, 3, 0, 0x84, 0]));
            socket.write(Buffer.concat([welcome(isFive), packet]));
            flood(socket);
          },
          { lost: (fault) => faults.push(fault), message: (message) => messages.push(message) },
        );
        const fault = await faults.waitFor(({ code }) => code === 'mqtt_too_long', 30_000);
        assert.match(fault.message, says);
        assert.match(fault.message, /mosquitto_sub --retained-only/);
        assert.deepEqual(messages, []);
        const before = came.items.length;
        const at = performance.now();
        await came.waitFor(() => came.items.length > before, 60_000);
        atLeast(4500, performance.now() - at, 'the next try');
      });
    }
  }
});
