/** Every kind of fault, made with real parts: how it begins, by what it is seen to have struck, and how it ends. */
import { until, within } from '../../test/helpers/feed.js';
import { wallClock } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import type { Script } from '../../test/helpers/rtmp/server.js';
import type { Kind } from './schedule.js';
import type { Scene } from './scene.js';

export interface FaultKind extends Kind {
  /** Only where the network can be broken. */
  readonly needsNetwork?: true;
  /**
   * Makes it, waits until it has struck, and takes away what makercast cannot. Wall clock of the moment from which on makercast can
   * recover: that of the strike, or that at which the server or the network is back.
   */
  make(scene: Scene, chance: () => number, isLong: boolean): Promise<number>;
}

const oneOf = <T>(items: readonly T[], chance: () => number): T => items[Math.floor(chance() * items.length)]!;
const between = (least: number, most: number, chance: () => number): number => least + chance() * (most - least);

/** Longer than what an output needs to see that a server or a network is gone; a tenth of the time in a long run much longer. */
const outageMs = (chance: () => number, isLong: boolean): number =>
  isLong && chance() < 0.1 ? oneOf([30_000, 120_000], chance) : between(0, 2000, chance);

/** What makercast takes for a child that works: it tries the next best way after three ends in a row within less. */
const childSteadyMs = 13_000;
const struckAt = { capture: -Infinity, delivery: -Infinity };

function child(part: 'capture' | 'delivery', signal: 'SIGKILL' | 'SIGSTOP' | 'SIGSEGV'): FaultKind {
  return {
    name: `${part} ${signal}`,
    part,
    seconds: signal === 'SIGSTOP' ? 5 : 3,
    async make({ agent }) {
      await lasts(Math.max(0, struckAt[part] + childSteadyMs - performance.now()), `${part} works`);
      const { pid } = await agent.descendant(`makercast-${part}`);
      const at = wallClock();
      process.kill(pid, signal);
      await until(
        () => agent.processes().some((each) => each.pid !== pid && each.command.includes(`makercast-${part}`)),
        30_000,
        `another ${part} process`,
      );
      struckAt[part] = performance.now();
      return at;
    },
  };
}

/** The scripted server does as `script` says with the next `times` connections; the one that is open is dropped. */
async function misbehave(scene: Scene, script: Script, times: number, drop: () => void): Promise<number> {
  const { server } = scene;
  let begun = 0;
  const made = new Promise<void>((resolve) => {
    server.script = () => {
      begun += 1;
      if (begun === times) resolve();
      return script;
    };
  });
  try {
    drop();
    await within(made, 60_000, `${times} connections to a server that misbehaves`);
  } finally {
    server.script = {};
  }
  return wallClock();
}

function atServer(name: string, seconds: number, make: FaultKind['make']): FaultKind {
  return { name: `server ${name}`, part: 'server', seconds, make };
}

/** Both links, or one of them: makercast has an output over each. */
function network(
  name: string,
  seconds: number,
  off: (link: number, scene: Scene) => Promise<void>,
  on: (link: number, scene: Scene) => Promise<void>,
): FaultKind {
  return {
    name: `network ${name}`,
    part: 'network',
    seconds,
    needsNetwork: true,
    async make(scene, chance, isLong) {
      const links = oneOf([[0], [1], [0, 1]], chance);
      // Over again while the connection lives, or not before it is lost.
      const states = chance() < 0.5 ? ['stalled', 'waiting', 'connecting'] : ['waiting', 'connecting'];
      const names = ['main', 'second'];
      let at: number;
      try {
        for (const link of links) await off(link, scene);
        await Promise.all(links.map((link) => scene.output(names[link]!, ...states)));
        await lasts(outageMs(chance, isLong), 'an outage');
      } finally {
        at = wallClock();
        for (const link of links) await on(link, scene);
      }
      return at;
    },
  };
}

const sourceOf = (status: Readonly<Record<string, unknown>>): string =>
  (status['video'] as { source: string } | undefined)?.source ?? '';
