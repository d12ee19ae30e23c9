/**
 * What this machine has answered, for as long as the answer cannot change: each program that asks costs a Zero W a second or
 * more, and a camera that comes back waits for them. In memory only: every start asks again.
 */
import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { MediaFiles } from './files/files.js';
import { Stills } from './files/still.js';
import { bytesOf, linkOf, textOf } from './host/sysfs.js';

/** More devices than anyone plugs in and out of one machine; what was asked longest ago goes first. */
const maxKept = 64;

export class ProbeCache {
  /** A film is read to its end once. A disk that hangs is read once at a time, however many ask. */
  readonly files = new MediaFiles();
  readonly stills = new Stills();
  /** Answers, by what they are about. */
  readonly #kept = new Map<string, unknown>();
  /** Which device was behind each node when it was asked about last. */
  readonly #devices = new Map<string, string>();
  readonly #doubted = new Set<string>();

  /** The device that was behind `node` (`/dev/video0`) could not be used: it is asked itself from now on, until it has answered. */
  doubt(node: string): void {
    const device = this.#devices.get(path.basename(node));
    if (device !== undefined) this.#doubted.add(device);
  }

  /** What is kept under `key`, else what `ask` finds; that is kept where `lasting` says so. Without a key nothing is kept. */
  async of<T>(key: string | undefined, ask: () => Promise<T>, lasting: (answer: T) => boolean): Promise<T> {
    if (key !== undefined && this.#kept.has(key)) return this.#kept.get(key) as T;
    const answer = await ask();
    if (key !== undefined && lasting(answer)) this.#keep(key, answer);
    return answer;
  }

  /**
   * As {@link of}, about a video node such as `video0`. What a USB device is, it says itself, to the last of its formats, and so
   * it is known again wherever it is plugged in; any other node is known for as long as it is there.
   */
  async ofNode<T>(root: string, node: string, ask: () => Promise<T>, lasting: (answer: T) => boolean): Promise<T> {
    const device = await deviceOf(root, node);
    if (device === undefined) return ask();
    const before = this.#devices.get(node);
    if (before !== undefined && before !== device) this.#doubted.delete(before);
    this.#devices.set(node, device);
    const key = (await usbIdentity(root, node)) ?? device;
    if (this.#doubted.has(device)) this.#kept.delete(key);
    return this.of(key, ask, (answer) => {
      const lasts = lasting(answer);
      if (lasts) this.#doubted.delete(device);
      return lasts;
    });
  }

  #keep(key: string, answer: unknown): void {
    this.#kept.set(key, answer);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept) this.#kept.delete(oldest!);
  }
}

const entryOf = (root: string, node: string): string => path.join(root, 'sys/class/video4linux', node);

/** One that was pulled and put back is another: its entry has another inode. Undefined where it has just gone. */
async function deviceOf(root: string, node: string): Promise<string | undefined> {
  try {
    return `${node} ${(await lstat(entryOf(root, node))).ino}`;
  } catch {
    return undefined;
  }
}

/**
 * Everything by which a USB device's answers could differ: its descriptors, which hold its version and every format, size, rate and
 * control, its names, how fast the bus is, which of its nodes this is, and which driver has it. Undefined where it is no USB device.
 */
async function usbIdentity(root: string, node: string): Promise<string | undefined> {
  const entry = entryOf(root, node);
  const [, link, device, face] = /^((.*\/\d+-[\d.]+)\/\d+-[\d.]+:(\d+\.\d+))\//.exec((await linkOf(entry)) ?? '') ?? [];
  if (link === undefined || device === undefined) return undefined;
  const place = (target: string, name: string): string => path.resolve(path.dirname(entry), target, name);
  const descriptors = await bytesOf(place(device, 'descriptors'));
  if (!descriptors) return undefined;
  const driver = path.basename((await linkOf(place(link, 'driver'))) ?? '');
  const names = await Promise.all(
    ['manufacturer', 'product', 'serial', 'speed'].map((name) => textOf(place(device, name))),
  );
  const which = await Promise.all(['index', 'name'].map((name) => textOf(path.join(entry, name))));
  return JSON.stringify([driver, face, ...which, ...names, descriptors.toString('latin1')]);
}
