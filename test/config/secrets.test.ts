/** Each secret goes to the place it was given for: addresses, patterns, weaker ways, and what of several layers is used where. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { covers, originOf, placeFor, readFor, type Bound } from '../../agent/config/place.js';
import type { Remote } from '../../agent/config/remote.js';
import { resolve, type Layer, type Layers, type Resolved } from '../../agent/config/resolve.js';
import type { Given, Secrets } from '../../agent/config/secrets.js';

const document = (values: unknown, kind: Remote['kind'] = 'group'): Layer => ({
  name: `MQTT ${kind}`,
  values,
  remote: { kind, locked: [], dataFolder: '/data', kept: true },
});
const file = (values: unknown): Pick<Layers, 'file'> => ({ file: { name: 'makercast.yml', values } });
const handed = (...given: Given[]): Secrets => ({ given: { 'outputs.main.key': given }, first: {} });
const main = (values: object): object => ({ outputs: { main: values } });
/** Where the output goes and with which key; the codes of what is wrong, and of what is held. */
const goes = ({ settings, problems, held }: Resolved): unknown[] => {
  const { url, key } = settings.outputs['main'] ?? {};
  return [url, key, problems.map(({ code }) => code), held.map(({ code }) => code)];
};

describe('the place in an address', () => {
  const origins: [kind: 'output' | 'broker', url: unknown, origin: string | undefined][] = [
    ['output', 'rtmp://Live.Example.ORG:1935/app', 'rtmp://live.example.org/app'],
    ['output', 'rtmps://user:pass@h:443/app/', 'rtmps://h/app'],
    ['output', 'rtmps://h:1935/App/two?x=1', 'rtmps://h:1935/App/two?x=1'],
    ['output', 'rtmp://[2001:DB8::1]/app', 'rtmp://[2001:db8::1]/app'],
    ['output', 'rtmp://h', undefined],
    ['output', 7, undefined],
    ['broker', 'mqtt://h', 'mqtt://h'],
    ['broker', 'mqtts://H:8883', 'mqtts://h'],
    ['broker', 'mqtts://h:1883', 'mqtts://h:1883'],
    ['broker', 'wss://h:443/mqtt', 'wss://h'],
    ['broker', 'ws://[::1]:9001/', 'ws://[::1]:9001'],
    ['broker', '', undefined],
  ];
  for (const [kind, url, origin] of origins)
    test(`${JSON.stringify(url)} of ${kind} is ${origin}`, () => assert.equal(originOf(kind, url), origin));

  test('a pattern leaves the first label open, and no more', () => {
    const read = (text: string): string | undefined => readFor('output', text);
    assert.equal(read('rtmps://*.RTMPS.youtube.com/live2'), 'rtmps://*.rtmps.youtube.com/live2');
    assert.equal(read('rtmps://*.example.org:8443/a'), 'rtmps://*.example.org:8443/a');
    for (const bad of ['rtmps://*.com/live2', 'rtmps://*/live2', 'rtmps://a.*.org/x', 'rtmps://*.example.org/*', 'x'])
      assert.equal(read(bad), undefined, bad);
    assert.equal(readFor('broker', 'rtmp://h/app'), undefined);
    assert.equal(read('rtmp://user:password@h/app'), undefined);
    const youtube = { for: 'rtmps://*.rtmps.youtube.com/live2' };
    const at = (origin: string): boolean => covers(youtube, { origin, verified: true, ca: '' });
    assert.deepEqual(
      [
        'rtmps://a.rtmps.youtube.com/live2',
        'rtmps://rtmps.youtube.com/live2',
        'rtmps://a.b.rtmps.youtube.com/live2',
        'rtmps://evil.org/x.rtmps.youtube.com/live2',
        'rtmps://a.rtmps.youtube.com/other',
        'rtmps://a.rtmps.youtube.com:1935/live2',
        'rtmp://a.rtmps.youtube.com/live2',
      ].map(at),
      [true, false, false, false, false, false, false],
    );
  });

  test('a weaker way is another place, a stronger one is not', () => {
    const place = (url: string, tlsVerify: unknown): ReturnType<typeof placeFor> =>
      placeFor('outputs.main.key', 'output', (path) => (path.endsWith('.url') ? url : tlsVerify));
    const may = (bound: Bound, url: string, tlsVerify: unknown): boolean => covers(bound, place(url, tlsVerify)!);
    const checked = { for: 'rtmps://h/app' };
    assert.deepEqual([may(checked, 'rtmps://h/app', undefined), may(checked, 'rtmps://h/app', false)], [true, false]);
    assert.equal(may({ ...checked, insecure: true }, 'rtmps://h/app', true), true);
    assert.equal(may({ ...checked, insecure: true }, 'rtmps://h/app', false), true);
    assert.equal(may(checked, 'rtmp://h:443/app', true), false);
    // There is no certificate to check.
    assert.equal(may({ for: 'rtmp://h/app' }, 'rtmp://h/app', false), true);
    const broker = (ca: string): ReturnType<typeof placeFor> =>
      placeFor('mqtt.password', 'broker', (path) => (path === 'mqtt.url' ? 'mqtts://h' : ca));
    assert.deepEqual(
      [
        covers({ for: 'mqtts://h', ca: '' }, broker('')!),
        covers({ for: 'mqtts://h', ca: '' }, broker('/data/ca.pem')!),
      ],
      [true, false],
    );
    assert.equal(covers({ for: 'mqtts://h' }, broker('/data/ca.pem')!), true);
  });
});

describe('the key of a layer', () => {
  const own = file(main({ url: 'rtmp://own/app', key: 'OWN' }));

  test('is for the address in it: another one from above or below goes without', () => {
    assert.deepEqual(goes(resolve({ ...own, env: {} })), ['rtmp://own/app', 'OWN', [], []]);
    const attacked = { ...own, env: {}, later: [document(main({ url: 'rtmp://evil/x' }))] };
    assert.deepEqual(goes(resolve(attacked)), ['rtmp://own/app', 'OWN', [], ['output_key_missing']]);
    // Where it was last comes before what is written here; it is nowhere where there is no key for that, either.
    const secrets = handed({ value: 'LAST', for: 'rtmp://last/app' });
    const at = (url: string): unknown[] =>
      goes(resolve({ ...attacked, secrets, inForce: { main: { url, tlsVerify: true } } }));
    assert.deepEqual(at('rtmp://last/app').slice(0, 2), ['rtmp://last/app', 'LAST']);
    assert.deepEqual(at('rtmp://gone/app').slice(0, 2), ['rtmp://own/app', 'OWN']);
    const covered = resolve({ ...own, env: { STREAM_URL: 'rtmp://other/app' } });
    assert.deepEqual(goes(covered), [undefined, undefined, [], ['output_key_missing']]);
    assert.match(
      covered.held[0]!.message,
      /outputs\.main in environment: .*no stream key.*rtmp:\/\/other\/app.*set-secret/,
    );
  });

  test('another application, another port, another scheme: another tenant', () => {
    for (const url of ['rtmp://own/other', 'rtmp://own:1936/app', 'rtmps://own/app'])
      assert.deepEqual(goes(resolve({ ...own, env: {}, later: [document(main({ url }))] }))[0], 'rtmp://own/app', url);
  });

  test('a certificate that is checked no more: neither the key nor what the URL holds goes there', () => {
    const later = [document(main({ tlsVerify: false }))];
    const apart = file(main({ url: 'rtmps://own/app', key: 'OWN' }));
    const inUrl = file(main({ url: 'rtmps://own/app/OWN' }));
    const user = file(main({ url: 'rtmps://me:secret@own/app', key: 'OWN' }));
    for (const layers of [apart, inUrl, user]) {
      const resolved = resolve({ ...layers, env: {}, later });
      assert.deepEqual(goes(resolved).slice(2), [[], ['output_key_missing']]);
      assert.equal(resolved.settings.outputs['main']?.tlsVerify, true);
      // Whoever owns the machine may.
      const here = resolve({ ...layers, env: { OUTPUT_MAIN_TLS_VERIFY: 'false' } });
      assert.deepEqual([here.held, here.settings.outputs['main']?.tlsVerify], [[], false]);
    }
  });

  test('that names no address follows the one in force until it has been live there, and then no other', () => {
    const env = { STREAM_KEY: 'ENV' };
    const digest = (text: string): string => `digest of ${text.length}`;
    const at = (url: string): Layer[] => [document(main({ url }))];
    const first = resolve({ env, digest, later: at('rtmps://typo/app') });
    assert.deepEqual(goes(first), ['rtmps://typo/app', 'ENV', [], []]);
    assert.doesNotMatch(JSON.stringify(first.bound.first), /ENV/);
    const mended = resolve({ env, digest, secrets: first.bound, later: at('rtmps://club/app') });
    assert.deepEqual(goes(mended), ['rtmps://club/app', 'ENV', [], []]);
    const name = 'environment outputs.main.key';
    assert.equal(mended.bound.first[name]?.for, 'rtmps://club/app');
    const secrets = { given: {}, first: { [name]: { ...mended.bound.first[name]!, isProved: true as const } } };
    const moved = resolve({ env, digest, secrets, later: at('rtmps://evil/app') });
    assert.deepEqual(goes(moved), [undefined, undefined, [], ['output_key_missing']]);
    // Nor after the output, or the layer itself, was away in between.
    for (const layers of [{ env, later: [document({ outputs: { main: null } })] }, { env: {} }])
      assert.deepEqual(resolve({ ...layers, digest, secrets }).bound.first, secrets.first);
    // Another key is for where the output is, not for where it is wanted.
    const rotated = { env: { STREAM_KEY: 'NEWER' }, digest, secrets, later: at('rtmps://evil/app') };
    const inForce = { main: { url: 'rtmps://club/app', tlsVerify: true } };
    assert.deepEqual(goes(resolve({ ...rotated, inForce })), ['rtmps://club/app', 'NEWER', [], ['output_key_missing']]);
  });

  test('is for the address in the other of file and environment where its own has none', () => {
    const layers = { ...file({ outputs: { main: { url: 'rtmps://own/app' } } }), env: { STREAM_KEY: 'ENV' } };
    const started = resolve(layers);
    assert.deepEqual([goes(started), started.bound.first], [['rtmps://own/app', 'ENV', [], []], {}]);
    const evil = { ...layers, later: [document(main({ url: 'rtmps://evil/app' }))] };
    assert.deepEqual(goes(resolve(evil)), ['rtmps://own/app', 'ENV', [], ['output_key_missing']]);
    // Whoever owns the machine moves it as ever.
    const edited = { ...layers, ...file({ outputs: { main: { url: 'rtmps://next/app', tlsVerify: false } } }) };
    assert.deepEqual(goes(resolve(edited)), ['rtmps://next/app', 'ENV', [], []]);
    const key = { ...file({ outputs: { main: { key: 'FILE' } } }), env: { STREAM_URL: 'rtmps://own/app' } };
    assert.deepEqual(goes(resolve(key)), ['rtmps://own/app', 'FILE', [], []]);
  });

  test('without any address waits for a document, where there is a broker to bring one', () => {
    const waiting = resolve({ env: { STREAM_KEY: 'ENV', MQTT_URL: 'mqtt://h' } });
    assert.deepEqual(goes(waiting), [undefined, undefined, [], []]);
    assert.match(waiting.warnings.join(), /outputs\.main has a key but no URL/);
    assert.deepEqual(goes(resolve({ env: { STREAM_KEY: 'ENV' } }))[2], ['setting_url']);
  });

  test('what was last good goes to its own address only', () => {
    const lastGood = resolve({ ...own, env: {} }).settings;
    const broken = { file: { name: 'makercast.yml', values: undefined, unreadable: 'not YAML' } };
    assert.deepEqual(goes(resolve({ ...broken, env: {}, lastGood }))[1], 'OWN');
    const elsewhere = resolve({ ...broken, env: { STREAM_URL: 'rtmp://other/app' }, lastGood });
    assert.deepEqual(goes(elsewhere).slice(0, 2), ['rtmp://own/app', 'OWN']);
    const mqtt = file({ mqtt: { url: 'mqtts://own', username: 'me', password: 'SECRET' } });
    const good = resolve({ ...mqtt, env: {} }).settings;
    const moved = resolve({ ...broken, env: { MQTT_URL: 'mqtt://other' }, lastGood: good });
    assert.deepEqual([moved.settings.mqtt.password, moved.settings.mqtt.username], ['', '']);
  });
});

