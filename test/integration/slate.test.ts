/** The slate: on the air in place of a camera that is not there, and off it again without the server noticing. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { startAgent, type Environment, type StatusDocument } from '../helpers/agent.js';
import { folderFor } from '../helpers/command.js';
import { startNginx } from '../helpers/nginx.js';
import { subscribe } from '../helpers/rtmp-client.js';
import { decodeSound, dominantHertz, isSilent, part } from '../helpers/sound.js';
import { isPicture } from '../helpers/flv.js';
import { analyse, colour } from '../helpers/stream.js';

const small: Environment = { VIDEO_WIDTH: '640', VIDEO_HEIGHT: '360', VIDEO_FPS: '25' };

const sourceOf = (status: StatusDocument): string | undefined =>
  (status['video'] as { source: string } | undefined)?.source;

test('a camera that is not there: the slate is on, with its text, and status says why', async () => {
  await using nginx = await startNginx({ record: true });
  const destination = { STREAM_URL: nginx.url(), STREAM_KEY: 'k7' };
  const text = 'Zurück & gleich <da>';
  await using agent = await startAgent({ ...small, ...destination, VIDEO_SOURCE: '/dev/video99', SLATE_TEXT: text });
  const status = await agent.status(
    ({ actual, outputs }) => actual === 'degraded' && outputs['main']?.state === 'live',
  );
  assert.equal(sourceOf(status), 'slate');
  assert.match(JSON.stringify(status.problems), /source_not_found.*There is no camera '\/dev\/video99'/);
  await using viewer = await subscribe(`${nginx.url()}/k7`);
  await viewer.keyframe();
  await viewer.keyframe(20_000, viewer.tags.items.length);
  await agent.stop();
  await nginx.waitForCall('record_done', { name: 'k7' });
  const [file] = await nginx.recordings();
  const { video, audio, decodeErrors } = await analyse(file!);
  assert.deepEqual([video!.width, video!.height, audio!.rate, decodeErrors], [640, 360, 48000, []]);
  assert.ok(Math.abs(video!.fps - 25) < 1, `${video!.fps} fps`);
  assert.ok(isSilent(await decodeSound(file!)));
  // The ground is dark blue; letters stand in the middle of it and nowhere else.
  const ground = await colour(file!, { x: 0, y: 0, width: 1, height: 0.25 }, 1);
  const middle = await colour(file!, { x: 0.25, y: 0.45, width: 0.5, height: 0.1 }, 1);
  assert.ok(Math.abs(ground[0] - 28) < 12 && Math.abs(ground[2] - 51) < 12, `ground ${ground.join()}`);
  assert.ok(middle[0] > ground[0] + 15 && middle[1] > ground[1] + 15, `${middle.join()} beside ${ground.join()}`);
});

const replans = 12;
const measuredMs = 4000;
/** Pictures in that time at 25 a second. */
const measured = 100;

test(`the picture goes to the slate and back ${replans} times: one session, times that never step back and stay true`, async (t) => {
  await using nginx = await startNginx({ record: true });
  const folder = await folderFor(t);
  const file = path.join(folder, 'makercast.yml');
  const show = (source: string): Promise<void> =>
    writeFile(file, JSON.stringify({ video: { source, testPattern: 'ball' }, audio: { source: 'test' } }));
  await show('test');
  await using agent = await startAgent({ ...small, STREAM_URL: nginx.url(), STREAM_KEY: 'k7' }, { cwd: folder });
  await agent.status(({ actual }) => actual === 'live');
  await using viewer = await subscribe(`${nginx.url()}/k7`);
  await viewer.keyframe();
  /** So much of the stream that its clock can be read on a busy machine: some picture of it was not kept waiting. */
  const steady = async (): Promise<void> => {
    const from = viewer.tags.items.length;
    const begun = viewer.tags.items[from - 1]!.timestamp;
    await viewer.tags.waitFor(({ timestamp }) => timestamp > begun + measuredMs, 20_000, from);
  };
  await steady();
  for (let round = 0; round < replans; round++) {
    const [from, seen] = [agent.log.items.length, viewer.tags.items.length];
    const away = round % 2 === 0;
    await show(away ? '/dev/video99' : 'test');
    await agent.status((status) => (sourceOf(status) === 'slate') === away, 20_000, from);
    await viewer.keyframe(20_000, seen);
  }
  await steady();
  const pictures = viewer.tags.items.filter(isPicture);
  const times = pictures.map(({ timestamp }) => timestamp);
  assert.ok(
    times.every((time, index) => index === 0 || time > times[index - 1]!),
    'a picture stepped back',
  );
  // What arrived soonest was delayed least: how the shortest way changes over the broadcast is how its clock drifted.
  const shortest = (part: typeof pictures): number => Math.min(...part.map(({ at, timestamp }) => at - timestamp));
  const drift = shortest(pictures.slice(-measured)) - shortest(pictures.slice(0, measured));
  assert.ok(Math.abs(drift) <= 40, `${Math.round(drift)} ms off after ${replans} replans`);
  assert.equal(nginx.calls.items.filter(({ call }) => call === 'publish').length, 1);
  await agent.stop();
  await nginx.waitForCall('record_done', { name: 'k7' });
  const [recording] = await nginx.recordings();
  const { video, audio, decodeErrors } = await analyse(recording!);
  assert.deepEqual(decodeErrors, []);
  assert.ok(video!.monotonic && audio!.monotonic);
  const sound = await decodeSound(recording!);
  assert.equal(Math.round(dominantHertz(part(sound, 0.2, 0.8)) / 10), 44, 'the tone goes through');
});
