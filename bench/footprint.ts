/** What a slow SD card pays for a start: files opened, their size, and what is read with an empty cache: `npm run bench -- footprint`. */
import { spawn } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ended, mortal, temporaryFolder } from '../test/helpers/command.js';
import { wallClock } from '../test/helpers/content/flv.js';
import { startNginx, type Nginx } from '../test/helpers/rtmp/nginx.js';
import { processTree } from '../test/helpers/agent/processes.js';
import { subscribe } from '../test/helpers/rtmp/client.js';
import { commandOf, gstText, type Contender } from './contenders.js';
import { table, writeResults, type Row } from './report.js';

const compared = ['makercast', 'gst-launch'] as const satisfies readonly Contender[];
type Compared = (typeof compared)[number];

const MB = 2 ** 20;
/** An SD card of class 10 and A1, as its maker must promise it (SD Association): bytes and random reads a second. */
const card = { bytesPerSecond: 10e6, readsPerSecond: 1500 };

const kinds = {
  'Node.js itself': /\/bin\/node$/,
  JavaScript: /\.(?:[cm]?js|json)$/,
  'shared libraries and plugins': /\.(?:so[.\d]*|node)$/,
} as const;
type Kind = keyof typeof kinds | 'other files';

interface Files {
  readonly count: number;
  readonly bytes: number;
}

/** From the start of `command` to the first keyframe at a viewer; `around` looks at the process tree while it still runs. */
async function toFirstKeyframe<T>(
  contender: Compared,
  nginx: Nginx,
  gst: string,
  folder: string,
  wrap: (command: string, args: readonly string[]) => [string, readonly string[]],
  around: (root: number) => T,
): Promise<T> {
  const name = `${contender}-${wallClock().toFixed(0)}`;
  const { command, args, env } = commandOf(contender, nginx.url(), name, folder, gst);
  await using subscriber = await subscribe(`${nginx.url()}/${name}`);
  const child = spawn(...mortal(...wrap(command, args)), { env, cwd: folder, stdio: 'ignore' });
  const end = ended(child);
  try {
    await subscriber.keyframe(120_000);
    return around(child.pid!);
  } finally {
    for (const { pid } of processTree(child.pid!)) process.kill(pid, 'SIGINT');
    await end;
  }
}

/** Regular files that were opened or executed, once each, by kind. */
function opened(trace: string): Map<Kind, Files> {
  const files = new Map<Kind, Files>();
  const seen = new Set<string>();
  for (const [, name] of trace.matchAll(/(?:openat\([^,]+, |open\(|execve\()"((?:\\.|[^"\\])*)".*\) = \d+/g)) {
    if (!name?.startsWith('/') || /^\/(?:proc|sys|dev|run)\//.test(name)) continue;
    try {
      const { dev, ino, size, isFile } = fileOf(name);
      if (!isFile || seen.has(`${dev} ${ino}`)) continue;
      seen.add(`${dev} ${ino}`);
      const kind = (Object.keys(kinds) as (keyof typeof kinds)[]).find((each) => kinds[each].test(name));
      const known = files.get(kind ?? 'other files') ?? { count: 0, bytes: 0 };
      files.set(kind ?? 'other files', { count: known.count + 1, bytes: known.bytes + size });
    } catch {
      continue; // It was there for a moment only.
    }
  }
  return files;
}

function fileOf(name: string): { dev: number; ino: number; size: number; isFile: boolean } {
  const stat = statSync(name);
  return { dev: stat.dev, ino: stat.ino, size: stat.size, isFile: stat.isFile() };
}

/** Bytes that the tree below `root`, and what of it has ended, had read from the disk. */
function readBytes(root: number): number {
  const of = (pid: number): number =>
    Number(/^read_bytes: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'latin1'))?.[1]);
  return processTree(root).reduce((sum, { pid }) => sum + of(pid), 0);
}

const { folder, remove } = await temporaryFolder();
const nginx = await startNginx({ callbacks: false });
const files = {} as Record<Compared, Map<Kind, Files>>;
const read = {} as Record<Compared, number>;
try {
  const gst = await gstText(folder);
  const plain = (command: string, args: readonly string[]): [string, readonly string[]] => [command, args];
  for (const contender of compared) {
    process.stdout.write(`${contender}: once to fill its caches, once counted, and once with an empty page cache\n`);
    const trace = path.join(folder, `${contender}.trace`);
    const traced = (command: string, args: readonly string[]): [string, readonly string[]] => [
      'strace',
      ['-f', '-z', '-qq', '-s', '4096', '-e', 'trace=open,openat,execve', '-o', trace, command, ...args],
    ];
    await toFirstKeyframe(contender, nginx, gst, folder, plain, () => undefined);
    await toFirstKeyframe(contender, nginx, gst, folder, traced, () => undefined);
    files[contender] = opened(readFileSync(trace, 'utf8'));
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    read[contender] = await toFirstKeyframe(contender, nginx, gst, folder, plain, readBytes);
  }
} finally {
  await nginx.stop();
  await remove();
}

function row(measure: string, unit: string, value: (contender: Compared) => number): Row {
  return {
    measure,
    unit,
    value: value('makercast'),
    goal: null,
    met: null,
    versus: { 'gst-launch': value('gst-launch') },
  };
}

const sum = (contender: Compared, field: keyof Files): number =>
  [...files[contender].values()].reduce((total, each) => total + each[field], 0);

const rows: Row[] = [
  row('files opened until the first picture', 'files', (contender) => sum(contender, 'count')),
  row('their size in all', 'MB', (contender) => sum(contender, 'bytes') / MB),
  ...([...Object.keys(kinds), 'other files'] as Kind[]).flatMap((kind) => [
    row(`– ${kind}`, 'files', (contender) => files[contender].get(kind)?.count ?? 0),
    row(`– ${kind}, size`, 'MB', (contender) => (files[contender].get(kind)?.bytes ?? 0) / MB),
  ]),
  row('read from the disk with an empty cache', 'MB', (contender) => read[contender] / MB),
  row(
    'reading it from a class 10, A1 card (on paper: 10 MB/s, 1500 reads/s, one read a file)',
    's',
    (contender) => read[contender] / card.bytesPerSecond + sum(contender, 'count') / card.readsPerSecond,
  ),
];
process.stdout.write(`\n${table(rows)}\n`);
await writeResults('footprint', { rows });
