/** States in the data folder: whole or set aside, never fatal. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Fault } from '../../../agent/errors.js';
import { dataFolder, Storage } from '../../../agent/machine/storage/storage.js';
import { folderFor } from '../../helpers/command.js';
import { cuttableDisk, noCuttableDisk } from '../../helpers/disk.js';

interface State {
  readonly count: number;
}
const isState = (value: unknown): value is State => typeof (value as State | null)?.count === 'number';

async function store(t: TestContext): Promise<{ folder: string; faults: Fault[]; storage: () => Storage }> {
  const folder = await folderFor(t);
  const faults: Fault[] = [];
  return { folder, faults, storage: () => new Storage(path.join(folder, 'data'), (fault) => faults.push(fault)) };
}

test('what was written is read by the next process, and only its owner may read it', async (t) => {
  const { folder, faults, storage } = await store(t);
  assert.equal(await storage().readState('encoders', 1, isState), undefined);
  assert.equal(await storage().writeState('encoders', 1, { count: 7 }), true);
  assert.deepEqual(await storage().readState('encoders', 1, isState), { count: 7 });
  assert.equal((await stat(path.join(folder, 'data/encoders.json'))).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(path.join(folder, 'data')), ['encoders.json']);
  assert.deepEqual(faults, []);
});

test('equal content is not written again', async (t) => {
  const { folder, storage } = await store(t);
  const one = storage();
  await one.writeState('s', 1, { count: 1 });
  const { ino } = await stat(path.join(folder, 'data/s.json'));
  await one.writeState('s', 1, { count: 1 });
  const two = storage();
  await two.readState('s', 1, isState);
  await two.writeState('s', 1, { count: 1 });
  assert.equal((await stat(path.join(folder, 'data/s.json'))).ino, ino);
  await two.writeState('s', 1, { count: 2 });
  assert.notEqual((await stat(path.join(folder, 'data/s.json'))).ino, ino);
});

test('writes of one name keep their order', async (t) => {
  const { storage } = await store(t);
  const one = storage();
  await Promise.all(Array.from({ length: 20 }, (_, count) => one.writeState('s', 1, { count })));
  assert.deepEqual(await storage().readState('s', 1, isState), { count: 19 });
});

test('torn, corrupt, newer and nonsense states are set aside, each under its own name', async (t) => {
  const { folder, faults, storage } = await store(t);
  const file = path.join(folder, 'data/s.json');
  const spoil: readonly (() => Promise<unknown>)[] = [
    () => truncate(file, 10),
    () => writeFile(file, Buffer.alloc(64)),
    () => writeFile(file, '{"format":2,"value":{"count":1}}'),
    () => writeFile(file, '{"format":1,"value":{"count":"many"}}'),
    () => writeFile(file, 'null'),
    () => writeFile(file, '[1]'),
  ];
  for (const [i, how] of spoil.entries()) {
    await storage().writeState('s', 1, { count: i });
    await how();
    assert.equal(await storage().readState('s', 1, isState), undefined);
    assert.equal(faults.at(-1)?.code, 'state_set_aside');
    assert.equal(faults.length, i + 1);
  }
  const names = await readdir(path.join(folder, 'data'));
  assert.deepEqual(
    names.sort(),
    [1, 2, 3, 4, 5].map((i) => `s.json.bad-${i}`),
  );
  assert.equal(await readFile(path.join(folder, 'data/s.json.bad-5'), 'utf8'), '[1]', 'the last of them is kept');
  assert.match(faults[2]!.message, /format 2, not 1/);
});

test('a folder that cannot be written is a fault, no end', async (t) => {
  const { folder, faults } = await store(t);
  await writeFile(path.join(folder, 'file'), '');
  const storage = new Storage(path.join(folder, 'file/data'), (fault) => faults.push(fault));
  assert.equal(await storage.writeState('s', 1, { count: 1 }), false);
  assert.equal(await storage.readState('s', 1, isState), undefined);
  assert.deepEqual([...new Set(faults.map(({ code }) => code))], ['state_unwritable']);
});

test('a temporary file that a power cut left behind is no hindrance', async (t) => {
  const { folder, storage } = await store(t);
  await storage().writeState('s', 1, { count: 1 });
  await writeFile(path.join(folder, 'data/s.json.new'), '{"form');
  assert.equal(await storage().writeState('s', 1, { count: 2 }), true);
  assert.deepEqual(await storage().readState('s', 1, isState), { count: 2 });
});

test('torn at any byte it is set aside or, where only the last line end is gone, whole', async (t) => {
  const { folder, faults, storage } = await store(t);
  const file = path.join(folder, 'data/s.json');
  await storage().writeState('s', 1, { count: 4711 });
  const whole = await readFile(file);
  for (let length = 0; length < whole.length; length += 1) {
    await writeFile(file, whole.subarray(0, length));
    const state = await storage().readState('s', 1, isState);
    if (length < whole.length - 1) assert.equal(state, undefined, `${length} of ${whole.length} bytes`);
    else assert.deepEqual(state, { count: 4711 });
  }
  assert.equal(faults.length, whole.length - 1);
  assert.ok(faults.every(({ code }) => code === 'state_set_aside'));
});

test('a process that is killed at any moment leaves the state before or after, never a torn one', async (t) => {
  const { folder, faults, storage } = await store(t);
  const module = new URL('../../../agent/machine/storage/storage.js', import.meta.url).href;
  const script = `
    import { Storage } from ${JSON.stringify(module)};
    const storage = new Storage(${JSON.stringify(path.join(folder, 'data'))}, () => process.exit(1));
    for (let count = Number(process.argv[1]); ; count += 1) {
      await storage.writeState('s', 1, { count, ballast: 'x'.repeat(100_000) });
      process.stdout.write(count + '\\n');
    }`;
  let told = 0;
  for (let round = 0; round < 10; round += 1) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script, String(told + 1)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const closed = new Promise((resolve) => child.once('close', resolve));
    // Killed after another number of writes each time; what it is in the middle of by then is chance.
    let lines = 0;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const counts = text.split('\n').filter(Boolean).map(Number);
      told = Math.max(told, ...counts);
      lines += counts.length;
      if (lines > round) child.kill('SIGKILL');
    });
    await closed;
    const state = await storage().readState('s', 1, isState);
    assert.ok(state && state.count >= told, `${state?.count} is there, ${told} was told`);
    told = state.count;
  }
  assert.deepEqual(faults, []);
});

test(
  'what was written is there after a power cut, and what is being replaced is never lost',
  { skip: noCuttableDisk },
  async () => {
    await using disk = await cuttableDisk();
    const faults: Fault[] = [];
    const one = new Storage(path.join(disk.folder, 'data'), (fault) => faults.push(fault));
    for (let count = 1; count <= 5; count += 1) {
      assert.equal(await one.writeState('s', 1, { count }), true);
      await using found = await disk.afterPowerCut();
      const after = new Storage(path.join(found.folder, 'data'), (fault) => faults.push(fault));
      assert.deepEqual(await after.readState('s', 1, isState), { count });
    }
    assert.deepEqual(faults, []);
  },
);

test('where the data folder is', () => {
  assert.equal(dataFolder({ MAKERCAST_DATA: '/srv/x', BALENA: '1' }), '/srv/x');
  assert.equal(dataFolder({ MAKERCAST_DATA: '', BALENA: '1' }), '/data');
  assert.equal(dataFolder({ XDG_STATE_HOME: '/home/a/state' }), '/home/a/state/makercast');
  assert.match(dataFolder({}), /\/\.local\/state\/makercast$/);
});

test('a look at what another program keeps changes nothing, whatever it finds', async (t) => {
  const folder = await folderFor(t);
  const faults: Fault[] = [];
  const keeper = new Storage(folder, (fault) => faults.push(fault));
  assert.ok(await keeper.writeState('good', 1, { count: 1 }));
  await writeFile(path.join(folder, 'torn.json'), '{"format": 1, "val');
  const visitor = new Storage(folder, (fault) => faults.push(fault), false);
  assert.deepEqual(await visitor.readState('good', 1, isState), { count: 1 });
  assert.equal(await visitor.readState('torn', 1, isState), undefined);
  assert.ok(await visitor.writeState('good', 1, { count: 2 }));
  assert.deepEqual((await readdir(folder)).sort(), ['good.json', 'torn.json']);
  assert.deepEqual(await keeper.readState('good', 1, isState), { count: 1 });
  assert.deepEqual(faults, []);
});
