/** The systemd service: its unit to the letter, and where it cannot be installed. `npm run test:service` tries all of it. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { parse } from 'yaml';
import { run } from '../helpers/command.js';
import { root } from '../helpers/root.js';

type What = 'install' | 'remove' | 'purge';
interface Machine {
  readonly isRoot: boolean;
  readonly hasSystemd: boolean;
  readonly node: string;
  readonly root: string;
}
interface UnitModule {
  unitText(where: { node: string; root: string }): string;
}
interface CommandModule {
  wanted(words: readonly string[]): What | undefined;
  refusal(what: What, machine: Machine): string;
}
interface InstallationModule {
  commented(example: string): string;
}

const load = async (file: string): Promise<unknown> =>
  import(pathToFileURL(path.join(root, 'setup/service', file)).href);
const { unitText } = (await load('unit.mjs')) as UnitModule;
const { wanted, refusal } = (await load('command.mjs')) as CommandModule;
const { commented } = (await load('installation.mjs')) as InstallationModule;

test('the unit is that of test/fixtures', () => {
  const golden = path.join(root, 'test/fixtures/makercast.service');
  const text = unitText({ node: '/usr/bin/node', root: '/opt/makercast' });
  if (process.env['UPDATE_GOLDEN']) writeFileSync(golden, text);
  assert.equal(text, readFileSync(golden, 'utf8'));
});

test('what systemd would expand or take apart in a path stays as it is', () => {
  const text = unitText({ node: '/usr/local/bin/node', root: '/opt/my "100 %" $maker\\cast' });
  const start = /^ExecStart=.*$/m.exec(text)?.[0];
  assert.equal(
    start,
    String.raw`ExecStart="/usr/local/bin/node" --enable-source-maps "/opt/my \"100 %%\" $$maker\\cast/dist/agent/main.js"`,
  );
});

test('install, remove, remove --purge, and nothing else', () => {
  assert.equal(wanted(['install']), 'install');
  assert.equal(wanted(['remove']), 'remove');
  assert.equal(wanted(['remove', '--purge']), 'purge');
  for (const words of [[], ['purge'], ['install', '--purge'], ['remove', 'now'], ['Install'], ['toString']]) {
    assert.equal(wanted(words), undefined, words.join(' '));
  }
});

const good: Machine = { isRoot: true, hasSystemd: true, node: '/usr/bin/node', root: '/opt/makercast' };

test('where it can be done nothing is refused', () => {
  for (const what of ['install', 'remove', 'purge'] as const) assert.equal(refusal(what, good), '');
  for (const place of ['/homes/makercast', '/srv/home/makercast', '/usr/local/src/tmp'])
    assert.equal(refusal('install', { ...good, root: place }), '', place);
});

test('what is refused is told with what to do', () => {
  assert.match(refusal('install', { ...good, isRoot: false }), /Run: sudo npx makercast service install$/);
  assert.match(refusal('purge', { ...good, isRoot: false }), /Run: sudo npx makercast service remove --purge$/);
  assert.match(refusal('remove', { ...good, hasSystemd: false }), /not started by systemd/);
  for (const place of ['/home/pi/makercast', '/root/makercast', '/tmp/makercast', '/home']) {
    const text = refusal('install', { ...good, root: place });
    assert.ok(text.includes(`cannot see ${place}:`) && text.includes('/opt/makercast'), text);
    // What was installed by an older makercast, or before the folder moved, can still be removed.
    assert.equal(refusal('remove', { ...good, root: place }), '');
  }
  const nvm = '/home/pi/.nvm/versions/node/v22.1.0/bin/node';
  assert.match(refusal('install', { ...good, node: nvm }), /Node\.js \(\/home\/pi\/\.nvm.*docs\/debian\.md/);
});

test('the example as it is installed sets nothing, and without the # it is the example', () => {
  const example = readFileSync(path.join(root, 'makercast.example.yml'), 'utf8');
  const text = commented(example);
  assert.equal(parse(text), null);
  const comments = example.split('\n').filter((line) => line.startsWith('#')).length;
  const back = text.split('\n').map((line, index) => (index < comments ? line : line.replace(/^# /, '')));
  assert.equal(back.join('\n'), example);
});

test('words that it does not know end with 2 and the usage, and nothing is set up for them', async () => {
  const entry = path.join(root, 'bin/makercast.mjs');
  const wrong = await run(process.execPath, [entry, 'service', 'instal'], { mayFail: true });
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /^Usage: .*service <command>\n/);
  const help = await run(process.execPath, [entry, 'service', '--help']);
  assert.match(help.stdout.toString(), /remove --purge/);
});

test('who is not root, or has no systemd, changes nothing and ends with 1', async () => {
  const command = [process.execPath, path.join(root, 'bin/makercast.mjs'), 'service', 'install'];
  // Never as root: a test must not install anything on the machine that runs it.
  const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
  // The checkout may lie in root's own folder.
  const mayRead = ['--inh-caps=+dac_read_search', '--ambient-caps=+dac_read_search', '--'];
  const drop = process.getuid?.() === 0 ? [...nobody, ...mayRead] : [];
  const [program, ...args] = [...drop, ...command];
  const { code, stderr, stdout } = await run(program!, args, { mayFail: true });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^set-up: (Only root|This machine was not started by systemd)/);
  assert.equal(stdout.toString(), '');
});
