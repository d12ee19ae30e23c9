/** Destinations: why one fails, in words and by code; and that a key reaches the server unchanged, and nobody else. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { small, startAgent, type Agent, type Environment } from '../helpers/agent/agent.js';
import { freePorts } from '../helpers/command.js';
import { noNamespaces, makeNamespace } from '../helpers/network/namespace.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { startRtmpServer, type Script } from '../helpers/rtmp/server.js';
import { startTlsProxy } from '../helpers/network/tls.js';

const secret = 'geheim-4711';

interface Failed {
  readonly code: string;
  readonly what: string;
  readonly remedy: string;
}

/** The fault of output `name`, once there is one; makes sure that it was said once, and that the key was not. */
async function faultOf(agent: Agent, name = 'main'): Promise<Failed> {
  const status = await agent.status((each) => each.outputs[name]?.['fault'] !== undefined, 30_000);
  await agent.waitFor(({ event, message }) => event === 'output_failed' && message.includes(`Output ${name} `));
  const fault = status.outputs[name]!['fault'] as Failed;
  const said = agent.log.items.filter(
    ({ event, output, code }) => event === 'output_failed' && output === name && code === fault.code,
  );
  assert.equal(said.length, 1, agent.output);
  assert.ok(!agent.output.includes(secret));
  return fault;
}

describe('why an output fails', () => {
  const refusals: { code: string; script: Script }[] = [
    { code: 'output_timeout', script: { handshake: 'mute' } },
    { code: 'output_timeout', script: { connect: 'mute' } },
    { code: 'output_closed_connecting', script: { handshake: 'close' } },
    { code: 'output_closed_connecting', script: { connect: 'close' } },
    { code: 'output_closed_connecting', script: { publish: 'close' } },
    {
      code: 'output_already_published',
      script: { publish: { status: 'NetStream.Publish.BadName', description: 'Already publishing' } },
    },
    { code: 'output_denied', script: { publish: { status: 'NetStream.Publish.Denied', description: 'not you' } } },
    { code: 'output_denied', script: { connect: { reject: 'no such application' } } },
  ];
  test('as far as the server tells it', async () => {
    const servers = await Promise.all(refusals.map(({ script }) => startRtmpServer(script)));
    const [closed] = await freePorts(1);
    await using tls = await startTlsProxy(servers[0]!.port);
    const env: Record<string, string> = { ...small };
    // Eight outputs are the most that there may be.
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    refusals.forEach((_, i) => {
      env[`OUTPUT_${names[i]!.toUpperCase()}_URL`] = servers[i]!.url();
      env[`OUTPUT_${names[i]!.toUpperCase()}_KEY`] = secret;
    });
    {
      await using agent = await startAgent(env);
      for (const [i, { code, script }] of refusals.entries()) {
        assert.equal((await faultOf(agent, names[i])).code, code, JSON.stringify(script));
      }
      await agent.stop();
    }
    await using agent = await startAgent({
      ...small,
      OUTPUT_A_URL: `rtmp://127.0.0.1:${closed}/live/${secret}`,
      OUTPUT_B_URL: `rtmp://no-such-host.invalid/live/${secret}`,
      OUTPUT_C_URL: `rtmps://127.0.0.1:${tls.port}/live/${secret}`,
      OUTPUT_D_URL: `rtmps://127.0.0.1:${(await startGarbage(servers)).port}/live/${secret}`,
    });
    for (const [name, code] of Object.entries({
      a: 'output_refused',
      b: 'output_unresolved',
      c: 'output_tls',
      d: 'output_tls',
    })) {
      const fault = await faultOf(agent, name);
      assert.equal(fault.code, code, fault.what);
      assert.ok(fault.remedy.length > 10);
    }
    await agent.stop();
    await Promise.all(servers.map((server) => server.stop()));
  });

  async function startGarbage(servers: { stop(): Promise<void> }[]) {
    const server = await startRtmpServer({ handshake: 'garbage' });
    servers.push(server);
    return server;
  }

  test('by a real nginx-rtmp: somebody else publishes, the application is unknown, the callback says no', async () => {
    await using nginx = await startNginx();
    nginx.allowPublish = ({ name }) => name !== 'denied-key';
    await using first = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'taken-key' });
    await nginx.waitForCall('publish', { name: 'taken-key' });
    await using agent = await startAgent({
      ...small,
      OUTPUT_TAKEN_URL: nginx.url(),
      OUTPUT_TAKEN_KEY: 'taken-key',
      OUTPUT_NOWHERE_URL: nginx.url('nowhere'),
      OUTPUT_NOWHERE_KEY: secret,
      OUTPUT_DENIED_URL: nginx.url(),
      OUTPUT_DENIED_KEY: 'denied-key',
    });
    assert.equal((await faultOf(agent, 'taken')).code, 'output_already_published');
    const nowhere = await faultOf(agent, 'nowhere');
    assert.equal(nowhere.code, 'output_closed_connecting');
    assert.match(nowhere.what, /closed the connection before it accepted the stream/);
    assert.equal((await faultOf(agent, 'denied')).code, 'output_closed_connecting');
    await agent.stop();
    await first.stop();
  });

  test('no network but the loopback', { skip: noNamespaces() }, async () => {
    await using namespace = await makeNamespace(0);
    // 192.0.2.0/24 is for documentation (RFC 5737); no packet leaves the namespace, which has no way out.
    await using agent = await startAgent(
      {
        ...small,
        OUTPUT_A_URL: `rtmp://192.0.2.1/live/${secret}`,
        OUTPUT_B_URL: `rtmp://example.invalid/live/${secret}`,
      },
      { prefix: namespace.prefix },
    );
    assert.equal((await faultOf(agent, 'a')).code, 'network_none');
    assert.equal((await faultOf(agent, 'b')).code, 'network_none');
    await agent.stop();
  });

  test('the server closes in mid-stream: said, and tried again', async () => {
    await using server = await startRtmpServer((nth) => (nth === 0 ? { dropAfterMs: 500 } : {}));
    await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: secret });
    await server.published(secret, { from: 1 });
    const { message } = await agent.waitFor(({ event }) => event === 'output_failed');
    assert.match(message, /output_closed\b/);
    await agent.stop();
  });
});

