/** An output whose secrets may not go where its settings say: why, and where it stays meanwhile. Pure. */
import { parseDestination } from './destination.js';
import { originOf, outputPlace } from './place.js';
import type { Entry } from './reading.js';
import { misfit } from './row.js';
import type { Keyring } from './secrets.js';
import { rowOf, type OutputSettings } from './settings.js';

export type Destination = Pick<OutputSettings, 'url' | 'key' | 'tlsVerify'>;

/** Where outputs go, by name; the key is that of the place. */
export type Destinations = Readonly<Record<string, Omit<Destination, 'key'>>>;

/**
 * Why the secrets of an output may not go where its settings say; undefined where they may, or there are none. `entry` gives its URL;
 * `isOpen`: in a remote layer, which others may read; `hasOthers`: there are keys, for other places.
 */
export function withheld(
  { url, key, tlsVerify }: Destination,
  {
    entry,
    isOpen,
    hasOthers,
  }: { readonly entry: Entry | undefined; readonly isOpen: boolean; readonly hasOthers: boolean },
  keyring: Keyring,
): string | undefined {
  if (key === '' && (isOpen || !isWhole(url))) {
    // One with more behind the application may hold a key, which no document may.
    const isNew = isOpen && !isWhole(url) && originOf('output', url) !== undefined;
    if (isNew || hasOthers) return 'there is no stream key for this address';
  }
  const holdsSecret = key === '' || /[@?]/.test(url);
  if (holdsSecret && /^rtmps:/i.test(url) && !tlsVerify && entry && !keyring.allowsInsecure(entry))
    return 'its URL contains a secret that was given for a server whose certificate is checked';
  return undefined;
}

/** Where an output went last (`inForce`), else where file and environment have it go, with the key for it. */
export function staysAt(name: string, inForce: Destinations, keyring: Keyring): Destination | undefined {
  const path = `outputs.${name}.key`;
  const row = rowOf(path);
  const before = [...(Object.hasOwn(inForce, name) ? [inForce[name]] : []), keyring.localOutput(name)];
  for (const there of before) {
    if (!there) continue;
    const place = outputPlace(there);
    const entry = place && keyring.pick(path, place);
    const key = entry && row && !misfit(row.form, entry.value) ? String(entry.value) : '';
    if (place && (key !== '' || isWhole(there.url))) return { url: there.url, tlsVerify: there.tlsVerify, key };
  }
  return undefined;
}

/** Whether a URL holds a stream key itself. */
function isWhole(url: string): boolean {
  try {
    parseDestination(url);
    return true;
  } catch {
    return false;
  }
}
