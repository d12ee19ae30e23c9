/**
 * What tests use of node:test, but that it only collects them: who runs them, and how often, is the matter of the mutants. What is
 * not here (before, after) no test that they are judged by may use, and it fails to load.
 */
import { mock } from 'node:test';

export { mock };

const suite = (parent) => ({ parent, name: parent?.name ?? '', beforeEach: [], afterEach: [] });
let current = suite();
let collected = [];

/** What was collected since the last time. */
export function take() {
  const taken = collected;
  collected = [];
  current = suite();
  return taken;
}

const parts = (args) => ({
  name: typeof args[0] === 'string' ? args[0] : '',
  options: args.find((arg) => typeof arg === 'object') ?? {},
  body: args.find((arg) => typeof arg === 'function'),
});

/** From the outermost suite inwards. */
const hooks = (of, kind) => (of ? [...hooks(of.parent, kind), ...of[kind]] : []);

async function runOne(within, name, body) {
  const ends = [];
  const context = {
    name,
    mock,
    after: (hook) => void ends.unshift(hook),
    diagnostic() {},
    test: async (...args) => {
      const inner = parts(args);
      if (!inner.options.skip) await runOne(undefined, inner.name, inner.body);
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

export function test(...args) {
  const { name, options, body } = parts(args);
  if (options.skip || !body) return;
  const within = current;
  const full = `${within.name} ${name}`.trim();
  collected.push({ name: full, run: () => runOne(within, full, body) });
}

export function describe(...args) {
  const { name, options, body } = parts(args);
  if (options.skip) return;
  const outer = current;
  current = suite(outer);
  current.name = `${outer.name} ${name}`.trim();
  body();
  current = outer;
}

export const it = test;
export default test;
export const beforeEach = (hook) => void current.beforeEach.push(hook);
export const afterEach = (hook) => void current.afterEach.push(hook);
