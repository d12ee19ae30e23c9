/** Debian's releases that makercast is made for, and where their packages come from, whichever of them this machine runs. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Stop } from './run.mjs';

/**
 * Number and suite of each, the oldest first.
 * @type {Readonly<Record<string, string>>}
 */
export const releases = { 12: 'bookworm', 13: 'trixie' };

/** The number of the newest. */
export const newest = /** @type {string} */ (Object.keys(releases).at(-1));

const keyrings = '/usr/share/keyrings';

/** @param {string} file */
const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : '');
/** @param {string} folder */
const list = (folder) => (existsSync(folder) ? readdirSync(folder).map((name) => path.join(folder, name)) : []);

/**
 * Number of the release that this machine runs, as text; undefined where it is none of those.
 * @returns {string | undefined}
 */
export function hostRelease(text = read('/etc/os-release')) {
  const number = /^VERSION_ID="?(\d+)"?$/m.exec(text)?.[1] ?? '';
  return /^ID=debian$/m.test(text) && Object.hasOwn(releases, number) ? number : undefined;
}

/**
 * The suite of release `number`, given as text. Throws Stop where there is none.
 * @param {string} number
 * @returns {string}
 */
export function suiteOf(number) {
  if (Object.hasOwn(releases, number)) return releases[number];
  throw new Stop(`There is no Debian ${number} here; there are ${Object.keys(releases).join(' and ')}.`);
}

/**
 * The entries for `suite` among apt's files, `[{name, text}]`, as one text; '' where there is none. Those of another suite of
 * ours are rewritten where `suite` has none: a mirror of Debian has all of them. An archive that signs with its own key is not such a mirror.
 * @param {string} suite
 * @param {readonly {name: string, text: string}[]} files
 * @returns {string}
 */
export function sourcesFor(suite, files) {
  const lines = files.filter(({ name }) => name.endsWith('.list')).flatMap(({ text }) => text.split('\n'));
  const stanzas = files.filter(({ name }) => name.endsWith('.sources')).flatMap(({ text }) => text.split(/\n\s*\n/));
  /** @param {string} other */
  const entries = (other) => {
    const ofSuite = new RegExp(`\\s${other}(-updates|-security)?\\s`);
    const one = lines.filter((line) => /^deb\s/.test(line) && ofSuite.test(line));
    const many = stanzas.filter(
      (stanza) => /^Types:.*\bdeb\b/m.test(stanza) && ofSuite.test(`${/^Suites:.*/m.exec(stanza)?.[0]} `),
    );
    // One file has one format; the older one where a machine has both.
    return one.length > 0 ? one : many;
  };
  /** @param {string[]} chosen */
  const text = (chosen) => chosen.map((entry) => `${entry.trim()}\n`).join(/^Types:/m.test(chosen[0]) ? '\n' : '');
  const own = entries(suite);
  if (own.length > 0) return text(own);
  for (const other of Object.values(releases)) {
    const theirs = entries(other).filter((entry) => !/signed-by[:=]/i.test(entry) || /debian-archive/.test(entry));
    if (theirs.length === 0) continue;
    // Not within a word: a mirror's own path stays as it is.
    const word = new RegExp(`(?<=\\s)${other}(?=-updates\\b|-security\\b|\\s|$)`, 'g');
    return text(theirs).replaceAll(word, suite);
  }
  return '';
}

/**
 * This machine's apt sources for `suite`, as text; '' where it has none of Debian (mmdebstrap then takes Debian's own).
 * @param {string} suite
 */
export function aptSources(suite) {
  const files = ['/etc/apt/sources.list', ...list('/etc/apt/sources.list.d')];
  return sourcesFor(
    suite,
    files.map((name) => ({ name, text: read(name) })),
  );
}

/**
 * What a file with `sources` must be called for apt and mmdebstrap to read it.
 * @param {string} sources
 */
export const sourcesName = (sources) => (/^Types:/m.test(sources) ? 'apt.sources' : 'apt.list');

/**
 * Throws Stop where this machine cannot verify `suite`: an older keyring does not know a newer release.
 * @param {string} suite
 */
export function mustKnow(suite) {
  const known = list(keyrings).map((file) => path.basename(file));
  if (known.some((name) => name.startsWith(`debian-archive-${suite}-stable.`))) return;
  throw new Stop(
    `The package debian-archive-keyring of this machine has no key of Debian's ${suite}.` +
      ' Run apt-get update and apt-get install debian-archive-keyring, then start again.',
  );
}

/**
 * The way to the packages of `suite` for a machine that may run another: what apt's programs need in their environment. Its lists
 * are kept in `folder`, and this machine's own apt knows nothing of them; whoever uses it runs `apt-get update` with it first.
 * @param {string} suite
 * @param {string} folder
 * @returns {NodeJS.ProcessEnv}
 */
export function aptOf(suite, folder) {
  if (suite === releases[hostRelease() ?? '']) return process.env;
  mustKnow(suite);
  const sources =
    aptSources(suite) ||
    `deb [signed-by=${keyrings}/debian-archive-keyring.gpg] http://deb.debian.org/debian ${suite} main\n`;
  const list = path.join(folder, sourcesName(sources));
  for (const part of ['lists/partial', 'cache/archives/partial', 'none'])
    mkdirSync(path.join(folder, part), { recursive: true });
  writeFileSync(list, sources);
  writeFileSync(path.join(folder, 'status'), '');
  const settings = {
    'Dir::Etc::SourceList': list,
    'Dir::Etc::SourceParts': path.join(folder, 'none'),
    'Dir::State': folder,
    'Dir::State::Lists': path.join(folder, 'lists'),
    'Dir::State::Status': path.join(folder, 'status'),
    'Dir::Cache': path.join(folder, 'cache'),
  };
  const config = path.join(folder, 'apt.conf');
  writeFileSync(
    config,
    Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join(''),
  );
  return { ...process.env, APT_CONFIG: config };
}

/**
 * How this machine's apt reaches its servers: proxies, certificates, retries.
 * @returns {string[]}
 */
export function aptOptions() {
  const dump = execFileSync('apt-config', ['dump'], { encoding: 'utf8' }).split('\n');
  return dump.filter((line) => /^Acquire::(https?|Check-|Retries|ForceIPv)/.test(line) && !line.endsWith(' "";'));
}
