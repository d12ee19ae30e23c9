/** The end of the program, whatever hangs. */

/** What is still asked of a disk or a name server is answered by then, or is not. */
const lastAnswersMs = 300;

/**
 * Ends the program. Node waits, for ever, for the threads of its pool: for those that a disk holds that hangs, or the resolver, since
 * a name server does not answer. There is no way out but SIGKILL then.
 */
export function leave(code: number): void {
  if (!isWaiting()) process.exit(code);
  setTimeout(() => {
    if (!isWaiting()) process.exit(code);
    process.emit('exit', code);
    process.kill(process.pid, 'SIGKILL');
  }, lastAnswersMs);
}

const isWaiting = (): boolean => process.getActiveResourcesInfo().some((name) => /^(FSReq|GetAddrInfo)/.test(name));
