/** How long viewers see nothing after a fault: makercast beside ffmpeg and gst-launch in the loop that people put around them. `npm run bench -- recovery [--rounds 20]`. */
import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ended, mortal, temporaryFolder } from '../test/helpers/command.js';
import { until } from '../test/helpers/feed.js';
import { isPicture, isVideoKey, wallClock } from '../test/helpers/flv.js';
import { startNginx, type Nginx } from '../test/helpers/nginx.js';
import { processTree } from '../test/helpers/processes.js';
import { subscribe, type Subscription } from '../test/helpers/rtmp-client.js';
import { commandOf, contenders, gstText, type Contender } from './contenders.js';
import { median, type Row, table, writeResults } from './report.js';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '20' } } });
const rounds = Number(values.rounds);
if (!Number.isInteger(rounds) || rounds < 1) {
  process.stderr.write('usage: npm run bench -- recovery [--rounds N]   (how often each fault is made)\n');
  process.exit(2);
}

/** What has not come back by then has not come back. */
const patienceMs = 30_000;

/** One contender on the air for as long as the faults go on. */
interface Running {
  readonly contender: Contender;
  readonly child: ChildProcess;
  /** Processes of it whose command holds `text`. */
  find(text: string): number[];
  stop(): Promise<void>;
}

function start(contender: Contender, nginx: Nginx, gst: string, folder: string): Running {
  const { command, args, env } = commandOf(contender, nginx.url(), contender, folder, gst);
  const quoted = [command, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  // Without `-rw_timeout` ffmpeg waits for ever for a server that is silent.
  const once = contender === 'ffmpeg' ? quoted.replace("'-f' 'flv'", "'-rw_timeout' '5000000' '-f' 'flv'") : quoted;
  const [run, words] =
    contender === 'makercast' ? mortal(command, args) : mortal('sh', ['-c', `while true; do ${once}; sleep 2; done`]);
  const child = spawn(run, words, { env, cwd: folder, stdio: 'ignore' });
  const pid = child.pid!;
  return {
    contender,
    child,
    find: (text) =>
      processTree(pid)
        .filter((each) => each.command.includes(text) && !each.command.startsWith('sh -c'))
        .map((each) => each.pid),
    async stop() {
      const tree = processTree(pid);
      child.kill(contender === 'makercast' ? 'SIGTERM' : 'SIGKILL');
      await ended(child);
      for (const each of tree) kill(each.pid, 'SIGKILL');
    },
  };
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already.
  }
}

/** Milliseconds without a picture at a subscriber that stays; undefined where none came again. */
async function gap(viewer: Subscription, fault: () => void): Promise<number | undefined> {
  const before = viewer.tags.items.length;
  fault();
  const last = (): number => viewer.tags.items.findLast(isPicture)!.at;
  const begun = wallClock();
  let widest = 0;
  let seen = before;
  let previous = last();
  // The fault may show late: what is on its way still arrives. It is over when pictures have come for 3 s on end.
  for (let steadySince = begun; wallClock() - steadySince < 3000;) {
    if (wallClock() - begun > patienceMs) return undefined;
    await sleep(50);
    for (const tag of viewer.tags.items.slice(seen)) {
      seen += 1;
      if (!isPicture(tag)) continue;
      const wait = tag.at - previous;
      if (wait > 300) steadySince = tag.at;
      widest = Math.max(widest, wait);
      previous = tag.at;
    }
    if (wallClock() - previous > 300) steadySince = wallClock();
  }
  return widest;
}

interface Measured {
  readonly ms: number | undefined;
  /** The server saw one and the same session throughout. */
  readonly kept?: boolean;
}

const publishes = (nginx: Nginx, name: string): number =>
  nginx.calls.items.filter((call) => call.call === 'publish' && call.name === name).length;

/** Kills or stops the process whose command holds `text`, and measures what the viewer misses. */
async function struck(running: Running, nginx: Nginx, text: string, signal: NodeJS.Signals): Promise<Measured> {
  await using viewer = await subscribe(`${nginx.url()}/${running.contender}`);
  await viewer.keyframe(patienceMs);
  await viewer.tags.waitFor(isVideoKey, patienceMs, viewer.tags.items.length);
  const before = publishes(nginx, running.contender);
  const [pid] = await until(() => running.find(text), 10_000, `${text} of ${running.contender}`);
  const ms = await gap(viewer, () => kill(pid!, signal));
  kill(pid!, 'SIGKILL');
  return { ms, kept: publishes(nginx, running.contender) === before };
}

