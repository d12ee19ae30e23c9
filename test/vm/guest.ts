/** The virtual machine in which the tests of this folder run, and what they ask of its kernel. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Agent, Environment, StatusDocument } from '../helpers/agent.js';
import { run } from '../helpers/command.js';
import type { Nginx } from '../helpers/nginx.js';

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
};

/** Waits until so many pictures have gone out. */
export async function framesAbove(agent: Agent, count: number): Promise<StatusDocument> {
  return agent.status(
    (status) => ((status['hub'] as { frames: number } | undefined)?.frames ?? 0) > count,
    (20 + count / 5) * 1000,
  );
}

/** The recording of stream `name` at nginx, once its publisher has gone. */
export async function recorded(nginx: Nginx, name: string): Promise<string> {
  await nginx.waitForCall('record_done', { name });
  const file = (await nginx.recordings()).findLast((each) => path.basename(each).startsWith(name));
  if (file === undefined) throw new Error(`no recording of ${name}`);
  return file;
}
