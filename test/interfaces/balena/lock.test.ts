/** The update lock: what a second process sees of it, leftovers, the Supervisor's own, overrides. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { UpdateLock } from '../../../agent/interfaces/balena/lock.js';
import type { Runner } from '../../../agent/machine/host/run.js';
import { mortal, temporaryFolder } from '../../helpers/command.js';
import { holdLock, lockAttempt } from '../../helpers/balena/update-lock.js';

const root = process.getuid?.() === 0;

async function lockIn(t: TestContext): Promise<UpdateLock> {
  const { folder, remove } = await temporaryFolder();
  const lock = new UpdateLock(path.join(folder, 'updates.lock'));
  t.after(async () => {
    lock.release();
    await remove();
  });
  return lock;
}

test('held, another process gets neither the lock file nor the flock; released, it gets both', async (t) => {
  const lock = await lockIn(t);
  assert.deepEqual(await lockAttempt(lock.path), { file: true, flock: true });
  assert.equal(await lock.take(), 'held');
  assert.deepEqual(await lockAttempt(lock.path), { file: false, flock: false });
  assert.equal(await lock.take(), 'held');
  assert.ok(lock.isWhole && lock.check());
  lock.release();
  assert.ok(!existsSync(lock.path));
  assert.deepEqual(await lockAttempt(lock.path), { file: true, flock: true });
});

test('children of this process do not inherit it', async (t) => {
  const lock = await lockIn(t);
  await lock.take();
  const child = spawn(...mortal('cat', []), { stdio: ['pipe', 'pipe', 'ignore'] });
  t.after(() => child.kill());
  // While it is loaded, files of it come and go.
  child.stdin.write('up\n');
  await once(child.stdout, 'data');
  const folder = `/proc/${child.pid}/fd`;
  const files = readdirSync(folder).map((fd) => readlinkSync(path.join(folder, fd)));
  assert.ok(files.length > 0 && !files.includes(lock.path), files.join());
  child.kill();
  await once(child, 'close');
});

test('what was left behind is taken over, whoever it belongs to', async (t) => {
  const lock = await lockIn(t);
  writeFileSync(lock.path, '');
  const inode = lstatSync(lock.path).ino;
  assert.equal(await lock.take(), 'held');
  assert.equal(lstatSync(lock.path).ino, inode);
  assert.deepEqual(await lockAttempt(lock.path), { file: false, flock: false });
  lock.release();
  assert.ok(!existsSync(lock.path));
});

test('what another process of ours holds is not a leftover', async (t) => {
  const lock = await lockIn(t);
  await using holder = await holdLock(lock.path);
  assert.equal(await lock.take(), 'other');
  assert.ok(!lock.isHeld && existsSync(lock.path));
  await holder.stop();
  assert.equal(await lock.take(), 'held');
});

test("the Supervisor's file is left alone", { skip: !root && 'only root can give files away' }, async (t) => {
  const lock = await lockIn(t);
  writeFileSync(lock.path, '');
  chownSync(lock.path, 65534, 65534);
  assert.equal(await lock.take(), 'supervisor');
  lock.release();
  assert.equal(lstatSync(lock.path).uid, 65534);
  unlinkSync(lock.path);
  assert.equal(await lock.take(), 'held');
});

test('an override is noticed, and what the other one put there is not removed', async (t) => {
  const lock = await lockIn(t);
  await lock.take();
  unlinkSync(lock.path);
  writeFileSync(lock.path, 'another');
  assert.equal(lock.check(), false);
  assert.equal(lock.isHeld, false);
  lock.release();
  assert.ok(existsSync(lock.path));
});

test('one that is overridden between two looks is not removed at the end', async (t) => {
  const lock = await lockIn(t);
  await lock.take();
  unlinkSync(lock.path);
  writeFileSync(lock.path, 'another');
  lock.release();
  assert.ok(existsSync(lock.path));
});

test('released while it is being taken, it is not held afterwards', async (t) => {
  const lock = await lockIn(t);
  const taking = lock.take();
  lock.release();
  assert.equal(await taking, 'other');
  assert.ok(!lock.isHeld && !existsSync(lock.path));
});

test('without the program flock the file alone is held, and said to be half of it', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const missing: Runner = () =>
    Promise.resolve({ code: undefined, stdout: '', stderr: '', missing: true, late: false });
  const lock = new UpdateLock(path.join(folder, 'updates.lock'), missing);
  assert.equal(await lock.take(), 'held');
  assert.equal(lock.isWhole, false);
  assert.deepEqual(await lockAttempt(lock.path), { file: false, flock: true });
  lock.release();
});

test('no folder, a folder in its place, a link: said in so many words', async (t) => {
  const lock = await lockIn(t);
  const within = new UpdateLock(path.join(lock.path, 'x', 'updates.lock'));
  await assert.rejects(within.take(), { code: 'update_lock_failed', message: /ENOENT.*BALENA_APP_LOCK_PATH/ });
  symlinkSync('/etc/passwd', lock.path);
  await assert.rejects(lock.take(), { code: 'update_lock_failed' });
  unlinkSync(lock.path);
  mkdirSync(lock.path);
  await assert.rejects(lock.take(), {
    code: 'update_lock_failed',
    message: /something other than a file is in its place/,
  });
});
