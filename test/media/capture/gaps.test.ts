/** A camera that is slow in the dark, or stalls: the picture goes on at its rate, and nothing that was encoded is lost. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { TagCutter } from '../../../agent/formats/flv/tag.js';
import { Pipeline } from '../../../agent/media/gstreamer.js';
import { plan } from '../../../pipelines/choose/best.js';
import { folderFor } from '../../helpers/command.js';
import { flvFile } from '../../helpers/content/flv.js';
import { lasts } from '../../helpers/interval.js';
import { analyse } from '../../helpers/content/stream.js';
import { installedElements } from '../../pipelines/gst.js';
import { c270, pc, want } from '../../pipelines/machines.js';

const [width, height, fps] = [320, 180, 15];
const lastsMs = 3500;

/** Opens and shuts the way of a camera's pictures, again and again: it gives some for `openMs` and none for `shutMs`. */
async function recorded(t: TestContext, fourcc: string, openMs: number, shutMs: number): Promise<string> {
  const camera = { ...c270, formats: [{ fourcc, width, height, fps: [fps] }] };
  const machine = { ...pc, elements: installedElements(), cameras: [camera] };
  const wanted = want({ width, height, fps, keyframeSeconds: 2, encoder: 'x264enc' }, { source: 'test' });
  const [made] = plan(wanted, machine).pipelines;
  // Like a driver, in the time that it has lost it makes nothing: what comes next is of that moment.
  const raw = `videotestsrc name=video-source is-live=true pattern=ball ! video/x-raw,framerate=${fps}/1 ! valve name=way`;
  const jpeg = `videotestsrc name=video-source is-live=true pattern=ball ! video/x-raw,width=${width},height=${height},framerate=${fps}/1 ! valve name=way ! jpegenc`;
  const text = made!.text.replace('v4l2src name=video-source', fourcc === 'MJPG' ? jpeg : raw);
  const pipeline = new Pipeline({ text, properties: [] }, () => undefined);
  t.after(() => pipeline.destroy());
  pipeline.play();
  const cutter = new TagCutter();
  const tags: Buffer[] = [];
  let over = false;
  const drain = async (): Promise<void> => {
    for (;;) {
      const pulled = await pipeline.pull('tags', 0, 100);
      if (over || pulled === null) return;
      for (const found of cutter.push(pulled)) if (!found.begin) tags.push(found.tag);
    }
  };
  const drained = drain();
  const begun = performance.now();
  while (performance.now() - begun < lastsMs) {
    for (const [drop, ms] of [
      [false, openMs],
      [true, shutMs],
    ] as const) {
      pipeline.set({ element: 'way', property: 'drop', value: drop });
      await lasts(ms, drop ? 'the camera gives nothing' : 'the camera gives pictures');
    }
  }
  over = true;
  await drained;
  const file = path.join(await folderFor(t), 'recorded.flv');
  await writeFile(file, Buffer.concat([flvFile([]), ...tags]));
  return file;
}

const cameras: readonly [string, number, number][] = [
  ['gives two pictures a second', 1000 / fps, 500 - 1000 / fps],
  ['stalls for 600 ms again and again', 1000, 600],
];
describe('pictures that are late or missing', () => {
  for (const [what, openMs, shutMs] of cameras) {
    for (const fourcc of ['YUYV', 'MJPG']) {
      test(`${fourcc} of a camera that ${what}`, async (t) => {
        const file = await recorded(t, fourcc, openMs, shutMs);
        const { video, audio, decodeErrors } = await analyse(file);
        assert.deepEqual(decodeErrors, []);
        assert.ok(video!.monotonic && audio!.monotonic);
        assert.ok(Math.abs(video!.fps - fps) < 1, `${video!.fps} pictures a second`);
        // A busy machine is late by a picture or three; the camera's own gaps are of 500 and 600 ms.
        assert.ok(video!.largestGapMs < 4.5 * (1000 / fps), `${video!.largestGapMs} ms without a picture`);
      });
    }
  }
});
