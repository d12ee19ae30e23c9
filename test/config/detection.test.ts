/** What is taken for a secret before the settings are resolved, of the environment and of a layer. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { resolve } from '../../agent/config/resolve.js';
import { environmentSecrets, layerSecrets } from '../../agent/config/detection.js';
import { key } from './arbitraries.js';

test('of the environment: our own variables, by what the settings say of them', () => {
  const env = {
    STREAM_URL: 'rtmp://user:pass@h/live/name-of-a-stream?token=abc',
    STREAM_KEY: "'quoted-key'",
    OUTPUT_CLUB_KEY: 'k',
    OUTPUT_CLUB_KYE: 'misspelt-key',
    MQTT_PASSWORD: 'broker-word',
    MQTT_KEY: '/data/client.pem',
    VIDEO_KEYFRAME_SECONDS: '2000000',
  };
  const found = environmentSecrets(env);
  for (const secret of ['user:pass', 'pass', 'token=abc', 'quoted-key', 'k', 'misspelt-key', 'broker-word'])
    assert.ok(found.includes(secret), secret);
  for (const other of ['/data/client.pem', '2000000', 'live', 'h']) assert.ok(!found.includes(other), other);
});

test('of the environment: what other programs keep there, and no word or place', () => {
  const env = {
    BALENA_API_KEY: 'abc',
    RESIN_SUPERVISOR_API_KEY: '',
    SOME_PASSWORD: 'longer-one',
    HTTPS_PROXY: 'http://someone:else-9@proxy:3128',
    REGISTRY: 'https://token-of-somebody@registry',
    AWS_SHARED_CREDENTIALS_FILE: '/home/pi/.aws',
    KEYBOARD: 'de',
    HOME: '/home/pi',
    PATH: undefined,
  };
  assert.deepEqual(environmentSecrets(env).sort(), ['abc', 'else-9', 'longer-one', 'token-of-somebody']);
});

test('of a layer: all that it gives, used or not, and what stands under a wrong name', () => {
  const values = {
    outputs: { a: { url: 'rtmp://h/live', key: 'key-of-a', enabled: false }, b: { kye: 'misspelt-key' } },
    mqtt: { password: 'broker-word' },
    streamKey: 'nowhere-known',
  };
  const found = layerSecrets({ name: 'makercast.yml', values });
  for (const secret of ['key-of-a', 'misspelt-key', 'broker-word', 'nowhere-known'])
    assert.ok(found.includes(secret), secret);
  assert.deepEqual(layerSecrets({ name: 'makercast.yml', values: undefined, unreadable: 'is torn' }), []);
});

test('whatever is given, nothing is thrown, and what the settings find secret in it was known before', () => {
  fc.assert(
    fc.property(fc.anything(), key, fc.webUrl(), (anything, secret, url) => {
      const values = {
        outputs: { main: { url: url.replace(/^\w+/, 'rtmp'), key: secret }, odd: anything },
        odd: anything,
      };
      const env = { STREAM_KEY: secret, STREAM_URL: url };
      const known = new Set([...layerSecrets({ name: 'f', values }), ...environmentSecrets(env)]);
      for (const each of resolve({ file: { name: 'f', values }, env }).secrets)
        assert.ok(each === '' || known.has(each), JSON.stringify(each));
    }),
  );
});
