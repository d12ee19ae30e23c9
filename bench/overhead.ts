/** What makercast costs over gst-launch-1.0 and ffmpeg that do the same: `npm run bench [-- --seconds 60 --rounds 3]`. */
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../test/helpers/command.js';
import { startNginx } from '../test/helpers/rtmp/nginx.js';
import { contenders, gstText, type Contender } from './contenders.js';
import { rows, table, writeResults } from './report.js';
import { measure, type RoundResult } from './round.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, rounds: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);
const rounds = Number(values.rounds);
if (!(seconds >= 1) || !(rounds >= 1) || !Number.isInteger(rounds)) {
  process.stderr.write(
    'usage: npm run bench [-- --seconds N --rounds N]   (steady seconds of each contender in all, and in how many parts)\n',
  );
  process.exit(2);
}

const { folder, remove } = await temporaryFolder();
const nginx = await startNginx({ callbacks: false });
const results: Record<Contender, RoundResult[]> = { makercast: [], 'gst-launch': [], ffmpeg: [] };
try {
  const gst = await gstText(folder);
  process.stdout.write(`gst-launch-1.0 ${gst.trim()} location=...\n\n`);
  for (let round = 0; round < rounds; round += 1) {
    // Each round begins with another one, so that a machine that slows down or warms up favours nobody.
    for (let turn = 0; turn < contenders.length; turn += 1) {
      const contender = contenders[(round + turn) % contenders.length]!;
      process.stdout.write(`round ${round + 1} of ${rounds}: ${contender}, ${Math.round(seconds / rounds)} s\n`);
      results[contender].push(await measure(contender, nginx, gst, seconds / rounds, folder));
    }
  }
} finally {
  await nginx.stop();
  await remove();
}

const all = rows(results);
process.stdout.write(`\n${table(all)}\n`);
await writeResults('overhead', { seconds, rounds, rows: all });
