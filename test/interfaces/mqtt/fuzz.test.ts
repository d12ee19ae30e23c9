/** Anything at all on every topic that a device reads: no crash, no change, bounded memory, and each refused with a reason. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { topics } from '../../../agent/interfaces/mqtt/topics.js';
import { commandNames } from '../../../agent/control/commands.js';
import { temporaryFolder } from '../../helpers/command.js';
import { Device } from '../../helpers/mqtt/device.js';
import { until, within } from '../../helpers/feed.js';
import { daily } from '../../helpers/long.js';
import { startMosquitto } from '../../helpers/mqtt/mosquitto.js';
import { misfits } from '../../helpers/mqtt/schema.js';

const messages = daily(2_000, 10_000);
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
/** Shorter than what the broker leaves out (Maximum Packet Size), as all that is sent here: it would never be answered. */
const deep = fc
  .tuple(fc.constantFrom('[', '{"a":', '{"config":', '[{"__proto__":'), fc.integer({ min: 1, max: 18_000 }))
  .map(([open, depth]) => open.repeat(depth));
const large = fc.constantFrom(
  'x'.repeat(265_000),
  `[${'1,'.repeat(132_000)}1]`,
  `{"version":1,"config":{"slate":{"text":"${'y'.repeat(264_000)}"}}}`,
  `"${'\\u0000'.repeat(44_000)}"`,
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

/** Nearly right, and wrong in its form. */
const document = fc
  .tuple(fc.oneof(number, json, fc.integer().map(String)), fc.oneof(map, value), value)
  .map(([version, config, more]) => Buffer.from(`{"version":${version},"config":${config},"wrong":${more}}`));
const command = fc
  .tuple(fc.oneof(word, fc.constant('id')), fc.oneof(map, value), value)
  .map(([id, args, more]) => Buffer.from(`{"id":${JSON.stringify(id)},"args":${args},"wrong":${more}}`));

/** Right in its form, so that the settings are looked at; the last word makes it wrong in every release, whatever the rest comes to. */
const names = fc.oneof(
  word,
  fc.constantFrom('video', 'audio', 'outputs', 'mqtt', 'config', 'main', 'url', 'key', 'fps', 'groups', 'locked'),
);
const section = fc
  .array(fc.tuple(names, fc.oneof(value, map)), { maxLength: 4 })
  .map((entries) => `{${entries.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join()}}`);
const longText = fc.integer({ min: 0, max: 40_000 }).map((length) => JSON.stringify('z'.repeat(length)));
const wrongSetting = fc.constantFrom(
  '"video":{"fps":"fast"}',
  '"audio":{"mute":1e999}',
  '"outputs":{"constructor":{}}',
);
const settings = fc
  .tuple(fc.array(fc.tuple(names, fc.oneof(section, value, longText)), { maxLength: 5 }), wrongSetting)
  .map(([entries, wrong]) => {
    const before = entries.map(([name, text]) => `${JSON.stringify(name)}:${text},`).join('');
    return `{${before}${wrong}}`;
  });

/** Commands that are understood, and cannot be done. */
const refusedArgs = fc.oneof(
  fc
    .tuple(fc.oneof(word, fc.constantFrom('video', 'outputs', 'outputs.main', 'mqtt.password', 'config.locked')), value)
    .map(([path, item]): [string, string] => ['adjust', `{"path":${JSON.stringify(path)},"value":${item}}`]),
  word.map((path): [string, string] => ['adjust', `{"path":${JSON.stringify(`nowhere.${path}`)}}`]),
  fc
    .tuple(word, longText)
    .map(([path, text]): [string, string] => ['set-secret', `{"path":${JSON.stringify(path)},"value":${text}}`]),
  word.map((output): [string, string] => ['retry-output', `{"output":${JSON.stringify(`${output}!`)}}`]),
);
const refusedCommand = fc.oneof(
  refusedArgs.map(([name, args]) => [name, `"args":${args}`]),
  fc.oneof(word, fc.constant('2020-01-01T00:00:00Z')).map((text) => ['stop', `"expires":${JSON.stringify(text)}`]),
);

interface Shot {
  readonly topic: string;
  readonly payload: Buffer;
  /** It is a document that is decided, and rejected. */
  readonly decided?: true;
}

const commandTopic = fc
  .oneof(fc.constantFrom(...commandNames), fc.constantFrom('explode', 'constructor', '__proto__', 'ä', 'x y', '$SYS'))
  .map((name) => `kitchen/cmd/${name}`);
const documentTopic = fc.constantFrom('kitchen/config/desired', '_group/studio/config/desired');
const shot = ([topic, payload]: readonly [string, Buffer]): ((i: number) => Shot) => {
  return () => ({ topic, payload });
};
/** `i` makes versions and ids that are new each time. */
const message = fc.oneof(
  { weight: 2, arbitrary: fc.tuple(documentTopic, fc.oneof(bytes, document)).map(shot) },
  { weight: 2, arbitrary: fc.tuple(commandTopic, fc.oneof(bytes, command)).map(shot) },
  {
    weight: 1,
    arbitrary: fc.tuple(documentTopic, settings).map(([topic, config]) => (i: number): Shot => {
      return { topic, payload: Buffer.from(`{"version":${i + 1},"config":${config}}`), decided: true };
    }),
  },
  {
    weight: 2,
    arbitrary: refusedCommand.map(([name, rest]) => (i: number): Shot => {
      return { topic: `kitchen/cmd/${name}`, payload: Buffer.from(`{"id":"fuzz-${i}",${rest}}`) };
    }),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('kitchen/state'), bytes).map(shot) },
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
  const held = (): number => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  };
  const before = JSON.stringify(device.steering.resolved.settings);
  const sample = fc.sample(message, messages).map((make, i) => make(i));
  for (const [i, each] of fc.sample(large, messages / 500).entries()) {
    const at = i * 500 + 499;
    sample[at] = { topic: sample[at]!.topic, payload: Buffer.from(each) };
  }
  let told = (): void => undefined;
  device.steering.onChange(() => told());
  const answered = async <T>(answer: () => T | undefined, what: string): Promise<T> => {
    for (;;) {
      const heard = new Promise<void>((resolve) => (told = resolve));
      const found = answer();
      if (found !== undefined) return found;
      await within(heard, 30_000, what);
    }
  };
  let [most, asked] = [0, 0];
  for (const [i, { topic, payload, decided }] of sample.entries()) {
    const layer = topic.startsWith('_group') ? 'group studio' : 'device';
    const refusalBefore = device.steering.report().refusals[layer];
    await operator.client.publishAsync(`makercast/v1/${topic}`, payload, { qos: 1 });
    if (topic.includes('/cmd/')) asked += 1;
    // One after the other, for of several that wait only the last is looked at.
    if (topic.endsWith('desired')) {
      const complaints = await answered(
        () => {
          const { refusals, decisions } = device.steering.report();
          const [refusal, decision] = [refusals[layer], decisions[layer]];
          if (!decided) return refusal !== refusalBefore && refusal ? [refusal] : undefined;
          return decision?.version === i + 1 && decision.status === 'rejected' ? decision.errors : undefined;
        },
        `an answer to ${payload.subarray(0, 200).toString()}`,
      );
      assert.ok(complaints.length > 0 && complaints.every(({ code, message }) => code && message));
    }
    if (i % batch === batch - 1)
      await until(() => acks === asked, 30_000, `${asked} answers to commands, ${acks} came`);
    if (i === 1000) most = held();
  }
  // What was thrown away is freed in the background.
  const grown = (): number => Math.round((held() - most) / 1e6);
  await until(() => grown() < 30, 20_000, 'no 30 MB more than after 1000 messages');
  assert.equal(JSON.stringify(device.steering.resolved.settings), before);
  assert.deepEqual([device.stand.changes, device.stand.asked], [[], []]);
  assert.ok(Object.values(device.steering.report().decisions).every(({ status }) => status === 'rejected'));
  assert.deepEqual(wrong, []);
  assert.ok(reports > 100);
  const { version = 0 } = device.steering.report().decisions['device'] ?? {};
  // It still does what it should.
  await operator.client.subscribeAsync(`${operator.prefix}/#`, { qos: 1 });
  assert.equal((await operator.desire(version + 1, { audio: { mute: true } }))['status'], 'applied');
  assert.equal((await operator.command('stop'))['ok'], true);
  await remove();
});
