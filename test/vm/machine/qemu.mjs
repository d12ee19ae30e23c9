/** Boots the guest under QEMU and listens to it: its console as it comes, and on a second serial port what it has to say to us. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const program = 'qemu-system-x86_64';
/** The guest's memory. */
export const memoryMb = 2048;

const kvm = ['-accel', 'kvm', '-cpu', 'host'];
/** Wider vectors than a Nehalem's cost more to imitate than they save; room for translated code saves a quarter of all work. */
const tcg = ['-accel', 'tcg,thread=multi,tb-size=512', '-cpu', 'Nehalem'];

/**
 * Kernel parameters: end at a panic, and leave out what guards a machine that matters. The TSC is declared reliable because asking
 * any other clock means leaving the guest, and GStreamer and Node.js ask all the time.
 */
const parameters =
  'console=ttyS0 panic=-1 quiet tsc=reliable mitigations=off init_on_alloc=0 hardened_usercopy=off ' +
  'randomize_kstack_offset=off apparmor=0 audit=0 nowatchdog';

/** Where hardware helps, a kernel is up within a second or two. */
const tryMs = 15_000;

/**
 * What to pass to QEMU: KVM where a guest really boots under it. That /dev/kvm can be opened says little: inside some virtual
 * machines it only takes kernels made for it, and others then hang.
 * @param {string} kernel
 */
export async function accelerator(kernel) {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
  } catch {
    return { name: 'software emulation (no /dev/kvm)', args: tcg };
  }
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(readFileSync('/proc/cpuinfo', 'utf8')))
    return { name: 'software emulation (the processor shows no virtualisation to this system)', args: tcg };
  let up = false;
  await boot(kernel, [], {
    accelerator: kvm,
    mode: 'try',
    deadlines: { up: tryMs, silence: tryMs, whole: tryMs },
    onMessage: (message) => (up ||= message === 'up'),
  });
  return up ? { name: 'KVM', args: kvm } : { name: 'software emulation (no guest boots under KVM here)', args: tcg };
}

/**
 * Lines of a stream, without what terminals want.
 * @param {import('node:stream').Readable} stream
 * @param {(line: string) => void} onLine
 */
function lines(stream, onLine) {
  let rest = '';
  stream.setEncoding('utf8').on('data', (chunk) => {
    const all = (rest + chunk).split('\n');
    rest = all.pop() ?? '';
    for (const line of all) onLine(line.replaceAll('\r', ''));
  });
}

/**
 * Boots `kernel` (a folder with vmlinuz and initrd) with `disks` (images, read-only, in the order that the initrd expects).
 * Resolves once QEMU is gone, to '' or to why it was ended.
 *
 * @param {string} kernel
 * @param {string[]} disks
 * @param {{
 *   accelerator: string[], mode: 'run' | 'try' | 'shell',
 *   deadlines: {up: number, silence: number, whole: number},
 *   onLine?: (line: string) => void, onMessage: (line: string) => void,
 * }} options `up`: ms until the guest's system says that it is up, `silence`: ms without a line from it, `whole`: ms in all.
 *   In mode `shell` the console is this terminal's, and only `up` counts.
 */
export async function boot(kernel, disks, { accelerator, mode, deadlines, onLine = () => {}, onMessage }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-vm-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  // Also where a signal ends this process.
  process.once('exit', remove);
  const socket = path.join(folder, 'messages');
  const server = createServer((connection) => {
    connection.on('error', () => {});
    lines(connection, (line) => {
      if (line === 'up') clearTimeout(upTimer);
      onMessage(line);
    });
  }).listen(socket);
  await once(server, 'listening');

  const args = [
    ...accelerator,
    ...['-smp', '2', '-m', String(memoryMb), '-nodefaults', '-display', 'none', '-vga', 'none', '-no-reboot'],
    ...['-kernel', path.join(kernel, 'vmlinuz'), '-initrd', path.join(kernel, 'initrd')],
    ...['-append', `${parameters} makercast.bench=${mode}`],
    ...['-chardev', `stdio,id=console,signal=off`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=messages,path=${socket}`, '-serial', 'chardev:messages'],
    ...disks.flatMap((file) => ['-drive', `file=${file.replaceAll(',', ',,')},format=raw,if=virtio,readonly=on`]),
  ];
  const shell = mode === 'shell';
  /** @type {import('node:child_process').StdioOptions} */
  const stdio = shell ? 'inherit' : ['ignore', 'pipe', 'pipe'];
  // It dies with this process, however that ends.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...args], { stdio });
  let why = '';
  /** @param {string} reason */
  const end = (reason) => {
    why ||= reason;
    child.kill('SIGKILL');
  };
  /** @param {number} ms */
  const seconds = (ms) => `${Math.round(ms / 1000)} s`;
  const upTimer = setTimeout(() => end(`the guest was not up within ${seconds(deadlines.up)}`), deadlines.up);
  const wholeTimer = setTimeout(
    () => end(`the guest was not done within ${seconds(deadlines.whole)}`),
    shell ? 2 ** 31 - 1 : deadlines.whole,
  );
  const silent = () =>
    setTimeout(
      () => end(`the guest was silent for ${seconds(deadlines.silence)}`),
      shell ? 2 ** 31 - 1 : deadlines.silence,
    );
  let silenceTimer = silent();
  for (const stream of [child.stdout, child.stderr])
    if (stream)
      lines(stream, (line) => {
        clearTimeout(silenceTimer);
        silenceTimer = silent();
        onLine(line);
      });
  try {
    const [code, signal] = await once(child, 'close');
    if (code !== 0) why ||= `${program} ended with ${code ?? signal}`;
    return why;
  } finally {
    for (const timer of [upTimer, wholeTimer, silenceTimer]) clearTimeout(timer);
    server.close();
    remove();
    process.off('exit', remove);
  }
}
