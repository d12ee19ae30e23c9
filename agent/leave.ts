/** Ends the program, whatever hangs. */

/**
 * What still waits for a disk or a name server has this many polls to finish. Polls, not time: a machine that is too busy to answer is
 * too busy to poll as well.
 */
const polls = 10;
const pollMs = 100;

/**
 * Ends the program. Node waits, for ever, for the threads of its pool: for those that a disk holds that hangs, or the resolver, since
 * a name server does not answer. There is no way out but SIGKILL then.
 */
export function leave(code: number): void {
  if (!isWaiting()) process.exit(code);
  let left = polls;
  setInterval(() => {
    if (!isWaiting()) process.exit(code);
    left -= 1;
    if (left > 0) return;
    process.emit('exit', code);
    process.kill(process.pid, 'SIGKILL');
  }, pollMs);
}

const isWaiting = (): boolean => process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfo)/.test(name));
