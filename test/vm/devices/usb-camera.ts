/** A USB camera with a microphone, made by the kernel's gadget drivers on a simulated bus: everything above it is the real thing. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ended, mortal, run, temporaryFolder } from '../../helpers/command.js';
import { Feed, until, within } from '../../helpers/feed.js';
import { wallClock } from '../../helpers/content/flv.js';
import { load } from '../guest.js';

export interface Model {
  readonly vendor: string;
  readonly product: string;
  /** As the device itself says it; some say nothing. */
  readonly name?: string;
  /** Many have none. */
  readonly serial?: string;
  /** Hz and channels of its microphone. */
  readonly rate: number;
  readonly channels: number;
}

/** As the real ones give themselves out (linux-usb.org/usb.ids; `lsusb -v` of owners). */
export const c920: Model = {
  vendor: '046d',
  product: '082d',
  name: 'HD Pro Webcam C920',
  serial: '5F2C6B2F',
  rate: 32_000,
  channels: 2,
};
export const c270: Model = { vendor: '046d', product: '0825', serial: '8F3A2CE0', rate: 16_000, channels: 1 };

export type Format = 'yuyv' | 'mjpeg' | 'h264';

/** The extension unit by which the camera's H.264 encoder is told how: as by default it has a keyframe each 10 s. */
export interface H264Unit {
  /** Its number; 1 to 3 are taken. */
  readonly id: number;
  /** It hears no wish, or agrees and does as it likes; left out: it obeys. */
  readonly but?: 'refuses' | 'ignores';
}

/** UVC_GUID_FORMAT_H264 of Linux. */
const h264Guid = Buffer.from('4832363400001000800000aa00389b71', 'hex');
/** Folder of configfs that each kind of format lies in; the kernel makes a frame-based one of what has that GUID. */
const kinds: Readonly<Record<Format, string>> = { yuyv: 'uncompressed', mjpeg: 'mjpeg', h264: 'uncompressed' };

/** One frame descriptor. */
export interface Frame {
  readonly format: Format;
  /** `320x240`; a multiple of 16 by 8. */
  readonly size: string;
  /** From one picture to the next, in 100 ns as USB has it, the shortest first. */
  readonly intervals: readonly number[];
}

/** 30, 15 and 5 a second. */
const usualIntervals = [333_333, 666_666, 2_000_000];
/** A bus that is simulated by a simulated machine carries raw pictures of 320x240, not of more. */
const usualSizes: Readonly<Record<Format, readonly string[]>> = {
  yuyv: ['320x240', '640x480'],
  mjpeg: ['320x240', '640x480', '1280x720'],
  h264: ['320x240'],
};

/** What a webcam offers in each of `formats`. */
const usual = (formats: readonly Format[]): Frame[] =>
  formats.flatMap((format) => usualSizes[format].map((size) => ({ format, size, intervals: usualIntervals })));

/** Where the camera is plugged in, and what is wrong with it; the first port that is free, and nothing. */
export interface Manner {
  readonly port?: number;
  /** The unit that its H.264 encoder has, if it has one. */
  readonly unit?: H264Unit;
  /** Streaming in this format is refused. */
  readonly refuses?: Format;
  /** Streaming in this format begins, and no picture ever comes. */
  readonly silent?: Format;
  /** Each so many-th JPEG is one of four bytes. */
  readonly crumbEach?: number;
}

/**
 * UVC 1.1, tables: exposure (automatic, time), focus (automatic, distance) and zoom; brightness, white balance
 * (automatic, temperature) and mains frequency. Bits in bytes.
 */
const controls = { camera: '42\n2\n2\n', processing: '65\n20\n' };

/** Hz of the microphone's tone, at a quarter of full scale. */
export const tone = 1000;

const gadgets = '/sys/kernel/config/usb_gadget';
/** Ports of the simulated machine, each on a bus of its own. A camera that does not let go of its port leaves the others free. */
const ports = 3;
const controllerOf = (port: number): string => `dummy_udc.${port}`;
let plugged = 0;

