/** What is not asked again: a look at the machine costs nothing where nothing can have changed, and is a new one where anything may have. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Camera } from '../../pipelines/machine.js';
import { ProbeCache } from '../../agent/machine/probecache.js';
import { cameras, type Found } from '../../agent/machine/cameras/cameras.js';
import { gather } from '../../agent/machine/machine.js';
import type { Ran, Runner } from '../../agent/machine/host/run.js';
import { tree, type Tree } from './tree.js';

const usb = 'sys/devices/platform/soc/3f980000.usb/usb1/1-1';
const byId = 'usb-046d_HD_Pro_Webcam_C920_5F2C6B2F-video-index0';

/** A Pi 3 with a PiCam and a C920, which shows what a kernel shows of a USB device. */
class Machine {
  readonly tree: Tree;
  readonly cache = new ProbeCache();
  /** What programs say in place of what the fixture has. */
  say: (command: string, ran: Ran) => Ran = (_, ran) => ran;

  #pulled = 0;

  constructor(t: TestContext, name = 'pi3-picam-c920') {
    this.tree = tree(name);
    t.after(() => this.tree[Symbol.dispose]());
    if (name !== 'pi3-picam-c920') return;
    const device = path.join(this.tree.root, usb, '1-1.2');
    for (const [file, text] of Object.entries({
      descriptors: 'every format that there is',
      product: 'HD Pro Webcam C920',
      serial: '5F2C6B2F',
      speed: '480',
    }))
      writeFileSync(path.join(device, file), text);
    this.link('../../../../../../../../bus/usb/drivers/uvcvideo', path.join(device, '1-1.2:1.0/driver'));
    for (const node of [1, 2]) this.write(`sys/class/video4linux/video${node}/index`, `${node - 1}\n`);
  }

  write(file: string, text: string): void {
    const whole = path.join(this.tree.root, file);
    mkdirSync(path.dirname(whole), { recursive: true });
    writeFileSync(whole, text);
  }

  link(target: string, place: string): void {
    rmSync(place, { force: true });
    symlinkSync(target, place);
  }

  /** What went is kept: a file system would give the inode to whatever comes next, which sysfs does not. */
  pull(node: number): void {
    const entry = path.join(this.tree.root, `sys/class/video4linux/video${node}`);
    renameSync(entry, path.join(this.tree.root, `gone-${(this.#pulled += 1)}`));
    rmSync(path.join(this.tree.root, `dev/video${node}`), { force: true });
  }

  /** Its node comes as `node` at the given port; by the name that udev gives it only where `named` says so. */
  push(node: number, { port = '1-1.2', named = true } = {}): void {
    const folder = `${usb}/${port}/${port}:1.0/video4linux/video${node}`;
    this.write(`${folder}/name`, 'HD Pro Webcam C920\n');
    this.write(`${folder}/index`, '0\n');
    this.link(`../../../${folder}`, path.join(this.tree.root, `sys/class/video4linux/video${node}`));
    this.write(`dev/video${node}`, '');
    const name = path.join(this.tree.root, 'dev/v4l/by-id', byId);
    if (named) this.link(`../../video${node}`, name);
    else rmSync(name, { force: true });
  }

  readonly run: Runner = async (program, args, options) => {
    const ran = await this.tree.run(program, args, options);
    return this.say([program, ...args].join(' '), ran);
  };

  /** What is found, and which nodes were asked for it. */
  async look(): Promise<Found<Camera> & { readonly asked: readonly string[]; readonly webcam: Camera | undefined }> {
    const { commands, root } = this.tree;
    const before = commands.length;
    const found = await cameras(root, this.run, this.cache);
    const asked = commands.slice(before).map((command) => command.split(' ')[2]!);
    return { ...found, asked, webcam: found.found.find(({ driver }) => driver === 'uvcvideo') };
  }
}

test('a second look at what has not changed asks no program, and finds the same', async (t) => {
  const machine = new Machine(t);
  const first = await machine.look();
  assert.deepEqual(
    first.found.map(({ path }) => path),
    ['/dev/video0', '/dev/video1'],
  );
  const second = await machine.look();
  assert.deepEqual(second.asked, []);
  assert.deepEqual(second.found, first.found);
});

