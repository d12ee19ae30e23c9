/**
 * A camera that goes away and comes back, without one: the settings name one that is not there, then the test picture again.
 * What a driver takes to say so is not in it; the virtual bench has that.
 */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, temporaryFolder } from '../../test/helpers/command.js';
import { isVideoKey, wallClock, type ArrivedTag } from '../../test/helpers/content/flv.js';
import { lasts } from '../../test/helpers/interval.js';
import type { Contender } from '../contenders.js';
import { gaps, steady } from './arrivals.js';
import type { Figures } from './faults.js';
import { start, type Bench } from './running.js';
import { makeNear, pictures, type Near } from './site.js';

const awayMs = 3000;
const patienceMs = 30_000;
/** The slate's ground is a dark blue; the ball and what it moves on are grey. */
const blueness = 8;

/** The keyframes that came, and whether each is of the slate. */
async function keyframes(near: Near, file: string): Promise<{ readonly at: number; readonly slate: boolean }[]> {
  const tags: readonly ArrivedTag[] = [...near.viewer.tags.items];
  await near.viewer.save(file);
  const { stdout } = await run('ffmpeg', [
    ...['-nostdin', '-v', 'error', '-skip_frame', 'nokey', '-i', file, '-an', '-fps_mode', 'passthrough'],
    ...['-vf', 'scale=1:1:flags=area,format=rgb24', '-f', 'rawvideo', '-'],
  ]);
  return tags
    .filter(isVideoKey)
    .slice(0, stdout.length / 3)
    .map(({ at }, index) => ({ at, slate: stdout[3 * index + 2]! - stdout[3 * index]! > blueness }));
}

export async function cameraLost(contender: Contender, bench: Bench): Promise<Figures> {
  await using near = await makeNear();
  const { folder, remove } = await temporaryFolder();
  const file = path.join(folder, 'makercast.yml');
  const show = (source: string): Promise<void> => writeFile(file, JSON.stringify({ video: { source } }));
  try {
    await show('test');
    await using running = await start(contender, near, bench, { cwd: folder, without: ['VIDEO_SOURCE'] });
    await lasts(1000 * Math.random(), 'until any moment');
    const sessions = near.sessions();
    const lost = wallClock();
    await show('/dev/video99');
    await lasts(awayMs, 'the camera is away');
    const back = wallClock();
    await show('test');
    await steady(near, back, back, patienceMs);
    const seen = await keyframes(near, path.join(folder, 'seen.flv'));
    const slate = seen.find((each) => each.slate && each.at > lost)?.at;
    const picture = seen.find((each) => !each.slate && each.at > back)?.at;
    const dark = gaps(pictures(near), lost).map(({ ms }) => ms);
    return {
      noticed: running.noticedMs(lost, ({ event }) => event === 'source_not_found'),
      'slate on the air': slate === undefined ? null : slate - lost,
      'picture on the air again': picture === undefined ? null : picture - back,
      lost: Math.max(...dark),
      'highest queue': running.queuedMs(lost),
      'session kept': near.sessions() === sessions ? 100 : 0,
    };
  } finally {
    await remove();
  }
}
