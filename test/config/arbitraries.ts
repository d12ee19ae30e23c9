/** Arbitrary settings and keys for the property tests. */
import fc from 'fast-check';
import type { Row } from '../../agent/config/row.js';
import { isOutputRow, rows, type OutputSettings, type Settings } from '../../agent/config/settings.js';

/** Characters that break naive handling somewhere: URL, shell, JSON, YAML, pipeline text, regular expressions. */
const NASTY = [...'/?#%@ "\'!\n\r\t\\`$&;:=+<>|()[]{}^.,~-_é€😀'];

/** Any key that can be sent: mixed nasty and plain characters, none of them the redactor's own mask. */
export const key = fc
  .array(fc.oneof(fc.constantFrom(...NASTY), fc.constantFrom(...'abcXYZ0129')), { minLength: 1, maxLength: 40 })
  .map((characters) => characters.join(''));

/** A key that no message could hold by accident. */
export const telltaleKey = key.map((text) => `qzx${text}xzq`);

const outputName = fc.stringMatching(/^[a-z][a-z0-9_]{0,31}$/).filter((name) => name !== 'constructor');

const output: fc.Arbitrary<OutputSettings> = fc.record(
  {
    url: fc.constantFrom('rtmp://example.org/live', 'RTMPS://u:p%40ss@[::1]:443/app/inst?x=y', 'rtmp://h:1/a/b/c'),
    key,
    enabled: fc.boolean(),
    adaptive: fc.boolean(),
    tlsVerify: fc.boolean(),
  },
  { noNullPrototype: true },
);

const orWord = (words: readonly string[] = [], number: fc.Arbitrary<number>): fc.Arbitrary<unknown> =>
  words.length > 0 ? fc.oneof(number, fc.constantFrom(...words)) : number;

/** A value that fits the row. */
function valid(row: Row): fc.Arbitrary<unknown> {
  const { form } = row;
  switch (form.type) {
    case 'integer':
      return orWord(
        form.words,
        fc.integer({ min: form.min, max: form.max }).map((n) => (form.even ? n - (n % 2) : n)),
      );
    case 'number':
      return orWord(
        form.words,
        fc.double({ min: form.min, max: form.max, noNaN: true }).map((n) => n + 0),
      );
    case 'boolean':
      return fc.boolean();
    case 'choice':
      return fc.constantFrom(...form.choices);
    case 'text':
      return fc.constantFrom('auto', 'test', '/dev/video0', 'usb-046d_HD_Pro-index0', '1-1.2');
    case 'paths':
      return fc.array(fc.constantFrom('/a.mp4', '/b c.mkv', 'x\ny', '[1] z'), { maxLength: 3 });
    case 'url':
    case 'key':
      throw new Error('outputs are made whole');
  }
}

/** Settings as resolve() gives them. */
export const settings: fc.Arbitrary<Settings> = fc
  .tuple(
    fc.tuple(
      ...rows.filter((row) => !isOutputRow(row)).map((row) => valid(row).map((value) => [row.path, value] as const)),
    ),
    fc.dictionary(outputName, output, { maxKeys: 8, noNullPrototype: true }),
  )
  .map(([values, outputs]) => {
    const tree: Record<string, Record<string, unknown>> = { outputs };
    for (const [path, value] of values) {
      const [section = '', field = ''] = path.split('.');
      (tree[section] ??= {})[field] = value;
    }
    return tree as unknown as Settings;
  });
