/**
 * `npm run attack`: what somebody can do to a started device who may write to one topic, or who is its broker. Each attempt is made on
 * the same device, on the air, and is judged by what came to the attacker, what became of the stream and the card, and what was said.
 */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { after, test } from 'node:test';
import { small, startAgent, type Agent } from '../helpers/agent/agent.js';
import { folderFor, run, temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { type Operator } from '../helpers/mqtt/broker.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { holdings } from '../helpers/agent/processes.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const secrets = { key: 'stream-key-4711', password: 'broker-word-0815', club: 'club-key-2342' };

const outcomes: { attempt: string; outcome: string }[] = [];
const held = (attempt: string, outcome: string): void => void outcomes.push({ attempt, outcome });
after(() => {
  const width = Math.max(...outcomes.map(({ attempt }) => attempt.length));
  for (const { attempt, outcome } of outcomes) console.log(`${attempt.padEnd(width)}  ${outcome}`);
});

/** Listens to whatever comes, says nothing, and keeps it. */
class Ear implements AsyncDisposable {
  heard = '';
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(answer: (socket: Socket, first: Buffer) => void = () => undefined) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('data', (first) => answer(socket, first));
      socket.on('data', (chunk) => (this.heard += chunk.toString('latin1')));
    });
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const hasSecret = (text: string): boolean => Object.values(secrets).some((secret) => text.includes(secret));
const rssMb = (agent: Agent): number => holdings(agent.pid)!.rssMb;

