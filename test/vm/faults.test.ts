/** A USB camera is lost, hangs, or is in use: makercast says so plainly, the slate stands in, and the picture is back by itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startAgent, type Agent, type LogLine, type StatusDocument } from '../helpers/agent.js';
import { ended, mortal, run, temporaryFolder } from '../helpers/command.js';
import { startNginx, type Nginx } from '../helpers/nginx.js';
import { c920, UsbCamera } from './devices/usb-camera.js';
import { mustBeGuest } from './guest.js';

mustBeGuest();

/** The name that stays when the node's number moves. */
const byId = 'usb-046d_HD_Pro_Webcam_C920_5F2C6B2F-video-index0';

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
const { folder, remove } = await temporaryFolder();
after(data.remove);
after(remove);

/** By its name, so that no test picture takes its place. */
const start = (nginx: Nginx): Promise<Agent> =>
  startAgent(
    {
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'onair',
      VIDEO_SOURCE: byId,
      VIDEO_WIDTH: '320',
      VIDEO_HEIGHT: '240',
      VIDEO_FPS: '5',
      VIDEO_BITRATE_KBPS: '500',
      VIDEO_ENCODER: 'x264enc',
    },
    { dataFolder: data.folder, cwd: folder },
  );

/** What makercast says of its source when that fails: which it is, and what to do. */
const isSourceFault = ({ level, event }: LogLine): boolean => level === 'error' && event.startsWith('source_');

const sourceOf = (status: StatusDocument): string => (status['video'] as { source: string } | undefined)?.source ?? '';

/** Waits until pictures of the camera, or of the slate, go out. What was wrong before is tried again until then. */
const shows = (agent: Agent, source: RegExp, from = 0): Promise<StatusDocument> =>
  agent.status(
    (status) => source.test(sourceOf(status)) && (status.actual === 'live' || sourceOf(status) === 'slate'),
    20_000,
    from,
  );
const picture = /C920/;
const slate = /^slate$/;

const publishes = (nginx: Nginx): number => nginx.calls.items.filter(({ call }) => call === 'publish').length;

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
  {
    how: 'frozen without any error',
    away: (camera) => Promise.resolve(camera.freeze()),
    back: (camera) => Promise.resolve(camera.thaw()),
  },
];

describe('a USB camera on the air', () => {
  let camera: UsbCamera;
  let nginx: Nginx;
  let agent: Agent;
  before(async () => {
    camera = await UsbCamera.plug(c920);
    nginx = await startNginx();
    agent = await start(nginx);
    await shows(agent, picture);
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await nginx.stop();
    await camera[Symbol.asyncDispose]();
  });

  test('takes its controls while it runs', async () => {
    const seen = camera.seen.items.length;
    await writeFile(path.join(folder, 'makercast.yml'), 'camera: {zoom: 150}\n');
    await camera.seen.waitFor((line) => /zoom/.test(line) && line.includes('150'), 20_000, seen);
    const log = agent.log.items.length;
    await shows(agent, picture, log);
    assert.equal(publishes(nginx), 1);
  });

  test('is not taken away from makercast by a second program', async () => {
    const args = ['-d', await camera.node(), '--stream-mmap', '--stream-count=5'];
    const { stdout, stderr } = await run('v4l2-ctl', args, { mayFail: true });
    assert.match(`${stdout.toString()}${stderr}`, /busy/i);
    await shows(agent, picture, agent.log.items.length);
    assert.equal(agent.log.items.find(isSourceFault), undefined);
  });

  for (const { how, away, back } of yanks) {
    test(`is ${how}: a plain message, the slate, and its picture again, within one session`, async () => {
      const before = agent.log.items.length;
      await away(camera);
      const { actual, problems } = await shows(agent, slate, before);
      assert.equal(actual, 'degraded');
      const problem = problems.find(({ code }) => code.startsWith('source_'));
      assert.match(`${problem?.what} ${problem?.mend}`, /C920.*\. \S.*\.$/);
      const since = agent.log.items.length;
      await back(camera);
      const again = await shows(agent, picture, since);
      assert.deepEqual(again.problems, []);
      assert.equal(publishes(nginx), 1);
    });
  }

  test('all of that over, it ends in order', () => stops(agent));
});

describe('a USB camera at the start', () => {
  let camera: UsbCamera;
  before(async () => {
    camera = await UsbCamera.plug(c920);
  });
  after(() => camera[Symbol.asyncDispose]());

  test('is in use by another program: that is named, the slate is on, and the picture once that has ended', async () => {
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
      await shows(agent, slate);
      other.kill('SIGKILL');
      await gone;
      await shows(agent, picture, agent.log.items.length);
      await stops(agent);
    } finally {
      other.kill('SIGKILL');
    }
  });

  test('is frozen: that is said, and its picture is on by itself once it has thawed', async () => {
    await using nginx = await startNginx();
    camera.freeze();
    await using agent = await start(nginx);
    try {
      const { message } = await agent.waitFor(isSourceFault, 60_000);
      assert.match(message, /^\[source_\w+\] \S.*\. \S.*\.$/);
      await shows(agent, slate);
    } finally {
      camera.thaw();
    }
    await shows(agent, picture, agent.log.items.length);
    await stops(agent);
  });
});
