/** A plan in a real pipeline: what goes on when it gives its first picture, and what is found when picture or sound stay away. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { once } from 'node:events';
import { test } from 'node:test';
import { systemClock } from '../../../agent/clock.js';
import type { Fault } from '../../../agent/errors.js';
import { isKeyframe, isVideo, TagCutter } from '../../../agent/formats/flv/tag.js';
import { Player } from '../../../agent/media/capture/player.js';
import { Pipeline } from '../../../agent/media/gstreamer.js';
import { Uplink } from '../../../agent/media/capture/uplink.js';
import type { InputPart } from '../../../agent/media/messages.js';
import { plan } from '../../../pipelines/choose/best.js';
import type { Plan } from '../../../pipelines/plan.js';
import { Feed } from '../../helpers/feed.js';
import { lasts } from '../../helpers/interval.js';
import { installedElements } from '../../pipelines/gst.js';
import { c270, c920, c920WithoutUnit, pc, want } from '../../pipelines/machines.js';

const machine = { ...pc, elements: installedElements() };

/** The test picture and its tone, each behind a valve that a test shuts as a device would that goes silent; the muxer waits as it does for devices. */
function valved(): Plan {
  const made = plan(
    want({ source: 'test', width: 320, height: 180, testPattern: 'ball' }, { source: 'test' }),
    machine,
  );
  const pipeline = made.pipelines[0]!;
  const text = pipeline.text
    .replace('latency=3000000000', 'latency=500000000')
    .replace(/(videotestsrc name=video-source [^!]*! [^!]* )!/, '$1! valve name=picture !')
    .replace(/(audiotestsrc name=audio-source [^!]*! [^!]* )!/, '$1! valve name=sound !');
  assert.match(text, /valve name=picture[^]*valve name=sound[^]*latency=500000000/);
  return { ...made, pipelines: [{ ...pipeline, text }] };
}

/** A player whose tags a hub of the test receives. */
async function playing(
  made: Plan,
  told: (seconds?: number) => void = () => undefined,
  seen: () => void = () => undefined,
  refused: (what: string, why: string) => unknown = () => undefined,
) {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'makercast player '));
  const cutter = new TagCutter();
  let onKeyframe: () => void = () => undefined;
  const next = (): Promise<void> => new Promise((resolve) => (onKeyframe = resolve));
  const keyframe = next();
  const server = createServer((socket) =>
    socket.on('data', (bytes) => {
      for (const found of cutter.push(bytes)) {
        if (found.begin) continue;
        if (isVideo(found.tag)) seen();
        if (isKeyframe(found.tag)) onKeyframe();
      }
    }),
  );
  server.listen(path.join(folder, 'hub.sock'));
  await once(server, 'listening');
  const uplink = new Uplink(path.join(folder, 'hub.sock'), () => undefined);
  await once(server, 'connection');
  let fail: (failed: { fault: Fault; part: InputPart }) => void = () => undefined;
  const failed = new Promise<{ fault: Fault; part: InputPart }>((resolve) => (fail = resolve));
  let begun = 0;
  const player = new Player(made, uplink, 0, systemClock, {
    playing: () => (begun += 1),
    ended: () => undefined,
    round: () => undefined,
    refused: (what, why) => void refused(what, why),
    sparse: (seconds) => told(seconds),
    failed: (fault, part) => {
      told();
      fail({ fault, part });
    },
  });
  return {
    player,
    keyframe,
    /** The next one that comes from now on. */
    nextKeyframe: next,
    failed,
    begun: () => begun,
    async [Symbol.asyncDispose]() {
      player.stop();
      uplink.close();
      server.close();
      await rm(folder, { recursive: true });
    },
  };
}

for (const part of ['picture', 'sound'] as const) {
  test(`a ${part} that stays away without an error is found`, { timeout: 30_000 }, async () => {
    await using on = await playing(valved());
    on.player.start();
    await on.keyframe;
    assert.equal(on.begun(), 1);
    on.player.adjust(valved(), [{ element: part, property: 'drop', value: true }]);
    const { fault, part: lost } = await on.failed;
    assert.deepEqual([fault.code, lost], ['source_silent', part]);
    assert.match(fault.what, part === 'sound' ? /^tone stopped delivering/ : /^test picture .* stopped delivering/);
  });
}

test(
  'a camera that freezes is found, though its last picture is sent again and again',
  { timeout: 30_000 },
  async () => {
    const [width, height, fps] = [320, 180, 15];
    const camera = { ...c270, formats: [{ fourcc: 'YUYV', width, height, fps: [fps] }] };
    const made = plan(want({ width, height, fps, encoder: 'x264enc' }, { source: 'test' }), {
      ...machine,
      cameras: [camera],
    });
    const source = `videotestsrc name=video-source is-live=true ! video/x-raw,framerate=${fps}/1 ! valve name=picture`;
    const text = made.pipelines[0]!.text.replace('v4l2src name=video-source', source);
    const frozen = { ...made, pipelines: [{ text, properties: [] }] };
    let pictures = 0;
    await using on = await playing(frozen, undefined, () => (pictures += 1));
    on.player.start();
    await on.keyframe;
    on.player.adjust(frozen, [{ element: 'picture', property: 'drop', value: true }]);
    const before = pictures;
    const { fault, part } = await on.failed;
    assert.deepEqual([fault.code, part], ['source_silent', 'picture']);
    assert.match(fault.what, /^camera .* stopped delivering data/);
    assert.ok(pictures - before > fps / 2, `${pictures - before} pictures while it was frozen`);
  },
);

