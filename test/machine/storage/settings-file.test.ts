/** The settings file: read, refused with a reason, and watched. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Fault } from '../../../agent/errors.js';
import { run } from '../../helpers/command.js';
import {
  fingerprint,
  readSettings,
  settingsPath,
  watchSettings,
} from '../../../agent/machine/storage/settings-file.js';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-settings-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function refusal(text: string | undefined, t: TestContext): Promise<Fault> {
  const name = path.join(folderOf(t), 'm.yml');
  if (text !== undefined) writeFileSync(name, text);
  const error: unknown = await readSettings({ name, required: true }).catch((thrown: unknown) => thrown);
  assert.ok(error instanceof Fault);
  assert.equal(error.code, 'settings_unreadable');
  assert.ok(!error.message.includes('\n'));
  return error;
}

test('the default file may be absent, the one that is named may not', async (t) => {
  const folder = folderOf(t);
  assert.equal(await readSettings(settingsPath({}, folder)), undefined);
  assert.equal(await readSettings(settingsPath({ MAKERCAST_CONFIG: '' }, folder)), undefined);
  await assert.rejects(readSettings(settingsPath({ MAKERCAST_CONFIG: 'x.yml' }, folder)), /x\.yml" does not exist/);
  writeFileSync(path.join(folder, 'makercast.yml'), 'video:\n  width: 1280\noutputs: {main: {url: "rtmp://h/a"}}\n');
  assert.deepEqual(await readSettings(settingsPath({}, folder)), {
    name: path.join(folder, 'makercast.yml'),
    values: { video: { width: 1280 }, outputs: { main: { url: 'rtmp://h/a' } } },
  });
  writeFileSync(path.join(folder, 'makercast.yml'), '# nothing yet\n');
  assert.deepEqual((await readSettings(settingsPath({}, folder)))!.values, {});
});

test('what is not YAML is refused with line and column, and is not quoted', async (t) => {
  const error = await refusal('video:\n  width: 1280\n  key: "s3cret" s3cret\n', t);
  assert.match(error.message, / at 3:\d+ /);
  assert.ok(!error.message.includes('s3cret'));
  assert.match((await refusal('a: 1\na: 2\n', t)).message, /2:1 \(duplicate key\)/);
  assert.match((await refusal('a:\n\t- 1\n', t)).message, /tab/);
});

test('what is no map, a bomb, or a folder is refused', async (t) => {
  assert.match((await refusal('- 1\n- 2\n', t)).message, /is not a map/);
  assert.match((await refusal('word\n', t)).message, /is not a map/);
  const bomb = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n');
  assert.match((await refusal(`a0: &a0 [x]\n${bomb}\n`, t)).message, /anchors/);
  assert.match((await refusal(`a: ${'x'.repeat(1024 * 1024)}`, t)).message, /1 MB/);
  await assert.rejects(readSettings({ name: folderOf(t), required: true }), /is a folder/);
});

test('a pipe and a device in its place are refused at once', async (t) => {
  const name = path.join(folderOf(t), 'makercast.yml');
  await run('mkfifo', [name]);
  await assert.rejects(readSettings({ name, required: false }), /is not a file but a pipe, a socket or a device/);
  await assert.rejects(readSettings({ name: '/dev/zero', required: true }), /is not a file but a pipe/);
  await assert.rejects(readSettings({ name: '/dev/zero/x', required: true }), /cannot be read \(ENOTDIR\)/);
});

test('a tag that is not known is refused where it stands; anchors and merges are read', async (t) => {
  for (const value of ['!secret stream_key', '!env STREAM_KEY', '!include [a]'])
    assert.match(
      (await refusal(`a: 1\nkey: ${value}\n`, t)).message,
      /is not valid YAML at 2:6 \(tag resolve failed\)/,
    );
  const name = path.join(folderOf(t), 'm.yml');
  const server = 'usual: &usual\n  adaptive: false\n';
  writeFileSync(
    name,
    `outputs:\n  a: &one\n    key: !!str 12\n    adaptive: false\n  b:\n    <<: *one\n    key: x\n${server}`,
  );
  const { values } = (await readSettings({ name, required: true }))!;
  const both = { a: { key: '12', adaptive: false }, b: { adaptive: false, key: 'x' } };
  assert.deepEqual(values['outputs'], both);
});

test('what is not UTF-8 is refused with line and column, UTF-16 by its name', async (t) => {
  const bytes = async (content: Buffer): Promise<string> => {
    const name = path.join(folderOf(t), 'm.yml');
    writeFileSync(name, content);
    const error: unknown = await readSettings({ name, required: true }).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof Fault);
    return error.message;
  };
  const latin = Buffer.concat([Buffer.from('ü: 1\nkey: p'), Buffer.from([0xe4]), Buffer.from('ssword\n')]);
  assert.match(await bytes(latin), /is not UTF-8 at 2:7\. Save it as UTF-8/);
  assert.match(await bytes(Buffer.from('\ufeffa: 1\n', 'utf16le')), /is UTF-16\./);
  assert.match(await bytes(Buffer.from('a: 1\n', 'utf16le')), /not a map|UTF-16|not YAML/);
  assert.match(await bytes(Buffer.concat([Buffer.from('a: "'), Buffer.from([0xc3])])), /is not UTF-8 at 1:5/);
  const name = path.join(folderOf(t), 'm.yml');
  writeFileSync(name, '\ufeffa: ü\n');
  assert.deepEqual((await readSettings({ name, required: true }))!.values, { a: 'ü' });
});

test('makercast.yaml is read too; both are one too many', async (t) => {
  const folder = folderOf(t);
  writeFileSync(path.join(folder, 'makercast.yaml'), 'a: 1\n');
  const file = await readSettings(settingsPath({}, folder));
  assert.deepEqual([file?.name, file?.values], [path.join(folder, 'makercast.yaml'), { a: 1 }]);
  writeFileSync(path.join(folder, 'makercast.yml'), 'a: 1\n');
  await assert.rejects(
    readSettings(settingsPath({}, folder)),
    /makercast\.yml" exists, and so does makercast\.yaml beside it/,
  );
});

/** Resolves at the next call of the returned function. */
function bell(): { ring: () => void; next: () => Promise<void> } {
  let heard: () => void = () => undefined;
  return { ring: () => heard(), next: () => new Promise((resolve) => (heard = resolve)) };
}

