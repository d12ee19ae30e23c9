/**
 * A container without a container engine: the image's entrypoint as the first process of namespaces of its own, in a root
 * made of this machine's by an overlay, with the real agent in /app. Nothing that it does to files or mounts is seen outside.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent } from '../helpers/agent/agent.js';
import { mortal, run } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { root } from '../helpers/root.js';

export interface ContainerOptions {
  /** As `privileged: true`: /sys can be written (it is an empty one with two GPIO files and an LED), and /dev can be replaced. */
  readonly privileged: boolean;
  /** Folder outside that is /data inside. */
  readonly data: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Words after `makercast`. */
  readonly args?: readonly string[];
}

/**
 * $1 work folder (a tmpfs is mounted on it), $2 repository, $3 compiled tree, $4 folder for /data, $5 Node.js, $6 `privileged` or
 * `plain`; the rest are the arguments of the entrypoint.
 */
const open = `
set -e
mount --make-rprivate /
mount -t tmpfs room "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" room "$1/root"
cd "$1/root"
mkdir -p app/dist app/node_modules data usr/local/bin run etc/udev/rules.d
touch usr/local/bin/node app/package.json
mount --bind "$3" app/dist
mount --bind "$2/node_modules" app/node_modules
mount --bind "$2/package.json" app/package.json
mount --bind "$4" data
[ "$5" -ef usr/local/bin/node ] || mount --bind "$5" usr/local/bin/node
cp "$2/image/entrypoint.sh" usr/local/bin/makercast
cp "$2/image/healthcheck.sh" usr/local/bin/makercast-health
cp "$2/image/99-makercast.rules" etc/udev/rules.d/
grep -q '^gpio:' etc/group || echo 'gpio:x:997:' >>etc/group
mount -t tmpfs -o mode=1777 tmp tmp
mkdir tmp/makercast-run-1-left
mount -t tmpfs -o mode=755 run run
mount -t proc proc proc
mount -t tmpfs -o mode=755 dev dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 pts dev/pts
mount -t tmpfs -o mode=1777 shm dev/shm
for node in null:1:3 zero:1:5 random:1:8 urandom:1:9; do
  IFS=: read -r name major minor <<END
$node
END
  mknod -m 666 "dev/$name" c "$major" "$minor"
done
if [ "$6" = privileged ]; then
  mount -t tmpfs -o mode=755 sys sys
  mkdir -p sys/class/gpio sys/class/leds/ACT sys/bus sys/devices
  touch sys/class/gpio/export sys/class/gpio/unexport
  echo 'none timer [mmc0]' >sys/class/leds/ACT/trigger
else
  mount --rbind /sys sys
  mount -o remount,bind,ro sys
fi
shift 6
exec chroot . /usr/local/bin/makercast "$@"
`;

const onlyChild = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0]);

export interface Container {
  readonly agent: Agent;
  /** Number, outside, of the process that is 1 inside. */
  readonly first: number;
  /** Runs a program inside as `docker exec` would: as root, beside what runs. */
  exec(...command: string[]): ReturnType<typeof run>;
}

export async function startContainer(folder: string, options: ContainerOptions): Promise<Container> {
  const work = path.join(folder, 'room');
  await mkdir(work, { recursive: true });
  await mkdir(options.data, { recursive: true });
  const dist = fileURLToPath(new URL('../..', import.meta.url));
  const words = [work, root, dist, options.data, process.execPath];
  const kind = options.privileged ? 'privileged' : 'plain';
  const unshare = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', open, 'open', ...words, kind];
  const child = spawn(...mortal('unshare', [...unshare, ...(options.args ?? [])]), {
    // What the Dockerfiles say under ENV, and what the fleet adds.
    env: {
      PATH: process.env['PATH'],
      NODE_ENV: 'production',
      MAKERCAST_DATA: '/data',
      MAKERCAST_SUPERVISED: '1',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const agent = new Agent(child, folder, () => Promise.resolve());
  let first = 0;
  await until(() => (first = onlyChild(child.pid!)) > 0, 10_000, 'the first process of the container');
  return {
    agent,
    first,
    exec: (...command) =>
      run('nsenter', ['-t', String(first), '-m', '-p', '-r', '-w', '--', ...command], { mayFail: true }),
  };
}
