/** Imports point one way, and what is marked pure touches no I/O, clock, chance or environment. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { root } from '../helpers/root.js';

/** Small things that every room of the agent may use. */
const shared = ['agent/errors.ts', 'agent/log.ts', 'agent/clock.ts'];

/** What each room may import besides itself. `agent` is the files at its top, which put the rooms together. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  pipelines: [],
  'agent/formats': [],
      'agent/config': ['pipelines', 'shared'],
  shared: ['agent/config', 'shared'],
  'agent/machine': ['pipelines', 'agent/config', 'agent/formats', 'agent/uvc', 'shared'],
  'agent/media': ['pipelines', 'agent/config', 'agent/formats', 'agent/mp4', 'agent/uvc', 'shared'],
  'agent/supervisor': ['pipelines', 'agent/config', 'agent/formats', 'agent/machine', 'agent/media', 'shared'],
  'agent/interfaces': [
    'pipelines',
    'agent/config',
    'agent/formats',
    'agent/machine',
    'agent/media',
    'agent/supervisor',
    'shared',
  ],
  'agent/commands': [
    'pipelines',
    'agent/config',
    'agent/formats',
    'agent/machine',
    'agent/media',
    'agent/supervisor',
    'agent/interfaces',
    'shared',
    'agent',
  ],
  agent: [
    'pipelines',
    'agent/config',
    'agent/formats',
    'agent/machine',
    'agent/media',
    'agent/supervisor',
    'agent/interfaces',
    'agent/commands',
    'shared',
  ],
  fleet: ['agent/config', 'agent/interfaces', 'agent/commands', 'shared'],
};

const pureRooms = ['pipelines', 'agent/formats', 'agent/mp4', 'agent/uvc', 'agent/config'];
/** Packages that compute and do nothing else as they are used here, and the parts of Node of which that is true. */
const purePackages = new Set(['convict', 'yaml', 'node:path', 'node:path/posix']);
const impure = new Set([
  'Date',
  'XMLHttpRequest',
  'WebSocket',
  'clearInterval',
  'clearTimeout',
  'console',
  'crypto',
  'fetch',
  'global',
  'globalThis',
  'navigator',
  'performance',
  'process',
  'queueMicrotask',
  'require',
  'setImmediate',
  'setInterval',
  'setTimeout',
]);

function roomOf(file: string): string {
  if (shared.includes(file)) return 'shared';
  const parts = file.split('/');
  if (parts[0] !== 'agent') return parts[0]!;
  return parts.length === 2 ? 'agent' : `agent/${parts[1]}`;
}

interface Source {
  readonly file: string;
  readonly room: string;
  /** Files of ours, from the root, and packages by name. */
  readonly imports: readonly string[];
  /** Names that are used, `Math.random` with its object. */
  readonly names: readonly string[];
  /** Names at the top of the file whose value, or what it holds, can change. */
  readonly state: readonly string[];
}

