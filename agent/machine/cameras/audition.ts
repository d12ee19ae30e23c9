/** Whether a camera that had stopped delivers pictures again. */
import type { Mode } from '../../../pipelines/machine.js';
import { run as runProgram, type Runner } from '../host/run.js';

/** A webcam's first picture may take this long. */
const deadlineMs = 3000;

/**
 * Asks the camera itself for one picture, with a separate program (`v4l2-ctl`): a driver may hang in it, and what is on the air goes
 * on meanwhile, with the microphone that may be part of the camera. `node`: such as `/dev/video0`.
 */
export async function givesPicture(
  node: string,
  { fourcc, width, height }: Mode,
  run: Runner = runProgram,
): Promise<boolean> {
  const format = `--set-fmt-video=width=${width},height=${height},pixelformat=${fourcc}`;
  const args = ['-d', node, format, '--stream-mmap=3', '--stream-count=1'];
  const { code, stdout, stderr } = await run('v4l2-ctl', args, { deadlineMs });
  // It draws a `<` for each picture, and ends well without any where it has waited for too long.
  return code === 0 && `${stdout}${stderr}`.includes('<');
}
