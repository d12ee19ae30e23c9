/** Whether this machine has any network but its own loopback, and when its addresses or routes change. */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { Fault } from '../errors.js';

/** The fault `network_none` where no interface that is up has an address; undefined where one has. */
export function networkFault(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): Fault | undefined {
  // Every interface that is up gives itself an fe80:: address, cable or not: that is no network yet.
  const reachable = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .some(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
  if (reachable) return undefined;
  return new Fault(
    'network_none',
    'This machine has no network but its own loopback.',
    'Plug in a cable, or set up the Wi-Fi.',
  );
}

/** A cable that is plugged in shows within a second. There is no event for it without netlink, which Node.js does not speak. */
const lookMs = 1000;

/** Calls `changed` after every change of an address or a route of this machine, until `signal` aborts. */
export function watchNetwork(changed: () => void, signal: AbortSignal, look: () => string = networkPrint): void {
  let known = look();
  const timer = setInterval(() => {
    const now = look();
    if (now === known) return;
    known = now;
    changed();
  }, lookMs);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Addresses of interfaces that are up and have a carrier, and the routes: a text that differs where they do. */
export function networkPrint(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
    (all ?? []).filter(({ internal }) => !internal).map(({ address }) => `${name} ${address}`),
  );
  return [...addresses.sort(), ...routes()].join('\n');
}

/** Interface, destination, gateway, metric and mask of each IPv4 route; the columns between count what it was used for. */
function routes(): string[] {
  try {
    const lines = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1);
    return lines.map((line) => line.split('\t')).map((at) => [at[0], at[1], at[2], at[6], at[7]].join(' '));
  } catch {
    return []; // A kernel without IPv4, or a container that hides it: the addresses have to do.
  }
}
