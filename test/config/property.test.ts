/** Over the whole space of what layers may hold: settings that work come out, nothing is thrown, and no secret is shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse, stringify } from 'yaml';
import { parseDestination } from '../../agent/config/destination.js';
import { resolve, type Resolved } from '../../agent/config/resolve.js';
import { rows, type Settings } from '../../agent/config/settings.js';
import { key, settings, telltaleKey } from './arbitraries.js';

const FILE = 'makercast.yml';

function fromFile(values: unknown, lastGood?: Settings): Resolved {
  return resolve({ file: { name: FILE, values }, env: {}, lastGood });
}

function codes(resolved: Resolved): string[] {
  return resolved.problems.map(({ path, code }) => `${path} ${code}`);
}

const MAIN = { url: 'rtmp://h/app', key: 'KEY', enabled: true, adaptive: true, tlsVerify: true };

test('valid settings round-trip, through YAML too, whatever was good before', () => {
  fc.assert(
    fc.property(settings, fc.option(settings), (wanted, lastGood) => {
      const playable = wanted.video.source !== 'file' || wanted.video.files.length > 0;
      fc.pre(playable);
      const resolved = fromFile(parse(stringify(wanted)) as unknown, lastGood ?? undefined);
      assert.deepEqual(codes(resolved), []);
      assert.deepEqual(resolved.settings, wanted);
      assert.deepEqual(fromFile(resolved.settings).settings, wanted);
      for (const { url, key: text } of Object.values(resolved.settings.outputs)) {
        assert.equal(parseDestination(url, text).stream, text);
        assert.ok(resolved.secrets.includes(text));
      }
    }),
  );
});

/** Trees that use the real names, with anything in their places. */
const almost = fc.dictionary(
  fc.constantFrom('video', 'audio', 'outputs', 'log', '__proto__', 'constructor', 'x'),
  fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
    fc.dictionary(
      fc.constantFrom('fps', 'files', 'source', 'main', 'constructor', '__proto__', 'level', 'hasOwnProperty'),
      fc.oneof(
        fc.anything({ withBigInt: true }),
        fc.dictionary(fc.constantFrom('url', 'key', 'enabled'), fc.anything()),
      ),
    ),
  ),
);

test('nothing that a layer may hold makes it throw, and what comes out is always valid', () => {
  const any = fc.oneof(fc.anything({ withBigInt: true, withNullPrototype: true }), almost);
  const env = fc.dictionary(
    fc.constantFrom(...rows.map((row) => row.env.replace('*', 'MAIN')), 'STREAM_URL'),
    fc.string(),
  );
  const before = Object.getOwnPropertyNames(Object.prototype).join() + Object.getOwnPropertyNames(Object).join();
  fc.assert(
    fc.property(any, env, any, fc.oneof(settings, any), (values, variables, later, lastGood) => {
      const file = { name: FILE, values };
      const layers = { file, env: variables, later: [{ name: 'page', values: later }] };
      const resolved = resolve({ ...layers, lastGood: lastGood as Settings });
      const again = fromFile(resolved.settings);
      assert.deepEqual(codes(again), []);
      assert.deepEqual(again.settings, resolved.settings);
      for (const { message } of resolved.problems) assert.doesNotMatch(message, /[\n\r]/);
    }),
    { numRuns: 200 },
  );
  assert.equal(Object.getOwnPropertyNames(Object.prototype).join() + Object.getOwnPropertyNames(Object).join(), before);
});

test('no secret is in any problem or warning, wherever it was put', () => {
  const places: ((text: string) => unknown)[] = [
    (text) => ({ outputs: { main: { url: 'rtmp://h', key: text } } }),
    (text) => ({ outputs: { main: { url: `rtmp://h/app/${text}`, key: [] } } }),
    (text) => ({ outputs: { main: { url: `rtmp://h:x/app/${text}` } } }),
    (text) => ({ outputs: { main: { url: `rtmp://u:${text}@h`, key: 'k' } } }),
    (text) => ({ outputs: { main: { url: text, key: 'rtmp://h/app' } } }),
    (text) => ({ outputs: { main: { url: `http://h/app?${text}` } } }),
    (text) => ({ outputs: { main: { urll: text, kye: text } } }),
    (text) => ({ outputs: { main: text } }),
    (text) => ({ outputs: { [`rtmp://h/app/${text}`]: {} } }),
    (text) => ({ outputs: text, stream_key: text }),
    (text) => ({ outputs: { main: { ...MAIN, key: text } }, audio: { source: '', rate: text }, log: { level: text } }),
    (text) => ({ outputs: { main: { ...MAIN, key: ` ${text} ` } }, demo: { port: ` ${text}` } }),
  ];
  fc.assert(
    fc.property(telltaleKey, fc.constantFrom(...places), (text, place) => {
      const { problems, warnings } = fromFile(place(text));
      assert.ok(problems.length + warnings.length > 0);
      assert.doesNotMatch([...problems.map((item) => Object.values(item).join()), ...warnings].join('\n'), /qzx|xzq/);
    }),
    { numRuns: 400 },
  );
});

test('the environment gives the same keys as the file, unchanged', () => {
  fc.assert(
    fc.property(key, (text) => {
      const { settings: got } = resolve({ env: { STREAM_URL: 'rtmp://h/app', STREAM_KEY: text } });
      assert.equal(got.outputs['main']?.key, text);
    }),
  );
});
