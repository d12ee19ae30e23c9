/** The proofs of `.ci/full`: when one fits, what is said where it does not, and that only what passed leaves one. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { folderFor, run } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { processInfo } from '../helpers/agent/processes.js';
import { root } from '../helpers/root.js';

interface Part {
  readonly name: string;
  readonly command: string;
  readonly minutes: number;
  readonly paths: readonly string[];
  readonly versions: Readonly<Record<string, () => string>>;
}
interface Attempt {
  readonly name: string;
  readonly counts?: object;
  readonly problem: string;
  readonly proof?: string;
}
interface Options {
  readonly root: string;
  readonly commit: () => string;
  readonly now?: () => Date;
  readonly signal?: AbortSignal;
  readonly onLine?: (line: string) => void;
}
interface Modules {
  readonly parts: readonly Part[];
  attempt(part: Part, options: Options): Promise<Attempt>;
  attemptAll(parts: readonly Part[], options: Options): Promise<Attempt[]>;
  judge(part: Part, root: string, now: Date): Promise<{ line: string; isFitting: boolean; isOld: boolean }>;
  table(parts: readonly Part[], root: string, now: Date): Promise<string[]>;
}

const load = async (name: string): Promise<object> =>
  import(pathToFileURL(path.join(root, 'setup/proofs', `${name}.mjs`)).href) as Promise<object>;
const { parts, attempt, attemptAll, judge, table } = Object.assign(
  {},
  ...(await Promise.all(['parts', 'attempt', 'table'].map(load))),
) as Modules;

const made = new Date('2026-03-01T12:00:00Z');
const later = (days: number): Date => new Date(made.getTime() + days * 24 * 3600_000);
const passing = "echo '3 passed, 0 failed, 1 skipped'";
const some: Part = {
  name: 'some',
  command: passing,
  minutes: 1,
  paths: ['agent', 'test', '!test/vm', 'one.txt'],
  versions: { kernel: () => '6.1', qemu: () => '7.2' },
};

/** A small repository. */
async function repository(t: TestContext): Promise<string> {
  const folder = await folderFor(t);
  for (const file of [
    ...['agent/main.ts', 'agent/media/child.ts', 'agent/README.md', 'test/main.test.ts', 'test/vm/usb.test.ts'],
    ...['one.txt', 'two.txt', 'docs/status.md', 'package-lock.json'],
  ]) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), file);
  }
  return folder;
}

const options = (folder: string): Options => ({
  root: folder,
  commit: () => 'abc1234',
  now: () => made,
  onLine: () => undefined,
});

/** A repository in which `part` has passed. */
async function proven(t: TestContext, part = some): Promise<string> {
  const folder = await repository(t);
  const { problem } = await attempt(part, options(folder));
  assert.equal(problem, '');
  return folder;
}

const line = async (folder: string, part = some, days = 3): Promise<string> =>
  (await judge(part, folder, later(days))).line;
const proofs = async (folder: string): Promise<string[]> =>
  (await readdir(path.join(folder, 'test/proofs')).catch(() => [])).sort();
const fits = 'proof some: 3 days old; 3 passed, 1 skipped; nothing changed since';

