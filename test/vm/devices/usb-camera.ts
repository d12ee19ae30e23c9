/** A USB camera with a microphone, made by the kernel's gadget drivers on a simulated bus: everything above it is the real thing. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, readdir, readFile, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { ended, mortal, run, temporaryFolder } from '../../helpers/command.js';
import { Feed, until } from '../../helpers/feed.js';
import { wallClock } from '../../helpers/flv.js';
import { load } from '../guest.js';

export interface Model {
  readonly vendor: string;
  readonly product: string;
  /** As the device itself says it; some say nothing. */
  readonly name?: string;
  readonly serial: string;
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

/** Sizes that are offered. A bus that is simulated by a simulated machine carries raw pictures of 320x240, not of more. */
const sizes: Readonly<Record<Format, readonly string[]>> = {
  yuyv: ['320x240', '640x480'],
  mjpeg: ['320x240', '640x480', '1280x720'],
  h264: ['320x240'],
};
/** 100 ns from one picture to the next: 30, 15 and 5 a second (usb-camera.c knows them too). */
const intervals = '333333\n666666\n2000000\n';

/**
 * UVC 1.1, tables: exposure (automatic, time), focus (automatic, distance) and zoom; brightness, white balance
 * (automatic, temperature) and mains frequency. Bits in bytes.
 */
const controls = { camera: '42\n2\n2\n', processing: '65\n20\n' };

/** Hz of the microphone's tone, at a quarter of full scale. */
export const tone = 1000;

const gadgets = '/sys/kernel/config/usb_gadget';
const controller = 'dummy_udc.0';

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

export class UsbCamera implements AsyncDisposable {
  /** What the camera was asked for: `start mjpeg 320x240 333333`, `stop`, `set brightness 140`, `unit commit 2000 500000`. */
  readonly seen = new Feed<string>('requests to the USB camera');
  #responder: { readonly child: ChildProcess; readonly gone: Promise<unknown> } | undefined;
  #player: ChildProcess | undefined;
  #plays = true;

  private constructor(
    readonly model: Model,
    private readonly formats: readonly Format[],
    private readonly unit: H264Unit | undefined,
    private readonly removeTone: () => Promise<void>,
    private readonly gadget: string,
  ) {}

  /** Makes the camera and plugs it in; both its node and its sound card are there when this resolves. */
  static async plug(model: Model, formats: readonly Format[] = ['yuyv', 'mjpeg'], unit?: H264Unit): Promise<UsbCamera> {
    await load('dummy_hcd', 'is_high_speed=1');
    for (const module of ['libcomposite', 'uvcvideo', 'snd-usb-audio']) await load(module);
    // Without it Node.js would try for ever to make the folders (a recursive mkdir in sysfs).
    if (!(await exists(gadgets))) throw new Error('configfs is not mounted');
    const { folder, remove } = await temporaryFolder();
    await writeFile(path.join(folder, 'tone.wav'), wav(model));
    const camera = new UsbCamera(model, formats, unit, remove, path.join(gadgets, model.product));
    await camera.#describe();
    await put(path.join(camera.gadget, 'UDC'), controller);
    await camera.push();
    void camera.#play(path.join(folder, 'tone.wav'));
    return camera;
  }

  /** The device's descriptors, as folders and files of configfs (Documentation/ABI/testing/configfs-usb-gadget-uvc). */
  async #describe(): Promise<void> {
    const { model, gadget } = this;
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
      serialnumber: model.serial,
      ...(model.name !== undefined && { product: model.name }),
    });
    const configuration = await make('configs/c.1', { MaxPower: 500 });
    const video = await make('functions/uvc.0', {
      streaming_maxpacket: 3072,
      function_name: model.name ?? 'UVC Camera',
      ...(this.unit && { h264_unit: this.unit.id }),
    });
    const header = await make('functions/uvc.0/streaming/header/h', {});
    for (const format of this.formats) {
      const folder = `functions/uvc.0/streaming/${kinds[format]}/${format}`;
      if (format === 'h264') {
        await make(folder, { bBitsPerPixel: 0 });
        await writeFile(path.join(gadget, folder, 'guidFormat'), h264Guid);
      }
      for (const size of sizes[format]) {
        const [width, height] = size.split('x').map(Number) as [number, number];
        const bytes = width * height * 2;
        await make(`${folder}/${size}`, {
          wWidth: width,
          wHeight: height,
          dwMinBitRate: bytes * 8 * 15,
          dwMaxBitRate: bytes * 8 * 30,
          dwMaxVideoFrameBufferSize: bytes,
          dwDefaultFrameInterval: 333_333,
          dwFrameInterval: intervals,
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
    const folder = '/sys/bus/usb/devices';
    for (const name of await readdir(folder)) {
      const text = (file: string) => readFile(path.join(folder, name, file), 'utf8').catch(() => '');
      if (
        (await text('idProduct')).trim() === this.model.product &&
        (await text('idVendor')).trim() === this.model.vendor
      )
        return path.join(folder, name);
    }
    return undefined;
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
        for (const name of await readdir('/proc/asound')) {
          const id = await readFile(`/proc/asound/${name}/usbid`, 'utf8').catch(() => '');
          if (id.trim() === `${this.model.vendor}:${this.model.product}`)
            return (await readFile(`/proc/asound/${name}/id`, 'utf8')).trim();
        }
        return undefined;
      },
      deadlineMs,
      'the sound card of the USB camera',
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

  /** The plug goes in (again); resolves as {@link bind} does. */
  async push(): Promise<number> {
    const folder = `/sys/devices/platform/${controller}/gadget.0/video4linux`;
    const own = await until(async () => (await exists(folder)) && (await readdir(folder))[0], 5000, 'the gadget');
    const frames = this.formats.flatMap((format) => sizes[format].map((size) => `${format}:${size}`));
    const unit = this.unit ? [`--h264-unit=${[this.unit.id, this.unit.but ?? []].flat().join()}`] : [];
    const args = [`/dev/${own}`, ...unit, ...frames];
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

  /** A player that nobody listens to gives up after 10 s: another one takes its place. */
  async #play(file: string): Promise<void> {
    while (this.#plays) {
      const player = spawn(...mortal('aplay', ['-q', '-D', 'plughw:CARD=UAC1Gadget', file]), { stdio: 'ignore' });
      this.#player = player;
      await ended(player);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#plays = false;
    this.#player?.kill('SIGKILL');
    // Before the gadget goes: the kernel would wait for its node to be closed.
    await this.pull();
    const { gadget } = this;
    await put(path.join(gadget, 'UDC'), '\n');
    await remove(gadget);
    await this.removeTone();
  }
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
