/** A broadcast over a network of delay and loss (netem), and from a USB microphone that is pulled and put back. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startAbroad, type Abroad } from '../helpers/network/abroad.js';
import type { StatusDocument } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import {
  flvFile,
  isPicture,
  isSound,
  lags,
  shortestWay,
  type ArrivedTag,
  type MediaTag,
} from '../helpers/content/flv.js';
import { decodeSound, isSilent, part, toneShare, type Sound } from '../helpers/content/sound.js';
import { c920, tone, UsbCamera } from './devices/usb-camera.js';
import { load, mustBeGuest, small } from './guest.js';

mustBeGuest();

const delayMs = 300;
const lossPercent = 5;
/** TCP carries some 200 kbit/s over such a way: a segment each 0.3 s, times 1.2 by the root of the loss (Mathis et al., 1997). */
const poor = {
  VIDEO_FPS: '5',
  VIDEO_BITRATE_KBPS: '300',
  VIDEO_MIN_BITRATE_KBPS: '50',
  VIDEO_ADAPTIVE: 'true',
  AUDIO_BITRATE_KBPS: '64',
};
/** Pictures at the server before anything is judged, at 5 a second or fewer. */
const enough = 125;

type Output = { state: string; connects: number; queuedMs: number; deliveredKbps: number; droppedFrames: number };
const output = (status: StatusDocument): Output => status.outputs['main'] as unknown as Output;
const kbps = (status: StatusDocument): number => status.video!.bitrateKbps!;
const soundOf = (status: StatusDocument): string => (status['audio'] as { source: string } | undefined)?.source ?? '';

/** Times of one kind neither step back nor stand still; the longest step between two, in ms. */
function longestStep(tags: readonly MediaTag[], kind: (tag: MediaTag) => boolean): number {
  const times = tags.filter(kind).map(({ timestamp }) => timestamp);
  const steps = times.slice(1).map((time, index) => time - times[index]!);
  assert.ok(
    steps.every((step) => step > 0),
    'a time stepped back',
  );
  return Math.max(...steps);
}

describe('the test picture and a USB microphone, sent abroad', () => {
  let camera: UsbCamera;
  let on: Abroad;
  before(async () => {
    await load('sch_netem');
    camera = await UsbCamera.plug(c920);
    const sources = { VIDEO_SOURCE: 'test', VIDEO_TEST_PATTERN: 'ball', AUDIO_SOURCE: await camera.card() };
    on = await startAbroad({ ...small, ...sources, ...poor }, (namespace) => namespace.impair(delayMs, lossPercent));
  });
  after(async () => {
    await on[Symbol.asyncDispose]();
    await camera[Symbol.asyncDispose]();
  });

  test(`${delayMs} ms of delay and ${lossPercent} % of loss: it goes on the air, and stays there in one session`, async (t) => {
    const { agent, server } = on;
    await agent.status(({ actual }) => actual === 'live', 60_000);
    const from = agent.log.items.length;
    const { tags } = await server.published();
    const seen = (): number => tags.items.filter(isPicture).length;
    await agent.status(() => seen() >= enough, 90_000, from);
    const statuses = agent.log.items
      .slice(from)
      .flatMap(({ event, status }) => (event === 'status' ? [status as StatusDocument] : []));
    const outputs = statuses.map(output);
    assert.deepEqual(
      [...new Set(outputs.map(({ state }) => state))].filter((state) => state !== 'stalled'),
      ['live'],
    );
    assert.equal(server.publishes.items.length, 1);
    assert.ok(outputs.every(({ connects }) => connects === 1));
    longestStep(tags.items, isSound);
    const gap = longestStep(tags.items, isPicture);
    const behind = lags(tags.items).map(({ ms }) => ms);
    const [least, most] = [Math.min, Math.max].map((of) => of(...statuses.map((status) => kbps(status))));
    const changes = agent.log.items.filter(({ event }) => event.startsWith('bitrate_')).map(({ message }) => message);
    t.diagnostic(
      `${seen()} pictures, at most ${Math.round(Math.max(...behind))} ms later than the soonest, longest step ${gap} ms, ` +
        `${outputs.at(-1)!.droppedFrames} dropped; ${Math.round(Math.max(...outputs.map(({ queuedMs }) => queuedMs)))} ms queued at most, ` +
        `stalled in ${outputs.filter(({ state }) => state === 'stalled').length} of ${outputs.length} s`,
    );
    t.diagnostic(`asked of the encoder: ${least} to ${most} kbit/s. ${changes.join(' ')}`);
  });

  test('the microphone is pulled and put back: a tone, silence, the tone, within one session', async (t) => {
    const { agent, server } = on;
    const { tags } = server.publishes.items[0]!;
    const { folder, remove } = await temporaryFolder();
    const file = path.join(folder, 'whole.flv');
    /** After `action`, waits for three seconds of the stream that sound so, and answers with all that came since the action began. */
    const heard = async (
      action: () => Promise<unknown>,
      source: RegExp,
      isIt: (sound: Sound) => boolean,
    ): Promise<readonly ArrivedTag[]> => {
      const first = tags.items.length - 1;
      await action();
      await agent.status((each) => source.test(soundOf(each)), 20_000, agent.log.items.length);
      await until(
        async () => {
          // The next that comes: before it there may be a gap.
          const from = (await tags.waitFor(() => true, 20_000, tags.items.length)).timestamp;
          const to = from + 3000;
          await tags.waitFor(({ timestamp }) => timestamp > to, 20_000, tags.items.length);
          await writeFile(file, flvFile(tags.items));
          return isIt(part(await decodeSound(file), from / 1000, to / 1000));
        },
        40_000,
        `the sound of ${source}`,
      );
      return tags.items.slice(first);
    };
    // Moments of it may be lost where the processor is emulated.
    const isTone = (sound: Sound): boolean => toneShare(sound, tone) > 0.3;
    try {
      const before = await heard(() => on.namespace.throttle(undefined), /microphone/, isTone);
      const pulled = agent.log.items.length;
      const away = await heard(() => camera.pull(), /silence/, isSilent);
      const again = await heard(() => camera.push(), /microphone/, isTone);
      assert.equal(server.publishes.items.length, 1);
      assert.equal(output(await agent.status(undefined, 20_000, agent.log.items.length)).connects, 1);
      longestStep(tags.items, isSound);
      const [dark, brief] = [away, again].map((some) => longestStep(some, isPicture));
      const shift = (kind: (tag: MediaTag) => boolean): number => shortestWay(again, kind) - shortestWay(before, kind);
      const apart = Math.round(shift(isSound) - shift(isPicture));
      const faults = agent.log.items.slice(pulled).filter(({ level }) => level === 'error' || level === 'warn');
      t.diagnostic(
        `longest step of the picture when it was pulled ${dark} ms, put back ${brief} ms; sound against picture: ${apart} ms; ` +
          `makercast said: ${faults.map(({ message }) => message).join(' ')}`,
      );
      assert.ok(Math.abs(apart) < 200, `sound and picture are ${apart} ms apart`);
      assert.equal((await agent.stop()).code, 0);
    } finally {
      await remove();
    }
  });
});
