/** Looks at the machine one after the other: what could not be found out is said once, for as long as it cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../agent/errors.js';
import { ProbeCache } from '../../agent/machine/probecache.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { Survey } from '../../agent/machine/survey.js';
import type { machineFor } from '../../agent/machine/machine.js';

const wish = {} as Parameters<typeof machineFor>[0];
const facts = {} as Awaited<ReturnType<typeof machineFor>>;
const storage = new Storage('/nonexistent', () => undefined, false);

test('what could not be found out is said once, and again once it had been found out in between', async () => {
  const said: string[] = [];
  let unknown: string[] = [];
  const look: typeof machineFor = (_, __, warn) => {
    for (const what of unknown) warn(new Fault('source_busy', what));
    return Promise.resolve(facts);
  };
  const survey = new Survey(storage, ({ what }) => said.push(what), new ProbeCache(), look);
  for (const next of [['a'], ['a', 'b'], ['a', 'b'], ['b'], ['a', 'b']]) {
    unknown = next;
    assert.equal(await survey.gather(wish, []), facts);
  }
  assert.deepEqual(said, ['a', 'b', 'a']);
});

test('cameras that failed are asked themselves, and every look has the same answers', async () => {
  const cache = new ProbeCache();
  const doubted: string[] = [];
  cache.doubt = (node) => void doubted.push(node);
  const seen: unknown[] = [];
  const look: typeof machineFor = (_, __, ___, options) => {
    seen.push(options?.cache);
    return Promise.resolve(facts);
  };
  const survey = new Survey(storage, () => undefined, cache, look);
  await survey.gather(wish, ['/dev/video0', '/dev/video2']);
  await survey.gather(wish, []);
  assert.deepEqual(doubted, ['/dev/video0', '/dev/video2']);
  assert.deepEqual(seen, [cache, cache]);
});

test('the fault of a machine that cannot be looked at goes to whoever asks', async () => {
  const none = new Fault('plugin_missing', 'GStreamer is not installed.');
  const survey = new Survey(
    storage,
    () => undefined,
    new ProbeCache(),
    () => Promise.reject(none),
  );
  await assert.rejects(survey.gather(wish, []), none);
});
