/** The rules of the house, over all files: imports point one way and in no circle, what is pure reaches nothing that is not, and no file holds state. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from '../helpers/root.js';
import { circles, impurities, sourceOf, type Source } from './sources.js';
import { stateOf } from './state.js';

/** Small things that every room of the agent may use. */
const shared = ['agent/errors.ts', 'agent/log.ts', 'agent/clock.ts'];

const leaves = ['pipelines', 'agent/formats', 'agent/config', 'shared'];
const upToBroadcast = [...leaves, 'agent/machine', 'agent/media', 'agent/broadcast'];
const upToControl = [...upToBroadcast, 'agent/steering', 'agent/control'];
/** What each room may import besides itself. `agent` is the files at its top, which put the rooms together. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  pipelines: [],
  'agent/formats': [],
  'agent/config': ['pipelines', 'shared'],
  shared: ['agent/config'],
  'agent/machine': leaves,
  'agent/media': leaves,
  'agent/broadcast': upToBroadcast,
  'agent/steering': upToBroadcast,
  'agent/control': upToControl,
  'agent/interfaces': upToControl,
  'agent/commands': [...upToControl, 'agent'],
  agent: [...upToControl, 'agent/interfaces', 'agent/commands'],
  fleet: ['agent/config', 'agent/interfaces', 'agent/commands', 'shared'],
};

/** Every file in them is pure, whether its header says so or not. */
const pureRooms = ['pipelines', 'agent/formats', 'agent/config'];

function roomOf(file: string): string {
  if (shared.includes(file)) return 'shared';
  const parts = file.split('/');
  if (parts[0] !== 'agent') return parts[0]!;
  return parts.length === 2 ? 'agent' : `agent/${parts[1]}`;
}

const text = (file: string): string => readFileSync(path.join(root, file), 'utf8');
const files = ['pipelines', 'agent', 'fleet'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => path.posix.join(folder, name.split(path.sep).join('/'))),
);
const sources = files.map((file) => sourceOf(file, text(file)));

/** Each import of ours for which `isWrong` holds, for people. */
const importsWhere = (isWrong: (file: string, target: string) => boolean): string[] =>
  sources.flatMap(({ file, imports }) =>
    imports
      .filter(({ target, isOwn }) => isOwn && isWrong(file, target))
      .map(({ target }) => `${file} imports ${target}`),
  );

test('every source file belongs to a room that is known here', () => {
  assert.deepEqual(
    files.filter((file) => !mayImport[roomOf(file)]),
    [],
  );
  const rooms = new Set(files.map(roomOf));
  assert.deepEqual(
    Object.keys(mayImport).filter((room) => !rooms.has(room)),
    [],
  );
});

test('imports point one way', () => {
  const isWrong = (file: string, target: string): boolean =>
    /^(agent|pipelines|fleet)\//.test(target) &&
    roomOf(target) !== roomOf(file) &&
    !mayImport[roomOf(file)]?.includes(roomOf(target));
  assert.deepEqual(importsWhere(isWrong), []);
});

test('imports stay inside pipelines, agent and fleet', () => {
  assert.deepEqual(
    importsWhere((_, target) => !/^(agent|pipelines|fleet)\//.test(target)),
    [],
  );
});

test('no files import each other in a circle, for a type neither', () => {
  assert.deepEqual(circles(sources), []);
});

const saysPure = ({ header }: Source): boolean => /\b[Pp]ure\b/.test(header);

test('what is pure, by its room or its header, touches no I/O, clock, chance or environment, however far down', () => {
  assert.ok(sources.filter(saysPure).some(({ file }) => !pureRooms.includes(roomOf(file))));
  assert.deepEqual(
    impurities(sources, (source) => pureRooms.includes(roomOf(source.file)) || saysPure(source)),
    [],
  );
});

test('none of the interfaces knows another', () => {
  const interfaceOf = (file: string): string | undefined => /^agent\/interfaces\/([^/]+)\//.exec(file)?.[1];
  assert.ok(new Set(sources.map(({ file }) => interfaceOf(file))).size > 2);
  const isWrong = (file: string, target: string): boolean =>
    interfaceOf(file) !== undefined && interfaceOf(target) !== undefined && interfaceOf(file) !== interfaceOf(target);
  assert.deepEqual(importsWhere(isWrong), []);
});

test('the agent knows the fleet tool, which devices have not, by one door', () => {
  const doors = files.filter((file) => file.startsWith('agent/') && /['"`][^'"`]*\.\.\/fleet\//.test(text(file)));
  assert.deepEqual(doors, ['agent/commands/fleet.ts']);
});

/** With the reason why it cannot be otherwise. */
const keptState: Readonly<Record<string, string>> = {
  'agent/machine/host/run.ts: running': 'programs that must end with this process, whoever has started them',
};

test('no file holds state that changes: what lasts belongs to an object, which is passed', () => {
  const found = files.flatMap((file) => stateOf(file, text(file)).map((name) => `${file}: ${name}`));
  assert.deepEqual(
    found.filter((each) => keptState[each] === undefined),
    [],
  );
  assert.deepEqual(
    Object.keys(keptState).filter((each) => !found.includes(each)),
    [],
  );
});