/** One minute of the tone as a WAV file: 16 bits, the same in every channel. */
function wav({ rate, channels }: Model): Buffer {
  // A period is a whole number of samples at every rate used here.
  const period = rate / tone;
  const samples = Buffer.alloc(60 * rate * channels * 2);
  const one = Buffer.alloc(period * channels * 2);
  for (let i = 0; i < period * channels; i++) {
    one.writeInt16LE(Math.round(8192 * Math.sin((2 * Math.PI * Math.floor(i / channels)) / period)), i * 2);
  }
  samples.fill(one);
  const head = Buffer.alloc(44);
  head.write('RIFF\0\0\0\0WAVEfmt ', 'latin1');
  head.writeUInt32LE(36 + samples.length, 4);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(channels, 22);
  head.writeUInt32LE(rate, 24);
  head.writeUInt32LE(rate * channels * 2, 28);
  head.writeUInt16LE(channels * 2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(samples.length, 40);
  return Buffer.concat([head, samples]);
}

const exists = async (file: string): Promise<boolean> =>
  readdir(file).then(
    () => true,
    () => false,
  );
const put = (file: string, text: string): Promise<void> => writeFile(file, text);
/** Of what is in `folder` the names that are `like` that; none where it is not there. */
const namesIn = async (folder: string, like: RegExp): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => like.test(name));
const isFree = async (port: number): Promise<boolean> =>
  (await readFile(`/sys/class/udc/${controllerOf(port)}/function`, 'utf8')).trim() === '';

/**
 * Writes to a file of the kernel's that may not return. By a program of its own: one that hangs in the kernel can be left behind, a thread
 * of this process would keep it from ending.
 */
async function putOrGiveUp(file: string, text: string, deadlineMs: number): Promise<void> {
  const child = spawn('sh', ['-c', 'printf "%s" "$1" >"$2"', 'sh', text, file], { stdio: 'ignore' });
  child.unref();
  const { code } = await within(ended(child), deadlineMs, `writing to ${file}`);
  if (code !== 0) throw new Error(`${file} does not take ${JSON.stringify(text)}`);
}

export class UsbCamera implements AsyncDisposable {
  /** What the camera was asked for: `start mjpeg 320x240 333333`, `stop`, `set brightness 140`, `unit commit 2000 500000`. */
  readonly seen = new Feed<string>('requests to the USB camera');
  #responder: { readonly child: ChildProcess; readonly gone: Promise<unknown> } | undefined;
  #player: { readonly child: ChildProcess; readonly gone: Promise<unknown> } | undefined;
  #plays = false;

  #gadget = '';

  private constructor(
    readonly model: Model,
    private frames: readonly Frame[],
    private port: number,
    private readonly manner: Manner,
    private readonly tone: string,
    private readonly removeTone: () => Promise<void>,
  ) {}

  /**
   * Makes the camera and plugs it in; both its node and its sound card are there when this resolves. `offers`: its frames, or formats
   * in which it offers what a webcam does.
   */
  static async plug(
    model: Model,
    offers: readonly Format[] | readonly Frame[] = ['yuyv', 'mjpeg'],
    manner: Manner = {},
  ): Promise<UsbCamera> {
    await load('dummy_hcd', 'is_high_speed=1', `num=${ports}`);
    for (const module of ['libcomposite', 'uvcvideo', 'snd-usb-audio']) await load(module);
    // Without it Node.js would try for ever to make the folders (a recursive mkdir in sysfs).
    if (!(await exists(gadgets))) throw new Error('configfs is not mounted');
    const { folder, remove } = await temporaryFolder();
    await writeFile(path.join(folder, 'tone.wav'), wav(model));
    const frames = offers.flatMap((each) => (typeof each === 'string' ? usual([each]) : [each]));
    const port = manner.port ?? (await firstFree());
    const camera = new UsbCamera(model, frames, port, manner, path.join(folder, 'tone.wav'), remove);
    await camera.#assemble();
    return camera;
  }

