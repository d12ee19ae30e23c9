/**
 * `npm run test:images [-- arm64 armhf armel]`: the rehearsal of the container images without a container engine. For each
 * architecture the project's own Dockerfile is built by buildah under emulation, from Debian's packages; in what comes out
 * the entrypoint starts makercast, which looks at the machine and streams for 5 seconds to a server outside.
 *
 * What is committed is built. Everything is kept in .cache/images, so that a second run builds only what has changed;
 * `--built` builds nothing and tries what the last run has built.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync, existsSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { installPackages } from './apt.mjs';
import { emulate } from './emulation.mjs';
import { missingPackages, root } from './ready.mjs';
import { rehearse } from './rehearsal.mjs';
import { quietly, Stop } from './run.mjs';
import { architectures, lackOf, Missing, standIn } from './standin.mjs';

/** @typedef {{step: string, seconds: number}} Step A step of a Dockerfile, and how long it took. */
/** @typedef {{by: string, unpacked: number, packed: number}} Layer What made it; bytes. */

const cache = path.join(root, '.cache/images');
const began = Date.now();
/** @param {string} line */
const say = (line) => console.log(`[images ${String(Math.round((Date.now() - began) / 1000)).padStart(4)} s] ${line}`);
/** @param {number} from */
const seconds = (from) => `${((Date.now() - from) / 1000).toFixed(0)} s`;
/** @param {number} bytes */
const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

const store = ['--root', path.join(cache, 'store'), '--runroot', path.join(cache, 'runroot')];
/** Overlay mounts where the kernel lets us; copying whole trees where not. */
const driver = ['--storage-driver', process.env.STORAGE_DRIVER || 'overlay'];
/** @param {string[]} args */
const buildah = (args) => [...store, ...driver, ...args];
/**
 * A build in namespaces of its own: whatever ends it, none of its processes and mounts is left.
 * @param {string[]} args
 * @returns {[command: string, words: string[]]}
 */
const building = (args) => [
  'unshare',
  ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc', 'buildah', ...buildah(args)],
];
/** @param {string[]} args */
function ask(...args) {
  return execFileSync('buildah', buildah(args), { encoding: 'utf8', maxBuffer: 64e6 }).trim();
}

/**
 * How this machine reaches npm's registry, given to the build and kept out of the image.
 * @param {string} folder
 * @returns {string[]}
 */
function wayToRegistry(folder) {
  const bundle = process.env.NODE_EXTRA_CA_CERTS;
  const files = [path.join(path.dirname(path.dirname(process.execPath)), 'etc/npmrc'), path.join(homedir(), '.npmrc')];
  const lines = files
    .flatMap((file) => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []))
    .filter((line) => /^\s*(registry|ca|strict-ssl|proxy|https-proxy|noproxy|\/\/|@)/.test(line));
  if (bundle) lines.push('cafile=/run/rehearsal/ca.crt');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'npmrc'), `${lines.join('\n')}\n`, { mode: 0o600 });
  if (bundle) writeFileSync(path.join(folder, 'ca.crt'), readFileSync(bundle));
  return ['--volume', `${folder}:/run/rehearsal:ro`, '--volume', `${path.join(folder, 'npmrc')}:/root/.npmrc:ro`];
}

/**
 * Builds the image and returns how long each of its steps took, in seconds; those that were cached took none.
 * @param {string} name
 * @param {string} context
 * @param {string[]} mounts
 */
async function build(name, context, mounts) {
  const { dockerfile, platform, from } = architectures[name];
  // Two architectures stand in for one name, so it is not a tag that decides which.
  const base = ['--build-context', `${from}=container-image://localhost/standin-${name}`];
  const [command, words] = building([
    'bud',
    ...['--isolation', 'chroot', '--format', 'docker', '--layers', '--pull=never'],
    ...[
      ...platform,
      ...base,
      ...mounts,
      '-f',
      path.join(context, dockerfile),
      '-t',
      `localhost/makercast-${name}`,
      context,
    ],
  ]);
  /** @type {Step[]} */
  const steps = [];
  let last = Date.now();
  /** The step that is under way took until now. */
  const end = () => {
    const step = steps.at(-1);
    if (step) step.seconds = (Date.now() - last) / 1000;
    last = Date.now();
  };
  const { code, output } = await quietly(command, words, {}, (line) => {
    const step = /^\[[12]\/2\] STEP \d+\/\d+: (.*)/.exec(line)?.[1];
    if (!step) return;
    end();
    steps.push({ step, seconds: 0 });
    say(`${name}: ${step.replaceAll(/\s+/g, ' ').slice(0, 110)}`);
  });
  if (code !== 0) {
    const lack = lackOf(name, output);
    if (lack) throw lack;
    process.stderr.write(`${output.split('\n').slice(-40).join('\n')}\n`);
    throw new Stop(`${name}: ${dockerfile} could not be built (see above).`);
  }
  end();
  return { steps: steps.filter((one) => one.seconds >= 5), output };
}

/**
 * The image's layers, oldest first: what made each, its bytes unpacked, and packed as a device downloads them.
 * @param {string} name
 * @returns {Layer[]}
 */