test('a camera that comes back is known by itself: at another node and another port, before udev has named it', async (t) => {
  const machine = new Machine(t);
  const { webcam: before } = await machine.look();
  machine.pull(1);
  machine.pull(2);
  rmSync(path.join(machine.tree.root, 'dev/v4l/by-id', byId));
  assert.equal((await machine.look()).webcam, undefined);
  // Nobody answers at /dev/video5 in the fixture.
  machine.push(5, { named: false });
  const back = await machine.look();
  assert.deepEqual(back.asked, []);
  assert.deepEqual(back.webcam, { ...before, path: '/dev/video5' });
});

test('the name that another camera of the same make has now is not given twice', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  machine.pull(2);
  const { root } = machine.tree;
  mkdirSync(path.join(root, usb, '1-1.3/1-1.3:1.0'), { recursive: true });
  for (const file of ['descriptors', 'product', 'serial', 'speed'])
    writeFileSync(path.join(root, usb, '1-1.3', file), readFileSync(path.join(root, usb, '1-1.2', file)));
  machine.link('../../../../../../../../bus/usb/drivers/uvcvideo', path.join(root, usb, '1-1.3/1-1.3:1.0/driver'));
  machine.push(6, { port: '1-1.3' });
  const { found, asked } = await machine.look();
  assert.deepEqual(asked, []);
  assert.deepEqual(
    found.slice(1).map((camera) => [camera.path, camera.usbPath, camera.byId]),
    [
      ['/dev/video1', '1-1.2', undefined],
      ['/dev/video6', '1-1.3', byId],
    ],
  );
});

for (const [what, file] of Object.entries({
  'other descriptors': `${usb}/1-1.2/descriptors`,
  'another serial number': `${usb}/1-1.2/serial`,
  'another name': `${usb}/1-1.2/product`,
  'a slower bus': `${usb}/1-1.2/speed`,
  'another part of it': `${usb}/1-1.2/1-1.2:1.0/video4linux/video1/index`,
})) {
  test(`${what}: it is another camera, and asked`, async (t) => {
    const machine = new Machine(t);
    await machine.look();
    machine.write(file, 'something else\n');
    assert.deepEqual(
      (await machine.look()).asked.filter((node) => node !== '/dev/video2'),
      ['/dev/video1'],
    );
  });
}

test('another driver has it: it is asked', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  machine.link('../drivers/gspca', path.join(machine.tree.root, usb, '1-1.2/1-1.2:1.0/driver'));
  assert.ok((await machine.look()).asked.includes('/dev/video1'));
});

test('a camera that failed is asked itself until it has answered, and what it says now counts', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  machine.cache.doubt('/dev/video1');
  machine.say = (_, ran) => ({ ...ran, stdout: '', late: true });
  for (const when of ['at once', 'again']) {
    const { asked, webcam, faults } = await machine.look();
    assert.deepEqual(asked, ['/dev/video1'], when);
    assert.equal(webcam, undefined);
    assert.deepEqual(
      faults.map(({ code }) => code),
      ['source_failed'],
    );
  }
  // It has another firmware now, and the same descriptors.
  machine.say = (_, ran) => ({
    ...ran,
    stdout: ran.stdout.replace(/Size: Discrete 1920x1080/g, 'Size: Discrete 1600x896'),
  });
  const { asked, webcam } = await machine.look();
  assert.deepEqual(asked, ['/dev/video1']);
  assert.ok(
    webcam!.formats.some(({ width }) => width === 1600) && !webcam!.formats.some(({ width }) => width === 1920),
  );
  const after = await machine.look();
  assert.deepEqual([after.asked, after.webcam], [[], webcam]);
});

test('one that failed because it was pulled is not doubted when it is back; if it fails again, it is', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  machine.cache.doubt('/dev/video1');
  machine.pull(1);
  machine.pull(2);
  machine.push(1);
  const back = await machine.look();
  assert.deepEqual([back.asked, back.webcam?.path], [[], '/dev/video1']);
  machine.cache.doubt('/dev/video1');
  assert.deepEqual((await machine.look()).asked, ['/dev/video1']);
});

test('what is in the machine is known for as long as it is there', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  machine.pull(0);
  const soc = '../../devices/platform/soc/3f00b840.mailbox/bcm2835-camera/video4linux';
  machine.link(`${soc}/video0`, path.join(machine.tree.root, 'sys/class/video4linux/video0'));
  machine.write('dev/video0', '');
  // Once for what it can do, once for the rates.
  assert.deepEqual((await machine.look()).asked, ['/dev/video0', '/dev/video0']);
});

test('no answer lasts that is not whole, or that depends on what is plugged in behind it', async (t) => {
  for (const say of [
    // A question that it did not answer.
    (ran: Ran) => ({ ...ran, code: 1 }),
    (ran: Ran) => ({ ...ran, stdout: '', late: true }),
    (ran: Ran) => ({ ...ran, stdout: '', stderr: 'Cannot open device /dev/video1, exiting.\n', code: 1 }),
    (ran: Ran) => ({ ...ran, stdout: ran.stdout.replace(/^Video input .*\n/m, '') }),
    (ran: Ran) => ({ ...ran, stdout: ran.stdout.replace(/^\s*Interval: .*\n/gm, '') }),
    (ran: Ran) => ({ ...ran, stdout: ran.stdout.replace(/^\s*(Size|Interval): .*\n/gm, '') }),
  ]) {
    const machine = new Machine(t);
    machine.say = (command, ran) => (command.includes(' /dev/video1 ') ? say(ran) : ran);
    await machine.look();
    assert.deepEqual((await machine.look()).asked, ['/dev/video1']);
  }
});

test('a node that may not be opened now is asked, and says so', async (t) => {
  const machine = new Machine(t);
  await machine.look();
  rmSync(path.join(machine.tree.root, 'dev/video1'));
  machine.say = (_, ran) => ({ ...ran, stdout: '', stderr: 'Cannot open device /dev/video1: Permission denied\n' });
  const { asked, faults } = await machine.look();
  assert.deepEqual(asked, ['/dev/video1']);
  assert.match(faults[0]!.message, /No permission to open/);
});

/** How often GStreamer was asked for its elements in a whole look. */
async function elementsAsked(machine: Machine): Promise<number> {
  const { commands, root } = machine.tree;
  const before = commands.length;
  const question = { camera: true, files: [], encoders: [] };
  const { facts } = await gather(question, undefined, root, machine.run, machine.cache);
  assert.ok(facts.elements.includes('flvmux'));
  return commands.slice(before).filter((command) => command === 'gst-inspect-1.0').length;
}

test("GStreamer's elements are asked for once, and anew where a plugin or a codec has come or gone", async (t) => {
  const machine = new Machine(t);
  const folder = 'usr/lib/arm-linux-gnueabihf/gstreamer-1.0';
  machine.write(`${folder}/libgstx264.so`, '');
  assert.equal(await elementsAsked(machine), 1);
  assert.equal(await elementsAsked(machine), 0);
  machine.pull(1);
  assert.equal(await elementsAsked(machine), 0, 'a USB camera is no codec');
  machine.write(`${folder}/libgstopenh264.so`, '');
  utimesSync(path.join(machine.tree.root, folder), new Date(), new Date(Date.now() + 5000));
  assert.equal(await elementsAsked(machine), 1);
  assert.equal(await elementsAsked(machine), 0);
  machine.write('sys/class/video4linux/video19/name', 'bcm2835-codec-encode_image\n');
  assert.equal(await elementsAsked(machine), 1);
  assert.equal(await elementsAsked(machine), 0);
});

test('elements are asked for each time where none of the folders of plugins is known, or a codec has none yet', async (t) => {
  const unknown = new Machine(t);
  assert.deepEqual([await elementsAsked(unknown), await elementsAsked(unknown)], [1, 1]);
  const without = new Machine(t);
  without.write('usr/lib/arm-linux-gnueabihf/gstreamer-1.0/libgstx264.so', '');
  without.say = (_, ran) => ({ ...ran, stdout: ran.stdout.replace(/^.*v4l2h264enc.*\n/gm, '') });
  assert.deepEqual([await elementsAsked(without), await elementsAsked(without)], [1, 1]);
});