describe('a key that was handed over', () => {
  test('of several the one for the address in force is used, whichever layer named that', () => {
    const secrets = handed(
      { value: 'A', for: 'rtmp://a/app' },
      { value: 'B', for: 'rtmp://b/app' },
      { value: 'C', for: 'rtmps://*.example.org/app' },
    );
    const at = (url: string): unknown[] => [
      goes(resolve({ env: { STREAM_URL: url }, secrets }))[1],
      goes(resolve({ env: {}, secrets, later: [document(main({ url }))] }))[1],
    ];
    assert.deepEqual(at('rtmp://a/app'), ['A', 'A']);
    assert.deepEqual(at('rtmp://b/app'), ['B', 'B']);
    assert.deepEqual(at('rtmps://x.example.org/app'), ['C', 'C']);
    assert.deepEqual(at('rtmps://example.org/app'), [undefined, undefined]);
  });

  test('a new output without any key is held, and names no secret of others', () => {
    const resolved = resolve({ env: {}, later: [document(main({ url: 'rtmp://h/app' }))] });
    assert.deepEqual(goes(resolved), [undefined, undefined, [], ['output_key_missing']]);
  });
});

describe('user and password of a broker', () => {
  const env = { MQTT_URL: 'mqtts://own', MQTT_USERNAME: 'me', MQTT_PASSWORD: 'SECRET' };
  const broker = (values: object, secrets?: Secrets): Resolved =>
    resolve({ env, later: [document({ mqtt: values })], ...(secrets ? { secrets } : {}) });

  test('do not go to another broker, in a weaker way, or by another authority', () => {
    for (const values of [{ url: 'mqtts://evil' }, { url: 'mqtt://own' }, { ca: 'evil.pem' }, { url: 'wss://own' }]) {
      const { settings, problems, secrets } = broker(values);
      // It stays where file and environment have it go.
      const { url, username, password, ca } = settings.mqtt;
      assert.deepEqual([url, username, password, ca], ['mqtts://own', 'me', 'SECRET', ''], JSON.stringify(values));
      assert.deepEqual(
        problems.map(({ code }) => code),
        ['mqtt_credentials_missing'],
      );
      assert.ok(secrets.includes('SECRET'));
    }
    const same = broker({ url: 'mqtts://own:8883/' });
    assert.deepEqual([same.settings.mqtt.password, same.problems], ['SECRET', []]);
  });

  test('with those that are for it, it is moved to', () => {
    const secrets = { given: { 'mqtt.password': [{ value: 'NEW', for: 'mqtts://new' }] }, first: {} };
    const { settings, problems } = broker({ url: 'mqtts://new', username: 'device' }, secrets);
    assert.deepEqual([settings.mqtt.username, settings.mqtt.password, problems], ['device', 'NEW', []]);
    const back = broker({}, secrets);
    assert.deepEqual([back.settings.mqtt.username, back.settings.mqtt.password], ['me', 'SECRET']);
  });
});
