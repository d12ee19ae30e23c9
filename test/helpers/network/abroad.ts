/** makercast in a network of its own, sending to a scripted server outside over one link that can be cut, throttled or made to swallow. */
import { startAgent, type Agent, type Environment } from '../agent/agent.js';
import { makeNamespace, type Namespace } from './namespace.js';
import { startRtmpServer, type RtmpServer } from '../rtmp/server.js';

export interface Abroad extends AsyncDisposable {
  readonly namespace: Namespace;
  readonly server: RtmpServer;
  readonly agent: Agent;
}

/** Starts all three, the agent after `prepare`; it streams as `k`. Disposing of it ends them, the agent first. */
export async function startAbroad(
  env: Environment,
  prepare: (namespace: Namespace) => Promise<void> = () => Promise.resolve(),
): Promise<Abroad> {
  const namespace = await makeNamespace(1);
  await prepare(namespace);
  const server = await startRtmpServer({}, '0.0.0.0');
  const url = `rtmp://${namespace.links[0]!.host}:${server.port}/live`;
  const agent = await startAgent({ STREAM_URL: url, STREAM_KEY: 'k', ...env }, { prefix: namespace.prefix });
  return {
    namespace,
    server,
    agent,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server.stop();
      await namespace.stop();
    },
  };
}
