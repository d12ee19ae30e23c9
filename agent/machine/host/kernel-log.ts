/** The kernel's log, by `dmesg`, where it may be read at all. */
import { Fault } from '../../errors.js';
import { run as runProgram, type Runner } from './run.js';

const deadlineMs = 5000;

/**
 * Lines, oldest first, as far back as the kernel keeps them (some hundred kB). Throws `command_failed` where they may not be read: kernels with
 * `dmesg_restrict` show them to root only.
 */
export async function kernelLog(run: Runner = runProgram): Promise<string[]> {
  const said = await run('dmesg', [], { deadlineMs });
  if (said.missing) throw unread('the program dmesg is missing');
  if (said.late) throw unread(`dmesg did not finish within ${deadlineMs / 1000} s`);
  if (said.code !== 0) throw unread(said.stderr.trim().split('\n')[0] || 'dmesg gave no reason');
  return said.stdout.split('\n').filter((line) => line !== '');
}

const unread = (why: string): Fault =>
  new Fault('command_failed', `The kernel's log cannot be read: ${why}.`, 'Run the command as root (sudo).');
