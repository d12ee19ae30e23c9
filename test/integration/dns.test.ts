/** A name that DNS does not tell, and then does: the output is tried again until it is told, and no other one notices. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { small, startAgent, type Agent, type StatusDocument } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { startDns, type DnsAnswer } from '../helpers/network/dns.js';
import { isVideoKey } from '../helpers/content/flv.js';
import { noNamespaces, makeNamespace } from '../helpers/network/namespace.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const skip = noNamespaces();

/** An agent behind a DNS server of its own, with two outputs to one server: `named` by name, `plain` by address. */
async function scene(answer: DnsAnswer) {
  const namespace = await makeNamespace(1);
  const { host } = namespace.links[0]!;
  const { folder, remove } = await temporaryFolder();
  const dns = await startDns(host, answer);
  const server = await startRtmpServer({}, host);
  const resolvConf = path.join(folder, 'resolv.conf');
  await writeFile(resolvConf, `nameserver ${host}\n`);
  const agent = await startAgent(
    {
      ...small,
      OUTPUT_NAMED_URL: `rtmp://ingest.example:${server.port}/live`,
      OUTPUT_NAMED_KEY: 'k-by-name',
      OUTPUT_PLAIN_URL: `rtmp://${host}:${server.port}/live`,
      OUTPUT_PLAIN_KEY: 'k-by-address',
    },
    { prefix: namespace.resolving(resolvConf) },
  );
  return {
    dns,
    server,
    host,
    agent,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server.stop();
      await dns[Symbol.asyncDispose]();
      await namespace.stop();
      await remove();
    },
  };
}

const codeOf = ({ outputs }: StatusDocument): string | undefined =>
  (outputs['named']?.['fault'] as { code: string } | undefined)?.code;
const isUnresolved = (status: StatusDocument): boolean =>
  status.outputs['named']?.state === 'waiting' && codeOf(status) === 'output_unresolved';

/** What was said of the output that needs no name: it is to have been on all the time, over one connection. */
function plainStates(agent: Agent): (readonly [string, unknown])[] {
  const documents = agent.log.items.flatMap(({ event, status }) =>
    event === 'status' ? [status as StatusDocument] : [],
  );
  const begun = documents.findIndex(({ outputs }) => outputs['plain']?.state === 'live');
  assert.ok(begun >= 0, 'it was never live');
  return documents.slice(begun).map(({ outputs }) => [outputs['plain']!.state, outputs['plain']!['connects']] as const);
}

// Each in a network of its own: most of their time is waiting.
describe('a name', { skip, concurrency: true }, () => {
  for (const answer of ['servfail', 'nxdomain', 'silence'] as const) {
    test(`${answer}, then the address`, async (t) => {
      await using on = await scene(answer);
      const { dns, server, host, agent } = on;
      await agent.status((status) => status.outputs['plain']?.state === 'live');
      await agent.status(isUnresolved, 30_000);
      dns.answer = host;
      const from = performance.now();
      const connection = await server.published('k-by-name', { deadlineMs: 30_000 });
      await connection.tags.waitFor(isVideoKey, 15_000);
      t.diagnostic(`media ${Math.round(performance.now() - from)} ms after the name was told`);
      await agent.status(({ actual }) => actual === 'live');
      // A server that does not read for a moment is `stalled`, and may have had no time to.
      for (const [state, connects] of plainStates(agent)) assert.ok(state !== 'waiting' && connects === 1, state);
      await agent.stop();
    });
  }
});
