/** Reads files whose names come from outside: a pipe could block for ever, and a device never ends. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/**
 * The bytes of a regular file of at most `mostBytes`. Throws as `open` does, and errors with the code `EISDIR` for a folder, `ENOTREG` for
 * what is no regular file, and `EFBIG` for one that is longer, whatever it grows to while it is read.
 */
export async function readRegular(path: string, mostBytes: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stat = await file.stat();
    if (stat.isDirectory()) throw unfit('EISDIR');
    if (!stat.isFile()) throw unfit('ENOTREG');
    if (stat.size > mostBytes) throw unfit('EFBIG');
    // Files of /proc and /sys say that they are empty.
    const bytes = Buffer.alloc(Math.max(stat.size, 4096) + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(bytes, length, bytes.length - length);
      length += bytesRead;
      if (length > mostBytes || (bytesRead > 0 && length === bytes.length)) throw unfit('EFBIG');
      if (bytesRead === 0) return bytes.subarray(0, length);
    }
  } finally {
    await file.close();
  }
}

const unfit = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });
