/** Health, network, device changes, holders of devices, all facts together, and the probe command. */
import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { probe } from '../../agent/commands/probe.js';
import { givesPicture } from '../../agent/machine/cameras/audition.js';
import { holderOf } from '../../agent/machine/host/busy.js';
import { watchDevices } from '../../agent/machine/host/devices.js';
import { gather } from '../../agent/machine/machine.js';
import { model, temperature } from '../../agent/machine/host/health.js';
import { strain } from '../../agent/machine/host/power.js';
import { networkFault } from '../../agent/machine/host/network.js';
import { run, type Runner } from '../../agent/machine/host/run.js';
import { tree } from './tree.js';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'makercast-machine-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

test('model and temperature of a Pi; a PC tells its package, a machine without sensors nothing', async (t) => {
  using pi = tree('zero-w-picam');
  assert.equal(await model(pi.root), 'Raspberry Pi Zero W Rev 1.1');
  assert.equal(await temperature(pi.root), 41.706);
  const folder = folderOf(t);
  assert.equal(await model(folder), undefined);
  assert.equal(await temperature(folder), undefined);
  for (const [i, [type, temp]] of [
    ['acpitz', '27800'],
    ['iwlwifi_1', ''],
    ['x86_pkg_temp', '61000'],
  ].entries()) {
    const zone = path.join(folder, `sys/class/thermal/thermal_zone${i}`);
    mkdirSync(zone, { recursive: true });
    writeFileSync(path.join(zone, 'type'), `${type}\n`);
    writeFileSync(path.join(zone, 'temp'), `${temp}\n`);
  }
  assert.equal(await temperature(folder), 61);
  mkdirSync(path.join(folder, 'proc/device-tree'), { recursive: true });
  writeFileSync(path.join(folder, 'proc/device-tree/model'), 'Raspberry Pi 5 Model B Rev 1.0\0');
  assert.equal(await model(folder), 'Raspberry Pi 5 Model B Rev 1.0');
});

test('under-voltage by its driver, the rest by the firmware; a machine that tells nothing, nothing', async (t) => {
  const folder = folderOf(t);
  assert.equal(await strain(folder), undefined);
  const put = (file: string, text: string): void => {
    mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
    writeFileSync(path.join(folder, file), `${text}\n`);
  };
  put('sys/class/hwmon/hwmon0/name', 'cpu_thermal');
  put('sys/class/hwmon/hwmon1/name', 'rpi_volt');
  assert.equal(await strain(folder), undefined, 'it has not looked yet');
  put('sys/class/hwmon/hwmon1/in0_lcrit_alarm', '0');
  assert.deepEqual(await strain(folder), { underVoltage: false });
  put('sys/class/hwmon/hwmon1/in0_lcrit_alarm', '1');
  assert.deepEqual(await strain(folder), { underVoltage: true });
  put('sys/class/hwmon/hwmon1/in0_lcrit_alarm', '0');
  const firmware = 'sys/devices/platform/soc/soc:firmware/get_throttled';
  for (const [bits, found] of [
    ['0', { underVoltage: false, throttled: false, hot: false }],
    ['50005', { underVoltage: true, throttled: true, hot: false }],
    ['50000', { underVoltage: false, throttled: false, hot: false }],
    ['e000a', { underVoltage: false, throttled: true, hot: true }],
    ['nonsense', { underVoltage: false }],
  ] as const) {
    put(firmware, bits);
    assert.deepEqual(await strain(folder), found, bits);
  }
});

test('a network is an address that is neither the loopback nor self-given', () => {
  const address = (text: string, internal = false) =>
    ({ address: text, internal, netmask: '', mac: '', cidr: null, family: 'IPv4' }) as const;
  assert.equal(networkFault({ lo: [address('127.0.0.1', true)] })?.code, 'network_none');
  assert.equal(networkFault({ lo: [address('127.0.0.1', true)], eth0: [address('fe80::1')] })?.code, 'network_none');
  assert.equal(networkFault({ wlan0: [address('fe80::1'), address('192.168.1.7')] }), undefined);
  assert.equal(networkFault({ eth0: [address('2001:db8::7')] }), undefined);
});

