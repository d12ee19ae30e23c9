/** Machines and wishes that makers have, in the words of the planner: the cases of the golden texts. */
import type {
  Board,
  Camera,
  CameraControl,
  CameraFormat,
  Encoder,
  Machine,
  MediaFile,
  Microphone,
} from '../../pipelines/machine.js';
import type { Wanted, WantedAudio, WantedCamera, WantedVideo, Wish } from '../../pipelines/wanted.js';

/** What Debian 12 brings with the packages that makercast asks for. */
export const debian: readonly string[] = [
  'aacparse',
  'alsasrc',
  'appsink',
  'appsrc',
  'audioconvert',
  'audiorate',
  'audioresample',
  'audiotestsrc',
  'avdec_h264',
  'avenc_aac',
  'capsfilter',
  'capssetter',
  'clockoverlay',
  'clocksync',
  'compositor',
  'decodebin',
  'deinterlace',
  'filesrc',
  'flvmux',
  'h264parse',
  'h264timestamper',
  'imagefreeze',
  'jpegdec',
  'multiqueue',
  'openh264enc',
  'parsebin',
  'queue',
  'rtmp2sink',
  'textoverlay',
  'v4l2src',
  'videobalance',
  'videoconvert',
  'videoflip',
  'videorate',
  'videoscale',
  'videotestsrc',
  'voaacenc',
  'volume',
  'x264enc',
];

const software: readonly Encoder[] = [
  { element: 'x264enc', hardware: false, works: true },
  { element: 'openh264enc', hardware: false, works: true },
];
export const v4l2: Encoder = { element: 'v4l2h264enc', hardware: true, works: true };
export const omx: Encoder = { element: 'omxh264enc', hardware: true, works: true };

export const pc: Machine = { board: {}, elements: debian, cameras: [], microphones: [], encoders: software, files: [] };
const noChip: Encoder = {
  element: 'v4l2h264enc',
  hardware: true,
  works: false,
  why: 'the kernel offers no H.264 encoder (on a Pi: set gpu_mem to 128; a Pi 5 has none)',
};
/** A Pi whose firmware drives its codec. */
const pi = (soc: NonNullable<Board['soc']>, model: string): Machine => ({
  ...pc,
  board: { model, soc, gpuMemoryMb: 128 },
  elements: [...debian, 'v4l2h264enc', 'v4l2h264dec', 'libcamerasrc'],
  encoders: [v4l2, ...software],
});
export const zeroW = pi('bcm2835', 'Raspberry Pi Zero W Rev 1.1');
export const zero2W = pi('bcm2837', 'Raspberry Pi Zero 2 W Rev 1.0');
export const pi3 = pi('bcm2837', 'Raspberry Pi 3 Model B Rev 1.2');
export const pi4 = pi('bcm2711', 'Raspberry Pi 4 Model B Rev 1.4');
export const pi5: Machine = {
  ...pi('bcm2712', 'Raspberry Pi 5 Model B Rev 1.0'),
  elements: [...debian, 'libcamerasrc'],
  encoders: [noChip, ...software],
};
/** A Pi 3 as balenaOS boots it where nobody set gpu_mem. */
export const pi3Cut: Machine = {
  ...pi3,
  board: { ...pi3.board, gpuMemoryMb: 16 },
  elements: debian,
  encoders: [noChip, ...software],
};

const sizes = [
  [1920, 1080],
  [1280, 720],
  [640, 480],
] as const;
const formats = (fourcc: string, fps: readonly number[]): CameraFormat[] =>
  sizes.map(([width, height]) => ({ fourcc, width, height, fps }));

const slider = (name: string, min: number, max: number, start: number, step = 1): CameraControl => ({
  name,
  min,
  max,
  step,
  default: start,
});
const switched = (name: string, start: 0 | 1): CameraControl => slider(name, 0, 1, start);
const menu = (name: string, choices: Readonly<Record<string, string>>, start: number): CameraControl => {
  const values = Object.keys(choices).map(Number);
  return { ...slider(name, Math.min(...values), Math.max(...values), start), choices };
};

