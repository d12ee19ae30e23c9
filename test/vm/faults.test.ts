/** A USB camera is lost, hangs, or is in use: makercast says so plainly, never hangs itself, and streams once the camera is back. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { startAgent, type Agent, type LogLine } from '../helpers/agent.js';
import { ended, mortal, run, temporaryFolder } from '../helpers/command.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { c920, UsbCamera } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';

mustBeGuest();

/** The name that stays when the node's number moves. */
const byId = 'usb-046d_HD_Pro_Webcam_C920_5F2C6B2F-video-index0';

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

/** By its name, so that no test picture takes its place, which would be another plan. */
const start = (nginx: Nginx): Promise<Agent> =>
  startAgent(
    {
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'onair',
      VIDEO_SOURCE: byId,
      VIDEO_WIDTH: '320',
      VIDEO_HEIGHT: '240',
      VIDEO_FPS: '10',
      VIDEO_BITRATE_KBPS: '500',
      VIDEO_ENCODER: 'x264enc',
    },
    { dataFolder: data.folder },
  );

/** What makercast says of its source when that fails: which it is, and what to do. */
const isSourceFault = ({ level, event }: LogLine): boolean => level === 'error' && event.startsWith('source_');

/** Waits for pictures from the camera. What was wrong before, such as a device that is still busy, is tried again until then. */
const streams = (agent: Agent, from = 0): Promise<LogLine> => agent.event('playing', 60_000, from);

/** It ends in order, and leaves no process behind: none hangs in the driver. */
async function stops(agent: Agent): Promise<void> {
  assert.equal((await agent.stop()).code, 0);
  await agent.gone();
}

interface Yank {
  readonly how: string;
  away(camera: UsbCamera): Promise<void>;
  back(camera: UsbCamera): Promise<void>;
}

const yanks: readonly Yank[] = [
  { how: 'pulled', away: (camera) => camera.pull(), back: (camera) => camera.push() },
  { how: 'deauthorised', away: (camera) => camera.authorise(false), back: (camera) => camera.authorise(true) },
  { how: 'without its driver', away: (camera) => camera.unbind(), back: (camera) => camera.bind() },
];

describe('a USB camera on the air', () => {
  let camera: UsbCamera;
  before(async () => {
    camera = await UsbCamera.plug(c920);
  });
  after(() => camera[Symbol.asyncDispose]());

  for (const { how, away, back } of yanks) {
    test(`is ${how}: a plain message, no hang, and it streams when it is back`, async () => {
      await using nginx = await startNginx();
      {
        await using agent = await start(nginx);
        await streams(agent);
        const before = agent.log.items.length;
        await away(camera);
        const said = await agent.waitFor(isSourceFault, 20_000, before);
        assert.match(said.message, /^\[source_\w+\] .*C920.*\. \S.*\.$/);
        const { actual, problems } = await agent.status(
          (status) => status.problems.some(({ code }) => code.startsWith('source_')),
          20_000,
          before,
        );
        assert.notEqual(actual, 'live');
        assert.ok(problems.every(({ what, mend }) => what !== '' && mend !== ''));
        await stops(agent);
      }
      await back(camera);
      await using again = await start(nginx);
      await streams(again);
      await stops(again);
    });
  }

  test('freezes without any error: makercast still answers and stops, and streams once it has thawed', async () => {
    await using nginx = await startNginx();
    {
      await using agent = await start(nginx);
      await streams(agent);
      camera.freeze();
      try {
        // Two documents, as there is one each second: the agent is not in the driver's hands.
        await agent.status(undefined, 10_000, agent.log.items.length);
        await agent.status(undefined, 10_000, agent.log.items.length);
        await stops(agent);
      } finally {
        camera.thaw();
      }
    }
    await using again = await start(nginx);
    await streams(again);
    await stops(again);
  });

  test('is frozen from the start: that is said, and it streams by itself once it has thawed', async () => {
    await using nginx = await startNginx();
    camera.freeze();
    await using agent = await start(nginx);
    try {
      const { message } = await agent.waitFor(isSourceFault, 60_000);
      assert.match(message, /^\[source_\w+\] \S.*\. \S.*\.$/);
    } finally {
      camera.thaw();
    }
    await streams(agent);
    await stops(agent);
  });

  test('is in use by another program: that is named, and it streams once that has ended', async () => {
    await using nginx = await startNginx();
    const format = 'width=320,height=240,pixelformat=MJPG';
    const args = ['-d', await camera.node(), `--set-fmt-video=${format}`, '--stream-mmap'];
    const requests = camera.seen.items.length;
    const other = spawn(...mortal('v4l2-ctl', args), { stdio: 'ignore' });
    const gone = ended(other);
    try {
      await camera.seen.waitFor((line) => line.startsWith('start '), 20_000, requests);
      await using agent = await start(nginx);
      const { message } = await agent.event('source_busy', 60_000);
      assert.match(message, new RegExp(`v4l2-ctl \\(process ${other.pid}\\)`));
      other.kill('SIGKILL');
      await gone;
      await streams(agent);
      await stops(agent);
    } finally {
      other.kill('SIGKILL');
    }
  });

  test('is not taken away from makercast by a second program', async () => {
    await using nginx = await startNginx();
    await using agent = await start(nginx);
    await streams(agent);
    const args = ['-d', await camera.node(), '--stream-mmap', '--stream-count=5'];
    const { stdout, stderr } = await run('v4l2-ctl', args, { mayFail: true });
    assert.match(`${stdout.toString()}${stderr}`, /busy/i);
    const seen = agent.log.items.length;
    await agent.status((status) => status.actual === 'live', 20_000, seen);
    assert.equal(agent.log.items.find(isSourceFault), undefined);
    await stops(agent);
  });
});
