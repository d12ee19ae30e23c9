import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseDestination, type Destination } from '../../agent/config/destination.js';
import { Fault } from '../../agent/errors.js';
import { key } from './arbitraries.js';

const good: [url: string, key: string | undefined, want: Destination][] = [
  ['rtmp://h/app', 'k', { scheme: 'rtmp', host: 'h', port: 1935, application: 'app', stream: 'k' }],
  ['rtmp://h/app/', 'k', { scheme: 'rtmp', host: 'h', port: 1935, application: 'app', stream: 'k' }],
  ['rtmp://h/app/k', undefined, { scheme: 'rtmp', host: 'h', port: 1935, application: 'app', stream: 'k' }],
  ['rtmp://h/app/k', '', { scheme: 'rtmp', host: 'h', port: 1935, application: 'app', stream: 'k' }],
  [
    'RTMPS://h.example/a/b/k',
    undefined,
    { scheme: 'rtmps', host: 'h.example', port: 443, application: 'a/b', stream: 'k' },
  ],
  ['rtmp://h:19350/a/b', 'x/y', { scheme: 'rtmp', host: 'h', port: 19350, application: 'a/b', stream: 'x/y' }],
  ['rtmp://[::1]/a/k', undefined, { scheme: 'rtmp', host: '::1', port: 1935, application: 'a', stream: 'k' }],
  [
    'rtmp://[fe80::1%eth0]:99/a/k',
    undefined,
    { scheme: 'rtmp', host: 'fe80::1%eth0', port: 99, application: 'a', stream: 'k' },
  ],
  [
    'rtmp://h/a/k?t=1/2&u=3',
    undefined,
    { scheme: 'rtmp', host: 'h', port: 1935, application: 'a', stream: 'k?t=1/2&u=3' },
  ],
  ['rtmp://h/a?x=y', 'k', { scheme: 'rtmp', host: 'h', port: 1935, application: 'a?x=y', stream: 'k' }],
  ['rtmp://h/a/?x=y', 'k', { scheme: 'rtmp', host: 'h', port: 1935, application: 'a?x=y', stream: 'k' }],
  [
    'rtmp://h/a%2Fb/k%20#c@d',
    undefined,
    { scheme: 'rtmp', host: 'h', port: 1935, application: 'a%2Fb', stream: 'k%20#c@d' },
  ],
  ['rtmp://h/A/../k', undefined, { scheme: 'rtmp', host: 'h', port: 1935, application: 'A/..', stream: 'k' }],
  [
    'rtmp://bücher.example/a/k',
    undefined,
    { scheme: 'rtmp', host: 'bücher.example', port: 1935, application: 'a', stream: 'k' },
  ],
  [
    'rtmp://u%2Fs:p@ss%3A:%25?#@h/a/k',
    undefined,
    { scheme: 'rtmp', host: 'h', port: 1935, application: 'a', stream: 'k', username: 'u/s', password: 'p@ss::%?#' },
  ],
  [
    'rtmp://u@h/a/k',
    undefined,
    { scheme: 'rtmp', host: 'h', port: 1935, application: 'a', stream: 'k', username: 'u' },
  ],
  [
    'rtmp://:p@h/a/k',
    undefined,
    { scheme: 'rtmp', host: 'h', port: 1935, application: 'a', stream: 'k', password: 'p' },
  ],
  ['rtmp://@h/a/k', undefined, { scheme: 'rtmp', host: 'h', port: 1935, application: 'a', stream: 'k' }],
];

for (const [url, streamKey, want] of good) {
  test(`takes ${url} apart, key ${streamKey ?? 'in the URL'}`, () => {
    assert.deepEqual(parseDestination(url, streamKey), want);
  });
}

