/** Looks at the machine one after the other: what could not be found out is said once, for as long as it cannot. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Fault } from '../../agent/errors.js';
import { Answers } from '../../agent/machine/answers.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { Survey } from '../../agent/machine/survey.js';
import type { factsFor } from '../../agent/machine/facts.js';

const wish = {} as Parameters<typeof factsFor>[0];
const facts = {} as Awaited<ReturnType<typeof factsFor>>;
const storage = new Storage('/nonexistent', () => undefined, false);

test('what could not be found out is said once, and again once it had been found out in between', async () => {
  const said: string[] = [];
  let unknown: string[] = [];
  const look: typeof factsFor = (_, __, warn) => {
    for (const what of unknown) warn(new Fault('source_busy', what));
    return Promise.resolve(facts);
  };
  const survey = new Survey(storage, ({ what }) => said.push(what), new Answers(), look);
  for (const next of [['a'], ['a', 'b'], ['a', 'b'], ['b'], ['a', 'b']]) {
    unknown = next;
    assert.equal(await survey.gather(wish, []), facts);
  }
  assert.deepEqual(said, ['a', 'b', 'a']);
});

test('cameras that failed are asked themselves, and every look has the same answers', async () => {
  const answers = new Answers();
  const doubted: string[] = [];
  answers.doubt = (node) => void doubted.push(node);
  const seen: unknown[] = [];
  const look: typeof factsFor = (_, __, ___, options) => {
    seen.push(options?.answers);
    return Promise.resolve(facts);
  };
  const survey = new Survey(storage, () => undefined, answers, look);
  await survey.gather(wish, ['/dev/video0', '/dev/video2']);
  await survey.gather(wish, []);
  assert.deepEqual(doubted, ['/dev/video0', '/dev/video2']);
  assert.deepEqual(seen, [answers, answers]);
});

test('the fault of a machine that cannot be looked at goes to whoever asks', async () => {
  const none = new Fault('plugin_missing', 'GStreamer is not installed.');
  const survey = new Survey(
    storage,
    () => undefined,
    new Answers(),
    () => Promise.reject(none),
  );
  await assert.rejects(survey.gather(wish, []), none);
});
