/**
 * `npm run test:service`: the lines of docs/debian.md, in a bare Debian that its own systemd starts, until media arrives at a server
 * outside; then what a service must survive, and what is left once it is removed.
 *
 * `--debian 12` takes that release instead of the newest, with the Node.js that runs this (or `--node 22`: the newest 22) in place of
 * Debian's own; `--keep` leaves the folder in place.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { installPackages } from '../apt.mjs';
import { newest, suiteOf } from '../debian.mjs';
import { missingPackages, root } from '../ready.mjs';
import { remove } from '../chroot.mjs';
import { Stop } from '../run.mjs';
import { startServer } from '../harness.mjs';
import { hasOwnNode, prepare, wayOut } from './card.mjs';
import { prove } from './checks.mjs';
import { boot } from './machine.mjs';
import { openResults } from './results.mjs';

/** Nodes without a driver, as cameras, sound cards and what is none of the service's business have them. */
const devices = ['video0:81:0:video', 'snd/pcmC0D0c:116:24:audio', 'mem:1:1:kmem'];

const { values: options } = parseArgs({
  options: {
    debian: { type: 'string', default: newest },
    node: { type: 'string' },
    keep: { type: 'boolean' },
  },
});
const { counts, say, check } = openResults('service');

async function main() {
  if (process.getuid?.() !== 0)
    throw new Stop('A machine in a folder can be made and started by root only. Run: sudo npm run test:service');
  suiteOf(options.debian);
  const lack = missingPackages(['fresh']);
  if (lack.length > 0) await installPackages(lack);
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-service-'));
  const inside = path.join(folder, 'root');
  mkdirSync(inside, { mode: 0o755 });
  /** @type {Awaited<ReturnType<typeof boot>> | undefined} */
  let machine;
  /** @type {Awaited<ReturnType<typeof startServer>> | undefined} */
  let server;
  const cleanUp = async () => {
    server?.stop();
    await machine?.close();
    if (options.keep) say(`kept: ${inside}`);
    else remove(folder);
  };
  for (const name of ['SIGINT', 'SIGTERM']) process.once(name, () => void cleanUp().finally(() => process.exit(1)));
  try {
    say(`making a Debian ${options.debian}`);
    if (execFileSync('git', ['-C', root, 'status', '--porcelain'], { encoding: 'utf8' }))
      say('NOTE: only what is committed is tested, and there are changes that are not');
    await prepare(inside, options, say);
    server = await startServer(folder);
    const env = Object.fromEntries(wayOut.map((name) => [name, process.env[name]]));
    machine = await boot(inside, { devices, env });
    say(`started: ${(await machine.run(['systemctl', 'is-system-running'])).output.trim()}`);
    await prove({ machine, url: server.url, folder, withNode: hasOwnNode(options), check });
  } finally {
    await cleanUp();
  }
}

main()
  .catch((error) => {
    counts.failed += 1;
    say(`FAILED: ${error instanceof Stop ? error.message : error.stack}`);
  })
  .then(() => {
    console.log(`${counts.passed} passed, ${counts.failed} failed, 0 skipped`);
    process.exitCode = counts.failed > 0 || counts.passed === 0 ? 1 : 0;
  });
