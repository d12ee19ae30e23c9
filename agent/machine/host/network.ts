/** Whether this machine has any network other than its loopback, and when its addresses or routes change. */
import { readFileSync } from 'node:fs';
import { networkInterfaces, type NetworkInterfaceInfo } from 'node:os';
import { Fault } from '../../errors.js';

/** The fault `network_none` where no interface that is up has an address; undefined where one has. */
export function networkFault(
  interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces(),
): Fault | undefined {
  const reachable = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .some((each) => reaches(each));
  if (reachable) return undefined;
  return new Fault(
    'network_none',
    'This machine has no network other than its loopback.',
    'Plug in a cable, or set up the Wi-Fi.',
  );
}

/** Every interface that is up gives itself an fe80:: address, cable or not: that is no network yet. */
const reaches = ({ internal, address }: NetworkInterfaceInfo): boolean => !internal && !/^fe[89ab]/i.test(address);

/** A cable that is plugged in shows within a second. There is no event for it without netlink, which Node.js does not speak. */
const pollMs = 1000;

/** Calls `changed` after every change of an address or a route of this machine, until `signal` aborts. */
export function watchNetwork(changed: () => void, signal: AbortSignal, look: () => string = networkPrint): void {
  let known = look();
  const timer = setInterval(() => {
    const now = look();
    if (now === known) return;
    known = now;
    changed();
  }, pollMs);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}

/** Addresses of interfaces that are up and have a carrier, and the routes beyond each link: a text that differs where they do. */
export function networkPrint(): string {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, all]) =>
    (all ?? []).filter((each) => reaches(each)).map(({ address }) => `${name} ${address}`),
  );
  return [...addresses.sort(), ...routes(), ...routes6()].join('\n');
}

/** Interface, destination, gateway, metric and mask of each IPv4 route; the columns between count what it was used for. */
function routes(): string[] {
  return table('route')
    .slice(1)
    .map((line) => line.split('\t'))
    .map((at) => [at[0], at[1], at[2], at[6], at[7]].join(' '));
}

/** To this machine itself, or remembered for one destination: RTF_LOCAL and RTF_CACHE of include/uapi/linux/ipv6_route.h. */
const noWayOut = 0x81000000;

/** Destination with the length of its prefix, gateway, metric and interface of each IPv6 route that every link has not anyway. */
function routes6(): string[] {
  return table('ipv6_route')
    .map((line) => line.trim().split(/\s+/))
    .filter((at) => at.length === 10 && !/^(fe[89ab]|ff)/.test(at[0]!) && (parseInt(at[8]!, 16) & noWayOut) === 0)
    .map((at) => [at[0], at[1], at[4], at[5], at[9]].join(' '))
    .sort();
}

/** Lines of a table of the kernel; none of one without IPv4 or IPv6, or in a container that hides it: the addresses have to do. */
function table(name: string): string[] {
  try {
    return readFileSync(`/proc/net/${name}`, 'utf8').split('\n');
  } catch {
    return [];
  }
}