const uvcControls: readonly CameraControl[] = [
  switched('white_balance_automatic', 1),
  menu('power_line_frequency', { 0: 'Disabled', 1: '50 Hz', 2: '60 Hz' }, 2),
  slider('white_balance_temperature', 2000, 6500, 4000),
  menu('auto_exposure', { 1: 'Manual Mode', 3: 'Aperture Priority Mode' }, 3),
  slider('exposure_time_absolute', 3, 2047, 250),
];
const piCamControls: readonly CameraControl[] = [
  switched('horizontal_flip', 0),
  switched('vertical_flip', 0),
  menu('power_line_frequency', { 0: 'Disabled', 1: '50 Hz', 2: '60 Hz', 3: 'Auto' }, 1),
  slider('rotate', 0, 360, 0, 90),
  menu('auto_exposure', { 0: 'Auto Mode', 1: 'Manual Mode' }, 0),
  slider('exposure_time_absolute', 1, 10000, 1000),
];

export const piCam: Camera = {
  api: 'v4l2',
  path: '/dev/video0',
  name: 'mmal service 16.1',
  driver: 'bm2835 mmal',
  controls: piCamControls,
  givesKeyframes: true,
  formats: [...formats('YU12', [30, 25, 15]), ...formats('MJPG', [30, 25, 15]), ...formats('H264', [30, 25, 15])],
};
/** Where its encoder's unit does not do as it is told. */
export const c920WithoutUnit: Camera = {
  api: 'v4l2',
  path: '/dev/video0',
  name: 'HD Pro Webcam C920',
  driver: 'uvcvideo',
  byId: 'usb-046d_HD_Pro_Webcam_C920_1A2B3C4D-video-index0',
  usbPath: '1-1.2',
  formats: [...formats('YUYV', [10, 5]), ...formats('H264', [30, 24, 15]), ...formats('MJPG', [30, 24, 15])],
  controls: [
    ...uvcControls,
    slider('focus_absolute', 0, 250, 0, 5),
    switched('focus_automatic_continuous', 1),
    slider('zoom_absolute', 100, 500, 100),
  ],
};
export const c920: Camera = {
  ...c920WithoutUnit,
  encoderUnit: { id: 12, givesKeyframes: true, changesBitrate: true },
};
/** PiCam V2 by libcamera. */
export const imx219: Camera = {
  api: 'libcamera',
  path: '/base/soc/i2c0mux/i2c@1/imx219@10',
  name: 'imx219',
  driver: 'libcamera',
  formats: formats('NV12', [30, 25, 24, 20, 15]),
  controls: [],
};
/** PiCam V3 by libcamera 0.4, whose GStreamer element sets its exposure and its lens. */
export const imx708: Camera = {
  ...imx219,
  path: '/base/soc/i2c0mux/i2c@1/imx708@1a',
  name: 'imx708',
  controls: [
    slider('exposure-time', 0, 66666, 0),
    { ...slider('af-mode', 0, 2, 0), choices: { 0: 'Manual', 2: 'Continuous' } },
    slider('lens-position', 0, 32, 1),
  ],
};
/** The cheap HDMI capture dongle that everybody has (MacroSilicon MS2109). */
export const hdmiDongle: Camera = {
  api: 'v4l2',
  path: '/dev/video0',
  name: 'USB Video',
  driver: 'uvcvideo',
  byId: 'usb-MACROSILICON_USB_Video-video-index0',
  usbPath: '1-1.5',
  formats: [
    ...formats('MJPG', [60, 50, 30, 25]),
    ...formats('YUYV', [5]).slice(0, 1),
    ...formats('YUYV', [10]).slice(1),
  ],
  controls: [],
};
export const c270: Camera = {
  api: 'v4l2',
  path: '/dev/video2',
  name: 'C270 HD WEBCAM',
  driver: 'uvcvideo',
  byId: 'usb-046d_C270_HD_WEBCAM_200901010001-video-index0',
  usbPath: '1-1.3',
  formats: [
    { fourcc: 'YUYV', width: 640, height: 480, fps: [30, 15] },
    { fourcc: 'YUYV', width: 1280, height: 720, fps: [7.5, 5] },
    { fourcc: 'YUYV', width: 1280, height: 960, fps: [7.5, 5] },
    { fourcc: 'MJPG', width: 640, height: 480, fps: [30, 15] },
    { fourcc: 'MJPG', width: 1280, height: 720, fps: [30, 15] },
    { fourcc: 'MJPG', width: 1280, height: 960, fps: [30, 15] },
  ],
  controls: uvcControls,
};
export const c920Microphone: Microphone = {
  id: 'C920',
  device: 0,
  name: 'HD Pro Webcam C920',
  rates: [16000, 24000, 32000],
  channels: [2],
  usbPath: '1-1.2',
};
export const c270Microphone: Microphone = {
  id: 'U0x46d0x825',
  device: 0,
  name: 'C270',
  rates: [16000, 32000],
  channels: [1],
  usbPath: '1-1.3',
};
export const usbAudio: Microphone = {
  id: 'Device',
  device: 0,
  name: 'USB Audio Device',
  rates: { min: 8000, max: 48000 },
  channels: [1],
  usbPath: '1-1.4',
};

