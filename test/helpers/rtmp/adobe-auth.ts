/** The server's half of RTMP's `authmod=adobe` (two refusals, then a salted MD5 response), as librtmp, GStreamer and ffmpeg speak it. */
import { createHash } from 'node:crypto';

export interface Account {
  readonly user: string;
  readonly password: string;
}

const md5 = (text: string): string => createHash('md5').update(text).digest('base64');
const salt = 'c2FsdA==';
const challenge = 'Y2hhbGxlbmdl';
const opaque = 'b3BhcXVl';

/** Value of a parameter as it stands; base64 may hold `+` and `=`, so nothing is decoded but percent signs. */
function parameter(query: string, name: string): string | undefined {
  const pair = query.split('&').find((text) => text.startsWith(`${name}=`));
  return pair === undefined ? undefined : decodeURIComponent(pair.slice(name.length + 1));
}

/**
 * Undefined when `app` (application with its query, as `connect` carries it) proves the account;
 * else the description of the refusal, which tells the client what to send on its next connection.
 */
export function refusal(app: string, account: Account): string | undefined {
  const query = app.includes('?') ? app.slice(app.indexOf('?') + 1) : '';
  const user = parameter(query, 'user');
  if (user === undefined) return '[ AccessManager.Reject ] : [ code=403 need auth; authmod=adobe ] : ';
  const response = parameter(query, 'response');
  if (response === undefined) {
    return `[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=needauth&user=${user}&salt=${salt}&challenge=${challenge}&opaque=${opaque}`;
  }
  const salted = md5(account.user + salt + account.password);
  const expected = md5(salted + opaque + (parameter(query, 'challenge') ?? ''));
  if (user === account.user && response === expected) return undefined;
  return `[ AccessManager.Reject ] : [ authmod=adobe ] : ?reason=authfailed&opaque=${opaque}`;
}
