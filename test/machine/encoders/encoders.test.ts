/** Encoders and elements: on the real GStreamer of the machine that tests run on. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { packageOf } from '../../../pipelines/elements.js';
import { board } from '../../../agent/machine/host/board.js';
import { elements, missing, tlsMissing } from '../../../agent/machine/encoders/elements.js';
import { encoders } from '../../../agent/machine/encoders/encoders.js';
import { videoNames } from '../../../agent/machine/host/firmware.js';
import { run, type Runner } from '../../../agent/machine/host/run.js';
import { Storage } from '../../../agent/machine/storage/storage.js';
import { tree } from '../tree.js';

/** Counts programs, and runs them. */
function counting(): { run: Runner; count: () => number } {
  let count = 0;
  return {
    run: (...args) => {
      count++;
      return run(...args);
    },
    count: () => count,
  };
}

/** As `encoders`, with what else is to be seen of the machine below `root`. */
async function encodersAt(
  names: Parameters<typeof encoders>[0],
  installed: Parameters<typeof encoders>[1],
  storage: Storage | undefined,
  root: string,
  runner: Runner,
  thorough = true,
): ReturnType<typeof encoders> {
  const seen = { board: await board(root), video: await videoNames(root) };
  return encoders(names, installed, seen, thorough, storage, root, runner);
}

test('x264enc really encodes; what works is remembered, what does not is tried again', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-encoders-'));
  t.after(() => rm(folder, { recursive: true }));
  const storage = new Storage(folder, (fault) => assert.fail(fault.message));
  const installed = { names: ['x264enc', 'v4l2h264enc'], version: '1.22.0' };
  const first = counting();
  const found = await encodersAt(['x264enc', 'openh264enc', 'v4l2h264enc'], installed, storage, '/', first.run);
  assert.deepEqual(
    found.map(({ element, hardware, works }) => [element, hardware, works]),
    [
      ['v4l2h264enc', true, false],
      ['x264enc', false, true],
      ['openh264enc', false, false],
    ],
  );
  // The list claims an element that does not exist here: it is run, and fails.
  assert.match(found[0]!.why!, /^it fails: .*v4l2h264enc/);
  assert.match(found[2]!.why!, /apt-get install gstreamer1\.0-plugins-bad$/);
  assert.equal(first.count(), 2);

  const second = counting();
  await encodersAt(['x264enc', 'v4l2h264enc'], installed, new Storage(folder, assert.fail), '/', second.run);
  assert.equal(second.count(), 1, 'only the one that failed is run again');

  const other = counting();
  await encodersAt(['x264enc'], { ...installed, version: '1.24.0' }, new Storage(folder, assert.fail), '/', other.run);
  assert.equal(other.count(), 1, 'another GStreamer, another try');

  // Another kernel, as after an update of the system: tried again, and remembered for that one.
  const stored = path.join(folder, 'encoders.json');
  writeFileSync(stored, readFileSync(stored, 'utf8').replaceAll(release(), '5.10.0-before'));
  const kernel = counting();
  const ask = () =>
    encodersAt(['x264enc'], { ...installed, version: '1.24.0' }, new Storage(folder, assert.fail), '/', kernel.run);
  await ask();
  await ask();
  assert.equal(kernel.count(), 1, 'another kernel, another try');

  using pi = tree('pi3-picam');
  const nodes = counting();
  await encodersAt(
    ['x264enc'],
    { ...installed, version: '1.24.0' },
    new Storage(folder, assert.fail),
    pi.root,
    nodes.run,
  );
  assert.equal(nodes.count(), 1, 'other codec nodes, another try');
});

