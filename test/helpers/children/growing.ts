/** A child process that answers and holds ever more: 20 MB with each beat, or 50 files where `GROWS` is `files`. */
import { openSync } from 'node:fs';

const kept: unknown[] = [];
setInterval(() => {
  if (process.env['GROWS'] === 'files') kept.push(Array.from({ length: 50 }, () => openSync('/dev/null', 'r')));
  else kept.push(Buffer.alloc(20_000_000, kept.length + 1));
  process.send?.({ type: 'beat', held: kept.length });
}, 100);
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if ((message as { type: string }).type === 'halt') process.exit(0);
});
