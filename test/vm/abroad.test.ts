/** A broadcast over a network of delay and loss (netem), and from a USB microphone that is pulled and put back. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startAbroad, type Abroad } from '../helpers/abroad.js';
import type { StatusDocument } from '../helpers/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { flvFile, isPicture, isSound, lags, wallClock, type ArrivedTag, type MediaTag } from '../helpers/flv.js';
import { decodeSound, isSilent, part, toneShare } from '../helpers/sound.js';
import { c920, tone, UsbCamera } from './devices/usb-camera.js';
import { load, mustBeGuest, small } from './guest.js';

mustBeGuest();

const delayMs = 300;
const lossPercent = 5;
/** TCP carries some 200 kbit/s over such a way: a segment each 0.3 s, times 1.2 by the root of the loss (Mathis et al., 1997). */
const poor = { VIDEO_FPS: '5', VIDEO_BITRATE_KBPS: '300', VIDEO_MIN_BITRATE_KBPS: '50', AUDIO_BITRATE_KBPS: '64' };
/** Pictures at the server before anything is judged, at 5 a second or fewer. */
const enough = 125;

type Output = { state: string; connects: number; queuedMs: number; deliveredKbps: number; droppedFrames: number };
const output = (status: StatusDocument): Output => status.outputs['main'] as unknown as Output;
const video = (status: StatusDocument) => status['video'] as { bitrateKbps: number };
const splicesOf = (status: StatusDocument): number => (status['hub'] as { splices: number } | undefined)?.splices ?? 0;
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

/** How much later than their own times the soonest of `tags` came: what changes of it is a clock that drifts. */
const soonest = (tags: readonly ArrivedTag[], kind: (tag: MediaTag) => boolean): number =>
  Math.min(...tags.filter(kind).map(({ at, timestamp }) => at - timestamp));

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
    const [least, most] = [Math.min, Math.max].map((of) => of(...statuses.map((status) => video(status).bitrateKbps)));
    const changes = agent.log.items.filter(({ event }) => event.startsWith('bitrate_')).map(({ message }) => message);
    t.diagnostic(
      `${seen()} pictures, at most ${Math.round(Math.max(...behind))} ms later than the soonest, longest step ${gap} ms, ` +
        `${outputs.at(-1)!.droppedFrames} dropped; ${Math.round(Math.max(...outputs.map(({ queuedMs }) => queuedMs)))} ms queued at most, ` +
        `stalled in ${outputs.filter(({ state }) => state === 'stalled').length} of ${outputs.length} s`,
    );
    t.diagnostic(`asked of the encoder: ${least} to ${most} kbit/s. ${changes.join(' ')}`);
    await on.namespace.throttle(undefined);
  });

  test('the microphone is pulled and put back: a tone, silence, the tone; the picture goes on, and so does the session', async (t) => {
    const { agent, server } = on;
    const { tags } = server.publishes.items[0]!;
    let splices = 0;
    /** Four seconds of the stream with that sound, once it has come to a new pipeline. */
    const heard = async (source: RegExp): Promise<{ from: number; to: number; tags: readonly ArrivedTag[] }> => {
      const status = await agent.status(
        (each) => source.test(soundOf(each)) && output(each).state === 'live' && splicesOf(each) > splices,
        20_000,
        agent.log.items.length,
      );
      splices = splicesOf(status);
      const first = tags.items.length;
      // What was on its way comes from the pipeline before.
      const from = tags.items.at(-1)!.timestamp + 1000;
      const to = from + 4000;
      await tags.waitFor(({ timestamp }) => timestamp > to, 30_000, first);
      return { from: from / 1000, to: to / 1000, tags: tags.items.slice(first) };
    };
    const before = await heard(/microphone/);
    const pulled = wallClock();
    await camera.pull();
    const without = await heard(/silence/);
    const pushed = wallClock();
    await camera.push();
    const again = await heard(/microphone/);
    assert.equal(server.publishes.items.length, 1);
    assert.equal(output(await agent.status(undefined, 20_000, agent.log.items.length)).connects, 1);

    const [lost, found] = [
      tags.items.filter(({ at }) => at >= pulled && at < pushed),
      tags.items.filter(({ at }) => at >= pushed),
    ];
    const [dark, brief] = [lost, found].map((part) => longestStep(part, isPicture));
    longestStep(tags.items, isSound);
    const [picture, sound] = [isPicture, isSound].map((kind) => soonest(again.tags, kind) - soonest(before.tags, kind));
    t.diagnostic(
      `longest step of the picture when it was pulled ${dark} ms, put back ${brief} ms; ` +
        `sound against picture: ${Math.round(sound! - picture!)} ms off`,
    );
    const { folder, remove } = await temporaryFolder();
    const file = path.join(folder, 'whole.flv');
    await writeFile(file, flvFile(tags.items));
    const whole = await decodeSound(file);
    await remove();
    const [first, middle, last] = [before, without, again].map(({ from, to }) => part(whole, from, to));
    // Moments of it may be lost where the processor is emulated.
    assert.ok(toneShare(first!, tone) > 0.3, 'the tone before');
    assert.ok(isSilent(middle!), 'silence while it is away');
    assert.ok(toneShare(last!, tone) > 0.3, 'the tone again');
    assert.ok(Math.abs(sound! - picture!) < 200, `sound and picture are ${Math.round(sound! - picture!)} ms apart`);
    assert.equal((await agent.stop()).code, 0);
  });
});
