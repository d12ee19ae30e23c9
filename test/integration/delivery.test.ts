/** The delivery process by its messages alone. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import { fileHeader } from '../../agent/formats/flv/tag.js';
import type { FromDelivery, OutputStatus, ToDelivery, WantedOutput } from '../../agent/media/messages.js';
import { temporaryFolder } from '../helpers/command.js';
import { Feed } from '../helpers/feed.js';
import { isPicture, isSound } from '../helpers/content/flv.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { startTlsProxy } from '../helpers/network/tls.js';
import { aacHeader, avcHeader, picture, sound } from '../helpers/content/tags.js';

const main = fileURLToPath(new URL('../../agent/media/delivery/main.js', import.meta.url));

async function startDelivery() {
  const { folder, remove } = await temporaryFolder();
  const socket = path.join(folder, 'hub.sock');
  const child = fork(main, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const messages = new Feed<FromDelivery>('messages of delivery');
  child.on('message', (message) => messages.push(message as FromDelivery));
  const send = (message: ToDelivery): void => void child.send(message);
  send({ type: 'hub', socket });
  await messages.waitFor(({ type }) => type === 'ready', 20_000);
  return {
    send,
    messages,
    socket,
    /** The next status of output `name`, from message `from` on, that fulfils `test`. */
    async status(name: string, test: (status: OutputStatus) => boolean, from = 0, deadlineMs = 20_000) {
      const found = await messages.waitFor(
        (each) => each.type === 'output' && each.name === name && test(each.status),
        deadlineMs,
        from,
      );
      return (found as Extract<FromDelivery, { type: 'output' }>).status;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await remove();
    },
  };
}

const output = (name: string, port: number): WantedOutput => ({
  name,
  destination: { scheme: 'rtmp', host: '127.0.0.1', port, application: 'live', stream: name, tlsVerify: true },
  maxQueueMs: 4000,
  adaptive: false,
});

test('an operator’s retry skips the wait of the output that is named, and of no other', async () => {
  await using server = await startRtmpServer({ publish: { status: 'NetStream.Publish.Denied' } });
  await using delivery = await startDelivery();
  delivery.send({ type: 'outputs', outputs: [output('one', server.port), output('two', server.port)] });
  // The wait that follows is 20 s at least.
  for (const name of ['one', 'two']) await delivery.status(name, ({ state }) => state === 'refused');
  server.script = {};
  const from = delivery.messages.items.length;
  delivery.send({ type: 'retry', output: 'one' });
  await delivery.status('one', ({ state }) => state === 'live', from, 18_000);
  assert.ok(!delivery.messages.items.slice(from).some((each) => each.type === 'output' && each.name === 'two'));
  delivery.send({ type: 'retry' });
  await delivery.status('two', ({ state }) => state === 'live', from, 18_000);
});

test('a longer queue is taken over without a new connection; another key is another output', async () => {
  await using server = await startRtmpServer();
  await using delivery = await startDelivery();
  const wanted = output('one', server.port);
  delivery.send({ type: 'outputs', outputs: [wanted] });
  await delivery.status('one', ({ state }) => state === 'live');
  delivery.send({ type: 'outputs', outputs: [{ ...wanted, maxQueueMs: 8000 }] });
  delivery.send({
    type: 'outputs',
    outputs: [{ ...wanted, maxQueueMs: 8000, destination: { ...wanted.destination, stream: 'other' } }],
  });
  await server.published('other');
  assert.deepEqual(
    server.publishes.items.map(({ name }) => name),
    ['one', 'other'],
  );
});

test('an output by another name to the same place: what the server still holds is our own ghost, and tried again fast', async () => {
  const taken = { publish: { status: 'NetStream.Publish.BadName', description: 'Already publishing' } };
  await using server = await startRtmpServer((nth) => (nth === 1 ? taken : {}));
  await using delivery = await startDelivery();
  const wanted = output('one', server.port);
  delivery.send({ type: 'outputs', outputs: [wanted] });
  await delivery.status('one', ({ state }) => state === 'live');
  delivery.send({ type: 'outputs', outputs: [{ ...wanted, name: 'two' }] });
  const { fault } = await delivery.status('two', ({ state }) => state === 'waiting' || state === 'refused');
  assert.equal(fault?.code, 'output_already_published');
  await delivery.status('two', ({ state }) => state === 'live', 0, 18_000);
});

test('sound of before the keyframe that a session begins with is left out', async () => {
  await using server = await startRtmpServer();
  await using delivery = await startDelivery();
  const capture = connect(delivery.socket);
  // As a change of the delay of sound puts it out of step.
  const group = [picture(1000, true), sound(900), picture(1040), sound(1050)];
  capture.write(Buffer.concat([fileHeader, avcHeader(), aacHeader(), picture(0, true), sound(5), ...group]));
  await delivery.messages.waitFor((each) => each.type === 'beat' && each.hub.frames === 3, 10_000);
  delivery.send({ type: 'outputs', outputs: [output('one', server.port)] });
  const { tags } = await server.published('one');
  let at = 1100;
  const more = setInterval(() => capture.write(sound((at += 50))), 50);
  await tags.waitFor(({ type, timestamp }) => type === 8 && timestamp > 50, 10_000);
  clearInterval(more);
  capture.destroy();
  const media = tags.items.filter((tag) => isPicture(tag) || isSound(tag));
  assert.deepEqual(
    media.slice(0, 3).map(({ type, timestamp }) => [type, timestamp]),
    [
      [9, 0],
      [9, 40],
      [8, 50],
    ],
  );
});

test('a TLS server that ends without a last word, and is away for a moment behind its port, is tried fast', async () => {
  await using server = await startRtmpServer();
  await using tls = await startTlsProxy(server.port);
  const held = new Set<Socket>();
  let isAway = false;
  const front = createServer((socket) => {
    held.add(socket.on('error', () => undefined));
    if (isAway) return void socket.once('data', () => socket.destroy());
    const back = connect(tls.port, '127.0.0.1').on('error', () => undefined);
    held.add(back);
    socket.pipe(back).pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  await using delivery = await startDelivery();
  const wanted = output('one', (front.address() as AddressInfo).port);
  const destination = { ...wanted.destination, scheme: 'rtmps' as const, tlsVerify: false };
  delivery.send({ type: 'outputs', outputs: [{ ...wanted, destination }] });
  await delivery.status('one', ({ state }) => state === 'live');
  isAway = true;
  for (const socket of held) socket.end();
  const failed = async (code: string): Promise<OutputStatus> =>
    delivery.status('one', ({ state, fault }) => /waiting|refused/.test(state) && fault?.code === code);
  assert.equal((await failed('output_closed')).state, 'waiting');
  assert.equal((await failed('output_tls')).state, 'waiting');
  isAway = false;
  await delivery.status('one', ({ state, connects }) => state === 'live' && connects === 2, 0, 10_000);
  for (const socket of held) socket.destroy();
  front.close();
});
