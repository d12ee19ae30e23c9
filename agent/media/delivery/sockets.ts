/** Which TCP socket carries which output: rtmp2sink does not show the one that it has opened. */
import type { TcpSocket } from '../gstreamer.js';

/** An output whose server has accepted. */
export interface Carried {
  readonly port: number;
  /** Bytes that were handed to its socket. */
  sentBytes(): number;
}

export class Sockets {
  readonly #carried = new Set<Carried>();

  /** `read`: the sockets of this process that are connected to a port. */
  constructor(private readonly read: (port: number) => readonly TcpSocket[]) {}

  add(carried: Carried): void {
    this.#carried.add(carried);
  }

  delete(carried: Carried): void {
    this.#carried.delete(carried);
  }

  /** The socket of `carried`; undefined where it is closed. */
  of(carried: Carried): TcpSocket | undefined {
    const rivals = [...this.#carried].filter(({ port }) => port === carried.port);
    const sent = rivals.map((rival) => ({ rival, bytes: rival.sentBytes() }));
    const inOrder = sent.sort((a, b) => b.bytes - a.bytes).map(({ rival }) => rival);
    return pair(inOrder, this.read(carried.port)).get(carried);
  }
}

/**
 * Who sent most has the socket that was given most, and so on. Bytes of handshake and TLS come on top of what an output counts,
 * to each of them alike. Sockets of outputs that still connect have been given least, and are left over.
 */
export function pair<T>(mostFirst: readonly T[], sockets: readonly TcpSocket[]): Map<T, TcpSocket> {
  const given = [...sockets].sort((a, b) => b.written - a.written);
  return new Map(mostFirst.slice(0, given.length).map((each, i) => [each, given[i]!]));
}