test('with the rights of one topic: no secret goes elsewhere, nothing is lost, and the broadcast goes on', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const data = path.join(folder, 'data');
  const cards = path.join(data, 'recordings');
  await mkdir(cards, { recursive: true, mode: 0o700 });
  for (let i = 1; i <= 6; i++)
    await writeFile(
      path.join(cards, `makercast-${String(i).padStart(6, '0')}-20260101T000000Z.mp4`),
      Buffer.alloc(20_000_000),
    );
  const old = async (): Promise<number> => (await readdir(cards)).filter((name) => name.includes('20260101')).length;
  const passwords = path.join(folder, 'passwords');
  await writeFile(passwords, `kitchen:${secrets.password}\noperator:o\n`, { mode: 0o600 });
  await run('mosquitto_passwd', ['-U', passwords]);
  await using nginx = await startNginx({ applications: ['live', 'other'] });
  await using broker = await startMosquitto(['allow_anonymous false', `password_file ${passwords}`]);
  await using operator = await broker.operator('kitchen', { username: 'operator', password: 'o' });
  await using thief = await startRtmpServer();
  await using ear = await new Ear().start();
  await using agent = await startAgent(
    {
      ...{ ...small, STREAM_URL: nginx.url(), STREAM_KEY: secrets.key, RECORDING_ENABLED: '1' },
      ...{ MQTT_URL: broker.url, MQTT_ID: 'kitchen', MQTT_USERNAME: 'kitchen', MQTT_PASSWORD: secrets.password },
      ...{ MQTT_GROUPS: 'all', MQTT_ALLOW_PLAIN_SECRETS: 'yes', CONFIG_PROBATION_SECONDS: '3' },
      ...{ RECORDING_MIN_FREE_GB: '0.01', RECORDING_QUOTA_GB: '1' },
    },
    { dataFolder: data },
  );
  await operator.on('state', ({ state }) => state === 'live');
  const baseMb = rssMb(agent);

  let version = 0;
  /** What became of a document for the group. */
  const group = async (config: object): Promise<{ status: string; errors: string[]; held: string[] }> => {
    version += 1;
    const from = operator.heard.items.length;
    await operator.send('', { version, config }, { topic: 'makercast/v1/_group/all/config/desired', retain: true });
    const of = (value: Record<string, unknown>): Record<string, unknown> | undefined =>
      (value['groups'] as Record<string, Record<string, unknown>>)['all'];
    const reported = await operator.on(
      'config/reported',
      (value) => of(value)?.['version'] === version && of(value)?.['status'] !== 'pending',
      from,
    );
    const codes = (list: unknown): string[] => (list as { code: string }[]).map(({ code }) => code);
    const { status, errors } = of(reported)!;
    return { status: status as string, errors: codes(errors), held: codes(reported['held']) };
  };
  const nothingCame = async (attempt: string, outcome: string): Promise<void> => {
    await until(async () => (await group({})).status === 'applied', 30_000, 'the end of the attempt');
    assert.equal(thief.connections.items.length, 0, `${attempt}: somebody came to the thief`);
    assert.ok(!hasSecret(ear.heard), `${attempt}: the thief heard a secret`);
    held(attempt, outcome);
  };

  const main = { outputs: { main: { url: thief.url(), tlsVerify: false } } };
  const everything = await group({ mqtt: { url: `mqtt://127.0.0.1:${ear.port}` }, ...main });
  assert.deepEqual([everything.status, everything.errors], ['rejected', ['mqtt_credentials_missing']]);
  await nothingCame('group: another broker and another server', 'rejected, mqtt_credentials_missing');

  for (const [what, url] of [
    ['another server', thief.url()],
    ['another application of the same server', nginx.url('other')],
    ['another port of the same host', `rtmp://127.0.0.1:${ear.port}/live`],
  ] as const) {
    const { status, held: codes } = await group({ outputs: { main: { url } } });
    assert.deepEqual([status, codes], ['applied', ['output_key_missing']], what);
    await nothingCame(`group: ${what}`, 'held where it was, output_key_missing');
  }
  const authority = await group({ mqtt: { ca: 'theirs.pem' } });
  assert.equal(authority.status, 'rolled_back');
  held('group: another authority that is not there', authority.status);
  const plain = await group({ mqtt: { url: `ws://127.0.0.1:${ear.port}` } });
  assert.deepEqual(plain.errors, ['mqtt_credentials_missing']);
  await nothingCame('group: the broker by another scheme', 'rejected, mqtt_credentials_missing');

  // Whoever hands a key over meanwhile does not give it to the thief.
  await group({ outputs: { main: { url: thief.url() } } });
  const set = await operator.command('set-secret', { path: 'outputs.main.key', value: secrets.key });
  assert.equal((set['result'] as { for: string }).for, nginx.url());
  await nothingCame(
    'group: another server, and then a key without `for`',
    `the key is for ${new URL(nginx.url()).pathname}`,
  );
  const interrupted = (): number => nginx.calls.items.filter(({ call }) => call === 'publish_done').length;
  assert.equal(interrupted(), 0);
  held('all of these', 'one session, never interrupted');
  // To take an output off the air is a right of documents; to have its key is none.
  await group({ outputs: { main: null } });
  await group({ outputs: { main: { url: thief.url() } } });
  await nothingCame('group: the output taken away, then another server', 'held where it was');

  const from = operator.heard.items.length;
  await operator.command('set-secret', { path: 'outputs.main.key', value: 'thiefs-own', for: 'rtmp://127.0.0.1:1/x' });
  await group({
    recording: { quotaGb: 0.05 },
    outputs: { main: { url: 'rtmp://127.0.0.1:1/x' } },
  });
  const undone = await operator.on(
    'config/reported',
    (value) => (value['groups'] as Record<string, { status: string }>)['all']?.status === 'rolled_back',
    from,
  );
  assert.ok(undone);
  assert.equal(await old(), 6);
  held('group: a mistyped quota with a bad address', 'rolled back, 6 of 6 recordings are there');

  const url = `rtmp://127.0.0.1:1/${'x'.repeat(2100)}`;
  const long = await group({ outputs: { main: { url } } });
  assert.deepEqual(long.errors, ['setting_range']);
  held('group: a URL of more than 2048 characters', 'rejected, setting_range');

  const client = operator.client;
  const before = rssMb(agent);
  await client.publishAsync(`${operator.prefix}/config/desired`, Buffer.alloc(100_000_000, 0x20), {
    qos: 1,
    retain: true,
  });
  await group({});
  const grown = rssMb(agent) - before;
  assert.ok(grown < 5, `${grown} MB more`);
  await client.publishAsync(`${operator.prefix}/config/desired`, '', { qos: 1, retain: true });
  held(
    'device: a retained document of 100 MB (Mosquitto, MQTT 5)',
    `left out by the broker, ${grown.toFixed(1)} MB more`,
  );

  assert.equal((await agent.status(({ actual }) => actual === 'live', 20_000, agent.log.items.length)).actual, 'live');
  assert.ok(!hasSecret(agent.output + JSON.stringify(answers(operator))));
  held('all of it', `on the air; ${(rssMb(agent) - baseMb).toFixed(1)} MB more than before`);
});

