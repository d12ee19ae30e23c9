/** Whether this machine has any network but its own loopback. */
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
