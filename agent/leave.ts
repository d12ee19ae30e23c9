/** Ends the program, whatever hangs. */

/**
 * What is still asked of a disk or a name server is answered within so many looks, or is not. Looks, not time: where the machine itself
 * has no time for an answer, it has none for a look either.
 */
const looks = 10;
const pollMs = 100;

/**
 * Ends the program. Node waits, for ever, for the threads of its pool: for those that a disk holds that hangs, or the resolver, since
 * a name server does not answer. There is no way out but SIGKILL then.
 */
export function leave(code: number): void {
  if (!isWaiting()) process.exit(code);
  let left = looks;
  setInterval(() => {
    if (!isWaiting()) process.exit(code);
    left -= 1;
    if (left > 0) return;
    process.emit('exit', code);
    process.kill(process.pid, 'SIGKILL');
  }, pollMs);
}

const isWaiting = (): boolean => process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfo)/.test(name));