test(
  'a camera whose own H.264 has no keyframe for too long: told once; with keyframes, nothing',
  { timeout: 30_000 },
  async () => {
    const [width, height, fps] = [320, 180, 15];
    const camera = { ...c920WithoutUnit, formats: [{ fourcc: 'H264', width, height, fps: [fps] }] };
    const made = plan(want({ width, height, fps }, { source: 'test' }), { ...machine, cameras: [camera] });
    assert.deepEqual([made.video.encoder, made.video.bitrateKbps], ['passthrough', undefined]);
    const encoded = (distance: number): Plan => {
      const source =
        `videotestsrc name=video-source is-live=true ! video/x-raw,width=${width},height=${height},framerate=${fps}/1 ! ` +
        `x264enc tune=zerolatency speed-preset=ultrafast key-int-max=${distance} ! video/x-h264,profile=constrained-baseline`;
      const text = made.pipelines[0]!.text.replace('v4l2src name=video-source', source);
      return { ...made, pipelines: [{ text, properties: [] }] };
    };
    const told = new Feed<number | undefined>('told');
    await using often = await playing(encoded(fps), (seconds) => told.push(seconds));
    const seldom = await playing(encoded(fps * 100), (seconds) => told.push(seconds));
    often.player.start();
    seldom.player.start();
    await seldom.keyframe;
    await told.waitFor(() => true, 20_000);
    await lasts(2000, 'nothing more is told, of neither');
    await seldom[Symbol.asyncDispose]();
    assert.deepEqual(told.items, [5]);
  },
);

test(
  'a camera whose unit does not answer streams as it did before, its keyframes are judged, and that is told',
  { timeout: 30_000 },
  async () => {
    const [width, height, fps] = [320, 180, 15];
    // A device that is there and knows no such request.
    const camera = { ...c920, path: '/dev/null', formats: [{ fourcc: 'H264', width, height, fps: [fps] }] };
    const made = plan(want({ width, height, fps }, { source: 'test' }), { ...machine, cameras: [camera] });
    assert.equal(made.encoderUnit?.device, '/dev/null');
    const source =
      `videotestsrc name=video-source is-live=true ! video/x-raw,width=${width},height=${height},framerate=${fps}/1 ! ` +
      `x264enc tune=zerolatency speed-preset=ultrafast key-int-max=9000 ! video/x-h264,profile=constrained-baseline`;
    const text = made.pipelines[0]!.text.replace('v4l2src name=video-source', source);
    const refused: string[] = [];
    let sparse: (seconds: number) => void = () => undefined;
    const told = new Promise<number>((resolve) => (sparse = resolve));
    const tell = (seconds?: number): void => sparse(seconds!);
    const heard = (what: string, why: string): unknown => refused.push(`${what} ${why}`);
    await using on = await playing({ ...made, pipelines: [{ text, properties: [] }] }, tell, undefined, heard);
    on.player.start();
    assert.deepEqual(refused, ['setup ENOTTY']);
    await on.keyframe;
    on.player.adjust(made, [{ element: 'encoder-unit', property: 'bitrateKbps', value: 800 }]);
    on.player.forceKeyframe();
    assert.equal(await told, 5);
    assert.equal(on.begun(), 1);
    assert.equal(refused.length, 1);
  },
);

test('a keyframe is asked for by an event, or by the property that the plan names', { timeout: 30_000 }, async () => {
  const made = valved();
  const [pipeline] = made.pipelines;
  // None comes by itself within the test.
  const seldom = {
    ...made,
    pipelines: [{ ...pipeline!, text: pipeline!.text.replace(/key-int-max=\d+/, 'key-int-max=9000') }],
  };
  assert.notEqual(seldom.pipelines[0]!.text, pipeline!.text);
  {
    await using on = await playing(seldom);
    on.player.start();
    await on.keyframe;
    const another = on.nextKeyframe();
    on.player.forceKeyframe();
    await another;
  }
  // What a driver does by its control is shown by a valve: it shuts, and the picture stays away.
  await using on = await playing({ ...seldom, keyframe: { element: 'picture', property: 'drop', value: true } });
  on.player.start();
  await on.keyframe;
  on.player.forceKeyframe();
  assert.equal((await on.failed).part, 'picture');
});

test(
  'a file that gives nothing any more, and no error, is found too, if later: films stand still',
  { timeout: 60_000 },
  async () => {
    const film = (): Plan => ({ ...valved(), live: false });
    await using on = await playing(film());
    on.player.start();
    await on.keyframe;
    on.player.adjust(film(), [{ element: 'picture', property: 'drop', value: true }]);
    on.player.adjust(film(), [{ element: 'sound', property: 'drop', value: true }]);
    const { fault, part } = await on.failed;
    assert.deepEqual([fault.code, part], ['source_silent', 'picture']);
  },
);

test('sound alone does not begin a programme: a picture that never comes is found', { timeout: 30_000 }, async () => {
  const made = valved();
  const pipeline = made.pipelines[0]!;
  await using on = await playing({
    ...made,
    pipelines: [{ ...pipeline, text: pipeline.text.replace('name=picture', 'drop=true') }],
  });
  on.player.start();
  const { fault, part } = await on.failed;
  assert.deepEqual([fault.code, part, on.begun()], ['source_silent', 'picture', 0]);
});

test('a fault is told before the devices are let go of, in which a driver may hang', { timeout: 30_000 }, async (t) => {
  const order: string[] = [];
  const { destroy } = Pipeline.prototype;
  t.mock.method(Pipeline.prototype, 'destroy', function (this: Pipeline) {
    order.push('let go');
    destroy.call(this);
  });
  await using on = await playing(valved(), () => order.push('told'));
  on.player.start();
  await on.keyframe;
  on.player.adjust(valved(), [{ element: 'picture', property: 'drop', value: true }]);
  await on.failed;
  // What plays next is started by a message, which is not heard before this.
  assert.deepEqual(order, ['told', 'let go']);
});
