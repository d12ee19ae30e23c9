/** Which TCP socket carries which output: rtmp2sink does not show the one that it has opened. */
import { readFileSync } from 'node:fs';
import type { TcpSocket } from '../gstreamer.js';

/**
 * rtmp2sink can be told a peak bitrate, to which the kernel then paces its socket. Each output is told another one, by which its
 * socket is known; all of them are so high that they hold nothing up: 8 Gbit/s and some.
 */
const firstPeakKbps = 8_000_000;
/** The kernel counts in bytes a second. */
const bytesPerKbit = 125;
/** Then they begin again, long after the first are gone: the socket option is an int of bytes. */
const peaks = 1_000_000;

/** As /proc/net/tcp writes a connection that is not answered yet (include/net/tcp_states.h). */
const synSent = '02';

export class Sockets {
  #marks = 0;

  /** `read`: the sockets of this process that are connected to a port. */
  constructor(private readonly read: (port: number) => readonly TcpSocket[]) {}

  /** A peak bitrate, in kbit/s, that no other output has. */
  mark(): number {
    this.#marks = (this.#marks + 1) % peaks;
    return firstPeakKbps + this.#marks;
  }

  /** The socket to `port` that was marked with `peakKbps`; undefined where it is closed. */
  find(port: number, peakKbps: number): TcpSocket | undefined {
    return this.read(port).find(({ pace }) => pace === peakKbps * bytesPerKbit);
  }

  /** Somebody on this machine waits for a first answer from `port`; of sockets that are not connected the mark is not known. */
  isReaching(port: number): boolean {
    const remote = `:${port.toString(16).toUpperCase().padStart(4, '0')} ${synSent} `;
    return ['tcp', 'tcp6'].some((table) => tableOf(table).includes(remote));
  }
}

/** Empty where there is none: IPv6 may be switched off. */
function tableOf(name: string): string {
  try {
    return readFileSync(`/proc/self/net/${name}`, 'latin1');
  } catch {
    return '';
  }
}
