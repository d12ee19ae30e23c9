/** Which Debian packages are missing, and which Node.js is too old. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root } from '../helpers/root.js';

interface PackagesModule {
  readonly packages: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly programs: Readonly<Record<string, readonly string[]>>;
  notInstalled(status: string, names: readonly string[]): string[];
}
interface NodeModule {
  nodeProblem(version: string, execPath: string): string;
}

const load = async (file: string): Promise<unknown> => import(pathToFileURL(path.join(root, 'setup', file)).href);
const { packages, programs, notInstalled } = (await load('packages.mjs')) as PackagesModule;
const { nodeProblem } = (await load('node.mjs')) as NodeModule;

const entry = (name: string, status: string, architecture = 'amd64') =>
  `Package: ${name}\nStatus: ${status}\nPriority: optional\nArchitecture: ${architecture}\nDescription: x\n Package: quoted\n`;

test('only what dpkg calls installed counts as installed', () => {
  const status = [
    entry('make', 'install ok installed'),
    entry('held', 'hold ok installed'),
    entry('nginx', 'deinstall ok config-files'),
    entry('half', 'install ok half-configured'),
    entry('make-guile', 'install ok installed'),
    entry('two', 'deinstall ok config-files', 'i386'),
    entry('two', 'install ok installed'),
    `Package: util-linux\nEssential: yes\nStatus: install ok installed\n`,
  ].join('\n');
  const asked = ['make', 'held', 'nginx', 'half', 'make-guile', 'guile', 'two', 'util-linux', 'quoted'];
  assert.deepEqual(notInstalled(status, asked), ['nginx', 'half', 'guile', 'quoted']);
});

test('what an installed package provides is there: Debian 13 has libelf1 as libelf1t64', () => {
  const status = [
    `${entry('libelf1t64', 'install ok installed')}Provides: libelf1 (= 0.192-4), libdwarf-free\n`,
    `${entry('gone', 'deinstall ok config-files')}Provides: zlib1\n`,
    `${entry('needy', 'install ok installed')}Depends: libc6, zlib1\nProvides: libelf1-dev:amd64 (= 1)\n`,
  ].join('\n');
  assert.deepEqual(notInstalled(status, ['libelf1', 'libelf', 'libelf1-dev', 'libdwarf-free', 'zlib1', 'libc6']), [
    'libelf',
    'zlib1',
    'libc6',
  ]);
});

test('an empty status file means that all is missing', () => {
  assert.deepEqual(notInstalled('', ['make', 'ffmpeg']), ['make', 'ffmpeg']);
});

test('each package says what it is for, and each purpose has its programs for systems without dpkg', () => {
  for (const [purpose, names] of Object.entries(packages)) {
    assert.ok(programs[purpose]?.length, `programs of ${purpose}`);
    for (const [name, why] of Object.entries(names)) {
      assert.match(name, /^[a-z0-9][a-z0-9.+-]+$/);
      assert.ok(why.length > 0, name);
    }
  }
});

test('an old Node.js is told so, in one line, with what to do', () => {
  for (const version of ['12.22.12', '18.20.4', '20.18.3']) {
    const line = nodeProblem(version, '/usr/bin/node');
    assert.match(line, new RegExp(`/usr/bin/node is ${version.replaceAll('.', '\\.')}\\. .*install Node\\.js 24`));
    assert.doesNotMatch(line, /\n/);
  }
  for (const version of ['20.19.0', '20.20.2', '22.0.0', '24.1.0']) assert.equal(nodeProblem(version, 'node'), '');
});

test('the oldest Node.js is the one that package.json names', () => {
  const { engines } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
    engines: { node: string };
  };
  const [major = 0, minor = 0] = engines.node.replace('>=', '').split('.').map(Number);
  assert.equal(nodeProblem(`${major}.${minor}.0`, 'node'), '');
  assert.notEqual(nodeProblem(`${major}.${minor - 1}.0`, 'node'), '');
});
