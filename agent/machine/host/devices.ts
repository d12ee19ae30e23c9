/** Notices cameras and microphones that come and go. */
import { lstatSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** Two folders are listed at this interval: some tens of microseconds, and no inotify, which /sys does not have. */
const intervalMs = 1000;

/**
 * Calls `onChange` each time that the set of video or sound devices differs from the last time, until `signal` aborts.
 * A device that was pulled and put back between two looks is noticed too: its entry has another inode.
 */
export function watchDevices(onChange: () => void, signal: AbortSignal, root = '/'): void {
  const folders = ['sys/class/video4linux', 'sys/class/sound'].map((folder) => path.join(root, folder));
  let last = devices(folders);
  const timer = setInterval(() => {
    const now = devices(folders);
    if (now === last) return;
    last = now;
    onChange();
  }, intervalMs);
  timer.unref();
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  if (signal.aborted) clearInterval(timer);
}

function devices(folders: readonly string[]): string {
  return folders
    .flatMap((folder) => {
      try {
        return readdirSync(folder)
          .sort()
          .map((name) => `${name}:${lstatSync(path.join(folder, name)).ino}`);
      } catch {
        // No such class of device, or an entry that went away between the two calls: the next look sees it whole.
        return [];
      }
    })
    .join(' ');
}
