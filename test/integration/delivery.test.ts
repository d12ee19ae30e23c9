/** The delivery process by its messages alone. */
import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';
import type { FromDelivery, OutputStatus, ToDelivery, WantedOutput } from '../../agent/media/messages.js';
import { temporaryFolder } from '../helpers/command.js';
import { Feed } from '../helpers/feed.js';
import { startRtmpServer } from '../helpers/rtmp-server.js';

const main = fileURLToPath(new URL('../../agent/media/delivery/main.js', import.meta.url));

async function startDelivery() {
  const { folder, remove } = await temporaryFolder();
  const child = fork(main, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const messages = new Feed<FromDelivery>('messages of delivery');
  child.on('message', (message) => messages.push(message as FromDelivery));
  const send = (message: ToDelivery): void => void child.send(message);
  send({ type: 'hub', socket: path.join(folder, 'hub.sock') });
  await messages.waitFor(({ type }) => type === 'ready', 20_000);
  return {
    send,
    messages,
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
  await delivery.status('one', ({ state }) => state === 'live', from, 10_000);
  assert.ok(!delivery.messages.items.slice(from).some((each) => each.type === 'output' && each.name === 'two'));
  delivery.send({ type: 'retry' });
  await delivery.status('two', ({ state }) => state === 'live', from, 10_000);
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
  await delivery.status('two', ({ state }) => state === 'live', 0, 10_000);
});
