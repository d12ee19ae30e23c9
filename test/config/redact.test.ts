import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { destinationSecrets, redactSettings, redactUrl } from '../../agent/config/redact.js';
import { Redactor } from '../../agent/config/redactor.js';
import { defaults } from '../../agent/config/resolve.js';
import { key } from './arbitraries.js';

function redactor(...secrets: string[]): Redactor {
  const made = new Redactor();
  made.add(secrets);
  return made;
}

/** gst_string_wrap() of GStreamer 1.22: quotes, a backslash before what is not in its set, octal beyond ASCII. */
function gstWrap(text: string): string {
  const wrapped = [...new TextEncoder().encode(text)].map((byte) => {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9_\-+/:.]/.test(character)) return character;
    return byte < 0x20 || byte >= 0x7f ? `\\${byte.toString(8).padStart(3, '0')}` : `\\${character}`;
  });
  return `"${wrapped.join('')}"`;
}

/** g_strescape() of GLib, which g_warning and parse errors use. */
function cEscape(text: string): string {
  const short: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', '"': '\\"' };
  return [...new TextEncoder().encode(text)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return short[character] ?? (byte < 0x20 || byte >= 0x7f ? `\\${byte.toString(8).padStart(3, '0')}` : character);
    })
    .join('');
}

const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`);

const styles: Record<string, (text: string) => string> = {
  raw: (text) => text,
  encodeURIComponent,
  encodeURI,
  'RFC 3986, lower case': (text) =>
    strict(text)
      .toLowerCase()
      .replace(/[a-z]/g, (c) => c),
  'form encoding': (text) => new URLSearchParams({ a: text }).toString().slice(2),
  'encoded twice': (text) => encodeURIComponent(encodeURIComponent(text)),
  JSON: (text) => JSON.stringify(text).slice(1, -1),
  'JSON in JSON': (text) => JSON.stringify(JSON.stringify(text)),
  'JSON in ASCII': (text) =>
    JSON.stringify(text).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'util.inspect': (text) => inspect(text),
  'GStreamer structure': gstWrap,
  'GLib C escapes': cEscape,
  'a URL of its own': (text) => `rtmp://h/app/${text}`,
};

for (const [style, escape] of Object.entries(styles)) {
  test(`no secret is left in any text: ${style}`, () => {
    const secret = key.filter((text) => text.trim().length >= 3);
    // Lower case would change the letters of the secret themselves, so that style gets a secret without capitals.
    const fit = style.includes('lower') ? secret.map((text) => text.toLowerCase()) : secret;
    fc.assert(
      fc.property(fit, fc.string(), fc.string(), (text, before, after) => {
        const escaped = escape(text);
        const redacted = redactor(text).redact(`${before} ${escaped} ${after}`);
        // What surrounds it may hold a short secret by chance only if redact() left it there too.
        assert.ok(!redacted.includes(escaped), `${JSON.stringify(escaped)} is left in ${JSON.stringify(redacted)}`);
        assert.ok(!redacted.includes(text));
      }),
    );
  });
}

test('several secrets at once, one of them part of another', () => {
  fc.assert(
    fc.property(
      fc.array(
        key.filter((text) => text.length >= 3),
        { minLength: 1, maxLength: 4 },
      ),
      fc.string(),
      (keys, word) => {
        const all = [...keys, `${keys[0]}-long`];
        const redacted = redactor(...all).redact(all.join(word));
        for (const text of all) assert.ok(!redacted.includes(text));
      },
    ),
  );
});

test('a secret of several lines is gone from each line by itself', () => {
  const made = redactor('first half\nsecond half');
  assert.equal(made.redact('key first half'), 'key ***');
  assert.equal(made.redact('second half ends'), '*** ends');
});

test('a very short secret is replaced only where it is the whole text', () => {
  const made = redactor('a', '');
  assert.equal(made.redact('a camera'), 'a camera');
  assert.equal(made.redact('a'), '***');
});

test('what holds no secret stays as it is', () => {
  const text = 'capture: x264enc at 2500 kbit/s, "1280x720" \\ 100 % #1 rtmp://127.0.0.1:1935/live http://h/a/b';
  assert.equal(redactor('SECRET').redact(text), text);
  assert.equal(new Redactor().redact(text), text);
});

test('secrets that are hard for a regular expression end in time', () => {
  const secrets = [
    '\\'.repeat(400),
    '"'.repeat(400),
    '%25'.repeat(130),
    ' \\'.repeat(200),
    '\\\n'.repeat(200),
    '\\134'.repeat(100),
    '\\\\n'.repeat(150),
  ];
  const made = redactor(...secrets);
  for (const text of secrets) {
    assert.ok(!made.redact(`${text.slice(0, -1)}x${JSON.stringify(text)}`).includes(text));
    made.redact(text.slice(1).repeat(3));
    // As a log cuts it: all but its end matches, in spellings of which some are also the beginning of another.
    for (const spelled of [JSON.stringify(text), JSON.stringify(JSON.stringify(text)), encodeURIComponent(text)]) {
      assert.ok(!made.redact(spelled).includes(spelled));
      for (const cut of [2, 3, 4, 5]) made.redact(spelled.slice(0, -cut));
    }
  }
});