describe('a proof', () => {
  test('fits until a file that its part depends on changes, comes or goes', async (t) => {
    const folder = await proven(t);
    const at = (file: string): string => path.join(folder, file);
    assert.equal(await line(folder), fits);
    assert.equal((await judge(some, folder, later(3))).isFitting, true);

    await writeFile(at('agent/media/child.ts'), 'planted');
    assert.match(await line(folder), /; 1 file changed since: agent\/media\/child\.ts$/);
    assert.equal((await judge(some, folder, later(3))).isFitting, false);
    await writeFile(at('agent/media/hub.ts'), '');
    await rm(at('test/main.test.ts'));
    await writeFile(at('package-lock.json'), '{}');
    assert.match(
      await line(folder),
      /; 4 files changed since: agent\/media\/child\.ts, agent\/media\/hub\.ts, package-lock\.json, test\/main\.test\.ts$/,
    );

    for (const file of ['agent/media/child.ts', 'test/main.test.ts', 'package-lock.json'])
      await writeFile(at(file), file);
    await rm(at('agent/media/hub.ts'));
    assert.equal(await line(folder), fits);
  });

  test('fits whatever else changes', async (t) => {
    const folder = await proven(t);
    for (const file of ['two.txt', 'docs/status.md', 'agent/README.md', 'test/vm/usb.test.ts', 'test/proofs/x.json'])
      await writeFile(path.join(folder, file), 'planted');
    assert.equal(await line(folder), fits);
  });

  test('does not fit another version, unless this machine does not know its own, nor another command', async (t) => {
    const folder = await proven(t);
    const now = (kernel: string): Part => ({ ...some, versions: { ...some.versions, kernel: () => kernel } });
    assert.match(await line(folder, now('6.12')), /; made with kernel 6\.1, now 6\.12$/);
    assert.equal(await line(folder, now('')), fits);
    assert.match(await line(folder, { ...some, command: 'true' }), /; made by another command$/);
  });

  test('names some of the files, and how many more there are', async (t) => {
    const folder = await proven(t);
    for (let file = 0; file < 40; file += 1) await writeFile(path.join(folder, `agent/${10 + file}.ts`), '');
    assert.match(await line(folder), /; 40 files changed since: (agent\/1\d\.ts, ){4}agent\/14\.ts and 35 more$/);
  });

  test('is as old as its days, and after fourteen of them a warning names its part', async (t) => {
    const folder = await proven(t);
    assert.match(await line(folder, some, 0.9), /: less than a day old;/);
    assert.match(await line(folder, some, 1), /: 1 day old;/);
    const other = { ...some, name: 'other' };
    assert.deepEqual(await table([some, other], folder, later(13.9)), [
      fits.replace('3 days', '13 days'),
      'proof other: none',
    ]);
    assert.deepEqual((await table([some, other], folder, later(14))).slice(1), [
      'proof other: none',
      'WARNING: older than 14 days: some. Run: .ci/full some',
    ]);
  });

  test('takes the place of older ones of the same name, and of no others', async (t) => {
    const folder = await proven(t);
    const [old] = await proofs(folder);
    await attempt({ ...some, name: 'some-more' }, options(folder));
    await writeFile(path.join(folder, 'one.txt'), 'planted');
    const { proof } = await attempt(some, options(folder));
    const left = await proofs(folder);
    assert.equal(left.length, 2);
    assert.ok(left.includes(path.basename(proof!)) && left.some((file) => file.startsWith('some-more-')));
    assert.ok(!left.includes(old!));
  });

  test('that cannot be read is none', async (t) => {
    const folder = await proven(t);
    const [file] = await proofs(folder);
    await writeFile(path.join(folder, 'test/proofs', file!), '<<<<<<< HEAD');
    assert.equal(await line(folder), 'proof some: none');
  });
});

describe('two branches with a proof each', () => {
  /** A repository with so many files that its proofs are mostly hashes. */
  async function large(t: TestContext): Promise<string> {
    const folder = await repository(t);
    for (let file = 0; file < 100; file += 1) await writeFile(path.join(folder, `agent/file${file}.ts`), `${file}`);
    return folder;
  }
  /** Proves `some` by another command, so that nothing but the key is another. Returns the text of the proof. */
  async function prove(folder: string, what: string): Promise<string> {
    const { proof } = await attempt({ ...some, command: `${passing} # ${what}` }, options(folder));
    return readFile(path.join(folder, proof!), 'utf8');
  }

  test('after the merge the one that fits counts, though the other is newer', async (t) => {
    const folder = await proven(t);
    const other = await folderFor(t);
    await cp(folder, other, { recursive: true });
    await writeFile(path.join(other, 'one.txt'), 'planted');
    const { proof } = await attempt(some, { ...options(other), now: () => later(1) });
    await cp(path.join(other, proof!), path.join(folder, proof!));
    assert.equal((await proofs(folder)).length, 2);
    assert.equal(await line(folder), fits);
    await writeFile(path.join(folder, 'agent/main.ts'), 'planted');
    assert.match(await line(folder), /^proof some: 2 days old; .*; 2 files changed since: agent\/main\.ts, one\.txt$/);
  });

  test('have too little in common for Git to take both for the old one renamed', async (t) => {
    const folder = await large(t);
    const [one, other] = [await prove(folder, 'one'), await prove(folder, 'other')];
    const common = one.split('\n').filter((each) => other.split('\n').includes(each));
    assert.ok(common.join('\n').length < 0.2 * one.length, `in both:\n${common.join('\n')}`);
    // Of a long line Git compares pieces of 64 bytes.
    const hashes = (proof: string): string[] => [...proof.matchAll(/"([0-9a-f]{8})"/g)].map(([, hash]) => hash!);
    assert.ok(hashes(one).length > 100);
    assert.deepEqual(
      hashes(one).filter((hash) => hashes(other).includes(hash)),
      [],
    );
  });

  const hasGit = (process.env['PATH'] ?? '').split(':').some((folder) => existsSync(path.join(folder, 'git')));
  test('merge without a conflict', { skip: !hasGit && 'no git' }, async (t) => {
    const folder = await large(t);
    const git = (...args: string[]) =>
      run('git', ['-c', 'user.name=x', '-c', 'user.email=x@x', ...args], { cwd: folder });
    const commit = async (what: string): Promise<void> => {
      await prove(folder, what);
      await git('add', '--all');
      await git('commit', '--quiet', '--message', what);
    };
    await git('init', '--quiet', '--initial-branch=main');
    await commit('both');
    await git('checkout', '--quiet', '-b', 'side');
    await commit('side');
    await git('checkout', '--quiet', 'main');
    await commit('main');
    await git('merge', '--quiet', '--message', 'merge', 'side');
    assert.equal((await proofs(folder)).length, 2);
  });
});

