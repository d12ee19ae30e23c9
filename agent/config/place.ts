/** The place that a secret is given for: its address, and how sure it is to be what it says it is. Pure. */
import { parseDestination } from './destination.js';

/** Where a secret would go. */
export interface Place {
  /** `rtmps://host/application`, `mqtts://host`; with a port where it is not the usual one. */
  readonly origin: string;
  /** Nobody else can pass for it unnoticed, as far as its scheme allows: its certificate is checked. */
  readonly verified: boolean;
  /** The authority by which it is checked, as `mqtt.ca` names it; empty for those that the machine trusts. */
  readonly ca: string;
}

/** What a secret is for. Without `for` it was given before there was any place: it is for the first one that comes. */
export interface Bound {
  /** An origin; the first label of its host may be `*`. */
  readonly for?: string;
  /** It may also go where the certificate is not checked. */
  readonly insecure?: true;
  /** Absent where it was not known yet. */
  readonly ca?: string;
}

/** The kinds of places that secrets are for. */
export type PlaceKind = 'output' | 'broker';

/** Fields beside the secret that say where it goes. */
const addresses = { output: ['url', 'tlsVerify'], broker: ['url', 'ca'] } as const;

/** The place that settings name for the secret at `path`; `get` gives a setting by its path. Undefined where they name none. */
export function placeFor(path: string, kind: PlaceKind, get: (path: string) => unknown): Place | undefined {
  const section = path.slice(0, path.lastIndexOf('.'));
  const [url, other] = addresses[kind].map((field) => get(`${section}.${field}`));
  const origin = originOf(kind, url);
  if (origin === undefined) return undefined;
  if (kind === 'output') return { origin, verified: !origin.startsWith('rtmps:') || other !== false, ca: '' };
  return { origin, verified: true, ca: typeof other === 'string' && /^(mqtts|wss):/.test(origin) ? other : '' };
}

/** The place of an output, from its own settings. */
export function outputPlace({ url, tlsVerify }: { url: string; tlsVerify: boolean }): Place | undefined {
  return placeFor('outputs.*.key', 'output', (path) => (path.endsWith('.url') ? url : tlsVerify));
}

/** The origin in a URL, in one spelling: of a broker without its path, of an output with its application. */
export function originOf(kind: PlaceKind, url: unknown): string | undefined {
  if (typeof url !== 'string') return undefined;
  return kind === 'output' ? outputOrigin(url) : brokerOrigin(url);
}

function outputOrigin(url: string): string | undefined {
  try {
    // With the key apart, all of the path is the application.
    const { scheme, host, port, application } = parseDestination(url, 'key');
    const usual = scheme === 'rtmp' ? 1935 : 443;
    return `${scheme}://${hostText(host)}${port === usual ? '' : `:${port}`}/${application}`;
  } catch {
    return undefined;
  }
}

const brokerPorts: Readonly<Record<string, number>> = { mqtt: 1883, mqtts: 8883, ws: 80, wss: 443 };

function brokerOrigin(url: string): string | undefined {
  const [, scheme = '', address, name, port] =
    /^(mqtts?|wss?):\/\/(?:\[([^\][]+)\]|([^\s/@?#:]+))(?::(\d{1,5}))?(?:\/|$)/.exec(url) ?? [];
  const host = address ?? name;
  if (host === undefined) return undefined;
  const isUsual = port === undefined || Number(port) === brokerPorts[scheme];
  return `${scheme}://${hostText(host)}${isUsual ? '' : `:${Number(port)}`}`;
}

const hostText = (host: string): string => (host.includes(':') ? `[${host}]` : host).toLowerCase();

/** The origin, or the pattern of origins, that somebody gives a secret for; undefined where it is none. */
export function readFor(kind: PlaceKind, text: string): string | undefined {
  // A name in place of the label, which no host can be called.
  const label = 'any-label';
  const [whole, before, after] = /^([a-z]+:\/\/)\*(\.[^*]*)$/i.exec(text) ?? [];
  if (whole === undefined) return text.includes('@') ? undefined : originOf(kind, text);
  const origin = originOf(kind, `${before}${label}${after}`);
  const [host = ''] = /[^/:]+(?=[:/]|$)/.exec(origin?.replace(/^\w+:\/\//, '') ?? '') ?? [];
  // `*.com` is too wide.
  return origin === undefined || host.replace(/\.$/, '').split('.').length < 3 || text.includes('@')
    ? undefined
    : origin.replace(label, '*');
}

/** Whether a secret that is for `bound` may go to `place`: never to another, and never in a weaker way. */
export function covers(bound: Bound, place: Place): boolean {
  if (bound.for === undefined) return true;
  if (!place.verified && !bound.insecure) return false;
  if (bound.ca !== undefined && bound.ca !== place.ca) return false;
  if (!bound.for.includes('://*.')) return bound.for === place.origin;
  const [scheme = '', rest = ''] = bound.for.split('://*');
  const [nowScheme = '', nowRest = ''] = place.origin.split('://');
  const dot = nowRest.indexOf('.');
  return scheme === nowScheme && dot > 0 && !nowRest.slice(0, dot).includes('/') && nowRest.slice(dot) === rest;
}

/** What a secret that was given for nothing in particular is for, once it has a place. */
export function boundTo({ origin, verified, ca }: Place): Bound {
  return { for: origin, ca, ...(verified ? {} : { insecure: true as const }) };
}

/** An origin for people: a query in it may be secret. */
export const shownOrigin = (origin: string): string => origin.replace(/\?.*$/s, '?***');
