/** The MQTT interface at a real Mosquitto, over a stand-in for the broadcast. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { Device, type DeviceOptions } from '../../helpers/mqtt/device.js';
import { run, temporaryFolder } from '../../helpers/command.js';
import { until } from '../../helpers/feed.js';
import { gated } from '../../helpers/mqtt/gate.js';
import { misfits } from '../../helpers/mqtt/schema.js';
import { maxBytes } from '../../../agent/interfaces/mqtt/payload.js';
import { topics } from '../../../agent/interfaces/mqtt/topics.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import { commandNames } from '../../../agent/control/commands.js';
import { type Broker, type Operator } from '../../helpers/mqtt/broker.js';
import { startMosquitto } from '../../helpers/mqtt/mosquitto.js';

/** Not what a test has put on the device's own topics. */
const isOurs = ({ text }: { readonly text: string }): boolean => text !== '' && !text.includes('of-another');

interface Place {
  readonly broker: Broker;
  readonly operator: Operator;
  readonly device: Device;
}

async function place(t: TestContext, options: DeviceOptions = {}, broker?: Broker): Promise<Place> {
  const { folder, remove } = await temporaryFolder();
  broker ??= await startMosquitto();
  const operator = await broker.operator('kitchen');
  const env = { MQTT_URL: broker.url, MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '1', ...options.env };
  const device = new Device(folder, { ...options, env });
  await device.start();
  t.after(async () => {
    await device.stop();
    assert.deepEqual(misfits(operator.heard.items.filter(isOurs), topics, operator.prefix), []);
    await operator[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await remove();
  });
  await operator.on('config/reported');
  return { broker, operator, device };
}

test('state, info, reported and telemetry at the connection; stopped at the end, lost without a word', async (t) => {
  const { operator, device } = await place(t);
  const state = await operator.on('state');
  assert.equal(state['state'], 'live');
  const info = await operator.on('info');
  assert.deepEqual([info['id'], info['boot'], info['protocol']], ['kitchen', state['boot'], '5']);
  const telemetry = await operator.on('telemetry');
  assert.deepEqual(Object.keys(telemetry['outputs'] as object), ['main']);
  const retained = operator.heard.items.filter(({ topic }) => /state|info|reported/.test(topic));
  assert.ok(retained.length >= 3);
  device.stand.actual = 'degraded';
  await operator.on('state', (value) => value['state'] === 'degraded');
  const from = operator.heard.items.length;
  await device.stop();
  await operator.on('state', (value) => value['state'] === 'stopped', from);
});

test('what slows the board down is part of the figures for as long as it is part of the status', async (t) => {
  const { operator, device } = await place(t, { env: { MQTT_TELEMETRY_SECONDS: '1' } });
  assert.ok(!('strain' in (await operator.on('telemetry'))));
  device.stand.more = { strain: { underVoltage: 'now', throttled: 'earlier' } };
  const { strain } = await operator.on('telemetry', (value) => value['strain'] !== undefined);
  assert.deepEqual(strain, { underVoltage: 'now', throttled: 'earlier' });
});

test('desired is applied and proved; rejected whole with every problem; undone; and an empty payload is ignored', async (t) => {
  const { operator } = await place(t, { react: ({ audio }) => (audio.mute ? 'degraded' : 'live') });
  const one = await operator.desire(1, { audio: { gainDb: 3 } }, { by: 'me' });
  assert.deepEqual([one['status'], one['by'], one['errors']], ['applied', 'me', []]);
  await operator.on('config/reported', ({ version, proved }) => version === 1 && proved === true);
  await operator.send('config/desired', '', { retain: true });
  const two = await operator.desire(2, { audio: { gainDb: 'x' }, video: { fps: 1 } });
  assert.deepEqual(
    [two['status'], (two['errors'] as { path: string }[]).map(({ path }) => path)],
    ['rejected', ['video.fps', 'audio.gainDb']],
  );
  await operator.desire(3, { audio: { mute: true } });
  const three = await operator.on('config/reported', ({ status }) => status === 'rolled_back');
  assert.deepEqual([three['version'], (three['reason'] as { code: string }).code], [3, 'change_undone']);
  assert.equal((three['config'] as { audio: { gainDb: number } }).audio.gainDb, 3);
  await operator.send('config/desired', { version: 2, config: {} });
  const stale = await operator.on('config/reported', ({ refused }) => refused !== undefined);
  assert.deepEqual([stale['version'], (stale['refused'] as { code: string }).code], [3, 'stale']);
});

test('an update that waits while on the air is published, and when it will interrupt the broadcast', async (t) => {
  const { operator, device } = await place(t);
  const first = await operator.on('state');
  assert.deepEqual([first['state'], first['update']], ['live', undefined]);
  const letInAt = '2026-11-28T03:00:00.000Z';
  device.stand.more = { balena: { update: 'update_pending', letInAt, lock: 'held', lockReason: 'onAir' } };
  const waits = await operator.on('state', ({ update }) => update === 'update_pending');
  assert.deepEqual([waits['state'], waits['updateAt']], ['live', letInAt]);
  const from = operator.heard.items.length;
  device.stand.more = { balena: { update: 'none', lock: 'held', lockReason: 'onAir' } };
  assert.equal((await operator.on('state', () => true, from))['update'], undefined);
});

test('what is no JSON, no text or too long is refused with that reason', async (t) => {
  const { operator } = await place(t);
  const refusedAs = async (payload: Buffer, reason: RegExp): Promise<void> => {
    const from = operator.heard.items.length;
    await operator.client.publishAsync('makercast/v1/kitchen/config/desired', payload, { qos: 1 });
    const { refused } = await operator.on('config/reported', (value) => value['refused'] !== undefined, from);
    assert.match((refused as { message: string }).message, reason);
  };
  await refusedAs(Buffer.from('{"version": 1,'), /not JSON/);
  await refusedAs(Buffer.from([0xff, 0xfe, 0x00]), /not UTF-8/);
  await refusedAs(Buffer.alloc(262_145, ' '), /longer than 262144 bytes/);
  await refusedAs(Buffer.from('['.repeat(100)), /deeper than 16/);
  await refusedAs(Buffer.from('[]'), /a map \{version/);
});

test('user and password; a wrong one is said to be so', async (t) => {
  const { folder, remove } = await temporaryFolder();
  const passwords = path.join(folder, 'passwords');
  await writeFile(passwords, 'kitchen:geheim-4711\n', { mode: 0o600 });
  await run('mosquitto_passwd', ['-U', passwords]);
  const broker = await startMosquitto(['allow_anonymous false', `password_file ${passwords}`]);
  t.after(async () => {
    await broker[Symbol.asyncDispose]();
    await remove();
  });
  const connect = async (password: string): Promise<Device> => {
    const env = { MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_USERNAME: 'kitchen', MQTT_PASSWORD: password };
    const device = new Device(folder, { env });
    await device.start();
    t.after(() => device.stop());
    return device;
  };
  const wrong = await connect('falsch-0815');
  await wrong.lines.waitFor(({ event }) => event === 'mqtt_refused', 30_000);
  assert.doesNotMatch(JSON.stringify(wrong.lines.items), /falsch/);
  const right = await connect('geheim-4711');
  await until(() => right.mqtt.tells().mqtt?.state === 'connected', 30_000, 'connection');
});

test('moved to another broker, proved there; to one that is none, and back', async (t) => {
  const { operator, device } = await place(t, { env: { CONFIG_PROBATION_SECONDS: '5' } });
  await using other = await startMosquitto();
  await using there = await other.operator('kitchen');
  await operator.send('config/desired', { version: 1, config: { mqtt: { url: 'mqtt://127.0.0.1:1' } } });
  const back = await operator.on('config/reported', ({ status }) => status === 'rolled_back');
  assert.match(
    (back['reason'] as { what: string }).what,
    /mqtt\.url has not worked within 5 s \(mqtt_unreachable: .*ECONNREFUSED/,
  );
  await operator.send('config/desired', { version: 2, config: { mqtt: { url: other.url } } }, { retain: true });
  await operator.on('state', ({ state }) => state === 'stopped');
  await there.on('config/reported', ({ version, proved }) => version === 2 && proved === true);
  await device.stop();
});

test('a broker that was reached is the right one, though it is away when the probation ends', async (t) => {
  const { operator, device } = await place(t, { env: { CONFIG_PROBATION_SECONDS: '5' } });
  await using other = await startMosquitto();
  await using there = await other.operator('kitchen', { reconnectPeriod: 0 });
  await operator.send('config/desired', { version: 1, config: { mqtt: { url: other.url } } }, { retain: true });
  await there.on('config/reported', ({ version }) => version === 1);
  assert.ok(device.steering.isOnProbation);
  await other.kill();
  await device.lines.waitFor(({ event }) => event === 'mqtt_unreachable', 30_000);
  assert.ok(device.steering.isOnProbation);
  await until(() => !device.steering.isOnProbation, 30_000, 'the end of the probation');
  const { status, reason } = device.steering.report().decisions['device']!;
  assert.deepEqual([status, reason, device.steering.resolved.settings.mqtt.url], ['applied', undefined, other.url]);
});

test('groups, joined and left on the way', async (t) => {
  const { operator, device } = await place(t, { env: { MQTT_GROUPS: 'studio' } });
  const group = (name: string): { topic: string; retain: boolean } => ({
    topic: `makercast/v1/_group/${name}/config/desired`,
    retain: true,
  });
  const document = { version: 1, config: { audio: { mute: true }, hologram: {} } };
  await operator.send('', document, group('studio'));
  const joined = await operator.on(
    'config/reported',
    ({ groups }) => (groups as Record<string, { status: string }>)['studio']?.status === 'applied',
  );
  assert.deepEqual(joined['ignored'], [{ layer: 'MQTT group studio', path: 'hologram' }]);
  await operator.send('', { version: 1, config: { audio: { gainDb: 7 } } }, group('cellar'));
  await operator.desire(1, { mqtt: { groups: ['studio', 'cellar'] } });
  await until(() => device.steering.resolved.settings.audio.gainDb === 7, 30_000, 'second group');
});

test('commands run once, in time, and are answered', async (t) => {
  const { operator, device } = await place(t, { env: { MQTT_ALLOW_PLAIN_SECRETS: '1' } });
  const { stand } = device;
  assert.equal((await operator.command('stop'))['ok'], true);
  const failed = await operator.command('force-keyframe');
  assert.deepEqual([failed['ok'], (failed['error'] as { code: string }).code], [false, 'command_failed']);
  assert.equal((await operator.command('start'))['ok'], true);
  assert.equal((await operator.command('retry-output', { output: 'main' }))['ok'], true);
  assert.equal((await operator.command('retry-output', { output: 'other' }))['ok'], false);
  for (const name of ['identify', 'lock', 'unlock']) assert.equal((await operator.command(name))['ok'], true, name);
  assert.equal((await operator.command('update', { force: true }))['ok'], true);
  const refused = await operator.command('reboot');
  assert.equal((refused['error'] as { code: string }).code, 'supervisor_unreachable');
  assert.deepEqual(stand.asked, [
    'stop',
    'force-keyframe',
    'start',
    'retry main',
    'identify',
    'lock',
    'unlock',
    'update true',
    'reboot false',
  ]);

  await operator.send('cmd/stop', { id: 'twice' });
  await operator.send('cmd/stop', { id: 'twice' });
  await until(
    () => operator.heard.items.filter(({ value }) => value?.['id'] === 'twice').length >= 4,
    30_000,
    'answers',
  );
  assert.equal(stand.asked.filter((name) => name === 'stop').length, 2);

  const code = async (name: string, payload: object): Promise<unknown> => {
    const from = operator.heard.items.length;
    await operator.send(`cmd/${name}`, payload);
    const answer = await operator.on(`cmd/${name}/ack`, () => true, from);
    return (answer['error'] as { code: string } | undefined)?.code;
  };
  assert.equal(await code('stop', { id: 'a', expires: '2020-01-01T00:00:00Z' }), 'command_expired');
  assert.equal(await code('stop', { id: 'b', expires: 'tomorrow' }), 'command_malformed');
  assert.equal(await code('stop', { id: 'b', args: { fast: true } }), 'command_malformed');
  assert.equal(await code('stop', {}), 'command_malformed');
  for (const expires of ['2999-01-01T00:00:00', '2999-01-01T00:00:00+25:99', '2999-01-01', '2999-01-01T00:00:00 (Z)'])
    assert.equal(await code('stop', { id: 'b', expires }), 'command_malformed', expires);
  const local = (minutes: number, zone: string): string =>
    new Date(Date.now() + minutes * 60_000).toISOString().replace('Z', zone);
  assert.equal(await code('stop', { id: 'b', expires: local(90, '+02:00') }), 'command_expired');
  assert.equal(await code('stop', { id: 'z', expires: local(-90, '-02:00') }), undefined);
  assert.equal(await code('explode', { id: 'c' }), 'command_unknown');
  assert.equal(await code('stop', { id: 'd', expires: '2999-01-01T00:00:00Z' }), undefined);
});

test('figures come at the new pace at once, however long the old one was, and Home Assistant hears of it', async (t) => {
  const { operator } = await place(t, { env: { MQTT_TELEMETRY_SECONDS: '3600', MQTT_DISCOVERY: 'yes' } });
  await operator.client.subscribeAsync('homeassistant/#', { qos: 1 });
  await operator.on('telemetry');
  const from = operator.heard.items.length;
  await operator.desire(1, { mqtt: { telemetrySeconds: 1 } });
  await operator.on('telemetry', () => true, from);
  const isNew = ({ topic, text }: { topic: string; text: string }): boolean =>
    topic.startsWith('homeassistant/') && text.includes('"expire_after":60,');
  await operator.heard.waitFor(isNew, 30_000, from);
});

test('Home Assistant that has started is told again, also where the device joins it later', async (t) => {
  const { operator } = await place(t);
  await operator.client.subscribeAsync('homeassistant/device/#', { qos: 1 });
  const announced = (from: number): Promise<unknown> =>
    operator.heard.waitFor(({ topic }) => topic === 'homeassistant/device/kitchen/config', 30_000, from);
  await operator.desire(1, { mqtt: { discovery: true } });
  await announced(0);
  for (const payload of ['online', 'online']) {
    const from = operator.heard.items.length;
    await operator.client.publishAsync('homeassistant/status', payload, { qos: 1 });
    await announced(from);
  }
});

test('an id that another command had is refused, and nothing is said to be done that was not', async (t) => {
  const { operator, device } = await place(t);
  const ask = async (name: string): Promise<unknown> => {
    const from = operator.heard.items.length;
    await operator.send(`cmd/${name}`, { id: '1' });
    const answer = await operator.on(`cmd/${name}/ack`, () => true, from);
    return answer['ok'] === true ? (answer['result'] ?? 'done') : (answer['error'] as { code: string }).code;
  };
  assert.equal(await ask('stop'), 'done');
  assert.equal(await ask('snapshot'), 'command_malformed');
  assert.equal(await ask('stop'), 'done');
  assert.deepEqual(device.stand.asked, ['stop']);
});

test('Home Assistant: announced while that is switched on; its switch and its number work as often as they are used', async (t) => {
  const { operator, device } = await place(t, { env: { MQTT_DISCOVERY: 'yes' } });
  await operator.client.subscribeAsync('homeassistant/#', { qos: 1 });
  const topic = 'homeassistant/device/kitchen/config';
  const { value } = await operator.heard.waitFor((message) => message.topic === topic, 30_000);
  const parts = value['cmps'] as Record<string, Record<string, string>>;
  assert.deepEqual(Object.keys(parts), ['on_the_air', 'bitrate', 'state', 'frame_rate', 'media_rate', 'temperature']);
  const button = parts['on_the_air']!;
  const press = async (payload: string): Promise<void> => {
    const from = operator.heard.items.length;
    await operator.client.publishAsync(button['command_topic']!, payload, { qos: 1 });
    assert.equal((await operator.on('cmd/on-air/ack', () => true, from))['ok'], true);
  };
  for (const payload of ['payload_off', 'payload_on', 'payload_off']) await press(button[payload]!);
  assert.deepEqual(device.stand.asked, ['stop', 'start', 'stop']);
  const set = async (kbps: number): Promise<Record<string, unknown>> => {
    const from = operator.heard.items.length;
    const { command_topic: to = '', command_template: template = '' } = parts['bitrate']!;
    await operator.client.publishAsync(to, template.replace('{{ value | int }}', String(kbps)), { qos: 1 });
    return operator.on('cmd/adjust/ack', () => true, from);
  };
  for (const kbps of [900, 1200]) assert.equal((await set(kbps))['ok'], true);
  assert.equal(device.steering.resolved.settings.video.bitrateKbps, 1200);
  const low = await set(5);
  assert.deepEqual([low['ok'], (low['error'] as { code: string }).code], [false, 'setting_range']);
  const { origin } = device.steering.report();
  assert.equal(origin['video.bitrateKbps'], 'page');
  await operator.desire(1, { video: { bitrateKbps: 1500 } });
  const covered = await set(900);
  assert.deepEqual([covered['ok'], (covered['error'] as { code: string }).code], [false, 'setting_covered']);
  assert.equal(device.steering.resolved.settings.video.bitrateKbps, 1500);
  const from = operator.heard.items.length;
  await operator.desire(2, { mqtt: { discovery: false } });
  await operator.heard.waitFor((message) => message.topic === topic && message.text === '', 30_000, from);
});

test('Home Assistant: no announcement is left behind, whatever was changed while nobody could hear of it', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await using broker = await startMosquitto();
  await using operator = await broker.operator('kitchen');
  await operator.client.subscribeAsync(['homeassistant/#', 'hall/#'], { qos: 1 });
  const announced = (from: number): Promise<string[]> =>
    until(
      () => {
        const found = operator.heard.items.slice(from).filter(({ topic }) => topic.endsWith('/config'));
        return found.length > 0 && found.map(({ topic, text }) => `${topic} ${text === '' ? 'gone' : 'there'}`);
      },
      30_000,
      'announcement',
    );
  const env = { MQTT_URL: broker.url, MQTT_ID: 'kitchen', CONFIG_PROBATION_SECONDS: '1' };
  {
    await using device = new Device(folder, { env: { ...env, MQTT_DISCOVERY: 'yes' } });
    await device.start();
    assert.deepEqual(await announced(0), ['homeassistant/device/kitchen/config there']);
    const from = operator.heard.items.length;
    await operator.desire(1, { mqtt: { discoveryPrefix: 'hall' } });
    await operator.heard.waitFor(({ topic }) => topic === 'hall/device/kitchen/config', 30_000, from);
    assert.deepEqual(await announced(from), [
      'homeassistant/device/kitchen/config gone',
      'hall/device/kitchen/config there',
    ]);
  }
  // A variable of balena is changed by a restart.
  let from = operator.heard.items.length;
  {
    await using device = new Device(folder, { env: { ...env, MQTT_ID: 'cellar', MQTT_DISCOVERY: 'yes' } });
    await device.start();
    await operator.heard.waitFor(({ topic, text }) => /cellar.config$/.test(topic) && text !== '', 30_000, from);
    assert.deepEqual(await announced(from), ['hall/device/kitchen/config gone', 'hall/device/cellar/config there']);
  }
  from = operator.heard.items.length;
  {
    await using device = new Device(folder, { env: { ...env, MQTT_ID: 'cellar' } });
    await device.start();
    assert.deepEqual(await announced(from), ['hall/device/cellar/config gone']);
    const kept = path.join(folder, 'announced.json');
    await until(
      async () => (await readFile(kept, 'utf8')).includes('"value": ""'),
      30_000,
      'that nothing stands any more',
    );
  }
  from = operator.heard.items.length;
  await using device = new Device(folder, { env });
  await device.start();
  await operator.on('telemetry', () => true, from);
  assert.ok(
    operator.heard.items.slice(from).every(({ topic }) => !topic.endsWith('/config')),
    'nothing where nothing is',
  );
});

test('a command that is retained is refused, at once and at the next connection', async (t) => {
  const { broker, operator, device } = await place(t);
  await operator.send('cmd/stop', { id: 'evil' }, { retain: true });
  const at = await operator.on('cmd/stop/ack');
  assert.equal((at['error'] as { code: string }).code, 'command_retained');
  const before = device.stand.asked.length;
  device.stand.actual = 'live';
  const again = new Device(device.folder, {
    env: { MQTT_URL: broker.url, MQTT_ID: 'kitchen' },
  });
  await device.stop();
  const from = operator.heard.items.length;
  await again.start();
  const answer = await operator.on('cmd/stop/ack', () => true, from);
  await again.stop();
  assert.equal((answer['error'] as { code: string }).code, 'command_retained');
  assert.deepEqual([before, again.stand.asked], [0, []]);
});

test('the id of a command that ends the program is on the card before it runs', async (t) => {
  const { broker, operator, device } = await place(t);
  await operator.send('cmd/restart', { id: 'once' });
  await operator.on('cmd/restart/ack');
  assert.deepEqual(device.stand.asked, ['restart']);
  const again = new Device(device.folder, { env: { MQTT_URL: broker.url, MQTT_ID: 'kitchen' } });
  await device.stop();
  const from = operator.heard.items.length;
  await again.start();
  await operator.on('info', () => true, from);
  await operator.send('cmd/restart', { id: 'once' });
  assert.equal((await operator.on('cmd/restart/ack', () => true, from))['ok'], true);
  await operator.send('cmd/stop', { id: 'once' });
  const other = await operator.on('cmd/stop/ack', () => true, from);
  assert.equal((other['error'] as { code: string }).code, 'command_malformed', 'it answers for no other command');
  assert.deepEqual(again.stand.asked, []);
  await again.stop();
});

test('without a true clock, what expires is refused', async (t) => {
  const { operator } = await place(t, { wallMs: () => 86_400_000, builtAt: 1e12 });
  const answer = await operator.command('stop', {}, { expires: '2999-01-01T00:00:00Z' });
  assert.equal((answer['error'] as { code: string }).code, 'clock_not_set');
  assert.equal((await operator.command('stop'))['ok'], true);
});

test('a secret is taken over TLS only, unless that is allowed, and never comes back', async (t) => {
  const secret = 'geheim-4711';
  const plain = await place(t);
  const refused = await plain.operator.command('set-secret', { path: 'outputs.club.key', value: secret });
  assert.match((refused['error'] as { what: string }).what, /without TLS/);
  const { operator, device } = await place(t, {
    env: { MQTT_ALLOW_PLAIN_SECRETS: '1', CONFIG_LOCKED: 'mqtt.password' },
  });
  const set = (path: string): Promise<Record<string, unknown>> =>
    operator.command('set-secret', { path, value: secret });
  assert.equal((await set('outputs.club.key'))['ok'], true);
  for (const path of ['mqtt.password', 'audio.mute', 'outputs.__proto__.key', 'outputs.constructor.key', 'x'])
    assert.equal((await set(path))['ok'], false, path);
  await operator.desire(1, { outputs: { club: { url: 'rtmp://h/live' } } });
  assert.equal(device.steering.resolved.settings.outputs['club']?.key, secret);
  assert.equal((await operator.command('diagnostics'))['ok'], true);
  const written = operator.heard.items.filter(({ topic }) => !topic.endsWith('/cmd/set-secret'));
  assert.doesNotMatch(written.map(({ text }) => text).join(), /geheim/);
});

test('what became of a secret is reported without it: proved, or rolled back with the reason', async (t) => {
  const { operator } = await place(t, {
    env: { MQTT_ALLOW_PLAIN_SECRETS: '1', STREAM_URL: 'rtmp://h/app', STREAM_KEY: 'first-0815' },
    react: ({ outputs }) => (outputs['main']?.key === 'wrong-4711' ? 'degraded' : 'live'),
  });
  const told = async (version: number, status: string, proved: boolean): Promise<Record<string, unknown>> => {
    const is = (secrets: Record<string, unknown> | undefined): boolean =>
      secrets?.['version'] === version && secrets['status'] === status && secrets['proved'] === proved;
    const reported = await operator.on('config/reported', ({ secrets }) => is(secrets as Record<string, unknown>));
    return reported['secrets'] as Record<string, unknown>;
  };
  await operator.command('set-secret', { path: 'outputs.main.key', value: 'right-0816' });
  assert.equal((await told(1, 'applied', true))['hash'], '');
  assert.equal((await operator.command('set-secret', { path: 'outputs.main.key', value: 'wrong-4711' }))['ok'], true);
  const { reason } = await told(2, 'rolled_back', false);
  assert.match((reason as { what: string }).what, /was not live again/);
  for (const { topic, text } of operator.heard.items)
    if (!topic.endsWith('cmd/set-secret')) assert.doesNotMatch(text, /first-0815|right-0816|wrong-4711/, topic);
});

test('the broker goes away and comes back: events waited, figures did not, and what is wanted is still known', async (t) => {
  const broker = await startMosquitto();
  const gate = await gated(t, broker.port);
  const { operator, device } = await place(t, { env: { MQTT_TELEMETRY_SECONDS: '1', MQTT_URL: gate.url } }, broker);
  gate.shut();
  const again = operator.again();
  await broker.kill();
  await device.lines.waitFor(({ event }) => event === 'mqtt_unreachable', 30_000);
  for (let i = 0; i < 150; i++) device.log.always('warn', 'test', `event ${i}`);
  const from = operator.heard.items.length;
  const restarted = Date.now();
  await broker.start();
  await again;
  await gate.open();
  await operator.on('event', ({ message }) => message === 'event 149', from);
  const events = operator.heard.items.slice(from).filter(({ topic }) => topic.endsWith('/event'));
  assert.equal(events[0]!.value['leftOut'], 51);
  assert.equal(events.length, 100);
  await operator.on('telemetry', () => true, from);
  const figures = operator.heard.items.slice(from).filter(({ topic }) => topic.endsWith('/telemetry'));
  assert.ok(figures.every(({ value }) => Date.parse(value['at'] as string) >= restarted));
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
});

test('what was said to a broker that hangs, and then is gone, is said again', async (t) => {
  const broker = await startMosquitto();
  const gate = await gated(t, broker.port);
  const { operator, device } = await place(t, { env: { MQTT_URL: gate.url } }, broker);
  await operator.on('telemetry');
  gate.shut();
  const again = operator.again();
  await broker.kill('SIGSTOP');
  for (let i = 0; i < 20; i++) device.log.always('warn', 'test', `event ${i}`);
  await broker.kill();
  await device.lines.waitFor(({ event }) => event === 'mqtt_unreachable', 30_000);
  const from = operator.heard.items.length;
  await broker.start();
  await again;
  await gate.open();
  await operator.on('event', ({ event }) => event === 'mqtt_unreachable', from);
  const said = operator.heard.items.slice(from).filter(({ topic }) => topic.endsWith('/event'));
  assert.deepEqual(
    said.filter(({ value }) => value['event'] === 'test').map(({ value }) => value['message']),
    Array.from({ length: 20 }, (_, i) => `event ${i}`),
  );
  assert.ok(said.every(({ value }) => value['leftOut'] === undefined));
});

test('one connection that was closed without a word costs MQTT 5 only until the next', async (t) => {
  const { folder, remove } = await temporaryFolder();
  await using broker = await startMosquitto();
  await using operator = await broker.operator('kitchen');
  const sockets = new Set<Socket>();
  let connections = 0;
  // As something in front of a broker does that is not there yet.
  const before = createServer((socket) => {
    connections += 1;
    if (connections === 1) return void socket.destroy();
    const there = connect(broker.port, '127.0.0.1');
    for (const each of [socket, there]) sockets.add(each.on('error', () => undefined));
    socket.pipe(there).pipe(socket);
  });
  await new Promise<void>((resolve) => before.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    before.close();
    await remove();
  });
  const { port } = before.address() as AddressInfo;
  await using device = new Device(folder, { env: { MQTT_URL: `mqtt://127.0.0.1:${port}`, MQTT_ID: 'kitchen' } });
  await device.start();
  assert.equal((await operator.on('info'))['protocol'], '3.1.1');
  const from = operator.heard.items.length;
  for (const socket of sockets) socket.destroy();
  assert.equal((await operator.on('info', () => true, from))['protocol'], '5');
});

test('a secret that happens to stand in our boot id makes no clone of us', async (t) => {
  const { operator, device } = await place(t, { env: { MQTT_ALLOW_PLAIN_SECRETS: '1' } });
  const { boot } = await operator.on('state', ({ state }) => state === 'live');
  const value = (boot as string).slice(0, 4);
  assert.equal((await operator.command('set-secret', { path: 'outputs.club.key', value }))['ok'], true);
  device.stand.actual = 'degraded';
  assert.equal((await operator.on('state', ({ state }) => state === 'degraded'))['boot'], boot);
  assert.equal((await operator.command('start'))['ok'], true);
  assert.equal(device.mqtt.tells().mqtt?.fault, undefined);
});

test('a key that is a word of ours, or our id, hides nothing that has to be known', async (t) => {
  for (const key of ['live', 'applied', 'kitchen', 'restart']) {
    const { operator } = await place(t, {
      env: { STREAM_URL: 'rtmp://h/app', STREAM_KEY: key, MQTT_DISCOVERY: 'yes' },
    });
    await operator.client.subscribeAsync('homeassistant/#', { qos: 1 });
    assert.equal((await operator.on('state'))['state'], 'live');
    const info = await operator.on('info');
    assert.deepEqual([info['id'], info['commands']], ['kitchen', commandNames]);
    assert.equal((await operator.desire(1, { audio: { mute: true } }, { by: `${key}!` }))['status'], 'applied');
    const { value } = await operator.heard.waitFor(({ topic }) => topic.startsWith('homeassistant/'), 30_000);
    const { state } = value['cmps'] as Record<string, { state_topic: string }>;
    assert.equal(state!.state_topic, 'makercast/v1/kitchen/state');
    const { by, config } = await operator.on('config/reported', ({ version }) => version === 1);
    assert.equal(by, '***!');
    assert.doesNotMatch(JSON.stringify((config as { outputs: object }).outputs), new RegExp(key));
  }
});

test('another boot id on our own state is a clone: said, and stepped back from', async (t) => {
  const { operator, device } = await place(t);
  await operator.on('state', ({ state }) => state === 'live');
  await operator.send('state', { state: 'live', boot: 'of-another' }, { retain: true });
  await device.lines.waitFor(({ event }) => event === 'duplicate_id', 30_000);
  assert.equal(device.mqtt.tells().mqtt?.fault?.code, 'duplicate_id');
});

test('a last word that comes late does not stand: who is there says so again', async (t) => {
  const { operator } = await place(t);
  const { boot } = await operator.on('state');
  for (const of of ['of-another', boot]) {
    const from = operator.heard.items.length;
    await operator.send('state', { state: 'lost', boot: of }, { retain: true });
    await operator.on('state', ({ state }) => state === 'live', from);
  }
});

test('a broker that was cut off and has forgotten what was said last makes no clone of us', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const broker = await startMosquitto([
    ...['allow_anonymous true', 'persistence true', `persistence_location ${folder}/`, 'autosave_interval 3600'],
  ]);
  t.after(() => broker[Symbol.asyncDispose]());
  const gate = await gated(t, broker.port);
  const env = { MQTT_URL: gate.url, MQTT_ID: 'kitchen' };
  await using operator = await broker.operator('kitchen');
  {
    await using before = new Device(folder, { env });
    await before.start();
    await operator.on('state');
    // It keeps what it knows when it ends in order, and loses what comes after that.
    await broker.kill('SIGTERM');
    await broker.start();
    const from = operator.heard.items.length;
    await operator.on('info', () => true, from);
  }
  await using device = new Device(folder, { env });
  let from = operator.heard.items.length;
  await device.start();
  const { boot } = await operator.on('state', ({ state }) => state === 'live', from);
  gate.shut();
  const again = operator.again();
  await broker.kill('SIGKILL');
  from = operator.heard.items.length;
  await broker.start();
  await again;
  await gate.open();
  await operator.on('state', (value) => value['boot'] !== boot, from);
  await operator.on('state', (value) => value['boot'] === boot && value['state'] === 'live', from);
  await operator.on('telemetry', (value) => value['boot'] === boot, from);
  assert.ok(device.lines.items.every(({ event }) => event !== 'duplicate_id'));
});

