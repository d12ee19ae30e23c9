/** Where capture connects: a Unix socket in a private folder. */
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { Fault } from '../../errors.js';
import { TagCutter, type Piece } from '../../formats/flv/tag.js';

export class Door {
  #open: { readonly server: Server; readonly socket: string } | undefined;
  #capture: Socket | undefined;

  /** `accept` is given what came in one read. */
  constructor(private readonly accept: (pieces: Iterable<Piece>) => void) {}

  /**
   * Listens at the path `socket`. Only one capture process feeds the hub: a new connection takes the place of the one before. Throws where
   * the folder cannot be made, or is somebody else's.
   */
  async open(socket: string): Promise<void> {
    const server = createServer((connection) => this.#connected(connection));
    // Its path goes with it, so not after the next one has taken that.
    this.#open?.server.close();
    makePrivate(path.dirname(socket));
    // One that was killed leaves its socket behind.
    rmSync(socket, { force: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, resolve);
    });
    this.#open = { server, socket };
  }

  /** Somebody may have cleaned up /tmp: the next capture process would not find us. */
  look(): void {
    if (this.#open && !existsSync(this.#open.socket)) void this.open(this.#open.socket).catch(() => undefined);
  }

  /** Nobody comes in any more. */
  close(): void {
    this.#open?.server.close();
    this.#open = undefined;
    this.#capture?.destroy();
  }

  #connected(connection: Socket): void {
    this.#capture?.destroy();
    this.#capture = connection;
    const cutter = new TagCutter();
    connection.on('data', (chunk) => this.accept(cutter.push(chunk)));
    // A capture process that was killed in mid-write: the next one begins a new stream.
    connection.on('error', () => connection.destroy());
  }
}

/** Makes sure that the folder exists and is ours: had it been deleted, another user could have created one of that name. */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (lstatSync(folder).uid === process.getuid?.()) return;
  throw new Fault('internal', `The folder ${folder} belongs to another user.`, 'Restart makercast.');
}
