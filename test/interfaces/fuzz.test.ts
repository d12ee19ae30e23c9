/** Anything at all on every topic that a device reads: no crash, no change, bounded memory, and each refused with a reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { topics } from '../../agent/interfaces/mqtt/topics.js';
import { commandNames } from '../../agent/supervisor/commands.js';
import { temporaryFolder } from '../helpers/command.js';
import { Device } from '../helpers/device.js';
import { until } from '../helpers/feed.js';
import { startMosquitto } from '../helpers/mosquitto.js';
import { misfits } from '../helpers/schema.js';

const messages = 10_000;
const batch = 100;

const nasty = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '\u0000',
  '😀',
  '\ud800',
  'ａ',
  '../..',
];
const word = fc.oneof(fc.constantFrom(...nasty), fc.string({ unit: 'binary', maxLength: 30 }));
const number = fc.constantFrom(
  '1e999',
  '-1e999',
  '9007199254740993',
  '-0',
  '1e-400',
  '0.1',
  `1${'0'.repeat(400)}`,
  '-5',
);
const json = fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value));
const value = fc.oneof(
  json,
  number,
  word.map((text) => JSON.stringify(text)),
);
const map = fc
  .array(fc.tuple(fc.oneof(word, fc.constantFrom('video', 'outputs', 'mqtt', 'fps', 'main', 'url', 'key')), value), {
    maxLength: 4,
  })
  .map((entries) => `{${entries.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join()}}`);
const deep = fc
  .tuple(fc.constantFrom('[', '{"a":', '{"config":', '[{"__proto__":'), fc.integer({ min: 1, max: 20_000 }))
  .map(([open, depth]) => open.repeat(depth));
const large = fc.constantFrom(
  'x'.repeat(1_000_000),
  `[${'1,'.repeat(499_999)}1]`,
  `{"version":1,"config":{"slate":{"text":"${'y'.repeat(1_000_000)}"}}}`,
  `"${'\\u0000'.repeat(170_000)}"`,
);
const text = fc.oneof(
  { weight: 5, arbitrary: json },
  { weight: 5, arbitrary: map },
  { weight: 1, arbitrary: deep },
  { weight: 1, arbitrary: word },
);
const bytes = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 300 }).map((array) => Buffer.from(array)) },
  { weight: 9, arbitrary: text.filter((each) => each !== '').map((each) => Buffer.from(each)) },
);

/** Nearly right, and wrong in one thing at the least. */
const document = fc
  .tuple(fc.oneof(number, json, fc.integer().map(String)), fc.oneof(map, value), value)
  .map(([version, config, more]) => Buffer.from(`{"version":${version},"config":${config},"wrong":${more}}`));
const command = fc
  .tuple(fc.oneof(word, fc.constant('id')), fc.oneof(map, value), value)
  .map(([id, args, more]) => Buffer.from(`{"id":${JSON.stringify(id)},"args":${args},"wrong":${more}}`));

const commandTopic = fc
  .oneof(fc.constantFrom(...commandNames), fc.constantFrom('explode', 'constructor', '__proto__', 'ä', 'x y', '$SYS'))
  .map((name) => `kitchen/cmd/${name}`);
const documentTopic = fc.constantFrom('kitchen/config/desired', '_group/studio/config/desired');
const message = fc.oneof(
  fc.tuple(documentTopic, fc.oneof(bytes, document)),
  fc.tuple(commandTopic, fc.oneof(bytes, command)),
  fc.tuple(fc.constant('kitchen/state'), bytes),
);

test(`${messages} messages of any kind`, async () => {
  const { folder, remove } = await temporaryFolder();
  await using broker = await startMosquitto(['allow_anonymous true', 'max_queued_messages 0']);
  await using operator = await broker.operator('kitchen', {}, broker.url, ['info']);
  // Looked at as they come and not kept, for memory is measured.
  await using watcher = await broker.operator('kitchen', {}, broker.url, ['config/reported', 'cmd/+/ack']);
  const wrong: string[] = [];
  let [acks, reports] = [0, 0];
  watcher.client.removeAllListeners('message').on('message', (topic, payload) => {
    const text = payload.toString();
    wrong.push(...misfits([{ topic, text }], topics, watcher.prefix));
    if (topic.endsWith('/reported')) return void (reports += 1);
    acks += 1;
    const { ok, error } = JSON.parse(text) as { ok: boolean; error?: { code: string; what: string } };
    if (ok || !error?.code || !error.what) wrong.push(text);
  });
  await using device = new Device(folder, {
    env: { MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_GROUPS: 'studio', MQTT_ALLOW_PLAIN_SECRETS: '1' },
  });
  await device.start();
  await operator.on('info');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const before = JSON.stringify(device.steering.resolved.settings);
  const sample: [string, Buffer][] = fc.sample(message, messages);
  fc.sample(large, messages / 500).forEach((each, i) => (sample[i * 500 + 499]![1] = Buffer.from(each)));
  let proposals = 0;
  device.steering.onChange(() => (proposals += 1));
  let most = 0;
  let asked = 0;
  for (let i = 0; i < sample.length; i += batch) {
    const part = sample.slice(i, i + batch);
    for (const [topic, payload] of part) {
      const told = proposals;
      await operator.client.publishAsync(`makercast/v1/${topic}`, payload, { qos: 1 });
      if (topic.includes('/cmd/')) asked += 1;
      // One after the other, for of several that wait only the last is looked at.
      if (topic.endsWith('desired'))
        await until(() => proposals > told, 10_000, `an answer to ${payload.subarray(0, 200).toString()}`);
    }
    await until(() => acks === asked, 10_000, `${asked} answers to commands, ${acks} came`);
    const refused = device.steering.report().refusals;
    for (const [, refusal] of Object.entries(refused)) assert.ok(refusal.code && refusal.message);
    if (i === 1000 || i === sample.length - batch) {
      collect();
      const held = process.memoryUsage().heapUsed + process.memoryUsage().external;
      if (i === 1000) most = held;
      else assert.ok(held < most + 30e6, `${Math.round((held - most) / 1e6)} MB more than after 1000 messages`);
    }
  }
  assert.equal(JSON.stringify(device.steering.resolved.settings), before);
  assert.deepEqual([device.stand.applied, device.stand.asked, device.steering.report().decisions], [[], [], {}]);
  assert.deepEqual(wrong, []);
  assert.ok(reports > 100);
  // It still does what it should.
  await operator.client.subscribeAsync(`${operator.prefix}/#`, { qos: 1 });
  assert.equal((await operator.desire(1, { audio: { mute: true } }))['status'], 'applied');
  assert.equal((await operator.command('stop'))['ok'], true);
  await remove();
});
