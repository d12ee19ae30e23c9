/** A keyframe as a JPEG: decoded on demand by a separate program, so that nothing on the air waits for it or fails with it. */
import { randomUUID } from 'node:crypto';
import { open, rm, writeFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { snapshot } from '../../../pipelines/snapshot.js';
import { Fault } from '../../errors.js';
import { run } from '../host/run.js';

/** A Zero W takes seconds to load the decoder. */
const deadlineMs = 20_000;

/** `flv`: a file with sequence header and keyframe. `folder`: for a temporary file, which is removed again. */
export async function jpegOf(flv: Buffer, folder: string): Promise<Buffer> {
  const name = path.join(folder, `snapshot-${randomUUID()}.flv`);
  let file: FileHandle | undefined;
  try {
    await writeFile(name, flv, { mode: 0o600 });
    file = await open(name, 'r');
    const chunks: Buffer[] = [];
    const onFd4 = (chunk: Buffer): boolean => chunks.push(chunk) < 0;
    const said = await run('gst-launch-1.0', ['-q', ...snapshot().split(' ')], { deadlineMs, fd3: file.fd, onFd4 });
    const jpeg = Buffer.concat(chunks);
    if (said.missing)
      throw new Fault(
        'plugin_missing',
        'Pictures cannot be decoded: gst-launch-1.0 is missing.',
        'apt-get install gstreamer1.0-tools',
      );
    if (jpeg.readUInt16BE(0) !== 0xffd8) throw new Error('no JPEG');
    return jpeg;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw new Fault(
      'command_failed',
      'The last keyframe could not be decoded.',
      'Try again; makercast probe says whether plugins are missing.',
    );
  } finally {
    await file?.close();
    await rm(name, { force: true });
  }
}
