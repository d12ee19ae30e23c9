/**
 * What tests use of node:test, but that it only collects them: who runs them, and how often, is the matter of the mutants. What is
 * not here (before, after) no test that they are judged by may use, and it fails to load.
 */
import { mock } from 'node:test';

export { mock };

/**
 * What stands here for that of node:test.
 * @typedef {{name: string, mock: typeof mock, after: (hook: Hook) => void, diagnostic: () => void, test: (...args: unknown[]) => Promise<void>}} Context
 * @typedef {(context: Context) => unknown} Hook
 * @typedef {{parent: Suite | undefined, name: string, beforeEach: Hook[], afterEach: Hook[]}} Suite
 * @typedef {{name: string, run: () => Promise<void>}} Collected
 */

/**
 * @param {Suite} [parent]
 * @returns {Suite}
 */
const suite = (parent) => ({ parent, name: parent?.name ?? '', beforeEach: [], afterEach: [] });
let current = suite();
/** @type {Collected[]} */
let collected = [];

/** What was collected since the last time. */
export function take() {
  const taken = collected;
  collected = [];
  current = suite();
  return taken;
}

/**
 * @param {unknown[]} args as node:test takes them: a name, options, a body; each may be left out
 * @returns {{name: string, options: {skip?: unknown}, body: Hook | undefined}}
 */
const parts = (args) => ({
  name: typeof args[0] === 'string' ? args[0] : '',
  options: args.find((arg) => typeof arg === 'object') ?? {},
  body: /** @type {Hook | undefined} */ (args.find((arg) => typeof arg === 'function')),
});

/**
 * From the outermost suite inwards.
 * @param {Suite | undefined} of
 * @param {'beforeEach' | 'afterEach'} kind
 * @returns {Hook[]}
 */
const hooks = (of, kind) => (of ? [...hooks(of.parent, kind), ...of[kind]] : []);

/**
 * @param {Suite | undefined} within
 * @param {string} name
 * @param {Hook} body
 */
async function runOne(within, name, body) {
  /** @type {Hook[]} */
  const ends = [];
  /** @type {Context} */
  const context = {
    name,
    mock,
    after: (hook) => void ends.unshift(hook),
    diagnostic() {},
    test: async (...args) => {
      const inner = parts(args);
      if (!inner.options.skip && inner.body) await runOne(undefined, inner.name, inner.body);
    },
  };
  try {
    for (const hook of hooks(within, 'beforeEach')) await hook(context);
    await body(context);
  } finally {
    for (const hook of [...ends, ...hooks(within, 'afterEach').reverse()]) await hook(context);
    // As node:test does with each test's own mocks.
    mock.timers.reset();
    mock.restoreAll();
  }
}

/** @param {unknown[]} args */
export function test(...args) {
  const { name, options, body } = parts(args);
  if (options.skip || !body) return;
  const within = current;
  const full = `${within.name} ${name}`.trim();
  collected.push({ name: full, run: () => runOne(within, full, body) });
}

/** @param {unknown[]} args */
export function describe(...args) {
  const { name, options, body } = parts(args);
  if (options.skip || !body) return;
  const outer = current;
  current = suite(outer);
  current.name = `${outer.name} ${name}`.trim();
  /** @type {() => void} */ (body)();
  current = outer;
}

export const it = test;
export default test;
/** @param {Hook} hook */
export const beforeEach = (hook) => void current.beforeEach.push(hook);
/** @param {Hook} hook */
export const afterEach = (hook) => void current.afterEach.push(hook);
