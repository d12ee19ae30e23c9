/** A broadcast inside the test's own process, with children of its own. */
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../../../agent/clock.js';
import { Redactor } from '../../../agent/config/redactor.js';
import { resolve } from '../../../agent/config/resolve.js';
import type { Settings } from '../../../agent/config/settings.js';
import type { Fault } from '../../../agent/errors.js';
import { Log } from '../../../agent/log.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import { Survey } from '../../../agent/machine/survey.js';
import { Broadcast, type BroadcastDependencies } from '../../../agent/broadcast/broadcast.js';
import { Intent } from '../../../agent/broadcast/intent.js';
import { small } from './agent.js';
import { until } from '../feed.js';

/** A small test picture to the server at `url`, under the key `k`. */
export const smallTo = (url: string): Settings =>
  resolve({ env: { ...small, STREAM_URL: url, STREAM_KEY: 'k' } }).settings;

/** Its state is in `folder`, `faults` are those of its storage; it is ended with the test. */
export function broadcastIn(
  t: TestContext,
  folder: string,
  settings: Settings,
  dependencies: Partial<Pick<BroadcastDependencies, 'deliveryLimits' | 'gather' | 'ended'>> = {},
): { broadcast: Broadcast; faults: Fault[] } {
  const faults: Fault[] = [];
  const storage = new Storage(folder, (fault) => faults.push(fault));
  const survey = new Survey(storage, () => undefined);
  const broadcast = new Broadcast(settings, {
    log: new Log({ level: 'error', format: 'json' }, new Redactor(), systemClock),
    clock: systemClock,
    version: 'test',
    environment: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
    folder,
    gather: (wish, failed) => survey.gather(wish, failed),
    filesChanged: (paths) => survey.filesChanged(paths),
    holderOf: () => Promise.resolve(undefined),
    givesPicture: () => Promise.resolve(true),
    networkFault: () => undefined,
    data: folder,
    recordings: path.join(folder, 'recordings'),
    intent: new Intent(storage),
    demo: false,
    ended: () => undefined,
    ...dependencies,
  });
  t.after(() => broadcast.stop());
  return { broadcast, faults };
}

export const live = (broadcast: Broadcast) =>
  until(() => broadcast.status().actual === 'live', 30_000, 'a live broadcast');
