/** Network namespaces: a machine without network, and links that can be made slow, cut, or turned into a black hole. */
import { spawnSync } from 'node:child_process';
import { run } from '../command.js';

let counter = 0;
let linkCounter = 0;

/** One veth pair: `host` is the address outside (where servers listen), `inside` the one in the namespace. */
export interface Link {
  readonly host: string;
  readonly inside: string;
  readonly hostDevice: string;
  readonly insideDevice: string;
}

/** Namespaces can be made here: root, iproute2, and a kernel that lets us. */
export function available(): boolean {
  if (process.getuid?.() !== 0) return false;
  const name = `mc-try-${process.pid}`;
  const made = spawnSync('ip', ['netns', 'add', name]).status === 0;
  if (made) spawnSync('ip', ['netns', 'del', name]);
  return made;
}

/** Why there are none here, as a test's `skip`; in CI that is no excuse, and the test fails by itself. */
export const noNamespaces = (): string | false =>
  available() || process.env['CI'] ? false : 'network namespaces cannot be made here';

export class Namespace implements AsyncDisposable {
  constructor(
    readonly name: string,
    readonly links: readonly Link[],
  ) {}

  /** Words to put before a command so that it runs inside. `ip netns exec` becomes the command (same pid). */
  get prefix(): string[] {
    return ['ip', 'netns', 'exec', this.name];
  }

  /** The same, with a resolver that knows `nameserver` only: the file stands in for /etc/resolv.conf in the mount namespace of that command. */
  resolving(resolvConf: string): string[] {
    return [...this.prefix, 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolvConf];
  }

  async #inside(...words: string[]): Promise<void> {
    await run('ip', ['netns', 'exec', this.name, ...words]);
  }

  /**
   * Lets at most `kbps` kbit/s out of the namespace over a link, with a queue of at most `latencyMs`; undefined takes the limit away,
   * or what {@link impair} does.
   */
  async throttle(kbps: number | undefined, { link = 0, latencyMs = 400 } = {}): Promise<void> {
    const device = this.links[link]!.insideDevice;
    if (kbps === undefined) await this.#inside('tc', 'qdisc', 'del', 'dev', device, 'root');
    else
      await this.#inside(
        'tc',
        'qdisc',
        'replace',
        'dev',
        device,
        'root',
        'tbf',
        'rate',
        `${kbps}kbit`,
        'burst',
        '8kb',
        'latency',
        `${latencyMs}ms`,
      );
  }

  /** Delays what leaves the namespace over a link by so much, and loses so much of it; needs a kernel with netem (`sch_netem`). */
  async impair(delayMs: number, lossPercent: number, link = 0): Promise<void> {
    const device = this.links[link]!.insideDevice;
    const netem = ['netem', 'delay', `${delayMs}ms`, 'loss', `${lossPercent}%`];
    await this.#inside('tc', 'qdisc', 'replace', 'dev', device, 'root', ...netem);
  }

  /**
   * Silently swallows all packets of a link, both ways, until `heal`: each end is given a wrong hardware address for the other,
   * so nothing is refused and no device goes down (nftables is not needed for it).
   */
  async blackHole(link = 0): Promise<void> {
    const { host, inside, hostDevice, insideDevice } = this.links[link]!;
    await this.#inside(
      'ip',
      'neigh',
      'replace',
      host,
      'lladdr',
      '02:00:00:00:00:fe',
      'nud',
      'permanent',
      'dev',
      insideDevice,
    );
    await run('ip', ['neigh', 'replace', inside, 'lladdr', '02:00:00:00:00:fe', 'nud', 'permanent', 'dev', hostDevice]);
  }

  async heal(link = 0): Promise<void> {
    const { host, inside, hostDevice, insideDevice } = this.links[link]!;
    await this.#inside('ip', 'neigh', 'del', host, 'dev', insideDevice);
    await run('ip', ['neigh', 'del', inside, 'dev', hostDevice]);
  }

  /** Refuses every packet to the other end of a link at once, until `permit`: as a firewall does that rejects. */
  async reject(link = 0): Promise<void> {
    await this.#inside('ip', 'route', 'add', 'unreachable', `${this.links[link]!.host}/32`);
  }

  async permit(link = 0): Promise<void> {
    await this.#inside('ip', 'route', 'del', 'unreachable', `${this.links[link]!.host}/32`);
  }

  /** Sends over this link whatever is for none of the others that are up. */
  async wayOut(link: number): Promise<void> {
    await this.#inside('ip', 'route', 'add', 'default', 'via', this.links[link]!.host);
  }

  /** Takes a link down (the program inside sees it), or up again. */
  async cut(link = 0): Promise<void> {
    await this.#inside('ip', 'link', 'set', this.links[link]!.insideDevice, 'down');
  }

  async restore(link = 0): Promise<void> {
    await this.#inside('ip', 'link', 'set', this.links[link]!.insideDevice, 'up');
  }

  async stop(): Promise<void> {
    // Deleted explicitly: a veth can outlive its namespace for a moment.
    for (const { hostDevice } of this.links) await run('ip', ['link', 'del', hostDevice], { mayFail: true });
    await run('ip', ['netns', 'del', this.name], { mayFail: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** A namespace with its own loopback up and `links` links to this one (0: no network at all). Needs {@link available}. */
export async function makeNamespace(links = 0): Promise<Namespace> {
  counter += 1;
  const id = `${process.pid}-${counter}`;
  const name = `mc-${id}`;
  // 10.128-255.x.y: a /30 each, from pid and count, so that test files that run at the same time keep apart; 64 for each of them.
  const made: Link[] = Array.from({ length: links }, (_, index) => {
    linkCounter += 1;
    const subnet = (process.pid * 64 + (linkCounter % 64)) % 2 ** 21;
    const address = (last: number): string =>
      `10.${128 + (subnet >> 14)}.${(subnet >> 6) & 255}.${(subnet & 63) * 4 + last}`;
    return { host: address(1), inside: address(2), hostDevice: `mh${id}-${index}`, insideDevice: `mi${id}-${index}` };
  });
  const namespace = new Namespace(name, made);
  try {
    await run('ip', ['netns', 'add', name]);
    await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    for (const { host, inside, hostDevice, insideDevice } of made) {
      await run('ip', ['link', 'add', hostDevice, 'type', 'veth', 'peer', 'name', insideDevice, 'netns', name]);
      await run('ip', ['addr', 'add', `${host}/30`, 'dev', hostDevice]);
      await run('ip', ['link', 'set', hostDevice, 'up']);
      await run('ip', ['-n', name, 'addr', 'add', `${inside}/30`, 'dev', insideDevice]);
      await run('ip', ['-n', name, 'link', 'set', insideDevice, 'up']);
    }
  } catch (error) {
    await namespace.stop();
    throw error;
  }
  return namespace;
}
