/** The facts that a wanted broadcast needs of this machine, and no more of them: each probe costs time at the start. */
import type { Facts } from '../pipelines/facts.js';
import type { Wanted } from '../pipelines/wanted.js';
import type { Fault } from './errors.js';
import { encoderNames } from './machine/encoders.js';
import { gather } from './machine/facts.js';
import type { Storage } from './machine/storage.js';

/** `warn` hears what could not be found out. Throws the fault of a media file that cannot be used. */
export async function factsFor({ video }: Wanted, storage: Storage, warn: (fault: Fault) => void): Promise<Facts> {
  const encoder = encoderNames.find((name) => name === video.encoder);
  const encoders = encoder ? [encoder] : video.encoder === 'passthrough' ? [] : encoderNames;
  const { facts, faults } = await gather({ files: video.source === 'file' ? video.files : [], encoders }, storage);
  const file = faults.find(({ code }) => code.startsWith('file_'));
  if (file) throw file;
  faults.forEach(warn);
  return facts;
}
