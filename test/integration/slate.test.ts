/** The slate: on the air in place of a camera that is not there, and off it again without the server noticing. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { startAgent, type Environment, type StatusDocument } from '../helpers/agent/agent.js';
import { folderFor, run } from '../helpers/command.js';
import { daily } from '../helpers/long.js';
import { startNginx } from '../helpers/rtmp/nginx.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';
import { subscribe } from '../helpers/rtmp/client.js';
import { lipSync } from '../helpers/content/lipsync.js';
import { decodeSound, isSilent } from '../helpers/content/sound.js';
import {
  darkMs,
  flvFile,
  isAudioHeader,
  isPicture,
  isSound,
  isVideoHeader,
  isVideoKey,
  pictureGaps,
  shortestWay,
  usualSplice,
} from '../helpers/content/flv.js';
import { analyse, colour } from '../helpers/content/stream.js';

const small: Environment = { VIDEO_WIDTH: '640', VIDEO_HEIGHT: '360', VIDEO_FPS: '25' };

test('a camera that is not there: the slate is on, with its text, and status says why', async () => {
  await using nginx = await startNginx({ record: true });
  const destination = { STREAM_URL: nginx.url(), STREAM_KEY: 'k7' };
  const text = 'Zurück & gleich <da>';
  await using agent = await startAgent({ ...small, ...destination, VIDEO_SOURCE: '/dev/video99', SLATE_TEXT: text });
  // A busy machine may lose a capture process on the way, and has no picture for a moment then.
  const status = await agent.status(
    ({ actual, outputs, video }) =>
      actual === 'degraded' && outputs['main']?.state === 'live' && video?.source === 'slate',
  );
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

/** The next keyframe is then that of another picture. */
const keyframeSeconds = 10;

test('slate.image is shown; one that is none, too large, or breaks off is not, and the text is there at once', async (t) => {
  const folder = await folderFor(t);
  const draw = (name: string, size: string): Promise<unknown> =>
    run('ffmpeg', [...'-nostdin -v error -f lavfi -i'.split(' '), `color=red:size=${size}`, '-frames:v', '1', name], {
      cwd: folder,
    });
  await draw('card.png', '640x360');
  await draw('huge.png', '8000x4000');
  await writeFile(path.join(folder, 'text.jpg'), 'no picture');
  // It begins as a picture does: only decoding shows that it is none.
  const whole = await readFile(path.join(folder, 'card.png'));
  await writeFile(path.join(folder, 'broken.png'), Buffer.concat([whole.subarray(0, 60), Buffer.alloc(1000, 7)]));
  const file = path.join(folder, 'makercast.yml');
  const show = (image: string): Promise<void> =>
    writeFile(file, JSON.stringify({ video: { source: '/dev/video99', keyframeSeconds }, slate: { image } }));
  await show('card.png');
  await using server = await startRtmpServer();
  await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k7' }, { cwd: folder });
  const { tags } = await server.published('k7');
  /** Whether the next keyframe is red, as the card is. */
  const isRed = async (from: number): Promise<boolean> => {
    const key = await tags.waitFor(isVideoKey, 20_000, from);
    const header = tags.items.slice(0, tags.items.indexOf(key)).findLast(isVideoHeader);
    const flv = path.join(folder, 'seen.flv');
    await writeFile(flv, flvFile([header!, key]));
    const [red, , blue] = await colour(flv, { x: 0, y: 0, width: 1, height: 0.25 });
    return red > 150 && blue < 60;
  };
  await agent.status(({ outputs }) => outputs['main']?.state === 'live');
  assert.ok(await isRed(0), 'the picture of the slate is on');
  const card = 'card.png';
  for (const image of ['missing.png', card, 'huge.png', card, 'text.jpg', card, 'broken.png']) {
    const [line, seen] = [agent.log.items.length, tags.items.length];
    await show(image);
    const isSaid = ({ problems }: StatusDocument): boolean =>
      problems.some(({ code, what }) => code === 'slate_image' && what.includes(image)) === (image !== card);
    const status = await agent.status((each) => each.video?.source === 'slate' && isSaid(each), 20_000, line);
    assert.match(JSON.stringify(status.problems), /source_not_found/, 'what is away is said all the same');
    assert.equal(await isRed(seen), image === card, image);
  }
  assert.equal(server.publishes.items.length, 1);
  assert.ok(agent.log.items.some(({ event }) => event === 'slate_image'));
  const longest = Math.max(...pictureGaps(tags.items));
  assert.ok(longest < darkMs, `dark for ${longest} ms`);
  t.diagnostic(`${longest} ms without a picture at most`);
  await agent.stop();
});

