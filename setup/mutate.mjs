/**
 * `npm run mutate [-- NAME…]`: breaks the files that decide in every small way, one at a time, and shows which of it no test
 * notices. By hand: minutes a file. What is broken is what tsc made of it, which is the source without its types, in a copy.
 */
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { ready, root } from './ready.mjs';

/**
 * Name -> the file without its ending, and the test files that judge it: such as end within seconds, without live media.
 * @type {Record<string, [file: string, tests: string[]]>}
 */
const targets = {
  timeline: ['agent/media/delivery/timeline', ['media/delivery/timeline']],
  hub: ['agent/media/delivery/hub', ['media/delivery/hub']],
  muxer: ['agent/formats/mp4/muxer', ['formats/mp4/steps']],
  cost: ['agent/config/cost', ['config/cost']],
  layer: ['agent/config/layer', ['config/layer', 'config/remote']],
  resolve: ['agent/config/resolve', ['config/resolve', 'config/remote']],
  decision: ['agent/steering/decision', ['steering/decision']],
  probation: ['agent/steering/probation', ['steering/probation']],
  adaptation: ['agent/broadcast/bitrate/adaptation', ['broadcast/bitrate/adaptation']],
  backoff: ['agent/broadcast/backoff', ['broadcast/backoff']],
  plan: ['pipelines/choose/best', ['pipelines/plan']],
  best: ['pipelines/choose/best', ['pipelines/plan']],
  candidates: ['pipelines/choose/candidates', ['pipelines/choose/candidates']],
};
/** Per cent of the mutants that tests have to notice. */
const goal = 85;
/**
 * Three words in a row are a message, whose wording no test should pin down.
 * @param {Mutant} mutant
 */
const isMessage = ({ mutatorName, text }) => mutatorName === 'StringLiteral' && /[a-z]+,? [a-z]+,? [a-z]+/i.test(text);

/** @typedef {{mutatorName: string, status: string, replacement: string, line: number, text: string, within: string}} Mutant */

/**
 * As Stryker has it; columns and lines from 1.
 * @typedef {{line: number, column: number}} Position
 * @typedef {{mutatorName: string, location: {start: Position, end: Position}, replacement: string, status: string}} StrykerMutant
 */

const cache = path.join(root, '.cache/mutate');

/** A copy of this checkout: dist/ is its own, all else the same files. */
function copyOfCheckout() {
  mkdirSync(cache, { recursive: true });
  const copy = mkdtempSync(path.join(cache, 'copy-'));
  for (const name of readdirSync(root)) {
    if (!name.startsWith('.') && name !== 'dist') symlinkSync(path.join(root, name), path.join(copy, name));
  }
  cpSync(path.join(root, 'dist'), path.join(copy, 'dist'), {
    recursive: true,
    filter: (file) => !file.endsWith('.map'),
  });
  return copy;
}

/**
 * The line of the source, from 1.
 * @param {SourceMap} map
 * @param {Position} position
 */
function originalLine(map, { line, column }) {
  const entry = map.findEntry(line - 1, column - 1);
  return 'originalLine' in entry ? entry.originalLine + 1 : NaN;
}

/**
 * Every mutant of one file with what became of it; the process stands in the copy.
 * @param {any} Stryker a class of @stryker-mutator/core, which has types only once it is installed
 * @param {[file: string, tests: string[]]} target
 * @returns {Promise<Mutant[]>}
 */
async function mutantsOf(Stryker, [file, tests]) {
  const testFiles = tests.map((test) => `dist/test/${test}.test.js`);
  for (const test of testFiles)
    if (!existsSync(test)) throw new Error(`${file} is judged by ${test}, which is not there`);
  /** @type {StrykerMutant[]} */
  const results = await new Stryker({
    mutate: [`dist/${file}.js`],
    inPlace: true,
    tempDirName: '.stryker',
    testRunner: 'here',
    plugins: [path.join(root, 'setup/mutate/runner.mjs')],
    here: { testFiles },
    coverageAnalysis: 'perTest',
    disableTypeChecks: false,
    concurrency: 1,
    // One that goes round for ever is found by its count; this is for one that waits.
    timeoutMS: 20_000,
    reporters: [],
    logLevel: 'error',
    allowEmpty: false,
  }).runMutationTest();
  const lines = readFileSync(path.join(root, 'dist', `${file}.js`), 'utf8').split('\n');
  const map = new SourceMap(JSON.parse(readFileSync(path.join(root, 'dist', `${file}.js.map`), 'utf8')));
  return results.map(({ mutatorName, location: { start, end }, replacement, status }) => {
    const part = lines.slice(start.line - 1, end.line);
    part[part.length - 1] = part[part.length - 1].slice(0, end.column - 1);
    part[0] = part[0].slice(start.column - 1);
    return {
      mutatorName,
      status,
      replacement: replacement.replace(/\s+/g, ' '),
      line: originalLine(map, start),
      text: part.join('\n').replace(/\s+/g, ' '),
      within: lines[start.line - 1].trim(),
    };
  });
}

/** @param {readonly unknown[]} cells */
const row = ([name, ...cells]) =>
  console.log(String(name).padEnd(11) + cells.map((cell) => String(cell).padStart(13)).join(''));

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(targets);
for (const name of names.filter((each) => !Object.hasOwn(targets, each))) {
  console.error(`There is nothing to mutate by the name ${name}; there are ${Object.keys(targets).join(', ')}.`);
  process.exit(2);
}
await ready({ packages: ['runtime', 'test'], native: true, build: 'all', mutate: true });
const { Stryker } = await import(`${cache}/node_modules/@stryker-mutator/core/dist/src/index.js`);

const copy = copyOfCheckout();
const remove = () => rmSync(copy, { recursive: true, force: true, maxRetries: 5 });
process.on('exit', remove);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));
process.chdir(copy);
console.log(
  'Of all mutants, how many a test noticed: it failed, or did not end. Not counted: the wording of messages (strings of three' +
    ' words and more).',
);
row(['', 'mutants', 'failed', 'no end', 'survived', 'not reached', 'lost', '% noticed', 'seconds']);
try {
  for (const name of names) {
    const began = Date.now();
    const all = (await mutantsOf(Stryker, targets[name])).filter((mutant) => !isMessage(mutant));
    /** @param {string[]} states */
    const of = (...states) => all.filter(({ status }) => states.includes(status));
    const per = (100 * of('Killed', 'Timeout').length) / of('Killed', 'Timeout', 'Survived', 'NoCoverage').length;
    const counts = ['Killed', 'Timeout', 'Survived', 'NoCoverage', 'RuntimeError'].map((state) => of(state).length);
    row([name, all.length, ...counts, per.toFixed(1), Math.round((Date.now() - began) / 1000)]);
    const left = all.filter(({ status }) => !['Killed', 'Timeout'].includes(status));
    const lines = left
      .sort((one, other) => one.line - other.line)
      .map(
        ({ line, status, text, replacement, within }) =>
          `${targets[name][0]}.ts:${line} ${status}\n    in   ${within}\n    -    ${text}\n    +    ${replacement}\n`,
      );
    writeFileSync(path.join(cache, `${name}.txt`), lines.join(''));
    if (per < goal) process.exitCode = 1;
  }
} finally {
  remove();
}
console.log(
  `What no test noticed is in ${path.relative(root, cache)}/NAME.txt, line by line; the goal is ${goal} % a file.`,
);
