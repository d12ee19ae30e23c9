/** A film that goes round and round while its file is replaced by another: the broadcast goes on, and status tells what is on. */
import assert from 'node:assert/strict';
import { copyFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { startAgent, type StatusDocument } from '../helpers/agent/agent.js';
import { folderFor } from '../helpers/command.js';
import { darkMs, pictureGaps } from '../helpers/content/flv.js';
import { makeSyncFile, type SyncFileOptions } from '../helpers/content/lipsync.js';
import { startRtmpServer } from '../helpers/rtmp/server.js';

const before: SyncFileOptions = { seconds: 2, size: '320x180', fps: 30 };

async function replacedBy(t: TestContext, recipe: SyncFileOptions, how: 'renamed over' | 'copied over') {
  const folder = await folderFor(t);
  const film = path.join(folder, 'film.mkv');
  const other = path.join(folder, 'other.mkv');
  await makeSyncFile(film, before);
  await makeSyncFile(other, recipe);
  await using server = await startRtmpServer();
  await using agent = await startAgent({
    VIDEO_SOURCE: 'file',
    VIDEO_FILES: film,
    VIDEO_WIDTH: '640',
    VIDEO_HEIGHT: '360',
    STREAM_URL: server.url(),
    STREAM_KEY: 'film',
  });
  const first = await agent.status(({ actual }) => actual === 'live', 30_000);
  assert.deepEqual([first.video?.width, first.video?.encoder], [320, 'passthrough']);
  if (how === 'renamed over') await rename(other, film);
  else await copyFile(other, film);
  const line = agent.log.items.length;
  const isOn = (status: StatusDocument): boolean =>
    status.actual === 'live' && status.video?.source === 'file' && status.video.width !== 320;
  const { video } = await agent.status(isOn, 30_000, line);
  assert.equal(server.publishes.items.length, 1, 'one session from start to end');
  const { tags } = server.publishes.items[0]!;
  await agent.lasts(5000, 'it plays round and round');
  const gaps = pictureGaps(tags.items);
  t.diagnostic(`${Math.max(...gaps)} ms without a picture at most`);
  assert.ok(Math.min(...gaps) >= 0 && Math.max(...gaps) < darkMs, `${Math.min(...gaps)} to ${Math.max(...gaps)} ms`);
  await agent.stop();
  return video!;
}

for (const how of ['renamed over', 'copied over'] as const) {
  test(`a file of another size, ${how} it`, async (t) => {
    const { width, encoder } = await replacedBy(t, { ...before, size: '480x270', fps: 25 }, how);
    assert.deepEqual([width, encoder], [480, 'passthrough']);
  });
}

test('a file of another codec', async (t) => {
  const { width, encoder } = await replacedBy(t, { ...before, video: 'mpeg4', audio: 'pcm_s16le' }, 'renamed over');
  assert.deepEqual([width, encoder], [640, 'x264enc']);
});
