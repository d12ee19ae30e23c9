/** The settings of a run as they are read: what is secret in them is known before anything is made of them. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Redactor } from '../../agent/config/redactor.js';
import { resolve } from '../../agent/config/resolve.js';
import { Storage } from '../../agent/machine/storage/storage.js';
import { SettingsSource } from '../../agent/steering/source.js';
import { Steering } from '../../agent/steering/steering.js';
import { folderFor } from '../helpers/command.js';

async function source(t: TestContext) {
  const folder = await folderFor(t);
  const redactor = new Redactor();
  const storage = new Storage(folder, () => undefined);
  return { folder, redactor, storage, settings: new SettingsSource({}, folder, storage, redactor) };
}

test('what is secret in the file is known once it is read, though nothing is resolved yet', async (t) => {
  const { folder, redactor, settings } = await source(t);
  await writeFile(
    path.join(folder, 'makercast.yml'),
    'outputs:\n  a: { url: "rtmp://h/live", key: key-of-the-file }\n  b: { kye: misspelt-key }\n',
  );
  await settings.layers();
  assert.equal(redactor.redact('It says key-of-the-file and misspelt-key.'), 'It says *** and ***.');
});

test('what is loaded is known for as long as it is in force', async (t) => {
  const folder = await folderFor(t);
  let now = 0;
  const redactor = new Redactor(() => now);
  const env = { STREAM_URL: 'rtmp://h/live', STREAM_KEY: 'key-of-the-environment' };
  await writeFile(
    path.join(folder, 'makercast.yml'),
    'outputs: { a: { url: "rtmp://h/live", key: key-of-the-file } }\n',
  );
  await new SettingsSource(env, folder, new Storage(folder, () => undefined), redactor).load();
  now = 3_600_000;
  assert.equal(redactor.redact('key-of-the-file, key-of-the-environment'), '***, ***');
});

test('and so is what is secret in the last good settings, on the card', async (t) => {
  const { redactor, settings } = await source(t);
  await settings.keep(resolve({ env: { STREAM_URL: 'rtmp://h/live', STREAM_KEY: 'key-on-the-card' } }).settings);
  await settings.lastGood();
  assert.equal(redactor.redact('It says key-on-the-card.'), 'It says ***.');
});

test('what came from afar is known when the settings are opened, before there is a log or a broadcast', async (t) => {
  const { redactor, storage } = await source(t);
  const given = { 'outputs.main.key': [{ value: 'key-from-afar' }], 'outputs.gone.key': [{ value: 'key-of-before' }] };
  const kept = { documents: {}, secrets: {}, bound: { given, first: {}, outputs: {}, unsaid: Object.keys(given) } };
  await storage.writeState('steering', 1, { kept, decisions: {} });
  const env = { STREAM_URL: 'rtmp://h/live', STREAM_KEY: 'key-of-the-environment' };
  const steering = new Steering(() => Promise.resolve({ env }), storage, redactor, '1.0.0');
  await steering.open();
  const said = redactor.redact('It says key-from-afar, key-of-before and key-of-the-environment.');
  assert.equal(said, 'It says ***, *** and ***.');
});

test('what is refused before there is a broadcast is shown without secrets', async (t) => {
  const { redactor, storage } = await source(t);
  const env = { STREAM_URL: 'rtmp://h/live', STREAM_KEY: 'key-of-the-environment' };
  const steering = new Steering(() => Promise.resolve({ env }), storage, redactor, '1.0.0');
  await steering.open();
  steering.refuse('device', {
    path: '',
    code: 'document_malformed',
    message: 'There is key-of-the-environment in it.',
  });
  assert.equal(steering.report().refusals['device']?.message, 'There is *** in it.');
});
