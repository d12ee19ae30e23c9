/** Everything that makercast ever lets out (topics, answers, log, diagnostics, tags, command lines) is searched for every secret it was given. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { small, startAgent } from '../helpers/agent/agent.js';
import { run, temporaryFolder } from '../helpers/command.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { SupervisorServer } from '../helpers/balena/supervisor.js';

/** By how it comes in. */
const secrets = {
  key: 'geheim-4711-key',
  userInfo: 'nutzer-wort-0815',
  token: 'zeichen-token-2342',
  broker: 'mqtt-passwort-9981',
  api: 'balena-api-key-7766554433',
  later: 'schluessel-0816-later',
  misspelt: 'pasted-secret-misspelt',
  document: 'pasted-secret-document',
  group: 'pasted-secret-group',
  unknownName: 'pasted-secret-unknown',
  url: 'pasted-secret-in-url',
  brokerUrl: 'pasted-secret-broker-url',
  adjusted: 'pasted-secret-adjusted',
  locked: 'pasted-secret-locked',
};

/** As it is, and as others would write it. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
];

test('no secret in anything that was ever let out, whichever way it came in', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const passwords = path.join(folder, 'passwords');
  await writeFile(passwords, `kitchen:${secrets.broker}\noperator:o\n`, { mode: 0o600 });
  await run('mosquitto_passwd', ['-U', passwords]);
  await using supervisor = await SupervisorServer.start();
  supervisor.updateStatus = 'downloaded';
  await using nginx = await startNginx();
  await using broker = await startMosquitto(['allow_anonymous false', `password_file ${passwords}`]);
  await using operator = await broker.operator('kitchen', { username: 'operator', password: 'o' });
  await operator.client.subscribeAsync('homeassistant/#', { qos: 1 });
  const mqtt = {
    ...{ MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_USERNAME: 'kitchen', MQTT_PASSWORD: secrets.broker },
    ...{ MQTT_GROUPS: 'studio', MQTT_DISCOVERY: 'yes', MQTT_ALLOW_PLAIN_SECRETS: 'yes', MQTT_TELEMETRY_SECONDS: '1' },
  };
  await using agent = await startAgent({
    ...{ ...small, ...mqtt, ...supervisor.environment, BALENA_API_KEY: secrets.api, LOG_LEVEL: 'debug' },
    ...{ STREAM_URL: nginx.url(), STREAM_KEY: secrets.key, CONFIG_PROBATION_SECONDS: '2' },
    CONFIG_LOCKED: 'mqtt.password',
    OUTPUT_CLUB_URL: `rtmp://user:${secrets.userInfo}@127.0.0.1:1/live/stream?token=${secrets.token}`,
  });
  await nginx.waitForCall('publish', { name: secrets.key });

  // An update that waits on the air is in the state, from the Supervisor to the broker.
  await operator.on('state', ({ update }) => update === 'update_pending');
  const commands: string[] = [];
  const noteProcesses = (): void => {
    for (const { pid, command } of agent.processes())
      commands.push(command, ...(pid === agent.pid ? [] : [JSON.stringify(agent.environments().get(pid) ?? {})]));
  };
  noteProcesses();

  const refused = async (name: string, args: object): Promise<void> => {
    assert.equal((await operator.command(name, args))['ok'], false, `${name} ${Object.keys(args).join()}`);
  };
  const rejected = async (version: number, config: object): Promise<void> => {
    assert.equal((await operator.desire(version, config))['status'], 'rejected');
  };
  await refused('set-secret', { path: 'outputs.main.kye', value: secrets.misspelt });
  await refused('set-secret', { path: 'mqtt.password', value: secrets.locked });
  await refused('adjust', { path: 'outputs.main.key', value: secrets.adjusted });
  await refused('adjust', { path: 'outputs.main.url', value: `rtmp://user:${secrets.adjusted}@h/live` });
  await refused('adjust', { path: `video.${secrets.adjusted}`, value: secrets.adjusted });
  await refused('retry-output', { output: secrets.key });
  await rejected(1, { outputs: { main: { key: secrets.document } }, video: { device: secrets.document } });
  await rejected(2, { outputs: { main: { schluessel: secrets.unknownName } }, video: { source: secrets.unknownName } });
  await rejected(3, { outputs: { main: { url: `rtmp://u:${secrets.url}@h/live` } } });
  await rejected(4, { mqtt: { url: `mqtt://u:${secrets.brokerUrl}@h` } });
  const from = operator.heard.items.length;
  const group = {
    version: 1,
    config: { outputs: { main: { key: secrets.group } }, mqtt: { password: secrets.group } },
    by: secrets.key,
  };
  await operator.send('', group, { topic: 'makercast/v1/_group/studio/config/desired' });
  await operator.on('config/reported', ({ groups }) => JSON.stringify(groups).includes('rejected'), from);
  await operator.send(`cmd/${secrets.key}`, { id: secrets.key, args: { key: secrets.key } });
  await operator.on('cmd/unknown/ack');
  assert.equal((await operator.command('set-secret', { path: 'outputs.main.key', value: secrets.later }))['ok'], true);
  await nginx.waitForCall('publish', { name: secrets.later });
  for (const name of ['snapshot', 'diagnostics', 'restart-media'])
    assert.equal((await operator.command(name))['ok'], true, name);
  noteProcesses();
  await broker.kill();
  await agent.event('mqtt_unreachable');
  await broker.start();
  await agent.event('mqtt_connected', 40_000);
  // Half a minute after the start.
  const tags = await supervisor.calls.waitFor(({ path: where }) => where === '/v2/device/tags', 60_000);
  assert.ok(Object.keys(tags.body as object).includes('makercast.outputs'));
  await agent.stop();

  const written = operator.heard.items.filter(({ topic }) => !/cmd\/[^/]+$|desired$/.test(topic));
  const names = new Set(written.map(({ topic }) => topic.replace('makercast/v1/kitchen/', '')));
  for (const name of ['state', 'info', 'config/reported', 'cmd/diagnostics/ack', 'telemetry', 'event'])
    assert.ok(names.has(name), name);
  assert.ok(names.has('homeassistant/device/kitchen/config'));
  const emitted: Record<string, string> = {
    ...Object.fromEntries(written.map(({ topic, text }, i) => [`${topic} (${i})`, topic + text])),
    log: agent.output,
    calls: JSON.stringify(supervisor.calls.items),
    processes: commands.join('\n'),
  };
  for (const [name, secret] of Object.entries({ ...secrets, supervisor: supervisor.key }))
    for (const [where, text] of Object.entries(emitted))
      for (const spelling of spellings(secret))
        assert.ok(
          !text.toLowerCase().includes(spelling.toLowerCase()),
          `${name} in ${where}: ${around(text, spelling)}`,
        );
});

function around(text: string, spelling: string): string {
  const at = text.toLowerCase().indexOf(spelling.toLowerCase());
  return text.slice(Math.max(0, at - 200), at + spelling.length + 60);
}
