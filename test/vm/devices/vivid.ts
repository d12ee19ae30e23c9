/** The kernel's own virtual camera (driver vivid): a webcam with moving bars. */
import { readdir, readFile } from 'node:fs/promises';
import { load, unload } from '../guest.js';

const folder = '/sys/class/video4linux';

export class Vivid implements AsyncDisposable {
  private constructor(
    /** Its only node, such as `/dev/video0`. */
    readonly node: string,
  ) {}

  /** One capture node, one input of the kind webcam: sizes from 320x180, each with rates of its own. */
  static async start(): Promise<Vivid> {
    await load('vivid', 'n_devs=1', 'node_types=0x1', 'num_inputs=1', 'input_types=0');
    for (const name of await readdir(folder)) {
      if ((await readFile(`${folder}/${name}/name`, 'utf8')).startsWith('vivid-')) return new Vivid(`/dev/${name}`);
    }
    throw new Error('vivid has no video node');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unload('vivid');
  }
}
