/** Makes a Node process do what a test says, whatever its own code is, by the inspector that it opens on SIGUSR1. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { until } from '../feed.js';

/** Node's own. Only one process of a test can be told something at a time. */
const port = 9229;

/** One WebSocket text frame of a client: masked, as RFC 6455 (5.2) wants it; up to 125 bytes. */
function frame(text: string): Buffer {
  const mask = randomBytes(4);
  const payload = Buffer.from(text).map((byte, index) => byte ^ mask[index % 4]!);
  if (payload.length > 125) throw new Error('too long for a short frame');
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload]);
}

/** The path at which an inspector answers; undefined while none does. */
async function address(): Promise<string | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`);
    const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[];
    return target && new URL(target.webSocketDebuggerUrl).pathname;
  } catch {
    return undefined;
  }
}

/** Has process `pid` evaluate `script` in its event loop; what comes of it is not waited for. */
export async function evaluate(pid: number, script: string): Promise<void> {
  // The answer does not tell whose it is.
  if (await address()) throw new Error(`another process is inspected on port ${port}`);
  process.kill(pid, 'SIGUSR1');
  const path = await until(address, 15_000, `the inspector of ${pid}`);
  const socket: Socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.on('error', () => undefined); // The process may be killed for what it was told to do.
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
  await once(socket, 'data');
  socket.write(frame(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params: { expression: script } })));
  socket.unref();
}
