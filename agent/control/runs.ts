/** What each command does. */
import type { Plan } from '../../pipelines/plan.js';
import { isSecret } from '../config/remote.js';
import { rowOf } from '../config/settings.js';
import { Fault } from '../errors.js';
import type { Led } from '../machine/host/led.js';
import type { Broadcast } from '../broadcast/broadcast.js';
import type { Runs } from './commands.js';
import type { Recent } from './recent.js';
import type { Status } from './status.js';
import type { LayerName, Steering } from '../steering/steering.js';

/** Long enough to walk along a rack of devices. */
const identifyMs = 20_000;
/** The most pipelines of a playlist to show: they differ only in the file. */
const mostPipelines = 4;

/** Whoever can update and restart this machine. Each throws the Fault of one that cannot. */
export interface Caretaker {
  update(force: boolean): Promise<void>;
  reboot(force: boolean): Promise<void>;
  lock(): Promise<void>;
  unlock(): Promise<void>;
}

export function runs({
  broadcast,
  steering,
  status,
  version,
  restart,
  led,
  caretaker,
  recent,
}: {
  readonly broadcast: Broadcast;
  readonly steering: Steering;
  /** The whole document, including what every interface adds to it. */
  readonly status: () => Status;
  readonly version: string;
  readonly led: Pick<Led, 'blink'>;
  readonly caretaker: Caretaker;
  readonly recent: Pick<Recent, 'lines'>;
  /** Ends the program; undefined where no supervisor would restart it. */
  readonly restart: (() => void) | undefined;
}): Runs {
  return {
    start: () => broadcast.startBroadcast(),
    stop: () => broadcast.stopBroadcast(),
    'on-air': ({ on }) => (on ? broadcast.startBroadcast() : broadcast.stopBroadcast()),
    async adjust({ path, value }) {
      const row = rowOf(path);
      if (row && isSecret(row, value))
        throw new Fault('setting_secret', 'This command does not set secrets.', 'Use set-secret.');
      await steering.adjust(path, value);
    },
    'restart-media': async () => mustBeOn(await broadcast.restartMedia()),
    async 'retry-output'({ output }) {
      const { outputs } = broadcast.status();
      if (output !== undefined && !Object.hasOwn(outputs, output))
        throw new Fault(
          'command_failed',
          'No output of that name is on the air.',
          `Outputs on the air: ${Object.keys(outputs).join(', ')}.`,
        );
      broadcast.retry(output);
      return Promise.resolve();
    },
    'force-keyframe': () => Promise.resolve(mustBeOn(broadcast.forceKeyframe())),
    snapshot: async () => ({ jpeg: (await broadcast.snapshot()).toString('base64') }),
    async 'set-secret'({ path, value, for: place, insecure }) {
      const secret = {
        path,
        ...(value === undefined ? {} : { value }),
        ...(place === undefined ? {} : { for: place }),
        ...(insecure ? { insecure } : {}),
      };
      return { ...(await steering.setSecret(secret)) };
    },
    'reset-version': ({ layer = 'device' }) => steering.resetVersion(layer as LayerName),
    identify: () => led.blink(identifyMs),
    update: ({ force = false }) => caretaker.update(force),
    reboot: ({ force = false }) => caretaker.reboot(force),
    lock: () => caretaker.lock(),
    unlock: () => caretaker.unlock(),
    restart() {
      if (!restart)
        throw new Fault(
          'command_failed',
          'No supervisor would restart the program.',
          'Restart it on the machine itself.',
        );
      restart();
      return Promise.resolve();
    },
    diagnostics: () =>
      Promise.resolve({
        version,
        node: process.version,
        architecture: process.arch,
        memoryMb: Math.round(process.memoryUsage.rss() / 1e6),
        status: status(),
        steering: steering.report(),
        ...(broadcast.plan ? { plan: brief(broadcast.plan) } : {}),
        log: recent.lines,
      }),
  };
}

/** A playlist may be of any length. */
/** With its pipelines by the name in 0.1. */
const brief = ({ pipelines, ...plan }: Plan): object => ({ ...plan, pieces: pipelines.slice(0, mostPipelines) });

function mustBeOn(on: boolean): void {
  if (!on) throw new Fault('command_failed', 'Nothing is on the air.', 'Start the broadcast first.');
}
