/** What is secret in settings, and settings without it. */
import type { OutputSettings, Settings } from './settings.js';

/** What stands in the place of a secret. */
export const MASK = '***';

/** Parts of a secret (a value in a query) count as secrets of their own from this length; shorter ones are words. */
const PART_SHORTEST = 8;
/** With a key apart, the last path segment still counts from this length: `_definst_` is none, a pasted key is. */
const SEGMENT_SHORTEST = 12;
/** Every secret of one output: its key, and what its URL holds. */
export function destinationSecrets(url: string, key: string): string[] {
  return [...streamSecrets(key), ...urlSecrets(url, key !== '')];
}

/** What is secret in a URL: user info, query, and the last path segment, unless the key stands apart. */
export function urlSecrets(url: string, keyApart: boolean): string[] {
  const secrets: string[] = [];
  const [, rest] = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(.*)$/s.exec(url) ?? [];
  // Not a URL at all: most likely a key in the wrong place.
  if (rest === undefined) return streamSecrets(url);
  const slash = rest.search(/\/|$/);
  const inPlace = rest.slice(0, slash).lastIndexOf('@');
  // An `@` further on may end a password that holds an unencoded slash: then all up to it is hidden too.
  const at = inPlace < 0 ? rest.lastIndexOf('@') : inPlace;
  if (at >= 0) {
    const user = rest.slice(0, at);
    const colon = user.indexOf(':');
    secrets.push(user, colon < 0 ? user : user.slice(colon + 1));
  }
  const path = rest.slice(slash + 1);
  const question = path.search(/\?|$/);
  const segments = path.slice(0, question).split('/').filter(Boolean);
  const segment = segments.length > 1 ? (segments.at(-1) ?? '') : '';
  const last = !keyApart || segment.length >= SEGMENT_SHORTEST ? segment : '';
  return [...secrets, ...streamSecrets(`${last}${path.slice(question)}`)].filter((secret) => secret !== '');
}

/** A stream name (a key) with its parts: what stands before the query, the query, and long values in it. */
export function streamSecrets(stream: string): string[] {
  const question = stream.search(/\?|$/);
  const query = stream.slice(question + 1);
  const values = query.split('&').map((pair) => pair.slice(pair.indexOf('=') + 1));
  const parts = [stream, stream.slice(0, question), query, ...values.filter((value) => value.length >= PART_SHORTEST)];
  return parts.filter((part) => part !== '');
}

/**
 * A URL that is safe to print: `scheme://host[:port]/application/***`. User info, the last path segment (the only one
 * is an application, and stays) and the query are gone. Where it is unclear what is what, all after the scheme is.
 */
export function redactUrl(url: string): string {
  const [, scheme, authority = '', path = '', query = ''] =
    /^([A-Za-z][A-Za-z0-9+.-]{0,15}:\/\/)([^/]*)([^?]*)(.*)$/s.exec(url) ?? [];
  if (scheme === undefined) return '(hidden)';
  if (authority === '' && path === '') return url;
  const host = authority.slice(authority.lastIndexOf('@') + 1);
  const clear = /^([\p{L}\p{N}._-]+|\[[0-9A-Fa-f:.]+(%[\w.-]+)?\])(:\d{1,5})?$/u.test(host);
  if (!clear || /[@\s\p{Cc}]/u.test(path)) return scheme + MASK;
  const segments = path.replace(/\/+$/, '').split('/').slice(1);
  if (segments.length < 2) return scheme + host + path + (query === '' ? '' : `?${MASK}`);
  return `${scheme}${host}/${segments.slice(0, -1).join('/')}/${MASK}`;
}

/** A copy of the settings without their secrets, for status, log and pages. */
export function redactSettings(settings: Settings): Settings {
  const hide = ([name, output]: [string, OutputSettings]): [string, OutputSettings] => [
    name,
    { ...output, url: redactUrl(output.url), key: output.key === '' ? '' : MASK },
  ];
  const password = settings.mqtt.password === '' ? '' : MASK;
  return {
    ...settings,
    outputs: Object.fromEntries(Object.entries(settings.outputs).map(hide)),
    mqtt: { ...settings.mqtt, password },
  };
}