  /** The kernel's file that ties the camera to its port: it is let go of by a write to it. */
  get binding(): string {
    return path.join(this.#gadget, 'UDC');
  }

  async #assemble(): Promise<number> {
    this.#gadget = path.join(gadgets, `${this.model.product}-${process.pid}-${++plugged}`);
    await this.#describe();
    await put(this.binding, controllerOf(this.port));
    const at = await this.#plugIn();
    this.#plays = true;
    void this.#play();
    return at;
  }

  /** The device's descriptors, as folders and files of configfs (Documentation/ABI/testing/configfs-usb-gadget-uvc). */
  async #describe(): Promise<void> {
    const model = this.model;
    const gadget = this.#gadget;
    const make = async (folder: string, files: Readonly<Record<string, string | number>>): Promise<string> => {
      const whole = path.join(gadget, folder);
      await mkdir(whole, { recursive: true });
      for (const [name, value] of Object.entries(files)) await put(path.join(whole, name), String(value));
      return whole;
    };
    await make('', {
      idVendor: `0x${model.vendor}`,
      idProduct: `0x${model.product}`,
      bcdDevice: '0x0011',
      bcdUSB: '0x0200',
    });
    // Miscellaneous device, interface association: camera and microphone are functions of one device.
    await make('', { bDeviceClass: '0xEF', bDeviceSubClass: 2, bDeviceProtocol: 1 });
    await make('strings/0x409', {
      ...(model.serial !== undefined && { serialnumber: model.serial }),
      ...(model.name !== undefined && { product: model.name }),
    });
    const configuration = await make('configs/c.1', { MaxPower: 500 });
    const video = await make('functions/uvc.0', {
      streaming_maxpacket: 3072,
      function_name: model.name ?? 'UVC Camera',
      ...(this.manner.unit && { h264_unit: this.manner.unit.id }),
    });
    const header = await make('functions/uvc.0/streaming/header/h', {});
    for (const format of new Set(this.frames.map((frame) => frame.format))) {
      const folder = `functions/uvc.0/streaming/${kinds[format]}/${format}`;
      if (format === 'h264') {
        await make(folder, {});
        await writeFile(path.join(gadget, folder, 'guidFormat'), h264Guid);
      }
      for (const { size, intervals } of this.frames.filter((frame) => frame.format === format)) {
        const [width, height] = size.split('x').map(Number) as [number, number];
        const bytes = width * height * 2;
        await make(`${folder}/${size}`, {
          wWidth: width,
          wHeight: height,
          dwMinBitRate: bytes * 8 * 15,
          dwMaxBitRate: bytes * 8 * 30,
          dwMaxVideoFrameBufferSize: bytes,
          dwDefaultFrameInterval: intervals[0]!,
          dwFrameInterval: `${intervals.join('\n')}\n`,
        });
      }
      await symlink(path.join(gadget, folder), path.join(header, format));
    }
    for (const speed of ['fs', 'hs', 'ss']) await symlink(header, path.join(video, 'streaming/class', speed, 'h'));
    const control = await make('functions/uvc.0/control/header/h', {});
    for (const speed of ['fs', 'ss']) await symlink(control, path.join(video, 'control/class', speed, 'h'));
    await put(path.join(video, 'control/terminal/camera/default/bmControls'), controls.camera);
    await put(path.join(video, 'control/processing/default/bmControls'), controls.processing);
    const microphone = await make('functions/uac1.0', {
      p_chmask: (1 << model.channels) - 1,
      p_srate: model.rate,
      p_ssize: 2,
      c_chmask: 0,
    });
    await symlink(video, path.join(configuration, 'uvc.0'));
    await symlink(microphone, path.join(configuration, 'uac1.0'));
  }

  /** Folder of the USB device in sysfs, such as /sys/bus/usb/devices/1-1; undefined while it is not plugged in. */
  async device(): Promise<string | undefined> {
    const [bus] = await namesIn(`/sys/devices/platform/dummy_hcd.${this.port}`, /^usb\d+$/);
    if (bus === undefined) throw new Error(`there is no port ${this.port}`);
    const device = `/sys/bus/usb/devices/${bus.slice(3)}-1`;
    const product = await readFile(path.join(device, 'idProduct'), 'utf8').catch(() => '');
    return product.trim() === this.model.product ? device : undefined;
  }

  /** USB path such as `1-1`. */
  async usbPath(): Promise<string> {
    const device = await this.device();
    if (device === undefined) throw new Error('the USB camera is not plugged in');
    return path.basename(device);
  }

  /** The camera's node such as `/dev/video1`, once it is there. */
  async node(deadlineMs = 10_000): Promise<string> {
    return until(
      async () => {
        const device = await this.device();
        const folder = device && path.join(device, `${path.basename(device)}:1.0`, 'video4linux');
        for (const name of folder ? await readdir(folder).catch(() => []) : []) {
          // Index 1 is its metadata node. A folder is there a moment before what is in it.
          const index = await readFile(path.join(folder!, name, 'index'), 'utf8').catch(() => '');
          if (index.trim() === '0') return `/dev/${name}`;
        }
        return undefined;
      },
      deadlineMs,
      'the node of the USB camera',
    );
  }

  /** Id of its sound card such as `C920`, once it is there. */
  async card(deadlineMs = 10_000): Promise<string> {
    return until(
      async () => {
        const device = await this.device();
        for (const part of device === undefined ? [] : await namesIn(device, /:/)) {
          const [name] = await namesIn(path.join(device!, part, 'sound'), /^card\d+$/);
          const id = name && (await readFile(`/proc/asound/${name}/id`, 'utf8').catch(() => ''));
          if (id) return id.trim();
        }
        return undefined;
      },
      deadlineMs,
      'the sound card of the USB camera',
    );
  }

  /** What the gadget has of a kind, such as its own video node, once it is there. */
  #part(kind: string, name: RegExp): Promise<string> {
    const controller = `/sys/devices/platform/${controllerOf(this.port)}`;
    return until(
      async () => {
        const [gadget] = await namesIn(controller, /^gadget\.\d+$/);
        return gadget && (await namesIn(path.join(controller, gadget, kind), name))[0];
      },
      5000,
      `${kind} of the gadget`,
    );
  }

  /** Waits until everything of it is there, udev's names included. Resolves to when its node was, by the wall clock. */
  async #whole(): Promise<number> {
    await this.node();
    const at = wallClock();
    await this.card();
    await run('udevadm', ['settle']);
    return at;
  }

  /** The plug goes in again, maybe at another port, or of a device that offers something else now; resolves as {@link bind} does. */
  async push(change: { readonly port?: number; readonly frames?: readonly Frame[] } = {}): Promise<number> {
    const { port = this.port, frames = this.frames } = change;
    if (port === this.port && frames === this.frames) return this.#plugIn();
    await this.#takeApart();
    this.port = port;
    this.frames = frames;
    return this.#assemble();
  }

  async #plugIn(): Promise<number> {
    const own = await this.#part('video4linux', /^video\d+$/);
    const { refuses, silent, crumbEach, unit } = this.manner;
    const h264 = unit && [unit.id, unit.but ?? []].flat().join();
    const options = { 'h264-unit': h264, refuse: refuses, silent, crumb: crumbEach };
    const args = [
      `/dev/${own}`,
      ...Object.entries(options).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`])),
      ...this.frames.map(({ format, size, intervals }) => `${format}:${size}:${intervals.join()}`),
    ];
    const child = spawn(...mortal('usb-camera', args), { stdio: ['ignore', 'pipe', 'pipe'] });
    createInterface({ input: child.stdout! }).on('line', (line) => this.seen.push(line));
    child.stderr!.setEncoding('utf8').on('data', (text: string) => this.seen.push(text.trim()));
    this.#responder = { child, gone: ended(child) };
    return this.#whole();
  }

  /** The plug comes out, whatever is going on. */
  async pull(): Promise<void> {
    const responder = this.#responder;
    this.#responder = undefined;
    if (!responder) return;
    responder.child.kill('SIGKILL');
    await responder.gone;
    await until(async () => (await this.device()) === undefined, 10_000, 'the end of the USB device');
  }

  /** The kernel forbids the device, which takes its drivers off. */
  async forbid(): Promise<void> {
    await put(path.join((await this.device())!, 'authorized'), '0');
  }

  /** Allows it again; resolves as {@link bind} does. */
  async authorise(): Promise<number> {
    await put(path.join((await this.device())!, 'authorized'), '1');
    return this.#whole();
  }

  /** Takes the camera's driver off; the microphone stays. */
  async unbind(): Promise<void> {
    const device = await this.usbPath();
    // The second interface stays with the driver for as long as any program keeps a piece of the camera open, as GStreamer's
    // v4l2src (1.22) does with a buffer pool of a camera that it lost. Whoever binds anew wants it free.
    const driver = '/sys/bus/usb/drivers/uvcvideo/unbind';
    await put(driver, `${device}:1.0`);
    await put(driver, `${device}:1.1`).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENODEV') throw error;
    });
  }

  /** Puts it back; resolves to when its node was there, in ms of the wall clock. */
  async bind(): Promise<number> {
    await put('/sys/bus/usb/drivers/uvcvideo/bind', `${await this.usbPath()}:1.0`);
    return this.#whole();
  }

  /** It hangs: it is there, and neither answers nor sends anything, without any error. */
  freeze(): void {
    this.#responder!.child.kill('SIGSTOP');
  }

  thaw(): void {
    this.#responder!.child.kill('SIGCONT');
  }

  /** It is there and answers, but gives no pictures any more, as a dongle whose signal is gone. */
  darken(): void {
    this.#responder!.child.kill('SIGUSR1');
  }

  lighten(): void {
    this.#responder!.child.kill('SIGUSR2');
  }

  /** A player that nobody listens to gives up after 10 s: another one takes its place. */
  async #play(): Promise<void> {
    const card = await this.feeder();
    while (this.#plays) {
      const child = spawn(...mortal('aplay', ['-q', '-D', `plughw:${card}`, this.tone]), { stdio: 'ignore' });
      this.#player = { child, gone: ended(child) };
      await this.#player.gone;
    }
  }

  /** Number of the sound card on the gadget's side, by which its microphone is fed. */
  async feeder(): Promise<number> {
    return Number((await this.#part('sound', /^card\d+$/)).slice(4));
  }

  /** Takes it out and apart. Throws where the kernel does not let go of it in time: its port is then lost, and the next camera takes another. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.#takeApart();
    } finally {
      await this.removeTone();
    }
  }

  async #takeApart(): Promise<void> {
    // Before the gadget goes: the kernel would wait for its node and its sound card to be closed.
    this.#plays = false;
    this.#player?.child.kill('SIGKILL');
    await this.#player?.gone;
    await this.pull();
    await putOrGiveUp(this.binding, '\n', 5000);
    await remove(this.#gadget);
  }
}

async function firstFree(): Promise<number> {
  for (let port = 0; port < ports; port++) if (await isFree(port)) return port;
  throw new Error(`none of the ${ports} USB ports is free: cameras have not let go of them`);
}

/** Takes a tree of configfs apart: links, then the folders that were made by hand. Those of the kernel's own go with their parents. */
async function remove(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const whole = path.join(folder, entry.name);
    if (entry.isSymbolicLink()) await rm(whole);
    else if (entry.isDirectory()) await remove(whole);
  }
  await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Default groups: EPERM. They cannot go alone.
    if (error.code !== 'EPERM') throw error;
  });
}