test('the first that works ends the trial; those behind it are presumed, and not remembered', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-encoders-'));
  t.after(() => rm(folder, { recursive: true }));
  const storage = new Storage(folder, (fault) => assert.fail(fault.message));
  const installed = { names: ['x264enc', 'openh264enc'], version: '1.22.0' };
  const ask = (runner: Runner, thorough: boolean) =>
    encodersAt(['x264enc', 'openh264enc', 'omxh264enc'], installed, storage, '/', runner, thorough);
  const first = counting();
  const found = await ask(first.run, false);
  assert.equal(first.count(), 1);
  assert.deepEqual(
    found.map(({ element, works, presumed }) => [element, works, presumed]),
    [
      ['omxh264enc', false, undefined],
      ['x264enc', true, undefined],
      ['openh264enc', true, true],
    ],
  );
  const all = counting();
  const shown = await ask(all.run, true);
  assert.equal(all.count(), 1, 'x264enc is remembered, openh264enc is not');
  assert.ok(shown.every(({ presumed }) => presumed === undefined));
});

test('a program that hangs is killed at its deadline, and the encoder does not work', { timeout: 20_000 }, async () => {
  let killed: number | undefined;
  // A real process that would run for a minute, in the place of an encoder that hangs in its driver.
  const hanging: Runner = async (_program, _args, options) => {
    const ran = await run('sh', ['-c', 'echo $$; exec sleep 60'], { ...options, deadlineMs: 300 });
    killed = Number(ran.stdout);
    return ran;
  };
  const installed = { names: ['v4l2h264enc'], version: '1.22.0' };
  const [encoder] = await encodersAt(['v4l2h264enc'], installed, undefined, '/nonexistent', hanging);
  assert.match(encoder!.why!, /^it hangs: still running after \d+ s$/);
  // It is gone as soon as Node has reaped it; should it not go, the deadline of the test strikes.
  const alive = (): boolean => {
    try {
      return process.kill(killed!, 0);
    } catch {
      return false;
    }
  };
  while (alive()) await new Promise(setImmediate);
});

