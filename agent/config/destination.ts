/** Takes an RTMP URL and key apart into what the server gets, character for character. */
import { Fault } from '../errors.js';

export interface Destination {
  readonly scheme: 'rtmp' | 'rtmps';
  /** Name or address; an IPv6 address without its brackets. */
  readonly host: string;
  readonly port: number;
  /** Path of the URL up to the stream, as it is written, without the first slash. */
  readonly application: string;
  /** Stream name, which is the key: verbatim. A secret. */
  readonly stream: string;
  readonly username?: string;
  readonly password?: string;
}

/** Registered for RTMP; RTMPS goes by the port of HTTPS, as at Facebook, YouTube and Twitch. */
const PORTS = { rtmp: 1935, rtmps: 443 } as const;

const REMEDY =
  'Write it as rtmp://host/application or rtmps://host/application, with the key set separately or as the last part of the URL.';

/**
 * Splits `rtmp[s]://[user[:password]@]host[:port]/application[/stream]`.
 *
 * Not `new URL`, which would encode and shorten what a server must get unchanged: nothing in path, query and key is
 * decoded, `#` is ordinary, and a query stays where it stands. With a key, the whole path is the application. Without,
 * the last `/` before any `?` divides application and stream, so a key that holds a `/` has to be given apart. User
 * info ends at the last `@` before the first `/`, and is percent-decoded.
 *
 * @throws Fault `setting_url`, which quotes nothing of the URL or key.
 */
export function parseDestination(url: string, key?: string): Destination {
  if (/[\s\p{Cc}]/u.test(url)) throw fault('the URL contains white space or a control character');
  const [, schemeText, rest] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/.exec(url) ?? [];
  if (schemeText === undefined || rest === undefined) {
    throw fault('the URL does not begin with rtmp:// or rtmps://');
  }
  const scheme = schemeText.toLowerCase();
  if (scheme !== 'rtmp' && scheme !== 'rtmps') throw fault('the URL is neither rtmp:// nor rtmps://');

  const slash = rest.indexOf('/');
  const authority = slash < 0 ? rest : rest.slice(0, slash);
  const at = authority.lastIndexOf('@');
  const { host, port } = splitHost(authority.slice(at + 1));
  return {
    scheme,
    host,
    port: port ?? PORTS[scheme],
    ...splitPath(slash < 0 ? '' : rest.slice(slash + 1), key),
    ...(at < 0 ? {} : splitUser(authority.slice(0, at))),
  };
}

function splitHost(text: string): { host: string; port?: number } {
  const match = /^(?:\[([^\][]*)\]|([^:\][]*))(?::(.*))?$/.exec(text);
  if (!match) throw fault('the host of the URL is malformed (write an IPv6 address in brackets)');
  const [, address, name, portText] = match;
  const host = address ?? name ?? '';
  if (portText?.includes(':')) {
    throw fault('the host of the URL is malformed (write an IPv6 address in brackets)');
  }
  if (host === '') throw fault('the URL has no host');
  // Internationalised names are legal: GLib encodes them for DNS.
  const good = address === undefined ? /^[\p{L}\p{N}._-]+$/u : /^[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(%[\w.-]+)?$/;
  if (!good.test(host)) throw fault('the host of the URL is malformed (in a password, write / as %2F and @ as %40)');
  if (portText === undefined) return { host };
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (port < 1 || port > 65_535) {
    throw fault('the port of the URL is not a number from 1 to 65535 (in a password, write / as %2F)');
  }
  return { host, port };
}

function splitPath(path: string, key: string | undefined): { application: string; stream: string } {
  const question = path.indexOf('?');
  const plain = question < 0 ? path : path.slice(0, question);
  const query = question < 0 ? '' : path.slice(question);
  if (/^\/*$/.test(plain)) throw fault('the URL has no application path');
  if (key !== undefined && key !== '') return { application: plain.replace(/\/+$/, '') + query, stream: key };
  const slash = plain.lastIndexOf('/');
  const application = plain.slice(0, Math.max(slash, 0)).replace(/\/+$/, '');
  const stream = plain.slice(slash + 1);
  if (application === '' || stream === '') {
    throw fault('there is no stream key, neither set separately nor as the last part of the URL');
  }
  return { application, stream: stream + query };
}

function splitUser(text: string): { username?: string; password?: string } {
  const colon = text.indexOf(':');
  const username = decode(colon < 0 ? text : text.slice(0, colon));
  const password = colon < 0 ? '' : decode(text.slice(colon + 1));
  return { ...(username === '' ? {} : { username }), ...(password === '' ? {} : { password }) };
}

function decode(text: string): string {
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    throw fault('the user or password in the URL contains a % without a valid code after it (write % as %25)');
  }
  if (decoded.includes('\0')) throw fault('the user or password in the URL contains a NUL (%00)');
  return decoded;
}

function fault(what: string): Fault {
  return new Fault('setting_url', what, REMEDY);
}