function read(file: string): Source {
  const tree = ts.createSourceFile(file, readFileSync(path.join(root, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const imports: string[] = [];
  const names: string[] = [];
  const add = (specifier: string): void => {
    const own = specifier.startsWith('.');
    imports.push(own ? path.posix.join(path.posix.dirname(file), specifier).replace(/\.js$/, '.ts') : specifier);
  };
  const visit = (node: ts.Node): void => {
    const from =
      ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
        ? node.moduleSpecifier
        : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
          ? node.arguments[0]
          : undefined;
    if (from && ts.isStringLiteralLike(from)) add(from.text);
    if (ts.isPropertyAccessExpression(node)) names.push(`${node.expression.getText()}.${node.name.text}`);
    if (ts.isIdentifier(node) && isUse(node)) names.push(node.text);
    ts.forEachChild(node, visit);
  };
  visit(tree);
  return { file, room: roomOf(file), imports, names, state: stateOf(tree) };
}

/** Of what is made by `new`, what never changes once it is there. */
const unchanging = new Set(['NoPlan', 'RegExp', 'URL']);
const readOnlyType = /^(Readonly|readonly |\(readonly )/;

/** Variables outside of every function that are assigned anew, or hold what can be filled: state that nobody has passed. */
function stateOf(tree: ts.SourceFile): string[] {
  const lists = tree.statements.filter(ts.isVariableStatement).map(({ declarationList }) => declarationList);
  return lists.flatMap((list) => {
    const isConst = (list.flags & ts.NodeFlags.Const) !== 0;
    const changing = list.declarations.filter(
      ({ type, initializer }) => !isConst || (initializer && isFillable(initializer) && !isReadOnly(type)),
    );
    return changing.map(({ name }) => name.getText());
  });
}

const isReadOnly = (type: ts.TypeNode | undefined): boolean => type !== undefined && readOnlyType.test(type.getText());

function isFillable(value: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(value) || ts.isSatisfiesExpression(value)) return isFillable(value.expression);
  if (ts.isAsExpression(value)) return value.type.getText() !== 'const' && isFillable(value.expression);
  return (
    ts.isArrayLiteralExpression(value) || (ts.isNewExpression(value) && !unchanging.has(value.expression.getText()))
  );
}

/** A name that stands for itself, not one that belongs to an object or a type. */
function isUse(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !ts.isPropertySignature(parent) && !ts.isQualifiedName(parent) && !ts.isPropertyDeclaration(parent);
}

const sources = ['pipelines', 'agent', 'fleet'].flatMap((folder) =>
  readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => read(path.posix.join(folder, name.split(path.sep).join('/')))),
);

test('every source file belongs to a room that is known here', () => {
  const unknown = sources.filter(({ room }) => !mayImport[room]).map(({ file }) => file);
  assert.deepEqual(unknown, []);
  for (const room of pureRooms) assert.ok(sources.some((source) => source.room === room));
});

test('imports point one way', () => {
  const wrong = sources.flatMap(({ file, room, imports }) =>
    imports
      .filter((target) => /^(agent|pipelines|fleet)\//.test(target))
      .filter((target) => roomOf(target) !== room && !mayImport[room]?.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('no file of the pipelines imports itself by way of others, for a type neither', () => {
  const own = new Map(sources.map(({ file, imports }) => [file, imports]));
  const left = new Set([...own.keys()].filter((file) => file.startsWith('pipelines/')));
  // What imports nothing that is left is in no cycle.
  for (let before = Infinity; left.size < before;) {
    before = left.size;
    for (const file of left) if (!own.get(file)!.some((target) => left.has(target))) left.delete(file);
  }
  assert.deepEqual([...left], []);
});

test('none of the interfaces knows another', () => {
  const interfaceOf = (file: string): string | undefined => /^agent\/interfaces\/([^/]+)\//.exec(file)?.[1];
  assert.ok(new Set(sources.map(({ file }) => interfaceOf(file))).size > 2);
  const wrong = sources.flatMap(({ file, imports }) =>
    imports
      .filter((target) => interfaceOf(file) && interfaceOf(target) && interfaceOf(file) !== interfaceOf(target))
      .map((target) => `${file} imports ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('the agent knows the fleet tool, which devices have not, by one door', () => {
  const doors = sources
    .map(({ file }) => file)
    .filter((file) => file.startsWith('agent/'))
    .filter((file) => /['"`][^'"`]*\.\.\/fleet\//.test(readFileSync(path.join(root, file), 'utf8')));
  assert.deepEqual(doors, ['agent/commands/fleet.ts']);
});

test('imports stay inside pipelines, agent and fleet', () => {
  const wrong = sources.flatMap(({ file, imports }) =>
    imports.filter((target) => /^(\.\.|test|bench|setup|web)(\/|$)/.test(target)).map((target) => `${file}: ${target}`),
  );
  assert.deepEqual(wrong, []);
});

test('pure rooms touch no I/O, clock, chance or environment', () => {
  const wrong = sources
    .filter(({ room }) => pureRooms.includes(room))
    .flatMap(({ file, imports, names }) => [
      ...imports
        .filter((target) => !/^(agent|pipelines)\//.test(target) && !purePackages.has(target))
        .map((target) => `${file} imports ${target}`),
      ...names.filter((name) => impure.has(name) || name === 'Math.random').map((name) => `${file} uses ${name}`),
    ]);
  assert.deepEqual(wrong, []);
});

/** With the reason why it cannot be otherwise. */
const keptState: Readonly<Record<string, string>> = {
  'agent/machine/host/run.ts: running': 'programs that must end with this process, whoever has started them',
};

test('no file holds state that changes: what lasts belongs to an object, which is passed', () => {
  const found = sources.flatMap(({ file, state }) => state.map((name) => `${file}: ${name}`));
  assert.deepEqual(
    found.filter((each) => keptState[each] === undefined),
    [],
  );
  assert.deepEqual(
    Object.keys(keptState).filter((each) => !found.includes(each)),
    [],
  );
});

test('what counts as state that changes', () => {
  const state = (text: string): string[] => stateOf(ts.createSourceFile('a.ts', text, ts.ScriptTarget.Latest, true));
  const changing = [
    'let a = 0;',
    'export let a: number | undefined;',
    'const a = new Map<string, number>();',
    'export const a = new Thing();',
    'const a: string[] = [];',
    'const a = [1, 2];',
    'const a = [] as string[];',
  ];
  for (const text of changing) assert.deepEqual(state(text), ['a'], text);
  const fixed = [
    "const a = ['b'] as const;",
    'const a: readonly string[] = [];',
    'const a: ReadonlySet<string> = new Set();',
    'const a: Readonly<Record<string, number>> = {};',
    'const a = new RegExp("b");',
    'function b(): void { let a = new Map(); a = new Map(); }',
  ];
  for (const text of fixed) assert.deepEqual(state(text), [], text);
});