export const hdmiSound: Microphone = {
  id: 'MS2109',
  device: 0,
  name: 'MS2109',
  rates: [48000],
  channels: [2],
  usbPath: '1-1.5',
};
/** An I2S microphone board by its device tree overlay (googlevoicehat-soundcard): no USB, 48 kHz. */
export const i2s: Microphone = {
  id: 'sndrpigooglevoi',
  device: 0,
  name: 'snd_rpi_googlevoicehat_soundcar',
  rates: [48000],
  channels: [2],
};

/** avcC of an x264 High 4:2:0 stream and ASC of AAC-LC 44.1 kHz stereo, shortened to what is read of them. */
export const highAvcc = '0164001fffe10004676400010100026800fdf8f800';
export const lcAsc = '121056e500';

export const movie: MediaFile = {
  path: "/media/holiday film's 'best' \"!\" cut.mp4",
  seconds: 61.5,
  video: { codec: 'h264', width: 1920, height: 1080, fps: 25, avcc: highAvcc, keyframeSeconds: 2 },
  audio: { codec: 'aac', rate: 44100, channels: 2, asc: lcAsc },
};
export const webm: MediaFile = {
  path: '/media/talk.webm',
  seconds: 10,
  video: { codec: 'vp9', width: 1280, height: 720, fps: 29.97 },
  audio: { codec: 'opus', rate: 48000, channels: 2 },
};

const audioWish: WantedAudio = {
  source: 'auto',
  rate: 48000,
  channels: 2,
  bitrateKbps: 128,
  gainDb: 0,
  mute: false,
};
const cameraWish: WantedCamera = {
  horizontalFlip: false,
  verticalFlip: false,
  rotation: 0,
  exposureMs: 'driver',
  whiteBalance: 'driver',
  focus: 'driver',
  zoom: 'driver',
  powerLineHz: 'driver',
};
const slateWish = { text: 'We will be right back.', image: '' };
const videoWish = {
  source: 'auto',
  files: [],
  loop: false,
  testPattern: 'bars',
  keyframeSeconds: 2,
  encoder: 'auto',
} as const;

/** 720p30 at 2500 kbit/s, but for what is given. */
export function want(
  video: Partial<WantedVideo> = {},
  audio: Partial<WantedAudio> = {},
  camera: Partial<WantedCamera> = {},
): Wanted {
  return {
    video: { ...videoWish, width: 1280, height: 720, fps: 30, bitrateKbps: 2500, ...video },
    camera: { ...cameraWish, ...camera },
    audio: { ...audioWish, ...audio },
    slate: slateWish,
  };
}

/** Everything is left to the machine, but for what is given. */
export function wish(
  video: Partial<Wish['video']> = {},
  audio: Partial<WantedAudio> = {},
  camera: Partial<WantedCamera> = {},
): Wish {
  return {
    video: { ...videoWish, width: 'auto', height: 'auto', fps: 'auto', bitrateKbps: 'auto', ...video },
    camera: { ...cameraWish, ...camera },
    audio: { ...audioWish, ...audio },
    slate: slateWish,
  };
}