test("the probe has the settings of a real broadcast: before GStreamer 1.30 a Pi's encoder fails without a level", async () => {
  let command = '';
  const listening: Runner = (program, args) => {
    command = [program, ...args].join(' ');
    return Promise.resolve({ code: 1, stdout: '', stderr: '', missing: false, late: false });
  };
  await encodersAt(
    ['v4l2h264enc'],
    { names: ['v4l2h264enc'], version: '1.22.0' },
    undefined,
    '/nonexistent',
    listening,
  );
  assert.match(
    command,
    /^gst-launch-1\.0 -q videotestsrc .* ! video\/x-raw,format=\w+,width=1280,height=720,framerate=30\/1 ! /,
  );
  assert.match(command, / v4l2h264enc [^!]*h264_level=9[,"][^!]* ! video\/x-h264,[^!]*level=\(string\)3\.1/);
});

test('why an encoder of the kernel is not there: none, none on this Pi, or none that may be opened', async () => {
  const why = async (machine: string, names: readonly string[]) => {
    using laid = tree(machine);
    const [encoder] = await encodersAt(['v4l2h264enc'], { names, version: '1.22.0' }, undefined, laid.root, laid.run);
    return encoder!.why;
  };
  assert.equal(await why('pc-c270', []), 'the kernel offers no H.264 encoder');
  assert.equal(await why('pi5-libcamera', []), 'a Pi 5 has no H.264 encoder');
  assert.match((await why('pi3-gpu16', []))!, /^the firmware offers no H\.264 encoder/);
  assert.match((await why('pi3-picam', ['v4l2src']))!, /group "video"$/);
  assert.match((await why('pi3-picam', []))!, /apt-get install gstreamer1\.0-plugins-good$/);
});

test('an encoder that gives nothing does not work', async () => {
  const end = { code: 0 as number | undefined, stdout: '', stderr: '', missing: false, late: false };
  const installed = { names: ['v4l2h264enc'], version: '1.22.0' };
  const ask = async (said: typeof end) =>
    (await encodersAt(['v4l2h264enc'], installed, undefined, '/nonexistent', () => Promise.resolve(said)))[0]!;
  assert.match((await ask(end)).why!, /produces no output/);
});

test('all elements by name, and the version', async () => {
  const { names, version, faults } = await elements();
  assert.deepEqual(faults, []);
  assert.match(version, /^1\.\d+\.\d+$/);
  for (const element of ['tee', 'x264enc', 'h264parse', 'rtmp2sink', 'flvmux', 'input-selector']) {
    assert.ok(names.includes(element), element);
  }
  assert.ok(!names.some((name) => name.includes('/') || name === 'alsadeviceprovider'));
});

test('without GStreamer there is one fault that says what to install', async () => {
  const { names, faults } = await elements(() =>
    Promise.resolve({ code: undefined, stdout: '', stderr: '', missing: true, late: false }),
  );
  assert.deepEqual(names, []);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['plugin_missing'],
  );
  assert.match(faults[0]!.remedy, /^apt-get install gstreamer1\.0-tools /);
});

test('missing elements are grouped by their Debian package', () => {
  const faults = missing(['x264enc', 'h264parse', 'rtmp2sink', 'tee', 'clockoverlay'], ['tee', 'clockoverlay']);
  assert.deepEqual(
    faults.map(({ message }) => message),
    [
      "GStreamer's x264enc is missing. apt-get install gstreamer1.0-plugins-ugly",
      "GStreamer's h264parse, rtmp2sink are missing. apt-get install gstreamer1.0-plugins-bad",
    ],
  );
});

const dpkg = existsSync('/usr/bin/dpkg');
test('dpkg agrees on the package of each element', { skip: !dpkg && 'no Debian' }, async () => {
  const { names } = await elements();
  const useful = [
    'clockoverlay',
    'alsasrc',
    'aacparse',
    'flvmux',
    'jpegdec',
    'v4l2src',
    'h264parse',
    'openh264enc',
    'rtmp2sink',
  ];
  for (const element of [
    ...useful,
    'voaacenc',
    'x264enc',
    'avdec_h264',
    'avenc_aac',
    'volume',
    'appsink',
    'videoconvert',
  ]) {
    if (!names.includes(element)) continue;
    const file = /Filename\s+(\S+)/.exec(execFileSync('gst-inspect-1.0', [element], { encoding: 'utf8' }))![1]!;
    // Debian's /lib is a link to /usr/lib, and dpkg knows files by the latter.
    const owner = execFileSync('dpkg', ['-S', file.replace(/^\/lib/, '/usr/lib')], { encoding: 'utf8' });
    assert.equal(owner.split(':')[0], packageOf(element), element);
  }
});

test('TLS is looked for where GLib does', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-tls-'));
  t.after(() => rm(folder, { recursive: true }));
  assert.equal((await tlsMissing(folder))?.remedy, 'apt-get install glib-networking');
  const modules = path.join(folder, 'usr/lib/arm-linux-gnueabihf/gio/modules');
  execFileSync('mkdir', ['-p', modules]);
  writeFileSync(path.join(modules, 'libgiognutls.so'), '');
  assert.equal(await tlsMissing(folder), undefined);
});

test('programs see no secret, end at their deadline, and get no shell', async () => {
  process.env['STREAM_KEY'] = 'abc/def';
  const said = await run('cat', ['/proc/self/environ'], { deadlineMs: 5000 });
  delete process.env['STREAM_KEY'];
  assert.ok(said.stdout.includes('PATH=') && !said.stdout.includes('STREAM_KEY'));
  const late = await run('sleep', ['60'], { deadlineMs: 50 });
  assert.deepEqual([late.late, late.code], [true, undefined]);
  assert.equal((await run('echo', ['$(id)'], { deadlineMs: 5000 })).stdout, '$(id)\n');
  assert.equal((await run('makercast-no-such-program', [], { deadlineMs: 5000 })).missing, true);
});
