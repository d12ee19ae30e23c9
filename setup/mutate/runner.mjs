/**
 * A test runner for Stryker that runs node:test's tests in the process of the worker: a mutant costs what its tests cost, where a
 * process for each test file and mutant costs half a second. For tests that wait for nothing of this machine.
 */
import { register } from 'node:module';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { take } from './nodetest.mjs';

// The same cases for every mutant; and the first that fails is enough.
fc.configureGlobal({ seed: 12, endOnFailure: true });
register('./hooks.mjs', import.meta.url);

/**
 * What is asked of a test runner, as far as it matters here.
 * @typedef {{testFilter?: string[], disableBail?: boolean}} RunOptions
 * @typedef {RunOptions & {mutantActivation: 'static' | 'runtime', activeMutant: {id: string}, hitLimit?: number, reloadEnvironment: boolean}} MutantOptions
 */

/** @typedef {import('./nodetest.mjs').Collected & {id: string}} Test */

/**
 * As Stryker's instrumented code knows it.
 * @typedef {object} Instrumented
 * @property {string | undefined} [activeMutant]
 * @property {string | undefined} [currentTestId]
 * @property {number | undefined} [hitLimit]
 * @property {number | undefined} [hitCount]
 * @property {unknown} [mutantCoverage]
 */

/** @type {typeof globalThis & {__stryker__?: Instrumented}} */
const everywhere = globalThis;
const stryker = (everywhere.__stryker__ ??= {});
const statuses = { success: 0, failed: 1 };

class Runner {
  static inject = ['options'];
  /** @type {Test[]} */
  #tests = [];
  #loads = 0;

  /** @param {{here: {testFiles: string[]}}} options */
  constructor(options) {
    this.files = options.here.testFiles;
  }

  capabilities() {
    return { reloadEnvironment: true };
  }

  /** Imports the test files, and all that they import of dist/, again: what is computed once at the beginning may be a mutant. */
  async #load() {
    this.#loads += 1;
    this.#tests = [];
    for (const file of this.files) {
      await import(`${pathToFileURL(path.resolve(file))}?load=${this.#loads}`);
      for (const test of take()) this.#tests.push({ ...test, id: `${file} ${this.#tests.length}: ${test.name}` });
    }
  }

  /** @param {RunOptions} options */
  async #run({ testFilter, disableBail }) {
    const results = [];
    for (const { id, name, run } of this.#tests) {
      if (testFilter && !testFilter.includes(id)) continue;
      const began = performance.now();
      stryker.currentTestId = id;
      const failure = await run().then(
        () => undefined,
        (error) => String(error?.message ?? error),
      );
      stryker.currentTestId = undefined;
      const status = failure === undefined ? statuses.success : statuses.failed;
      results.push({ id, name, status, timeSpentMs: performance.now() - began, failureMessage: failure });
      if (failure !== undefined && !disableBail) break;
    }
    return results;
  }

  /** @param {RunOptions} options */
  async dryRun(options) {
    await this.#load();
    const tests = await this.#run(options);
    return { status: 'complete', tests, mutantCoverage: stryker.mutantCoverage };
  }

  /** @param {MutantOptions} options */
  async mutantRun(options) {
    stryker.activeMutant = options.mutantActivation === 'static' ? options.activeMutant.id : undefined;
    stryker.hitLimit = options.hitLimit;
    stryker.hitCount = options.hitLimit === undefined ? undefined : 0;
    try {
      if (options.reloadEnvironment || this.#tests.length === 0) await this.#load();
    } catch (error) {
      this.#tests = [];
      return { status: 'killed', killedBy: ['import'], failureMessage: String(error), nrOfTests: 0 };
    }
    stryker.activeMutant = options.activeMutant.id;
    const tests = await this.#run(options);
    stryker.activeMutant = undefined;
    if (options.reloadEnvironment) this.#tests = [];
    if ((stryker.hitCount ?? 0) > (stryker.hitLimit ?? Infinity))
      return { status: 'timeout', reason: 'it went round and round' };
    const failed = tests.find(({ status }) => status === statuses.failed);
    if (!failed) return { status: 'survived', nrOfTests: tests.length };
    return {
      status: 'killed',
      killedBy: [failed.id],
      failureMessage: failed.failureMessage ?? '',
      nrOfTests: tests.length,
    };
  }
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'here', injectableClass: Runner }];