test('rtmps reaches a real server; an unknown certificate is taken only where the operator says so', async () => {
  await using nginx = await startNginx();
  await using tls = await startTlsProxy(nginx.rtmpPort);
  await using agent = await startAgent({
    ...small,
    OUTPUT_SAFE_URL: `rtmps://127.0.0.1:${tls.port}/live/key-safe`,
    OUTPUT_OWN_URL: `rtmps://127.0.0.1:${tls.port}/live/key-own`,
    OUTPUT_OWN_TLS_VERIFY: 'no',
  });
  await nginx.waitForCall('publish', { name: 'key-own' });
  assert.equal((await faultOf(agent, 'safe')).code, 'output_tls');
  await agent.status((status) => status.outputs['own']?.state === 'live');
  assert.ok(nginx.calls.items.every(({ name }) => name !== 'key-safe'));
  await agent.stop();
});

/** Everything that a shell, a URL, a pipeline or a log could trip over. */
const nasty = [
  'live/ab/cd',
  'key?token=a&b=c#d',
  '100%41%zz@host',
  'two words "quoted" \'single\' `back`',
  'a ! fakesink name=x ! b',
  'line one\nline two',
  'back\\slash\\"end',
  'schlüssel-🔑',
];

describe('secrets', () => {
  test('any key arrives unchanged, injects nothing, and is found nowhere else', async () => {
    await using server = await startRtmpServer();
    const keys = nasty.flatMap((key, i) => [
      [`OUTPUT_O${i}_URL`, server.url()],
      [`OUTPUT_O${i}_KEY`, key],
    ]);
    await using agent = await startAgent({ ...small, ...(Object.fromEntries(keys) as Environment) });
    for (const key of nasty) assert.equal((await server.published(key)).app, 'live');
    await agent.status((status) => status.actual === 'live');
    const [processes, environments] = [agent.processes(), agent.environments()];
    assert.ok(processes.length >= 3, 'an agent and its two children');
    await agent.stop();
    assert.deepEqual(server.publishes.items.map(({ name }) => name).sort(), [...nasty].sort());
    for (const key of nasty) {
      for (const { pid, command } of processes) {
        assert.ok(!command.includes(key), 'in the process list');
        if (pid === agent.pid) continue;
        const values = Object.values(environments.get(pid) ?? {});
        assert.ok(!values.some((value) => value.includes(key)), 'in the environment of a child');
      }
      // A key of one line stands in JSON as it is, but for its escapes.
      for (const form of [key, JSON.stringify(key).slice(1, -1), encodeURIComponent(key)]) {
        assert.ok(!agent.output.includes(form), `${form} in the log`);
      }
      for (const name of await readdir(path.join(agent.folder, 'data'), { recursive: true }).catch(() => [])) {
        const text = await readFile(path.join(agent.folder, 'data', name), 'utf8').catch(() => '');
        assert.ok(!text.includes(key), `in ${name}`);
      }
    }
  });

  test('a key in the path, and one in the query, arrive unchanged at a real nginx', async () => {
    await using nginx = await startNginx();
    await using agent = await startAgent({
      ...small,
      OUTPUT_PATH_URL: `${nginx.url()}/a%2Fb@c#d"e!f`,
      OUTPUT_QUERY_URL: `${nginx.url()}/stream?sig=x%20y/z@1#2`,
    });
    const inPath = await nginx.waitForCall('publish', { name: 'a%2Fb@c#d"e!f' });
    assert.equal(inPath.app, 'live');
    const inQuery = await nginx.waitForCall('publish', { name: 'stream' });
    // nginx-rtmp hands the query on as it came; the callback's form then decodes it once.
    assert.equal(inQuery.fields['sig'], 'x y/z@1#2');
    await agent.stop();
    for (const text of ['a%2Fb@c#d', 'x%20y/z', 'x y/z']) assert.ok(!agent.output.includes(text), text);
  });

  test('user and password reach a server that asks for them (authmod=adobe), whatever is in them', async () => {
    const account = { user: 'maker', password: 'p/a?s#s%w@o r"d!' };
    await using server = await startRtmpServer({ account });
    const url = `rtmp://${account.user}:${encodeURIComponent(account.password)}@127.0.0.1:${server.port}/live`;
    await using agent = await startAgent({ ...small, STREAM_URL: url, STREAM_KEY: 'k-4711' });
    await server.published('k-4711');
    await agent.status((status) => status.actual === 'live');
    await agent.stop();
    for (const text of [account.password, encodeURIComponent(account.password), 'k-4711']) {
      assert.ok(!agent.output.includes(text), text);
    }
    await using wrong = await startAgent({ ...small, STREAM_URL: url.replace('p%2F', 'q%2F'), STREAM_KEY: 'k-4711' });
    assert.equal((await faultOf(wrong)).code, 'output_denied');
    await wrong.stop();
  });
});
