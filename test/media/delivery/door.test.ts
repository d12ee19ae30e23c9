/** The socket by which capture reaches the hub: one at a time, in a folder of our own, back where it was swept away. */
import assert from 'node:assert/strict';
import { existsSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Door } from '../../../agent/media/delivery/door.js';
import { folderFor } from '../../helpers/command.js';
import { Feed, until } from '../../helpers/feed.js';

async function opened(t: TestContext) {
  const socket = path.join(await folderFor(t), 'private', 'hub.sock');
  const reads = new Feed<number>('reads of tags');
  const door = new Door((pieces) => reads.push([...pieces].length));
  await door.open(socket);
  const enter = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const connection = connect(socket, () => resolve(connection));
      connection.on('error', reject);
      t.after(() => connection.destroy());
    });
  t.after(() => door.close());
  return { door, socket, reads, enter };
}

/** A header of FLV: a stream begins. */
const beginning = Buffer.from([0x46, 0x4c, 0x56, 1, 5, 0, 0, 0, 9, 0, 0, 0, 0]);

test('its folder is private, and who comes later takes the place of who was there', async (t) => {
  const { socket, reads, enter } = await opened(t);
  assert.equal(statSync(path.dirname(socket)).mode & 0o777, 0o700);
  const first = await enter();
  first.write(beginning);
  await reads.waitFor((pieces) => pieces === 1, 10_000);
  const gone = new Promise((resolve) => first.once('close', resolve));
  const second = await enter();
  await gone;
  second.write(beginning);
  await reads.waitFor((pieces) => pieces === 1, 10_000, 1);
});

test('swept away, it is there again after the next look; a socket that a process before it has left is no hindrance', async (t) => {
  const { door, socket, reads, enter } = await opened(t);
  await door.open(socket);
  door.look();
  rmSync(path.dirname(socket), { recursive: true });
  door.look();
  await until(() => existsSync(socket), 10_000, 'the socket');
  (await enter()).write(beginning);
  await reads.waitFor((pieces) => pieces === 1, 10_000);
});