describe('a part', () => {
  const counts = { passed: 3, failed: 0, skipped: 1 };

  test('that passes leaves a proof with its counts, date and commit; counts of several runs are added up', async (t) => {
    const folder = await repository(t);
    const { proof, problem } = await attempt({ ...some, command: `${passing}; ${passing}` }, options(folder));
    assert.equal(problem, '');
    const kept = JSON.parse(await readFile(path.join(folder, proof!), 'utf8')) as Record<string, unknown>;
    assert.equal(proof, `test/proofs/some-${String(kept['key'])}.json`);
    assert.deepEqual(kept['counts'], { passed: 6, failed: 0, skipped: 2 });
    assert.deepEqual(kept['versions'], { kernel: '6.1', qemu: '7.2' });
    assert.deepEqual([kept['name'], kept['date'], kept['commit']], ['some', made.toISOString(), 'abc1234']);
  });

  for (const [command, problem] of [
    [`${passing}; exit 3`, /^ended with 3$/],
    [`${passing}; echo '4 passed, 1 failed, 0 skipped'`, /^tests failed$/],
    ['echo all is well', /^ran no test$/],
    ["echo '0 passed, 0 failed, 9 skipped'", /^ran no test$/],
    [`${passing}; echo planted >agent/main.ts`, /^passed, but files .* changed/],
    ['kill -9 $$', /^ended with (SIGKILL|137)$/],
  ] as const) {
    test(`leaves no proof, and the old one in place: ${command}`, async (t) => {
      const folder = await proven(t);
      const before = await proofs(folder);
      const done = await attempt({ ...some, command }, options(folder));
      assert.match(done.problem, problem);
      assert.equal(done.proof, '');
      assert.deepEqual(await proofs(folder), before);
    });
  }

  test('that fails does not keep the others from running', async (t) => {
    const folder = await repository(t);
    const results = await attemptAll(
      [
        { ...some, name: 'bad', command: 'exit 1' },
        { ...some, name: 'worse', versions: { kernel: () => assert.fail('no kernel') } },
        some,
      ],
      options(folder),
    );
    assert.deepEqual(
      results.map(({ name, problem }) => [name, problem]),
      [
        ['bad', 'ended with 1'],
        ['worse', 'no kernel'],
        ['some', ''],
      ],
    );
    assert.deepEqual(results[2]!.counts, counts);
  });

  /** Waits in a process of its own, whose number it prints first. */
  const waiting = { ...some, command: 'sleep 300 & echo $!; wait' };
  const gone = async (pid: number): Promise<void> => {
    assert.ok(pid > 0);
    await until(() => (processInfo(pid)?.state ?? 'Z') === 'Z', 5000, `the end of process ${pid}`);
  };

  test('is out of time after its minutes, and so is what it has started', async (t) => {
    let pid = 0;
    const onLine = (text: string): void => void (pid = Number(text));
    const real = { ...options(await repository(t)), now: () => new Date(), onLine };
    const done = await attempt({ ...waiting, minutes: 1 / 20 }, real);
    assert.match(done.problem, /^out of time after/);
    await gone(pid);
  });

  test('is stopped with whoever runs it, and no other follows', async (t) => {
    let pid = 0;
    const folder = await repository(t);
    const stopping = new AbortController();
    const onLine = (text: string): void => {
      pid = Number(text);
      stopping.abort();
    };
    const results = await attemptAll([waiting, some], { ...options(folder), onLine, signal: stopping.signal });
    assert.deepEqual(
      results.map(({ name, problem }) => [name, problem]),
      [['some', 'stopped']],
    );
    await gone(pid);
  });
});

describe('the parts', () => {
  test('have names of their own, and depend on what there is', () => {
    assert.equal(new Set(parts.map(({ name }) => name)).size, parts.length);
    for (const { name, paths } of parts) {
      assert.match(name, /^[a-z0-9-]+$/);
      for (const entry of paths) assert.ok(existsSync(path.join(root, entry.replace(/^!/, ''))), `${name}: ${entry}`);
    }
  });

  test('hold every test that needs a disk which the fresh machine has not', async () => {
    const { command } = parts.find(({ name }) => name === 'disks')!;
    const files = await readdir(path.join(root, 'test'), { recursive: true });
    const needy: string[] = [];
    for (const file of files.filter((each) => each.endsWith('.test.ts') && !each.startsWith('setup/'))) {
      const text = await readFile(path.join(root, 'test', file), 'utf8');
      if (/\bno(Cuttable|Hung)Disk\b/.test(text)) needy.push(file.replace('.test.ts', ''));
    }
    assert.ok(needy.length > 2);
    for (const file of needy) assert.ok(command.includes(`npm test -- ${file}`), file);
  });
});