test('two devices of one id push each other out, and notice', async (t) => {
  const { broker, device } = await place(t);
  const { folder, remove } = await temporaryFolder();
  const clone = new Device(folder, { env: { MQTT_URL: broker.url, MQTT_ID: 'kitchen' } });
  await clone.start();
  t.after(async () => {
    await clone.stop();
    await remove();
  });
  await until(
    () => [device, clone].some(({ lines }) => lines.items.some(({ event }) => event === 'duplicate_id')),
    90_000,
    'duplicate_id',
  );
});

test('what ends the program does not run where its id cannot be kept', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await writeFile(path.join(folder, 'file'), '');
  const storage = new Storage(path.join(folder, 'file'), () => undefined);
  const { operator, device } = await place(t, { storage });
  for (const name of ['reboot', 'restart', 'update']) {
    const answer = await operator.command(name);
    assert.deepEqual([answer['ok'], (answer['error'] as { code: string }).code], [false, 'state_unwritable'], name);
  }
  assert.deepEqual(device.stand.asked, []);
});

test('a document of more problems than fit into a message: the decision is heard all the same', async (t) => {
  const groups = [...'abcdefghijkl'];
  const { operator, device } = await place(t, { env: { MQTT_GROUPS: groups.join() } });
  const config = Object.fromEntries(Array.from({ length: 290 }, (_, i) => [`name${i}${'x'.repeat(50)}`, 1]));
  for (const group of groups) {
    const topic = `makercast/v1/_group/${group}/config/desired`;
    await operator.send('', { version: 1, config }, { topic });
  }
  await until(() => Object.keys(device.steering.report().decisions).length === groups.length, 30_000, 'groups');
  const reported = await operator.desire(1, { ...config, audio: { mute: true } });
  assert.deepEqual(
    [reported['status'], (reported['errors'] as object[]).length, reported['config']],
    ['rejected', 20, undefined],
  );
  const sizes = operator.heard.items.map(({ text }) => Buffer.byteLength(text));
  assert.ok(Math.max(...sizes) <= maxBytes, `${Math.max(...sizes)} bytes`);
  const more = { ...config, ...Object.fromEntries(Object.keys(config).map((name) => [`${name}y`, 1])) };
  const from = operator.heard.items.length;
  await operator.send('config/desired', { version: 2, config: more });
  const { refused } = await operator.on('config/reported', (value) => value['refused'] !== undefined, from);
  assert.match((refused as { message: string }).message, /at most 300 names/);
  assert.deepEqual(device.stand.changes, []);
});

