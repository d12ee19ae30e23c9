/**
 * `npm run test:vm`: makercast in a virtual machine with real kernel drivers. Builds what it needs from Debian's packages
 * (kept in .cache/vm), boots it, runs test/vm/*.test.ts inside, and closes with the counts.
 *
 * `npm run test:vm -- usb` runs only files whose path holds the text; `-- --shell` opens a shell in there instead, `-- --build` builds
 * what it needs and ends.
 */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { ready, root } from './ready.mjs';

/** A guest under software emulation is up in some 10 s; a test file takes 6 minutes at most on an idle host, and shows nothing before its end. */
const deadlines = { up: 300_000, silence: 13 * 60_000, whole: 40 * 60_000 };
/** Under software emulation everything takes longer, and so do the tests' deadlines (test/helpers/feed.ts). */
const patience = 5;

/**
 * Ends with exit code 0, but with 1 in CI, which must not do without the bench.
 * @param {string} reason
 * @returns {never}
 */
function skip(reason) {
  console.log(`SKIPPED: the virtual bench cannot run here: ${reason}`);
  process.exit(process.env.CI === 'true' ? 1 : 0);
}

/** Builds what the cache lacks; returns the folders of kernel and system. */
async function build() {
  const [{ Cache }, { kernelApt, kernelKeys, makeKernel, offeredKernel }, { makeRoot, rootKey }, { unbuildable }] =
    await Promise.all([
      import('../test/vm/machine/cache.mjs'),
      import('../test/vm/machine/kernel.mjs'),
      import('../test/vm/machine/root.mjs'),
      import('../test/vm/machine/possible.mjs'),
    ]);
  const { step, Stop } = await import('./run.mjs');
  const cache = new Cache();
  mkdirSync(cache.folder, { recursive: true });
  const complete = () => {
    const offered = offeredKernel(cache);
    return offered && cache.has('kernel', kernelKeys(offered).kernel) && cache.has('root', rootKey());
  };
  if (!complete()) {
    const reason = await unbuildable(cache.folder);
    if (reason) skip(reason);
    // A list of last week names packages that are gone.
    const update = ['-q', '-o', 'DPkg::Lock::Timeout=300', 'update'];
    await step('fetching the list of Debian packages', 'apt-get', update);
    const env = kernelApt(cache);
    if (env !== process.env) await step("fetching the list of Debian 12's packages", 'apt-get', update, { env });
  }
  const offered = offeredKernel(cache);
  if (!offered) skip("apt's sources have no kernel of Debian 12 (they lack 'bookworm main').");
  // Both at once: one mostly waits for the network while the other compiles.
  const [kernel, system] = await Promise.allSettled([makeKernel(cache, offered), makeRoot(cache)]);
  if (kernel.status === 'fulfilled' && system.status === 'fulfilled')
    return { release: offered.release, kernel: kernel.value, system: system.value };
  const [failure] = [kernel, system].flatMap((one) => (one.status === 'rejected' ? [one.reason] : []));
  if (!(failure instanceof Stop)) throw failure;
  console.error(`set-up: ${failure.message}`);
  process.exit(1);
}

const { values: options, positionals: words } = parseArgs({
  options: { shell: { type: 'boolean' }, build: { type: 'boolean' } },
  allowPositionals: true,
});
const files = readdirSync(path.join(root, 'test/vm'))
  .map((name) => `test/vm/${name}`)
  .filter((file) => file.endsWith('.test.ts') && words.every((word) => file.includes(word)))
  .map((file) => file.replace(/\.ts$/, '.js'))
  .sort();
if (files.length === 0) {
  console.log(`0 passed, 0 failed, 0 skipped\nNo test ran: no file's path holds ${words.join(' and ')}.`);
  process.exit(1);
}

const { impossible } = await import('../test/vm/machine/possible.mjs');
const reason = impossible();
if (reason) skip(reason);
await ready({ packages: ['runtime', 'vm'], native: true, build: 'all' });
const { alone } = await import('./install.mjs');
const { accelerator, boot } = await import('../test/vm/machine/qemu.mjs');
const { packApp } = await import('../test/vm/machine/app.mjs');

const { release, kernel, system } = await alone('vm', build);
if (options.build) process.exit(0);
const folder = mkdtempSync(path.join(tmpdir(), 'makercast-app-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
const environment = { TEST_PATIENCE: String(patience), ...(process.stdout.isTTY ? {} : { NO_COLOR: '1' }) };
const app = await packApp(folder, { files, environment });
const { name, args } = await accelerator(kernel);
console.log(`Linux ${release} under QEMU, ${name}`);

/** @typedef {{passed: number, failed: number, skipped: number, failures: string[]}} Verdict */

const began = Date.now();
const took = () => `${((Date.now() - began) / 1000).toFixed(0)} s`;
/** @type {Verdict | undefined} */
let verdict;
const problem = await boot(kernel, [path.join(system, 'root.img'), path.join(kernel, 'kernel.img'), app], {
  accelerator: args,
  mode: options.shell ? 'shell' : 'run',
  deadlines,
  onLine: (line) => console.log(line),
  onMessage: (message) => {
    if (message === 'up' && !options.shell) console.log(`up after ${took()}`);
    if (message.startsWith('verdict ')) verdict = JSON.parse(message.slice(8));
  },
});
if (options.shell) process.exit(0);
const { passed, failed, skipped, failures } = verdict ?? { passed: 0, failed: 0, skipped: 0, failures: [] };
console.log(`${files.length} files, ${took()}`);
for (const failure of failures) console.log(failure);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
const why = problem || (verdict ? '' : 'the guest ended before its tests did (see above)');
if (why) console.log(`The virtual bench failed: ${why}.`);
else if (passed + failed === 0) console.log('No test ran.');
process.exit(why || failed > 0 || passed === 0 ? 1 : 0);