const isSlate = (source: string): boolean => source.startsWith('slate');
const onAir = {
  file: (source: string) => source === 'file',
  test: (source: string) => source.startsWith('test'),
};

/** `file` needs all of the bitrate, the test picture hardly any. */
async function show(scene: Scene, source: 'file' | 'test'): Promise<void> {
  const shown = scene.status((status) => onAir[source](sourceOf(status)));
  await Promise.all([shown, scene.edit({ video: { source } })]);
}

export const kinds: readonly FaultKind[] = [
  {
    name: 'nginx killed',
    part: 'nginx',
    seconds: 5,
    async make(scene, chance, isLong) {
      await Promise.all([scene.output('main', 'waiting', 'connecting'), scene.nginx.kill()]);
      await lasts(outageMs(chance, isLong), 'an outage');
      await scene.nginx.restart();
      return wallClock();
    },
  },
  {
    name: 'nginx SIGSTOP, SIGCONT',
    part: 'nginx',
    seconds: 8,
    async make(scene, chance, isLong) {
      const states = chance() < 0.5 ? ['stalled', 'waiting', 'connecting'] : ['waiting', 'connecting'];
      try {
        await Promise.all([scene.output('main', ...states), scene.nginx.kill('SIGSTOP')]);
        await lasts(outageMs(chance, isLong), 'an outage');
      } finally {
        await scene.nginx.kill('SIGCONT');
      }
      return wallClock();
    },
  },
  {
    name: 'nginx restarted',
    part: 'nginx',
    seconds: 4,
    async make({ nginx }) {
      const from = nginx.calls.items.length;
      const again = nginx.waitForCall('publish', { name: 'k-main', from, deadlineMs: 60_000 });
      await Promise.all([again, nginx.restart()]);
      return wallClock();
    },
  },
  atServer('drops', 3, async (scene, chance) => {
    const session = scene.session();
    const at = wallClock();
    if (chance() < 0.5) session.socket.destroy();
    else session.socket.resetAndDestroy();
    await scene.newSession(session);
    return at;
  }),
  atServer('stops reading', 10, async (scene) => {
    const session = scene.session();
    const at = wallClock();
    session.socket.pause();
    await scene.newSession(session);
    session.socket.destroy();
    return at;
  }),
  atServer('answers garbage', 4, (scene, chance) => {
    const { socket } = scene.session();
    return misbehave(scene, { handshake: 'garbage' }, 1 + Math.floor(chance() * 2), () => socket.destroy());
  }),
  atServer('closes at connect', 4, (scene, chance) => {
    const { socket } = scene.session();
    return misbehave(scene, { connect: oneOf(['close', 'reset'], chance) }, 2, () => socket.destroy());
  }),
  atServer('says nothing', 9, (scene, chance) => {
    const { socket } = scene.session();
    const script = oneOf<Script>([{ handshake: 'mute' }, { connect: 'mute' }, { publish: 'mute' }], chance);
    return misbehave(scene, script, 1, () => socket.destroy());
  }),
  atServer('says already publishing', 4, (scene, chance) => {
    const { socket } = scene.session();
    const script = { publish: { status: 'NetStream.Publish.BadName', description: 'Already publishing' } };
    return misbehave(scene, script, 1 + Math.floor(chance() * 3), () => socket.destroy());
  }),
  atServer('refuses, then allows', 27, async (scene) => {
    const { socket } = scene.session();
    const script = { publish: { status: 'NetStream.Publish.Denied' } };
    const refused = scene.output('second', 'refused');
    const [, at] = await Promise.all([refused, misbehave(scene, script, 1, () => socket.destroy())]);
    return at;
  }),
  network(
    'black hole',
    10,
    (link, { namespace }) => namespace!.blackHole(link),
    (link, { namespace }) => namespace!.heal(link),
  ),
  network(
    'link down',
    8,
    (link, { namespace }) => namespace!.cut(link),
    (link, { namespace }) => namespace!.restore(link),
  ),
  {
    name: 'network 800 kbit/s',
    part: 'network',
    seconds: 16,
    needsNetwork: true,
    async make(scene, chance, isLong) {
      const link = oneOf([0, 1], chance);
      if (scene.source !== 'file') await show(scene, 'file');
      const video = (status: Readonly<Record<string, unknown>>) => status['video'] as { bitrateKbps: number };
      try {
        const lowered = scene.status((status) => video(status).bitrateKbps < 1500);
        await Promise.all([lowered, scene.namespace!.throttle(800, { link })]);
        const slowMs = isLong ? between(5000, 40_000, chance) : between(4000, 6000, chance);
        await lasts(slowMs, 'the link is slow');
      } finally {
        await scene.namespace!.throttle(undefined, { link });
      }
      return wallClock();
    },
  },
  child('capture', 'SIGKILL'),
  child('capture', 'SIGSTOP'),
  child('capture', 'SIGSEGV'),
  child('delivery', 'SIGKILL'),
  child('delivery', 'SIGSTOP'),
  child('delivery', 'SIGSEGV'),
  {
    name: 'settings changed live',
    part: 'settings',
    seconds: 3,
    async make(scene, chance) {
      const enabled = !scene.third.enabled;
      const third = { ...scene.third, enabled };
      const at = wallClock();
      const change = {
        video: { bitrateKbps: oneOf([2000, 2500, 3000], chance) },
        audio: { gainDb: Math.round(between(-6, 6, chance)), delayMs: Math.round(between(-100, 100, chance)) },
        outputs: { third },
      };
      const seen = scene.status(({ outputs }) => (outputs['third']?.state === 'live') === enabled);
      await Promise.all([seen, scene.edit(change)]);
      return at;
    },
  },
  {
    name: 'settings rebuild',
    part: 'settings',
    seconds: 3,
    async make(scene, chance) {
      const others = [64, 96, 128, 160].filter((kbps) => kbps !== scene.audioKbps);
      const bitrateKbps = oneOf(others, chance);
      const at = wallClock();
      const seen = scene.status(
        ({ audio }) => (audio as { bitrateKbps?: number } | undefined)?.bitrateKbps === bitrateKbps,
      );
      await Promise.all([
        seen,
        scene.edit({ audio: { bitrateKbps }, video: { keyframeSeconds: oneOf([1, 2], chance) } }),
      ]);
      return at;
    },
  },
  {
    name: 'settings invalid, then mended',
    part: 'settings',
    seconds: 4,
    async make(scene, chance) {
      const text = oneOf(['video: {', 'video: {fps: many}', 'outputs: 7', '\u0000\u0000\u0000'], chance);
      await Promise.all([scene.status(({ problems }) => problems.length > 0), scene.write(text)]);
      await Promise.all([scene.status(({ problems }) => problems.length === 0), scene.write()]);
      return wallClock();
    },
  },
  {
    name: 'camera lost and back',
    part: 'settings',
    seconds: 5,
    async make(scene, chance) {
      const lost = scene.status((status) => isSlate(sourceOf(status)) && status.actual === 'degraded');
      await Promise.all([lost, scene.edit({ video: { source: '/dev/video99' } })]);
      const at = wallClock();
      await show(scene, oneOf(['file', 'test'] as const, chance));
      return at;
    },
  },
  {
    name: 'replanned many times',
    part: 'settings',
    seconds: 8,
    async make(scene, chance, isLong) {
      const times = Math.round(isLong ? between(10, 40, chance) : between(6, 12, chance));
      for (let i = 0; i < times; i += 1) {
        const source = oneOf(['file', 'test', '/dev/video99'], chance);
        await scene.edit({ video: { source, testPattern: oneOf(['bars', 'ball', 'sync'], chance) } });
        // Some are over before the plan plays, some are not.
        await lasts(between(50, 600, chance), 'a plan is in force');
      }
      const at = wallClock();
      await show(scene, oneOf(['file', 'test'] as const, chance));
      return at;
    },
  },
];