test('a text of any length under a wrong name is refused like any other, and no log is spoilt by what was refused', async (t) => {
  const { operator, device } = await place(t);
  for (const [i, length] of [300, 5000, 20_000, 100_000].entries()) {
    const text = 'y'.repeat(length);
    const reported = await operator.desire(i + 1, { hologram: { text }, outputs: { main: { key: text } } });
    assert.deepEqual(
      (reported['errors'] as { code: string }[]).map(({ code }) => code),
      ['setting_unknown', 'setting_secret', 'setting_url'].slice(0, (reported['errors'] as unknown[]).length),
    );
  }
  assert.deepEqual(device.stand.changes, []);
});

test('a broker that takes short packets only: what fits is said, and why the rest is not', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  await using broker = await startMosquitto(['allow_anonymous true', 'max_packet_size 3000']);
  await using operator = await broker.operator('kitchen');
  await using device = new Device(folder, { env: { MQTT_URL: broker.url, MQTT_ID: 'kitchen' } });
  await device.start();
  const { status, config } = await operator.on('config/reported');
  assert.deepEqual([status, config], ['none', undefined]);
  const { ok, error } = await operator.command('diagnostics');
  const { code, what } = error as { code: string; what: string };
  assert.deepEqual([ok, code], [false, 'command_failed']);
  assert.match(what, /longer than the MQTT broker accepts \(29\d\d bytes\)/);
  assert.equal((await operator.command('snapshot'))['ok'], true);
  assert.ok(device.lines.items.every(({ event }) => event !== 'mqtt_unreachable'));
});

test('of answers with much in them only the last ones are kept whole', async (t) => {
  const { operator } = await place(t);
  const ask = async (id: string): Promise<unknown> => {
    const from = operator.heard.items.length;
    await operator.send('cmd/snapshot', { id });
    return (await operator.on('cmd/snapshot/ack', (value) => value['id'] === id, from))['result'];
  };
  for (const id of ['1', '2', '3', '4', '5', '6']) assert.ok(await ask(id), id);
  assert.deepEqual([await ask('1'), (await ask('6')) !== undefined], [undefined, true]);
});