test('what a refused document held is forgotten in time; what is in a setting never is', () => {
  const made = redactor('in-a-setting');
  made.addPassing(['pasted-1', 'taken-over-2']);
  assert.equal(made.redact('in-a-setting pasted-1 taken-over-2'), '*** *** ***');
  made.add(['taken-over-2']);
  for (let i = 0; i < 500; i++) made.addPassing([`another-${i}`]);
  assert.equal(made.redact('in-a-setting pasted-1 taken-over-2 another-499'), '*** pasted-1 *** ***');
});

test('what was in force is known for as long as it may be on its way, and then forgotten; what came from elsewhere stays', () => {
  let now = 0;
  const made = new Redactor(() => now);
  made.add(['balena-key-1']);
  made.inForce(['first-key-1', 'second-key-2']);
  now = 1000;
  made.inForce(['second-key-2', 'third-key-3']);
  const all = 'balena-key-1 first-key-1 second-key-2 third-key-3';
  assert.equal(made.redact(all), '*** *** *** ***');
  now = 60_999;
  assert.equal(made.redact(all), '*** *** *** ***');
  now = 61_000;
  assert.equal(made.redact(all), '*** first-key-1 *** ***');
  // One that comes again is in force as before.
  made.inForce(['first-key-1', 'balena-key-1']);
  made.inForce(['first-key-1']);
  now = 200_000;
  assert.equal(made.redact(all), '*** *** second-key-2 third-key-3');
});

test('however fast they change, what is kept of those before is bounded', () => {
  const made = new Redactor(() => 0);
  const key = (i: number): string => `${i}-${'k'.repeat(1000)}`;
  for (let i = 0; i < 30; i++) made.inForce([key(i)]);
  const known = Array.from({ length: 30 }, (_, i) => i).filter((i) => made.redact(key(i)) === '***');
  assert.deepEqual(known, [21, 22, 23, 24, 25, 26, 27, 28, 29]);
});

test('a text that is longer than any secret ends in time, and throws nothing', () => {
  const made = redactor('x'.repeat(200_000));
  made.addPassing(['y'.repeat(200_000)]);
  assert.equal(made.redact('as it was'), 'as it was');
  assert.equal(made.redact(`a ${'x'.repeat(4096)} b`), 'a ************ b');
  const wide = `x${'🎥'.repeat(1500)}`;
  assert.equal(redactor(wide).redact(`a ${wide} b`), 'a ****** b');
});

test('URLs of unknown origin lose user, stream and query', () => {
  const made = new Redactor();
  assert.equal(made.redact('to "rtmp://u:p@h:1/app/KEY?x=1", failed'), 'to "rtmp://h:1/app/***", failed');
  assert.equal(made.redact('RTMPS://h/a/b/KEY'), 'RTMPS://h/a/b/***');
});

test('a printed URL keeps host and application only', () => {
  const cases: [string, string][] = [
    ['rtmp://h/app', 'rtmp://h/app'],
    ['rtmp://h/app/', 'rtmp://h/app/'],
    ['rtmp://h/app/KEY', 'rtmp://h/app/***'],
    ['rtmp://h/app/KEY/', 'rtmp://h/app/***'],
    ['rtmp://h/app?KEY', 'rtmp://h/app?***'],
    ['rtmp://[::1]:9/a/b/KEY?x', 'rtmp://[::1]:9/a/b/***'],
    ['rtmp://KEY@h/app', 'rtmp://h/app'],
    ['rtmp://u:KE/Y@h/app', 'rtmp://***'],
    ['rtmp://u:12/KEY@h/app/x', 'rtmp://***'],
    ['rtmp://h/app/KEY with space', 'rtmp://***'],
    ['KEY', '(hidden)'],
    ['http://h/a/KEY', 'http://h/a/***'],
  ];
  for (const [url, want] of cases) assert.equal(redactUrl(url), want);
});

test('the secrets of a destination: key, user info, query, long values, last segment', () => {
  const secrets = destinationSecrets('rtmp://u:p%40ss@h/app/name?token=abcdefgh&n=1', '');
  for (const want of ['u:p%40ss', 'p%40ss', 'name?token=abcdefgh&n=1', 'name', 'token=abcdefgh&n=1', 'abcdefgh']) {
    assert.ok(secrets.includes(want), want);
  }
  assert.ok(!secrets.includes('app') && !secrets.includes('1'));
  assert.deepEqual(destinationSecrets('rtmp://h/live/video', 'KEY'), ['KEY', 'KEY']);
  assert.ok(destinationSecrets('rtmp://u:pa/ss@h/app', 'KEY').includes('pa/ss'));
  assert.equal(redactor(...secrets).redact('password p@ss'), 'password ***');
});

test('printable settings hold no secret and are otherwise the same', () => {
  const main = { url: 'rtmp://u:PASS@h/app/inst?TOKEN', key: 'KEY', enabled: true, adaptive: true, tlsVerify: true };
  const settings = { ...defaults(), outputs: { main, bare: { ...main, url: 'rtmp://h/app/KEY', key: '' } } };
  const safe = redactSettings(settings);
  assert.doesNotMatch(JSON.stringify(safe), /PASS|TOKEN|KEY/);
  assert.deepEqual(safe.video, settings.video);
  assert.equal(safe.outputs['main']?.key, '***');
  assert.equal(safe.outputs['bare']?.key, '');
  assert.equal(settings.outputs.main.key, 'KEY', 'the original is untouched');
});
