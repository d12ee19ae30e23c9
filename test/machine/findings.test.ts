/** What `makercast probe` prints for people, on machines that makers have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findings } from '../../agent/commands/findings.js';
import { gather } from '../../agent/machine/machine.js';
import { tree } from './tree.js';

async function printed(name: string): Promise<string[]> {
  using machine = tree(name);
  const question = { camera: true, files: [], encoders: ['v4l2h264enc'] } as const;
  const { facts, gstreamer, faults } = await gather(question, undefined, machine.root, machine.run);
  const { model } = facts.board;
  return findings(facts, { ...(model !== undefined && { board: model }), gstreamer }, faults);
}

const machines = ['pi3-picam-c920', 'pi3-hdmi', 'pi3-gpu16', 'pi5-libcamera', 'zero-w-picam', 'pc-c270', 'vm-vivid'];

test('no line is wider than 100 columns, or ends in a blank', async () => {
  for (const name of machines) {
    for (const line of await printed(name)) {
      assert.ok(line.length <= 100, line);
      assert.equal(line, line.trimEnd());
      assert.doesNotMatch(line, /\u00a0/);
    }
  }
});

test('two cameras: how each is driven, formats that are alike together, controls, the microphone of the webcam', async () => {
  const lines = await printed('pi3-picam-c920');
  assert.equal(lines[0], 'Board      Raspberry Pi 3 Model B Rev 1.2 (bcm2837), 128 MB for the GPU');
  const text = lines.join('\n');
  assert.match(
    text,
    /^ {2}\/dev\/video0 {2}mmal service 16\.1\n {4}driver bm2835 mmal\n {4}YU12 YUYV RGB3 JPEG H264 /m,
  );
  assert.match(text, /^ {2}\/dev\/video1 .*\n {4}driver uvcvideo, USB 1-1\.2, with the microphone C920$/m);
  assert.match(text, /^ {4}H264 MJPG\n {6}.*1280x720.*\n? +at 30, 24, 20, 15, 10, 7\.5, 5 fps$/m);
  assert.match(
    text,
    /^ {4}H\.264 encoder \(unit 12\) accepts a keyframe interval and a bitrate, and while it runs a new\n {4}bitrate and requests for keyframes$/m,
  );
  assert.match(text, /^ {6}power_line_frequency +0 = Disabled, 1 = 50 Hz, 2 = 60 Hz; default 2$/m);
  assert.match(text, /^ {6}focus_absolute +0 to 250 in steps of 5; default 0$/m);
  assert.match(text, /^ {6}focus_automatic_continuous +0 or 1; default 1$/m);
  // A choice is never torn apart.
  assert.match(text, /9 = Vivid/);
  assert.match(text, /^ {2}C920 {2}HD Pro Webcam C920, USB 1-1\.2, part of the camera \/dev\/video1$/m);
  assert.match(text, /^Advice\n {2}none$/m);
});

test('memory, what of it is set aside, and Wi-Fi, where they are known', async () => {
  using machine = tree('zero2w-libcamera');
  const { facts } = await gather({ camera: true, files: [], encoders: [] }, undefined, machine.root, machine.run);
  const memory = { totalMb: 358, availableMb: 116, cmaTotalMb: 256, cmaFreeMb: 64 };
  const wifi = [{ interface: 'wlan0', powerSave: true }, { interface: 'wlan1' }];
  const text = findings(facts, { gstreamer: '1.22.0', memory, wifi }, []).join('\n');
  assert.match(text, /^Memory +358 MB, 116 of them available; 256 set aside for devices \(CMA\), 64 of them free$/m);
  assert.match(text, /^Wi-Fi +wlan0 saves power; wlan1 does not say whether it saves power$/m);
  const bare = findings(
    facts,
    { gstreamer: '', memory: { totalMb: 427, availableMb: 300 }, wifi: [{ powerSave: false }] },
    [],
  );
  assert.match(bare.join('\n'), /^Memory +427 MB, 300 of them available\nWi-Fi +does not save power$/m);
});

test('libcamera by its name, and advice as a list', async () => {
  assert.match(
    (await printed('pi5-libcamera')).join('\n'),
    /imx708@1a {2}imx708_wide\n {4}driven by libcamera\n {4}NV12 YUYV\n/,
  );
  const advice = (await printed('pi3-gpu16')).join('\n').split('\nAdvice\n')[1]!;
  assert.equal(advice.split('\n').filter((line) => line.startsWith('  - ')).length, 2);
});