const bad: [url: string, key: string | undefined, what: RegExp][] = [
  ['', 'SECRET', /does not begin/],
  ['h/app', 'SECRET', /does not begin/],
  ['rtmp:/h/app/SECRET', undefined, /does not begin/],
  ['http://h/app/SECRET', undefined, /neither rtmp/],
  ['rtmp:///app/SECRET', undefined, /no host/],
  ['rtmp://u:SECRET@/app', undefined, /no host/],
  ['rtmp://u:SECRET@:99/app', undefined, /no host/],
  ['rtmp://h:0/app/SECRET', undefined, /port/],
  ['rtmp://h:65536/app/SECRET', undefined, /port/],
  ['rtmp://h:/app/SECRET', undefined, /port/],
  ['rtmp://u:SEC/RET@h/app', 'k', /port/],
  ['rtmp://::1/app/SECRET', undefined, /write an IPv6 address in brackets/],
  ['rtmp://[::1/app/SECRET', undefined, /malformed/],
  ['rtmp://[h]/app/SECRET', undefined, /malformed/],
  ['rtmp://h?x=SECRET', undefined, /malformed/],
  ['rtmp://h!/app/SECRET', undefined, /malformed/],
  ['rtmp://h', 'SECRET', /no application path/],
  ['rtmp://h/', 'SECRET', /no application path/],
  ['rtmp://h//', 'SECRET', /no application path/],
  ['rtmp://h/?SECRET', undefined, /no application path/],
  ['rtmp://h/app', undefined, /no stream key/],
  ['rtmp://h/app/', '', /no stream key/],
  ['rtmp://h/app?t=SECRET', undefined, /no stream key/],
  ['rtmp://h/app/?t=SECRET', undefined, /no stream key/],
  ['rtmp://h//SECRET', undefined, /no stream key/],
  ['rtmp://h/app/SEC RET', undefined, /white space/],
  ['rtmp://h/app/SECRET\n', undefined, /white space/],
  [' rtmp://h/app/SECRET', undefined, /white space/],
  ['rtmp://h/app/SEC\u0000RET', undefined, /control/],
  ['rtmp://u:SECRET%zz@h/app/k', undefined, /user or password.*%/],
  ['rtmp://u:SECRET%00@h/app/k', undefined, /NUL/],
];

for (const [url, streamKey, what] of bad) {
  test(`refuses ${JSON.stringify(url)}, key ${streamKey === undefined ? 'in the URL' : 'apart'}, and quotes none of it`, () => {
    assert.throws(
      () => parseDestination(url, streamKey),
      (thrown) => {
        assert.ok(thrown instanceof Fault);
        assert.equal(thrown.code, 'setting_url');
        assert.match(thrown.what, what);
        assert.doesNotMatch(thrown.message, /SEC|RET|\n/);
        return true;
      },
    );
  });
}

test('any key given apart arrives verbatim, and changes nothing else', () => {
  fc.assert(
    fc.property(fc.oneof(key, fc.string({ unit: 'binary', minLength: 1 })), (stream) => {
      assert.deepEqual(parseDestination('rtmp://u:p@h:1/a/b?c=d', stream), {
        ...{ scheme: 'rtmp', host: 'h', port: 1, application: 'a/b?c=d', stream, username: 'u', password: 'p' },
      });
    }),
  );
});

test('any key without slash, white space and ? in the URL arrives verbatim', () => {
  const inUrl = key.filter((text) => !/[\s/?]/.test(text));
  fc.assert(
    fc.property(inUrl, (stream) => {
      const { application, stream: got, host } = parseDestination(`rtmp://h/a/${stream}?q=${stream}`);
      assert.deepEqual({ host, application, got }, { host: 'h', application: 'a', got: `${stream}?q=${stream}` });
    }),
  );
});

test('any user and password arrive, once percent-encoded', () => {
  fc.assert(
    fc.property(key, key, (user, pass) => {
      const { username, password, host } = parseDestination(
        `rtmp://${encodeURIComponent(user)}:${encodeURIComponent(pass)}@h/a/k`,
      );
      assert.deepEqual({ username, password, host }, { username: user, password: pass, host: 'h' });
    }),
  );
});

test('no text whatever makes it throw anything but a Fault', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        key.map((text) => `rtmp://${text}`),
      ),
      fc.option(key),
      (url, streamKey) => {
        try {
          parseDestination(url, streamKey ?? undefined);
        } catch (thrown) {
          assert.ok(thrown instanceof Fault && thrown.code === 'setting_url');
        }
      },
    ),
  );
});
