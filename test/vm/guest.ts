/** The virtual machine in which the tests of this folder run, and what they ask of its kernel. */
import { readFileSync } from 'node:fs';
import type { Environment } from '../helpers/agent/agent.js';
import { run } from '../helpers/command.js';

/** Throws outside of the bench's guest: these tests load drivers and take devices away, which is nothing for a machine in use. */
export function mustBeGuest(): void {
  if (!/(^| )makercast\.bench=(run|shell)( |$)/m.test(readFileSync('/proc/cmdline', 'utf8')))
    throw new Error('This test needs the virtual bench: npm run test:vm');
}

/** Loads a kernel module (that of test/vm/kernel/ where there is one) and waits until udev has made its nodes. */
export async function load(module: string, ...parameters: readonly string[]): Promise<void> {
  await run('modprobe', [module, ...parameters]);
  await run('udevadm', ['settle']);
}

/** Takes a kernel module out again; fails where something still uses it. */
export async function unload(module: string): Promise<void> {
  await run('modprobe', ['--remove', module]);
}

/** A broadcast that an emulated processor makes in time. Video bitrate and keyframes are then what they would be anywhere. */
export const small: Environment = {
  VIDEO_WIDTH: '320',
  VIDEO_HEIGHT: '180',
  VIDEO_FPS: '10',
  VIDEO_BITRATE_KBPS: '300',
  VIDEO_KEYFRAME_SECONDS: '1',
  VIDEO_ENCODER: 'x264enc',
  // A processor that is late is no network that carries too little.
  VIDEO_ADAPTIVE: 'false',
};