test('a camera that comes, goes, or is replaced by one of the same name is noticed', { timeout: 20_000 }, async (t) => {
  const root = folderOf(t);
  const video = path.join(root, 'sys/class/video4linux');
  mkdirSync(path.join(root, 'devices'), { recursive: true });
  const abort = new AbortController();
  t.after(() => abort.abort());
  let heard: () => void = () => undefined;
  watchDevices(() => heard(), abort.signal, root);
  const link = path.join(video, 'video0');
  const holding = setInterval(() => undefined, 1000); // the watch holds no process open; the test has to
  t.after(() => clearInterval(holding));
  for (const change of [
    () => {
      mkdirSync(video, { recursive: true });
      symlinkSync('../../devices/a', link);
    },
    () => {
      // The new one exists before the old one goes, so that no file system gives it the same inode.
      symlinkSync('../../devices/b', path.join(root, 'new'));
      renameSync(path.join(root, 'new'), link);
    },
    () => rmSync(link),
  ]) {
    const noticed = new Promise<void>((resolve) => (heard = resolve));
    change();
    await noticed;
  }
});

test('whether a camera gives a picture: a program that ends well has not shown one yet', async () => {
  const mode = { fourcc: 'MJPG', width: 640, height: 480 };
  assert.equal(await givesPicture('/dev/null', mode), false, 'no camera at all, asked for real');
  let asked = '';
  const ended = (end: object): Runner => {
    return (program, args) => {
      asked = [program, ...args].join(' ');
      return Promise.resolve({ code: 0, stdout: '', stderr: '', missing: false, late: false, ...end });
    };
  };
  assert.equal(await givesPicture('/dev/video0', mode, ended({ stdout: '<\n' })), true);
  assert.match(asked, /^v4l2-ctl -d \/dev\/video0 --set-fmt-video=width=640,height=480,pixelformat=MJPG --stream-mmap/);
  assert.equal(await givesPicture('/dev/video0', mode, ended({ stderr: 'select timeout\n' })), false);
  assert.equal(await givesPicture('/dev/video0', mode, ended({ code: undefined, late: true })), false);
});

test('who holds a device', async (t) => {
  const file = path.join(folderOf(t), 'video0');
  writeFileSync(file, '');
  assert.equal(await holderOf(file), undefined);
  const fd = openSync(file, 'r');
  t.after(() => closeSync(fd));
  assert.match((await holderOf(file))!, new RegExp(`^.+ \\(process ${process.pid}\\)$`));
});

test('all facts of a Pi with a C920, by the real GStreamer of this machine', async (t) => {
  using pi = tree('pi3-c920');
  const mixed: Runner = (program, ...rest) => (program.startsWith('gst-') ? run : pi.run)(program, ...rest);
  const text = path.join(folderOf(t), 'text.mp4');
  writeFileSync(text, 'words');
  const { facts, gstreamer, faults } = await gather(
    { camera: true, files: [text, text], encoders: ['x264enc'] },
    undefined,
    pi.root,
    mixed,
  );
  assert.deepEqual(
    facts.cameras.map(({ usbPath }) => usbPath),
    facts.microphones.map(({ usbPath }) => usbPath),
  );
  assert.deepEqual(facts.encoders, [{ element: 'x264enc', hardware: false, works: true }]);
  assert.ok(facts.elements.includes('flvmux'));
  assert.match(gstreamer, /^1\./);
  assert.deepEqual(facts.files, []);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ['file_broken'],
  );
});

test('probe: a table for people, JSON for programs', async () => {
  const lines: string[] = [];
  assert.equal(await probe(false, (line) => lines.push(line)), 0);
  const text = lines.join('\n');
  for (const words of [/^Cameras$/m, /^Microphones$/m, /x264enc +encodes \(software\)/, /^GStreamer +1\./m])
    assert.match(text, words);
  lines.length = 0;
  assert.equal(await probe(true, (line) => lines.push(line)), 0);
  const found = JSON.parse(lines.join('\n')) as { encoders: { element: string; works: boolean }[]; cameras: unknown[] };
  assert.equal(found.encoders.find(({ element }) => element === 'x264enc')?.works, true);
  assert.ok(Array.isArray(found.cameras));
});
