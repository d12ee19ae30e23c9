/** What people paste into URL and key of an output. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolve, type Resolved } from '../../agent/config/resolve.js';

const env = (url: string, key?: string): Resolved =>
  resolve({ env: { STREAM_URL: url, ...(key === undefined ? {} : { STREAM_KEY: key }) } });
const file = (url: string, key?: string): Resolved =>
  resolve({
    file: { name: 'makercast.yml', values: { outputs: { main: { url, ...(key === undefined ? {} : { key }) } } } },
    env: {},
  });
const goes = ({ settings, problems }: Resolved): unknown[] => {
  const { url, key } = settings.outputs['main'] ?? {};
  return [url, key, problems.map(({ code }) => code)];
};

test('quotes that an env-file leaves around a value are left out, and said; in a file they are YAML', () => {
  const quoted = env('"rtmp://h/app"', "'KEY-4711'");
  assert.deepEqual(goes(quoted), ['rtmp://h/app', 'KEY-4711', []]);
  assert.deepEqual(quoted.warnings, [
    'STREAM_URL (outputs.main.url) is in quotes, which were removed: write it without them.',
    'STREAM_KEY (outputs.main.key) is in quotes, which were removed: write it without them.',
  ]);
  assert.deepEqual(goes(env('rtmp://h/app', '"KEY')), ['rtmp://h/app', '"KEY', []]);
  assert.deepEqual(goes(env('rtmp://h/app', '\'KEY"')), ['rtmp://h/app', '\'KEY"', []]);
  assert.deepEqual(goes(file('rtmp://h/app', '"KEY"')), ['rtmp://h/app', '"KEY"', []]);
});

test('blanks and line ends around a URL are left out, in it they are refused', () => {
  for (const from of [env, file]) {
    const padded = from(' rtmp://h/app\r\n', 'KEY');
    assert.deepEqual(goes(padded), ['rtmp://h/app', 'KEY', []]);
    assert.match(padded.warnings.join(), /has spaces or line breaks around it, which were removed/);
    assert.deepEqual(goes(from('rtmp://h/a b', 'KEY'))[2], ['setting_url']);
  }
});

test('a whole URL as the key: what is behind the address is the key; another URL is sent as it is, and said', () => {
  const whole = file('rtmp://h/app/', 'rtmp://h/app/KEY-4711?x=1');
  assert.deepEqual(goes(whole), ['rtmp://h/app/', 'KEY-4711?x=1', []]);
  assert.match(whole.warnings.join(), /outputs\.main\.key in makercast\.yml is a whole URL/);
  const other = env('rtmp://h/app', 'rtmp://other/app/KEY-4711');
  assert.deepEqual(goes(other), ['rtmp://h/app', 'rtmp://other/app/KEY-4711', []]);
  assert.match(other.warnings.join(), /STREAM_KEY \(outputs\.main\.key\) is a URL, but is sent as the key as it is/);
  assert.doesNotMatch(whole.warnings.concat(other.warnings).join(), /KEY-4711/);
});

test('a key in both places is taken once; an application that is called like it stays', () => {
  const both = env('rtmp://h/app/KEY-4711', 'KEY-4711');
  assert.deepEqual(goes(both), ['rtmp://h/app', 'KEY-4711', []]);
  assert.match(
    both.warnings.join(),
    /STREAM_URL \(outputs\.main\.url\) ends with the key, which is also set separately/,
  );
  assert.doesNotMatch(both.warnings.join(), /KEY-4711/);
  assert.deepEqual(goes(env('rtmp://h/live', 'live')), ['rtmp://h/live', 'live', []]);
  assert.deepEqual(goes(env('rtmp://h/customer/live', 'live')), ['rtmp://h/customer/live', 'live', []]);
  assert.deepEqual(goes(env('rtmp://h/app/inst', 'KEY')), ['rtmp://h/app/inst', 'KEY', []]);
});
