/** What a proof was made with besides the files: Debian, kernel, Node.js, QEMU. Each is '' where this machine does not know it. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/**
 * @param {string} command
 * @param {string[]} args
 */
function firstLine(command, ...args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return '';
  }
}

function hostDebian() {
  try {
    return readFileSync('/etc/debian_version', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The kernel that boots in the virtual bench: the newest of its series in apt's lists, which a fresh machine has none of. */
async function guestKernel() {
  try {
    const { Cache } = await import('../../test/vm/machine/cache.mjs');
    const { offeredKernel } = await import('../../test/vm/machine/kernel.mjs');
    return offeredKernel(new Cache())?.version ?? '';
  } catch {
    return '';
  }
}

/** @param {string} program */
const qemu = (program) => () => /version (\S+)/.exec(firstLine(program, '--version'))?.[1] ?? '';

/** Of the machine that runs a part. */
export const host = { debian: hostDebian, kernel: release, node: () => process.versions.node };
/** Of the virtual bench: Node.js is the host's, carried in. */
export const guest = { kernel: guestKernel, node: host.node, qemu: qemu('qemu-system-x86_64') };
/** Of the images' rehearsal: their system and their Node.js are their own. */
export const emulated = { qemu: qemu('qemu-aarch64-static') };
/**
 * Of a chroot with a Debian and a Node.js of its own, by their numbers.
 * @param {string} debian
 * @param {string} node
 */
export const chroot = (debian, node) => ({ debian: () => debian, kernel: host.kernel, node: () => node });
