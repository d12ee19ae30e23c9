/** The demonstration server: node-media-server on the loopback, for users who have no destination yet. A development dependency. */
import { createServer } from 'node:net';
import { createRequire } from 'node:module';
import { beatMs, type FromDemo, type ToDemo } from '../messages.js';
import { serve, type Peer } from '../peer.js';

process.title = 'makercast-demo';

/** Ports that are tried, one after the other, when the wanted one is taken. */
const tries = 20;
const address = '127.0.0.1';

interface MediaServer {
  run(): Promise<void>;
}

serve<ToDemo, FromDemo>((peer) => ({
  beatMs: beatMs.demo,
  async handle(message) {
    if (message.type === 'listen') await listen(message.port, message.folder, peer);
  },
  beat: () => ({ type: 'beat' }),
  halt: () => Promise.resolve(),
}));

/** node-media-server ends the process when its port is taken, so the port is tried before. It keeps its store in `folder`. */
async function listen(wanted: number, folder: string, peer: Peer<FromDemo>): Promise<void> {
  let Server: new (config: object) => MediaServer;
  try {
    Server = createRequire(import.meta.url)('node-media-server') as typeof Server;
  } catch {
    return peer.send({ type: 'missing' });
  }
  let port = wanted;
  while (port < wanted + tries && !(await isFree(port))) port += 1;
  await new Server({ bind: address, rtmp: { port }, store: { path: folder } }).run();
  peer.send({ type: 'listening', port });
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, address, () => server.close(() => resolve(true)));
  });
}
