/** Small readers for /sys, /proc and /dev, for which a missing entry is an answer, not an error. */
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import type { UsbInterface } from '../../formats/uvc/descriptors.js';

/** Text of a small file without its line end (and the NUL that device-tree strings end with); undefined where it cannot be read. */
export async function textOf(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).replace(/[\0\n]+$/, '');
  } catch {
    return undefined;
  }
}

/** Bytes of a small file, such as a number of the device tree (32 bits, big-endian); undefined where it holds fewer than four. */
export async function bytesOf(file: string): Promise<Buffer | undefined> {
  try {
    const bytes = await readFile(file);
    return bytes.length >= 4 ? bytes : undefined;
  } catch {
    return undefined;
  }
}

/** Names in a folder, in no order; empty where it cannot be read. */
export async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch {
    return [];
  }
}

/** Where a symbolic link points; undefined where there is none. */
export async function linkOf(file: string): Promise<string | undefined> {
  try {
    return await readlink(file);
  } catch {
    return undefined;
  }
}

/**
 * USB path of a device, such as `1-1.2`, from its link in /sys/class: the link passes through the folder of the USB
 * interface that it belongs to, named `<bus>-<port>[.<port>...]:<configuration>.<interface>`.
 */
export async function usbPathOf(classEntry: string): Promise<string | undefined> {
  const found = (await linkOf(classEntry))?.match(/(?:^|\/)(\d+-\d+(?:\.\d+)*):\d+\.\d+(?=\/)/);
  return found?.[1];
}

/** The USB interface behind an entry in /sys/class, and the folder of its device; undefined where it is no USB device. */
export async function usbInterfaceOf(classEntry: string): Promise<(UsbInterface & { device: string }) | undefined> {
  const found = /^(.*\/\d+-[\d.]+)\/\d+-[\d.]+:(\d+)\.(\d+)\//.exec((await linkOf(classEntry)) ?? '');
  if (!found) return undefined;
  const [, device, configuration, number] = found;
  return {
    device: path.resolve(path.dirname(classEntry), device!),
    configuration: Number(configuration),
    number: Number(number),
  };
}