function layers(name) {
  const folder = path.join(cache, `oci-${name}`);
  rmSync(folder, { recursive: true, force: true });
  ask('push', '--quiet', `localhost/makercast-${name}`, `oci:${folder}:image`);
  /** @param {string} file */
  const json = (file) => JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
  /** @param {{digest: string}} descriptor */
  const blob = ({ digest }) => path.join('blobs/sha256', digest.split(':')[1]);
  /** @type {{config: {digest: string}, layers: {digest: string}[]}} */
  const manifest = json(blob(json('index.json').manifests[0]));
  /** @type {{history: {created_by?: string, empty_layer?: boolean}[]}} */
  const { history } = json(blob(manifest.config));
  const made = history.filter((entry) => !entry.empty_layer);
  const result = manifest.layers.map((layer, index) => {
    const file = path.join(folder, blob(layer));
    // The tar's own length: its files' bytes and 0.5 to 1 kB for each.
    const unpacked = execFileSync('sh', ['-c', 'gzip -dc "$1" | wc -c', 'sh', file], { encoding: 'utf8' });
    const by = (made.at(index - manifest.layers.length)?.created_by ?? '')
      .replace(/^\/bin\/sh -c (#\(nop\) )?/, '')
      .replaceAll(/\s+/g, ' ');
    return { by: index === 0 ? 'base image (stand-in)' : by, unpacked: Number(unpacked), packed: statSync(file).size };
  });
  rmSync(folder, { recursive: true, force: true });
  return result;
}

/**
 * @param {string} name
 * @param {{steps: Step[], sizes: Layer[], facts: string[]}} outcome
 */
function report(name, { steps, sizes, facts }) {
  // Those of a few scripts are nothing beside the others; the sums hold them.
  const rows = sizes
    .filter(({ unpacked }) => unpacked >= 1e5)
    .map(
      ({ by, unpacked, packed }) =>
        `| ${by.replaceAll('|', '\\|').slice(0, 70)} | ${megabytes(unpacked)} | ${megabytes(packed)} |`,
    );
  /** @param {'unpacked' | 'packed'} key */
  const sum = (key, from = 0) => megabytes(sizes.slice(from).reduce((total, layer) => total + layer[key], 0));
  return [
    `### ${name}`,
    '',
    ...facts.map((fact) => `- ${fact}`),
    ...steps.map(
      ({ step, seconds: took }) => `- ${took.toFixed(0)} s: \`${step.replaceAll(/\s+/g, ' ').slice(0, 90)}\``,
    ),
    '',
    '| layer | MB unpacked | MB to download |',
    '| --- | ---: | ---: |',
    ...rows,
    `| without the base | ${sum('unpacked', 1)} | ${sum('packed', 1)} |`,
    `| all | ${sum('unpacked')} | ${sum('packed')} |`,
    '',
  ].join('\n');
}

/**
 * @param {string} name
 * @param {string} context
 * @param {string[]} mounts
 * @param {boolean | undefined} built
 */
async function one(name, context, mounts, built) {
  const from = Date.now();
  /** @type {Step[]} */
  let steps = [];
  if (!built) {
    await standIn(name, cache, building, say);
    say(`${name}: stand-in for ${architectures[name].from} is there (${seconds(from)})`);
    ({ steps } = await build(name, context, mounts));
  }
  const sizes = layers(name);
  const container = ask('from', '--pull-never', `localhost/makercast-${name}`);
  try {
    const config = JSON.parse(ask('inspect', '--type', 'image', `localhost/makercast-${name}`)).Docker.config;
    const facts = await rehearse({
      inside: ask('mount', container),
      config,
      say: (line) => say(`${name}: ${line}`),
    });
    return report(name, { steps, sizes, facts });
  } finally {
    ask('umount', container);
    ask('rm', container);
  }
}

async function main() {
  if (process.getuid?.() !== 0)
    throw new Stop('Images can be built and entered by root only. Run: sudo npm run test:images');
  const { positionals, values } = parseArgs({ allowPositionals: true, options: { built: { type: 'boolean' } } });
  const names = positionals.length > 0 ? positionals : Object.keys(architectures);
  for (const name of names) {
    if (!architectures[name]) {
      throw new Stop(
        `There is no architecture ${JSON.stringify(name)}; there are ${Object.keys(architectures).join(', ')}.`,
      );
    }
  }
  const lack = missingPackages(['images']);
  if (lack.length > 0) await installPackages(lack);
  mkdirSync(cache, { recursive: true });
  const scratch = mkdtempSync(path.join(tmpdir(), 'makercast-images-'));
  const restore = emulate([...new Set(names.map((name) => architectures[name].interpreter))]);
  // However this ends, but for SIGKILL: whoever is stopped by a signal ends by process.exit (setup/run.mjs).
  process.once('exit', () => {
    restore();
    // buildah leaves its storage mounted onto itself.
    spawnSync('umount', [path.join(cache, 'store/overlay')], { stdio: 'ignore' });
    rmSync(scratch, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) {
    // While a step runs, it is stopped first, and ends this process.
    process.on(signal, () => process.listenerCount(signal) > 1 || process.exit(1));
  }
  if (execFileSync('git', ['-C', root, 'status', '--porcelain'], { encoding: 'utf8' }))
    say('NOTE: only what is committed is built, and there are changes that are not');
  const context = path.join(scratch, 'context');
  mkdirSync(context);
  execFileSync('sh', ['-c', 'git -C "$1" archive HEAD | tar -xf - -C "$2"', 'sh', root, context]);
  const mounts = wayToRegistry(path.join(scratch, 'way'));
  /** @type {string[]} */
  const reports = [];
  let skipped = 0;
  for (const name of names) {
    try {
      reports.push(await one(name, context, mounts, values.built));
    } catch (error) {
      if (!(error instanceof Missing)) throw error;
      skipped += 1;
      say(`SKIPPED: ${error.message}`);
    }
  }
  const text = reports.join('\n');
  writeFileSync(path.join(cache, 'report.md'), text);
  console.log(`\n${text}`);
  say(skipped === 0 ? 'passed' : `passed, but for ${skipped} that could not be had`);
  console.log(`${reports.length} passed, 0 failed, ${skipped} skipped`);
  if (reports.length === 0) process.exitCode = 1;
}

main().catch((error) => {
  say(`FAILED: ${error instanceof Stop ? error.message : error.stack}`);
  process.exitCode = 1;
});
