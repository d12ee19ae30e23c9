/** The set-up in a small checkout of its own: when it has nothing to do, what makes it work again, and where it must stop. */
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { folderFor, run, type CommandResult } from '../helpers/command.js';
import { root } from '../helpers/root.js';

const isRoot = process.getuid?.() === 0;
const nobody = ['--reuid=65534', '--regid=65534', '--clear-groups', '--'];
const wanted = `{ packages: ['runtime'], native: true, build: 'start' }`;

interface Missing {
  readonly packages: readonly string[];
  readonly modules: boolean;
  readonly native: boolean;
  readonly build: boolean;
  readonly fleet: boolean;
  readonly mutate: boolean;
}

/** A checkout as a finished set-up leaves it, but with an agent that only prints its arguments. Its path has a space. */
async function checkout(t: TestContext): Promise<string> {
  const folder = await folderFor(t);
  await chmod(folder, 0o755);
  const copy = path.join(folder, 'my makercast');
  for (const name of ['setup', 'bin', 'fleet', 'package.json', 'package-lock.json', 'tsconfig.json']) {
    await cp(path.join(root, name), path.join(copy, name), { recursive: true });
  }
  for (const name of ['agent', 'patches', 'node_modules', 'dist/agent']) {
    await mkdir(path.join(copy, name), { recursive: true });
  }
  await writeFile(path.join(copy, 'agent/main.ts'), '');
  await writeFile(path.join(copy, 'dist/agent/main.js'), 'console.log(JSON.stringify(process.argv.slice(2)));');
  await evaluate(
    copy,
    `const s = await import('./setup/stamps.mjs'); const root = process.cwd();
     s.writeStamp(root, 'modules', { modules: s.modulesPrint(root), native: s.nativePrint() });
     s.writeStamp(root, 'build', { start: s.buildPrint(root, 'start') });`,
  );
  return copy;
}

async function evaluate(copy: string, script: string): Promise<string> {
  return (await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: copy })).stdout.toString();
}

async function missing(copy: string, what = wanted): Promise<Missing> {
  const script = `const r = await import('./setup/ready.mjs'); console.log(JSON.stringify(r.missing(${what})));`;
  return JSON.parse(await evaluate(copy, script)) as Missing;
}

/** `node <options> setup/start.mjs <args>` as user nobody, in a mount namespace where `mounts` (a shell text) was run first. */
async function startAsNobody(copy: string, mounts = 'true'): Promise<CommandResult> {
  const script = `${mounts} && exec setpriv ${nobody.join(' ')} "$@"`;
  const args = ['--mount', 'sh', '-c', script, 'sh', process.execPath, 'setup/start.mjs', 'a'];
  return run('unshare', args, { cwd: copy, mayFail: true });
}

test('a second start spawns nothing, writes nothing, says nothing, and hands the arguments on', async (t) => {
  const copy = await checkout(t);
  const first = await run(process.execPath, ['setup/start.mjs'], { cwd: copy });
  assert.equal(first.stderr, '');
  // Node's own permission model: whoever spawns a process or writes a file gets ERR_ACCESS_DENIED.
  const name = '--permission';
  const model = process.allowedNodeEnvironmentFlags.has(name) ? name : '--experimental-permission';
  const bound = [model, '--allow-fs-read=*', '--no-warnings'];
  for (const entry of ['setup/start.mjs', 'bin/makercast.mjs']) {
    const second = await run(process.execPath, [...bound, entry, 'a b', '--c'], { cwd: copy });
    assert.deepEqual([second.stdout.toString(), second.stderr], ['["a b","--c"]\n', '']);
  }
  // That the bound is one: something to do now fails by it.
  await rm(path.join(copy, 'dist/.makercast.json'));
  const bounded = await run(process.execPath, [...bound, 'setup/start.mjs'], { cwd: copy, mayFail: true });
  assert.match(bounded.stderr, /ERR_ACCESS_DENIED/);
});

