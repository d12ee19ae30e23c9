/** A way to a broker that can be shut for one device. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/**
 * What stands between a device and its broker, which can be away for the device alone: whoever is to hear what it says at its next
 * connection is to be there before it, on a slow machine too.
 */
export class Gate implements AsyncDisposable {
  readonly #sockets = new Set<Socket>();
  readonly #server;
  #port = 0;

  constructor(port: number) {
    this.#server = createServer((socket) => {
      const there = connect(port, '127.0.0.1');
      const both = [socket, there];
      // A broker that was killed resets it: nothing of that passes through a pipe.
      const reset = (): void => both.forEach((each) => each.destroy());
      for (const each of both) this.#sockets.add(each.on('error', reset));
      socket.pipe(there).pipe(socket);
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  /** At the same port as before. */
  async open(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(this.#port, '127.0.0.1', resolve));
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Nobody gets through any more; who is connected stays so. */
  shut(): void {
    this.#server.close();
  }

  /** Nobody gets through any more, and whoever was connected is gone without a word. */
  cut(): void {
    this.shut();
    for (const socket of this.#sockets) socket.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    return Promise.resolve();
  }
}

/** An open gate before `port` of this machine, which goes with the test. */
export async function gated(t: TestContext, port: number): Promise<Gate> {
  const gate = new Gate(port);
  await gate.open();
  t.after(() => gate.cut());
  return gate;
}