const replans = daily(16, 50);
const measuredMs = 4000;
/** A clock that loses only the time of a splice is 40 ms and more behind with each of them. The fewer streams there are to read it by, the less exact it is read. */
const mayDriftMs = daily(120, 40);

test(`the picture goes to the slate and back ${replans} times: one session, times that never step back and stay true, lips in sync`, async (t) => {
  await using server = await startRtmpServer();
  const folder = await folderFor(t);
  const file = path.join(folder, 'makercast.yml');
  const show = (source: string): Promise<void> =>
    writeFile(
      file,
      JSON.stringify({ video: { source, testPattern: 'sync', keyframeSeconds }, audio: { source: 'test' } }),
    );
  await show('test');
  await using agent = await startAgent({ ...small, STREAM_URL: server.url(), STREAM_KEY: 'k7' }, { cwd: folder });
  await agent.status(({ actual }) => actual === 'live');
  const connection = await server.published('k7');
  const { tags } = connection;
  await tags.waitFor(isPicture, 15_000);
  /** So much of the stream that its lip-sync can be measured. */
  const steady = async (): Promise<void> => {
    const from = tags.items.length;
    const begun = tags.items[from - 1]!.timestamp;
    await tags.waitFor(({ timestamp }) => timestamp > begun + measuredMs, 20_000, from);
  };
  await steady();
  const begins = [0];
  for (let round = 0; round < replans; round++) {
    const from = tags.items.length;
    await show(round % 2 === 0 ? '/dev/video99' : 'test');
    begins.push(tags.items.indexOf(await tags.waitFor(isVideoKey, 20_000, from)));
  }
  await steady();
  const status = await agent.status(({ actual }) => actual === 'live', 20_000, agent.log.items.length);
  assert.equal((status['hub'] as { splices: number }).splices, replans + 1);
  for (const kind of [isPicture, isSound]) {
    const times = tags.items.filter(kind).map(({ timestamp }) => timestamp);
    assert.ok(
      times.every((time, index) => index === 0 || time > times[index - 1]!),
      'a time stepped back',
    );
  }
  const gaps = pictureGaps(tags.items);
  const usual = usualSplice(gaps, replans);
  assert.ok(usual < 1000 && Math.max(...gaps) < darkMs, `${usual} to ${Math.max(...gaps)} ms without a picture`);
  // A stream's clock is set by its first picture. One that was kept waiting is behind those that follow it, and makes their way
  // shorter, never longer: of many streams, the longest is that of a stream whose first picture came as soon as the others.
  const ways = begins.map((begin, index) => shortestWay(tags.items.slice(begin, begins[index + 1])));
  const half = Math.floor(ways.length / 2);
  const drift = Math.max(...ways.slice(half)) - Math.max(...ways.slice(0, half));
  const since = ways.map((way) => Math.round(way - ways[0]!));
  assert.ok(Math.abs(drift) <= mayDriftMs, `${Math.round(drift)} ms off after ${replans} replans: ${since.join(' ')}`);
  assert.equal(server.publishes.items.length, 1);
  await agent.stop();
  const whole = path.join(folder, 'whole.flv');
  await writeFile(whole, connection.flv());
  const { video, audio, decodeErrors } = await analyse(whole);
  assert.deepEqual(decodeErrors, []);
  assert.ok(video!.monotonic && audio!.monotonic);
  // The last stream alone: at the splices the picture turns dark or light without a beep.
  const end = path.join(folder, 'end.flv');
  const headers = [isVideoHeader, isAudioHeader].map((isHeader) => tags.items.findLast(isHeader)!);
  await writeFile(end, flvFile([...headers, ...tags.items.slice(begins.at(-1))]));
  const sync = await lipSync(end, 'flip');
  assert.ok(Math.abs(sync.worstMs) <= 40, JSON.stringify(sync.offsets));
  t.diagnostic(since.join(' '));
  t.diagnostic(
    `${Math.round(drift)} ms off, ${usual} ms without a picture at a splice, ${Math.max(...gaps)} ms at most, lip-sync ${sync.worstMs.toFixed(0)} ms`,
  );
});