test('edits are noticed: created, written, replaced by a rename, removed', { timeout: 30_000 }, async (t) => {
  const folder = folderOf(t);
  const name = path.join(folder, 'makercast.yml');
  const abort = new AbortController();
  t.after(() => abort.abort());
  const { ring, next } = bell();
  watchSettings({ name, required: false }, ring, abort.signal);
  const holding = setInterval(() => undefined, 1000); // the watch holds no process open; the test has to
  t.after(() => clearInterval(holding));
  for (const edit of [
    () => writeFileSync(name, 'a: 1\n'),
    () => writeFileSync(name, 'a: 2\n'),
    () => {
      writeFileSync(`${name}.swp`, 'a: 3\n');
      renameSync(`${name}.swp`, name);
    },
    () => rmSync(name),
  ]) {
    const noticed = next();
    edit();
    await noticed;
  }
});

test('an edit between reading and watching is noticed', { timeout: 30_000 }, async (t) => {
  const name = path.join(folderOf(t), 'm.yml');
  const seen = fingerprint({ name, required: false });
  writeFileSync(name, 'a: 1\n');
  const abort = new AbortController();
  t.after(() => abort.abort());
  const { ring, next } = bell();
  const noticed = next();
  watchSettings({ name, required: false }, ring, abort.signal, seen);
  const holding = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(holding));
  await noticed;
});

test('a folder that comes later is noticed', { timeout: 30_000 }, async (t) => {
  const folder = path.join(folderOf(t), 'etc');
  const abort = new AbortController();
  t.after(() => abort.abort());
  const { ring, next } = bell();
  watchSettings({ name: path.join(folder, 'm.yml'), required: false }, ring, abort.signal);
  const holding = setInterval(() => undefined, 1000);
  t.after(() => clearInterval(holding));
  const noticed = next();
  mkdirSync(folder);
  writeFileSync(path.join(folder, 'm.yml'), 'a: 1\n');
  await noticed;
});