/** All that the device has written. */
const answers = ({ heard }: Operator): unknown[] =>
  heard.items.filter(({ topic }) => !/cmd\/[^/]+$|desired$/.test(topic)).map(({ text }) => text);

/** PUBLISH of 100 MB on the topic `long`; as many more with QoS 2 as there is room for. */
const floods: Readonly<Record<string, (socket: Socket) => void>> = {
  'a packet of 100 MB': (socket) => {
    socket.write(Buffer.from([0x31, 0x80, 0xc2, 0xd7, 0x2f, 0, 4, 0x6c, 0x6f, 0x6e, 0x67]));
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
      socket.once('drain', more);
    };
    more();
  },
  'messages with QoS 2 that are never released': (socket) => {
    let id = 1;
    const more = (): void => {
      for (;;) {
        if (socket.destroyed) return;
        const packet = Buffer.alloc(10_000);
        packet.set([0x34, 0x8d, 0x4e, 0, 4, 0x6c, 0x6f, 0x6e, 0x67, id >> 8, id & 0xff]);
        id = (id % 65_535) + 1;
        if (!socket.write(packet)) break;
      }
      socket.once('drain', more);
    };
    more();
  },
};

test('a broker that sends more than is taken: memory stays, the broadcast goes on, and it is said', async (t) => {
  await using nginx = await startNginx();
  for (const [attempt, flood] of Object.entries(floods)) {
    for (const isFive of [true, false]) {
      await using ear = await new Ear((socket, connect) => {
        const asksFive = connect[connect.indexOf('MQTT') + 4] === 5;
        if (asksFive && !isFive) return void socket.end(Buffer.from([0x20, 3, 0, 0x84, 0]));
        socket.write(Buffer.from(isFive ? [0x20, 3, 0, 0, 0] : [0x20, 2, 0, 0]));
        // Once it is on the air.
        void agentOf(t).then(() => flood(socket));
      }).start();
      let started: (agent: Agent) => void = () => undefined;
      const live = new Promise<Agent>((resolve) => (started = resolve));
      agents.set(t, live);
      const cwd = await folderFor(t);
      await using agent = await startAgent(
        {
          ...small,
          STREAM_URL: nginx.url(),
          STREAM_KEY: 'k',
          MQTT_URL: `mqtt://127.0.0.1:${ear.port}`,
          MQTT_ID: 'kitchen',
        },
        { cwd },
      );
      await agent.status(({ actual }) => actual === 'live');
      const before = rssMb(agent);
      started(agent);
      const { message } = await agent.event('mqtt_too_long', 60_000);
      const grown = rssMb(agent) - before;
      assert.ok(grown < 5, `${grown} MB more`);
      assert.match(message, /long/);
      assert.equal(
        (await agent.status(({ actual }) => actual === 'live', 20_000, agent.log.items.length))['actual'],
        'live',
      );
      held(
        `broker: ${attempt} (MQTT ${isFive ? '5' : '3.1.1'})`,
        `closed at once, mqtt_too_long, ${grown.toFixed(1)} MB more`,
      );
      await agent.stop();
    }
  }
});

/** The device of a test, once it is on the air. */
const agents = new WeakMap<object, Promise<Agent>>();
const agentOf = async (test: object): Promise<Agent> => agents.get(test)!;