test('what changed is what is done again', async (t) => {
  const copy = await checkout(t);
  const none: Missing = { packages: [], modules: false, native: false, build: false, fleet: false, mutate: false };
  assert.deepEqual(await missing(copy), none);

  await t.test('a new source file: compile', async () => {
    await writeFile(path.join(copy, 'agent/new.ts'), '');
    assert.deepEqual(await missing(copy), { ...none, build: true });
    await rm(path.join(copy, 'agent/new.ts'));
    assert.deepEqual(await missing(copy), none);
  });
  await t.test(
    'a source of the fleet tool: that is compiled when it is asked for, and no start waits for it',
    async () => {
      const fleet = `{ packages: [], native: false, build: 'fleet' }`;
      const stamped = `const s = await import('./setup/stamps.mjs');
      s.writeStamp(process.cwd(), 'build', { fleet: s.buildPrint(process.cwd(), 'fleet') });`;
      assert.deepEqual(await missing(copy, fleet), { ...none, build: true });
      await evaluate(copy, stamped);
      assert.deepEqual(await missing(copy, fleet), none);
      await writeFile(path.join(copy, 'fleet/new.ts'), '');
      assert.deepEqual(await missing(copy, fleet), { ...none, build: true });
      assert.deepEqual(await missing(copy), none);
      await rm(path.join(copy, 'fleet/new.ts'));
    },
  );
  await t.test('a test: nothing', async () => {
    await mkdir(path.join(copy, 'test'));
    await writeFile(path.join(copy, 'test/new.test.ts'), '');
    assert.deepEqual(await missing(copy), none);
  });
  await t.test('a patch: all, because a package is patched only once', async () => {
    await writeFile(path.join(copy, 'patches/x.patch'), 'x');
    assert.deepEqual(await missing(copy), { ...none, modules: true, native: true, build: true });
    await rm(path.join(copy, 'patches/x.patch'));
    assert.deepEqual(await missing(copy), none);
  });
  await t.test(
    'the fleet tool: balena-sdk too, which nothing else installs; a new lock file of its own: again',
    async () => {
      const fleet = `{ packages: [], native: false, build: 'start', fleet: true }`;
      const stamped = `const s = await import('./setup/stamps.mjs');
      s.writeStamp(process.cwd(), 'fleet', { fleet: s.fleetPrint(process.cwd()) });`;
      assert.deepEqual(await missing(copy, fleet), { ...none, fleet: true });
      await evaluate(copy, stamped);
      assert.deepEqual(await missing(copy, fleet), none);
      const file = path.join(copy, 'fleet/package-lock.json');
      await writeFile(file, `${await readFile(file, 'utf8')}\n`);
      assert.deepEqual(await missing(copy, fleet), { ...none, fleet: true });
      assert.deepEqual(await missing(copy), none);
    },
  );
  await t.test('another Node ABI: compile the binding, and no more', async () => {
    const file = path.join(copy, 'node_modules/.makercast.json');
    const stamp = await readFile(file, 'utf8');
    await writeFile(file, stamp.replace(/abi \d+/, 'abi 1'));
    assert.deepEqual(await missing(copy), { ...none, native: true });
    await writeFile(file, stamp);
  });
  await t.test('another lock file: all', async () => {
    const file = path.join(copy, 'package-lock.json');
    await writeFile(file, `${await readFile(file, 'utf8')}\n`);
    assert.deepEqual(await missing(copy), { ...none, modules: true, native: true, build: true });
  });
  await t.test('no node_modules, as after an npm ci that was cut off: all', async () => {
    await rm(path.join(copy, 'node_modules'), { recursive: true });
    assert.deepEqual(await missing(copy), { ...none, modules: true, native: true, build: true });
  });
});

test('not root and no sudo: one line to run, and exit code 1', { skip: !isRoot && 'needs root' }, async (t) => {
  const copy = await checkout(t);
  // Nothing is installed, and sudo, should this machine have it, is not to be had either.
  const empty = path.join(copy, 'status');
  await writeFile(empty, '');
  const status = await startAsNobody(
    copy,
    `mount --bind '${empty}' /var/lib/dpkg/status && if [ -e /usr/bin/sudo ]; then mount --bind /bin/false /usr/bin/sudo; fi`,
  );
  assert.equal(status.code, 1);
  assert.equal(status.stdout.toString(), '');
  const lines = status.stderr.trimEnd().split('\n');
  assert.equal(lines.length, 2);
  assert.match(lines[0] ?? '', /^set-up: Debian packages are missing, .* Run this, then start again:$/);
  assert.match(
    lines[1] ?? '',
    /^su -c 'apt-get update && apt-get install -y --no-install-recommends gstreamer1\.0-tools [a-z0-9.+ -]+'$/,
  );
});

test('a checkout that may not be written', { skip: !isRoot && 'needs root' }, async (t) => {
  const copy = await checkout(t);
  await t.test('starts when all is ready', async () => {
    const started = await startAsNobody(copy);
    assert.deepEqual([started.code, started.stdout.toString(), started.stderr], [0, '["a"]\n', '']);
  });
  await t.test('says whose it is when something is to be built', async () => {
    await writeFile(path.join(copy, 'agent/new.ts'), '');
    const stopped = await startAsNobody(copy);
    assert.equal(stopped.code, 1);
    assert.match(stopped.stderr, /^set-up: This user may not write to .*my makercast, .* \(user id 0\).*\n$/);
  });
});

test('npx finds makercast in a clone, without the network', { skip: !isRoot && 'needs root' }, async (t) => {
  const copy = await checkout(t);
  const cache = path.join(path.dirname(copy), 'npm-cache');
  const env = { ...process.env, npm_config_cache: cache, npm_config_update_notifier: 'false' };
  const found = await run('unshare', ['--net', 'npx', 'makercast', 'plan'], { cwd: copy, env });
  assert.equal(found.stdout.toString(), '["plan"]\n');
});

test('package.json offers both commands without a shell in between', async () => {
  const { scripts } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  // Without exec, Debian's sh dies of Ctrl-C itself, and npm reports that instead of the program's exit code 0.
  for (const name of ['start', 'test']) assert.match(scripts[name] ?? '', /^exec node setup\//);
});
