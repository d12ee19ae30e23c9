/** A child's side of the channel: it ends in order however often it is told to, and keeps nothing of what it was told. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ended } from '../helpers/command.js';
import { Feed, within } from '../helpers/feed.js';

interface Said {
  readonly type: string;
  readonly heapBytes?: number;
}

function start(t: TestContext): { child: ChildProcess; said: Feed<Said>; tell: (type: string) => Promise<void> } {
  const file = fileURLToPath(new URL('../helpers/children/orderly.js', import.meta.url));
  const child = fork(file, { execArgv: ['--expose-gc'], stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const said = new Feed<Said>('what the child says');
  child.on('message', (message) => said.push(message as Said));
  const tell = (type: string): Promise<void> =>
    new Promise((resolve, reject) => child.send({ type }, (error) => (error ? reject(error) : resolve())));
  return { child, said, tell };
}

test('told to end by message and by signal, as systemd and the agent both do, it ends once and in order', async (t) => {
  const { child, said, tell } = start(t);
  const end = ended(child);
  await tell('halt');
  await said.waitFor(({ type }) => type === 'halting', 10_000);
  child.kill('SIGTERM');
  await said.waitFor(({ type }) => type === 'signalled', 10_000);
  await tell('allow');
  assert.equal((await within(end, 10_000, 'the end')).code, 0);
  assert.deepEqual(
    said.items.map(({ type }) => type),
    ['beat', 'halting', 'signalled', 'halted'],
  );
});

test('messages that were handled leave nothing behind', async (t) => {
  const { said, tell } = start(t);
  const heapAfter = async (messages: number): Promise<number> => {
    const from = said.items.length;
    for (let i = 0; i < messages; i += 100) await Promise.all(Array.from({ length: 100 }, () => tell('nothing')));
    await tell('weigh');
    return (await said.waitFor(({ type }) => type === 'weight', 30_000, from)).heapBytes!;
  };
  const before = await heapAfter(20_000);
  const after = await heapAfter(100_000);
  // A chain of their results is 100 bytes a message.
  assert.ok(after - before < 2_000_000, `${before} bytes, then ${after}`);
});