/** The server is away for one to four seconds; from the moment that it listens again to the first picture there. */
async function restarted(running: Running, nginx: Nginx): Promise<Measured> {
  await nginx.kill();
  await sleep(1000 + Math.random() * 3000);
  await nginx.restart();
  const listens = wallClock();
  await using viewer = await subscribe(`${nginx.url()}/${running.contender}`);
  const first = await viewer.keyframe(patienceMs).catch(() => undefined);
  return { ms: first && first.at - listens };
}

interface FaultKind {
  readonly name: string;
  /** Goals of makercast in ms: median and worst. */
  readonly median: number | undefined;
  readonly worst: number | undefined;
  readonly make: Partial<Readonly<Record<Contender, (running: Running, nginx: Nginx) => Promise<Measured>>>>;
}

const strike = (text: string, signal: NodeJS.Signals) => (running: Running, nginx: Nginx) =>
  struck(running, nginx, text, signal);

const kinds: readonly FaultKind[] = [
  {
    name: 'server restarted: listening to first picture',
    median: 1000,
    worst: 2000,
    make: { makercast: restarted, 'gst-launch': restarted, ffmpeg: restarted },
  },
  {
    name: 'encoding process killed: gap at the viewer',
    median: 3000,
    worst: 3000,
    make: {
      makercast: strike('makercast-capture', 'SIGKILL'),
      'gst-launch': strike('gst-launch', 'SIGKILL'),
      ffmpeg: strike('ffmpeg', 'SIGKILL'),
    },
  },
  {
    name: 'encoding process hangs (SIGSTOP): gap at the viewer',
    median: 3000,
    worst: 3000,
    make: {
      makercast: strike('makercast-capture', 'SIGSTOP'),
      'gst-launch': strike('gst-launch', 'SIGSTOP'),
      ffmpeg: strike('ffmpeg', 'SIGSTOP'),
    },
  },
  {
    name: 'delivering process killed: gap at the viewer',
    median: 2000,
    worst: 2000,
    make: { makercast: strike('makercast-delivery', 'SIGKILL') },
  },
  {
    name: 'delivering process hangs (SIGSTOP): gap at the viewer',
    median: undefined,
    worst: undefined,
    make: { makercast: strike('makercast-delivery', 'SIGSTOP') },
  },
];

const { folder, remove } = await temporaryFolder();
const nginx = await startNginx();
const measured = new Map<string, Partial<Record<Contender, Measured[]>>>();
try {
  const gst = await gstText(folder);
  for (const contender of contenders) {
    const running = start(contender, nginx, gst, folder);
    try {
      for (const { name, make } of kinds) {
        const fault = make[contender];
        if (!fault) continue;
        // One that hangs for ever has hung for ever after two tries.
        const times = contender === 'makercast' ? rounds : Math.min(rounds, name.includes('hangs') ? 2 : rounds);
        const all: Measured[] = [];
        for (let round = 0; round < times; round += 1) all.push(await fault(running, nginx));
        measured.set(name, { ...measured.get(name), [contender]: all });
        const shown = all.map(({ ms }) => (ms === undefined ? 'never' : Math.round(ms))).join(' ');
        process.stdout.write(`${contender}: ${name}: ${shown}\n`);
      }
    } finally {
      await running.stop();
    }
  }
} finally {
  await nginx.stop();
  await remove();
}

/** A time that never came counts as the longest wait. */
const times = (all: readonly Measured[] | undefined): number[] => (all ?? []).map(({ ms }) => ms ?? patienceMs);

const rowsOf = ({ name, median: goal, worst }: FaultKind): Row[] => {
  const of =
    (pick: (all: number[]) => number | null) =>
    (contender: Contender): number | null => {
      const all = times(measured.get(name)?.[contender]);
      return all.length === 0 ? null : pick(all);
    };
  const row = (measure: string, value: (contender: Contender) => number | null, most: number | undefined): Row => {
    const own = value('makercast');
    return {
      measure: `${name}, ${measure}`,
      unit: 'ms',
      value: own,
      goal: most ?? null,
      met: own === null || most === undefined ? null : own <= most,
      versus: { 'gst-launch': value('gst-launch'), ffmpeg: value('ffmpeg') },
    };
  };
  const sessions = measured.get(name)?.makercast?.filter(({ kept }) => kept !== undefined) ?? [];
  return [
    row('median', of(median), goal),
    row(
      'worst',
      of((all) => Math.max(...all)),
      worst,
    ),
    ...(sessions.length > 0 && name.startsWith('encoding')
      ? [
          {
            measure: `${name}, sessions kept`,
            unit: '%',
            value: (100 * sessions.filter(({ kept }) => kept).length) / sessions.length,
            goal: 100,
            met: sessions.every(({ kept }) => kept),
            versus: {},
          },
        ]
      : []),
  ];
};

const rows = kinds.flatMap(rowsOf);
process.stdout.write(`\n${table(rows)}\n`);
await writeResults('recovery', { rounds, rows });
