/** Runs the guest's tests, one file after the other, and tells the host the counts on the second serial port. */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runFiles } from '../../../setup/runner.mjs';

const root = path.resolve(import.meta.dirname, '../../..');
/**
 * What setup/vm.mjs packed: compiled test files, and the environment of the tests.
 * @type {{files: string[], environment: Record<string, string>}}
 */
const { files, environment } = JSON.parse(readFileSync(path.join(root, 'bench.json'), 'utf8'));
Object.assign(process.env, environment);
/** Under software emulation everything takes its time. */
const fileMs = 12 * 60_000;
const compiled = files.map((file) => path.join(root, 'dist', file));
writeFileSync('/dev/ttyS1', `verdict ${JSON.stringify(await runFiles(compiled, { slots: 1, fileMs }))}\n`);
