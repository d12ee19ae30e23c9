/** Where the repository is, whatever folder the tests were compiled into. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

function find(from: string): string {
  return existsSync(path.join(from, 'package.json')) ? from : find(path.dirname(from));
}

/** Absolute path of the folder that holds package.json. */
export const root = find(path.dirname(fileURLToPath(import.meta.url)));
