/** Every setting, one row each, and the typed document that they make. */
import { truthy, type Row } from './row.js';

export interface VideoSettings {
  readonly source: string;
  readonly files: readonly string[];
  readonly loop: boolean;
  readonly atEnd: 'stop' | 'slate';
  readonly testPattern: 'bars' | 'ball' | 'sync';
  readonly width: number | 'auto';
  readonly height: number | 'auto';
  readonly fps: number | 'auto';
  readonly bitrateKbps: number | 'auto';
  readonly adaptive: boolean;
  readonly minBitrateKbps: number | 'auto';
  readonly keyframeSeconds: number;
  readonly encoder: 'auto' | 'passthrough' | 'x264enc' | 'openh264enc' | 'v4l2h264enc' | 'omxh264enc';
}

export interface CameraSettings {
  readonly horizontalFlip: boolean;
  readonly verticalFlip: boolean;
  readonly rotation: 0 | 90 | 180 | 270;
  readonly exposureMs: number | 'auto' | 'driver';
  readonly whiteBalance: number | 'auto' | 'driver';
  readonly focus: number | 'auto' | 'driver';
  readonly zoom: number | 'driver';
  readonly powerLineHz: 50 | 60 | 'auto' | 'off' | 'driver';
}

export interface SlateSettings {
  readonly text: string;
  readonly image: string;
}

export interface AudioSettings {
  readonly source: string;
  readonly rate: number;
  readonly channels: number;
  readonly bitrateKbps: number;
  readonly gainDb: number;
  readonly mute: boolean;
  readonly delayMs: number;
}

export interface OutputSettings {
  /** Always one that `parseDestination` takes together with `key`. May hold secrets of its own. */
  readonly url: string;
  /** Empty where the URL holds the key. */
  readonly key: string;
  readonly enabled: boolean;
  readonly adaptive: boolean;
  readonly tlsVerify: boolean;
}

export interface RecordingSettings {
  readonly enabled: boolean;
  readonly folder: string;
  readonly splitMinutes: number;
  readonly quotaGb: number;
  readonly minFreeGb: number;
}

export interface MqttSettings {
  /** Empty: no broker. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Paths of PEM files; empty where there is none. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly baseTopic: string;
  /** Empty: found by looking at the machine. */
  readonly id: string;
  /** Later ones win. */
  readonly groups: readonly string[];
  readonly allowPlainSecrets: boolean;
  readonly telemetrySeconds: number;
  readonly discovery: boolean;
  readonly discoveryPrefix: string;
}

/** When a release, a restart or a reboot that the Supervisor wants may end the broadcast. */
export interface UpdateSettings {
  readonly onAir: 'wait' | 'window';
  /** Hours of the day, as `hours.ts` reads them. */
  readonly window: string;
  readonly timezone: string;
  /** 0: no end. */
  readonly maxWaitDays: number;
}

/** Lines by their number on the processor (BCM), not by the pin of the header. */
export interface GpioSettings {
  readonly button: number | 'off';
  readonly buttonPressed: 'high' | 'low';
  readonly led: number | 'off';
  readonly ledLit: 'high' | 'low';
}

export interface Settings {
  readonly video: VideoSettings;
  readonly camera: CameraSettings;
  readonly audio: AudioSettings;
  readonly slate: SlateSettings;
  /** By name; in the order in which the layers name them. */
  readonly outputs: Readonly<Record<string, OutputSettings>>;
  readonly output: { readonly batchMs: number; readonly maxQueueSeconds: number };
  readonly recording: RecordingSettings;
  readonly log: {
    readonly level: 'error' | 'warn' | 'info' | 'debug';
    readonly format: 'auto' | 'text' | 'json';
    readonly statusSeconds: number;
  };
  readonly balena: { readonly lock: 'onAir' | 'always' | 'never' };
  readonly updates: UpdateSettings;
  readonly gpio: GpioSettings;
  readonly demo: { readonly port: number };
  readonly mqtt: MqttSettings;
  readonly config: { readonly locked: readonly string[]; readonly probationSeconds: number };
}

/** Name of an output, in the file; in the environment it stands in capitals. */
export const OUTPUT_NAME = /^[a-z][a-z0-9_]{0,31}$/;
export const OUTPUTS_MAX = 8;

export const rows: readonly Row[] = [
  {
    path: 'video.source',
    env: 'VIDEO_SOURCE',
    form: { type: 'text', words: 'auto, test, file, or a camera by path, by-id name or USB path' },
    default: 'auto',
    cost: 'rebuild',
    doc: 'Where the picture comes from: `auto` (the first camera, else the test picture), `test`, `file`, or a camera by path (`/dev/video0`), by-id name or USB path (`1-1.2`).',
  },
  {
    path: 'video.files',
    env: 'VIDEO_FILES',
    form: { type: 'paths' },
    default: [],
    cost: 'rebuild',
    doc: 'Media files to play, in order, when the source is `file`. In a variable: one path, several on lines of their own, or a JSON array.',
  },
  {
    path: 'video.loop',
    env: 'VIDEO_LOOP',
    form: { type: 'boolean' },
    default: true,
    cost: 'rebuild',
    doc: 'Start the files again after the last one.',
  },
  {
    path: 'video.atEnd',
    env: 'VIDEO_AT_END',
    form: { type: 'choice', choices: ['stop', 'slate'] },
    default: 'stop',
    cost: 'rebuild',
    doc: 'After the last file, unless `video.loop` is on: `stop` ends the broadcast, `slate` shows the card until the files change.',
  },
  {
    path: 'video.testPattern',
    env: 'VIDEO_TEST_PATTERN',
    form: { type: 'choice', choices: ['bars', 'ball', 'sync'] },
    default: 'bars',
    cost: 'rebuild',
    doc: 'Picture of the test source: bars with a clock, a ball that goes round once a second by the clock of the machine, or a flash that coincides with a beep.',
  },
  {
    path: 'video.width',
    env: 'VIDEO_WIDTH',
    form: { type: 'integer', min: 320, max: 1920, even: true, words: ['auto'] },
    default: 'auto',
    unit: 'pixels',
    cost: 'restart',
    doc: 'Width of the broadcast; `auto`: what suits the board and the camera (docs/hardware.md), or what goes with the height.',
    renamed: [{ env: 'AV_VIDEO_WIDTH' }],
  },
  {
    path: 'video.height',
    env: 'VIDEO_HEIGHT',
    form: { type: 'integer', min: 180, max: 1080, even: true, words: ['auto'] },
    default: 'auto',
    unit: 'pixels',
    cost: 'restart',
    doc: 'Height of the broadcast; `auto` as for the width.',
    renamed: [{ env: 'AV_VIDEO_HEIGHT' }],
  },
  {
    path: 'video.fps',
    env: 'VIDEO_FPS',
    form: { type: 'integer', min: 5, max: 60, words: ['auto'] },
    default: 'auto',
    unit: 'frames/s',
    cost: 'restart',
    doc: 'Frame rate of the broadcast; `auto` as for the width.',
    renamed: [{ env: 'AV_VIDEO_FRAMERATE' }],
  },
  {
    path: 'video.bitrateKbps',
    env: 'VIDEO_BITRATE_KBPS',
    form: { type: 'integer', min: 100, max: 20_000, words: ['auto'] },
    default: 'auto',
    unit: 'kbit/s',
    cost: 'live',
    doc: 'Bitrate of the video encoder; `auto` follows size and frame rate (2500 at 720p30). A source that passes through keeps its own.',
  },
  {
    path: 'video.adaptive',
    env: 'VIDEO_ADAPTIVE',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Lower the bitrate while a server, or the way to it, takes less, where the encoder can change it.',
  },
  {
    path: 'video.minBitrateKbps',
    env: 'VIDEO_MIN_BITRATE_KBPS',
    form: { type: 'integer', min: 50, max: 20_000, words: ['auto'] },
    default: 'auto',
    unit: 'kbit/s',
    cost: 'live',
    doc: 'The bitrate is not lowered below this; `auto`: a fifth of `video.bitrateKbps`.',
  },
  {
    path: 'video.keyframeSeconds',
    env: 'VIDEO_KEYFRAME_SECONDS',
    form: { type: 'number', min: 0.5, max: 10 },
    default: 2,
    unit: 's',
    cost: 'rebuild',
    doc: 'Keyframe interval. Platforms ask for 4 s at most, most of them for 2 s.',
  },
  {
    path: 'video.encoder',
    env: 'VIDEO_ENCODER',
    form: { type: 'choice', choices: ['auto', 'passthrough', 'x264enc', 'openh264enc', 'v4l2h264enc', 'omxh264enc'] },
    default: 'auto',
    cost: 'rebuild',
    doc: 'H.264 encoder: `auto` prefers what needs least work, `passthrough` insists on the H.264 of the source.',
  },
  {
    path: 'camera.horizontalFlip',
    env: 'CAMERA_HORIZONTAL_FLIP',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Mirrors the picture, where the camera can.',
  },
  {
    path: 'camera.verticalFlip',
    env: 'CAMERA_VERTICAL_FLIP',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Puts the picture upside down, where the camera can.',
  },
  {
    path: 'camera.rotation',
    env: 'CAMERA_ROTATION',
    form: { type: 'choice', choices: [0, 90, 180, 270] },
    default: 0,
    unit: 'degrees clockwise',
    cost: 'live',
    doc: 'Turns the picture, where the camera can; 180 also by both flips.',
  },
  {
    path: 'camera.exposureMs',
    env: 'CAMERA_EXPOSURE_MS',
    form: { type: 'number', min: 0.1, max: 1000, words: ['driver', 'auto'] },
    default: 'driver',
    unit: 'ms',
    cost: 'live',
    doc: 'How long each picture is exposed. `driver`: as the driver has it.',
  },
  {
    path: 'camera.whiteBalance',
    env: 'CAMERA_WHITE_BALANCE',
    form: { type: 'integer', min: 1000, max: 12_000, words: ['driver', 'auto'] },
    default: 'driver',
    unit: 'kelvin',
    cost: 'live',
    doc: 'Colour temperature of the light. `driver`: as the driver has it.',
  },
  {
    path: 'camera.focus',
    env: 'CAMERA_FOCUS',
    form: { type: 'integer', min: 0, max: 1023, words: ['driver', 'auto'] },
    default: 'driver',
    cost: 'live',
    doc: 'Focus, in steps of the camera (`makercast probe` lists them). `driver`: as the driver has it.',
  },
  {
    path: 'camera.zoom',
    env: 'CAMERA_ZOOM',
    form: { type: 'integer', min: 0, max: 10_000, words: ['driver'] },
    default: 'driver',
    cost: 'live',
    doc: 'Zoom, in steps of the camera (`makercast probe` lists them; 100 is none on a C920). `driver`: as the driver has it.',
  },
  {
    path: 'camera.powerLineHz',
    env: 'CAMERA_POWER_LINE_HZ',
    form: { type: 'choice', choices: ['driver', 50, 60, 'auto', 'off'] },
    default: 'driver',
    unit: 'Hz',
    cost: 'live',
    doc: 'Frequency of the mains, against lamps that flicker: 50 in most of the world, 60 in the Americas. `driver`: as the driver has it.',
  },
  {
    path: 'audio.source',
    env: 'AUDIO_SOURCE',
    form: { type: 'text', words: 'auto, test, none, or an ALSA card id' },
    default: 'auto',
    cost: 'rebuild',
    doc: 'Where the sound comes from: `auto` (the microphone of the camera, else the first), `test`, `none` (silence is sent), or an ALSA card id (`C920`).',
    renamed: [{ env: 'AV_DISABLE_AUDIO', read: (value) => (truthy(value) ? 'none' : undefined) }],
  },
  {
    path: 'audio.rate',
    env: 'AUDIO_RATE',
    form: { type: 'choice', choices: [44_100, 48_000] },
    default: 48_000,
    unit: 'Hz',
    cost: 'restart',
    doc: 'Sampling rate of the broadcast.',
    renamed: [{ env: 'AV_AUDIO_SAMPLING_RATE' }],
  },
  {
    path: 'audio.channels',
    env: 'AUDIO_CHANNELS',
    form: { type: 'choice', choices: [1, 2] },
    default: 2,
    cost: 'restart',
    doc: 'Mono or stereo broadcast.',
  },
  {
    path: 'audio.bitrateKbps',
    env: 'AUDIO_BITRATE_KBPS',
    form: { type: 'integer', min: 32, max: 320 },
    default: 128,
    unit: 'kbit/s',
    cost: 'rebuild',
    doc: 'Bitrate of the AAC encoder.',
    // The 2018 project documented its variable in kbit/s.
    renamed: [{ env: 'AV_AUDIO_BITRATE' }],
  },
  {
    path: 'audio.gainDb',
    env: 'AUDIO_GAIN_DB',
    form: { type: 'number', min: -60, max: 20 },
    default: 0,
    unit: 'dB',
    cost: 'live',
    doc: 'Louder or softer; 0 leaves the sound as it is.',
  },
  {
    path: 'audio.mute',
    env: 'AUDIO_MUTE',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Send silence, and keep the microphone open.',
  },
  {
    path: 'audio.delayMs',
    env: 'AUDIO_DELAY_MS',
    form: { type: 'integer', min: -2000, max: 2000 },
    default: 0,
    unit: 'ms',
    cost: 'live',
    doc: 'Moves the sound against the picture: above 0 it comes later, below 0 earlier.',
  },
  {
    path: 'slate.text',
    env: 'SLATE_TEXT',
    form: { type: 'text', words: 'text', lines: true },
    default: 'We will be right back.',
    cost: 'rebuild',
    doc: 'What the card says that stands in for a picture that is away. A change shows the next time that the card does.',
  },
  {
    path: 'slate.image',
    env: 'SLATE_IMAGE',
    form: { type: 'text', words: 'path of a picture (PNG or JPEG)', lines: true },
    default: '',
    cost: 'rebuild',
    file: true,
    doc: 'Picture in place of the text.',
  },
  {
    path: 'outputs.*.url',
    env: 'OUTPUT_*_URL',
    alias: { env: 'STREAM_URL', output: 'main' },
    form: { type: 'url' },
    default: '',
    cost: 'live',
    doc: 'Where to stream to, `rtmp://` or `rtmps://`: host and application, and the key unless it stands apart.',
    renamed: [{ env: 'AV_STREAM_URL', output: 'main' }],
  },
  {
    path: 'outputs.*.key',
    env: 'OUTPUT_*_KEY',
    alias: { env: 'STREAM_KEY', output: 'main' },
    form: { type: 'key' },
    default: '',
    secret: true,
    cost: 'live',
    doc: 'Stream key, sent exactly as it is written; any character may stand in it.',
    renamed: [{ env: 'AV_STREAM_KEY', output: 'main' }],
  },
  {
    path: 'outputs.*.enabled',
    env: 'OUTPUT_*_ENABLED',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Switches this output on or off; the others go on undisturbed.',
  },
  {
    path: 'outputs.*.adaptive',
    env: 'OUTPUT_*_ADAPTIVE',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Whether the bitrate follows what this output takes; all outputs get the same. Without it, it loses groups of pictures instead.',
  },
  {
    path: 'outputs.*.tlsVerify',
    env: 'OUTPUT_*_TLS_VERIFY',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Check the certificate of an `rtmps://` server. Switch it off only for a server of your own.',
  },
  {
    path: 'output.batchMs',
    env: 'OUTPUT_BATCH_MS',
    form: { type: 'integer', min: 0, max: 200 },
    default: 58,
    unit: 'ms',
    cost: 'rebuild',
    doc: 'Media is handed on about this often, always right after a picture: more saves CPU, less saves delay.',
  },
  {
    path: 'output.maxQueueSeconds',
    env: 'OUTPUT_MAX_QUEUE_SECONDS',
    form: { type: 'number', min: 1, max: 30 },
    default: 4,
    unit: 's',
    cost: 'live',
    doc: 'When more than this waits for a server, whole groups of pictures are left out until it has caught up.',
  },
  {
    path: 'recording.enabled',
    env: 'RECORDING_ENABLED',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Records what is on the air, also while no server can be reached, and where none is configured (docs/recording.md).',
  },
  {
    path: 'recording.folder',
    env: 'RECORDING_FOLDER',
    form: { type: 'text', words: 'path of a folder', lines: true },
    default: '',
    cost: 'live',
    file: true,
    doc: 'Where recordings go to; without it `recordings` in the data folder.',
  },
  {
    path: 'recording.splitMinutes',
    env: 'RECORDING_SPLIT_MINUTES',
    form: { type: 'number', min: 0.1, max: 1440 },
    default: 10,
    unit: 'minutes',
    cost: 'live',
    doc: 'Length of one file. A new one is also begun when the format changes, and at a quarter of the quota.',
  },
  {
    path: 'recording.quotaGb',
    env: 'RECORDING_QUOTA_GB',
    form: { type: 'number', min: 0.01, max: 100_000 },
    default: 8,
    unit: 'GB',
    cost: 'live',
    doc: 'All recordings together; the oldest are deleted to stay below it.',
  },
  {
    path: 'recording.minFreeGb',
    env: 'RECORDING_MIN_FREE_GB',
    form: { type: 'number', min: 0.01, max: 100_000 },
    default: 1,
    unit: 'GB',
    cost: 'live',
    doc: 'What stays free on the card; the oldest recordings are deleted for it.',
  },
  {
    path: 'log.level',
    env: 'LOG_LEVEL',
    form: { type: 'choice', choices: ['error', 'warn', 'info', 'debug'] },
    default: 'info',
    cost: 'live',
    doc: 'The least important lines that are still logged.',
  },
  {
    path: 'log.format',
    env: 'LOG_FORMAT',
    form: { type: 'choice', choices: ['auto', 'text', 'json'] },
    default: 'auto',
    cost: 'restart',
    doc: '`auto` is text on a terminal and JSON lines elsewhere.',
  },
  {
    path: 'log.statusSeconds',
    env: 'LOG_STATUS_SECONDS',
    form: { type: 'integer', min: 1, max: 3600 },
    default: 120,
    unit: 's',
    cost: 'live',
    doc: 'How often the status line is logged.',
  },
  {
    path: 'balena.lock',
    // Names that begin with BALENA are balena's own: a fleet cannot set them.
    env: 'UPDATE_LOCK',
    form: { type: 'choice', choices: ['onAir', 'always', 'never'] },
    default: 'onAir',
    cost: 'live',
    doc: 'When balena may not update, restart or reboot: while something is delivered (`onAir`), `always`, or `never` (docs/fleet.md).',
  },
  {
    path: 'updates.onAir',
    env: 'UPDATES_ON_AIR',
    form: { type: 'choice', choices: ['wait', 'window'] },
    default: 'wait',
    cost: 'live',
    doc: 'What an update does that comes during a broadcast: it waits for the end (`wait`), or for the hours of `updates.window`, in which the broadcast is interrupted for it.',
  },
  {
    path: 'updates.window',
    env: 'UPDATES_WINDOW',
    form: { type: 'hours' },
    default: '03:00-04:00',
    cost: 'live',
    doc: 'Hours of the day in which a broadcast may be interrupted for an update, with `updates.onAir: window`.',
  },
  {
    path: 'updates.timezone',
    env: 'UPDATES_TIMEZONE',
    form: { type: 'zone' },
    default: 'UTC',
    cost: 'live',
    doc: 'Whose clock `updates.window` goes by.',
  },
  {
    path: 'updates.maxWaitDays',
    env: 'UPDATES_MAX_WAIT_DAYS',
    form: { type: 'number', min: 0, max: 365 },
    default: 7,
    unit: 'days',
    cost: 'live',
    doc: 'With `updates.onAir: wait` an update that has waited so long interrupts the broadcast, with warnings a day and an hour before; 0: never.',
  },
  {
    path: 'gpio.button',
    env: 'GPIO_BUTTON',
    form: { type: 'integer', min: 0, max: 53, words: ['off'] },
    default: 'off',
    cost: 'live',
    doc: 'GPIO of a button: a press starts the broadcast (on the air: outputs that wait are tried now), 2 s stop it (docs/gpio.md).',
  },
  {
    path: 'gpio.buttonPressed',
    env: 'GPIO_BUTTON_PRESSED',
    form: { type: 'choice', choices: ['high', 'low'] },
    default: 'high',
    cost: 'live',
    doc: 'Level of the line while the button is held: `high` where it connects to 3.3 V, `low` where it connects to ground.',
  },
  {
    path: 'gpio.led',
    env: 'GPIO_LED',
    form: { type: 'integer', min: 0, max: 53, words: ['off'] },
    default: 'off',
    cost: 'live',
    doc: 'GPIO of a tally light: off, blinking while connecting or degraded, lit while live.',
  },
  {
    path: 'gpio.ledLit',
    env: 'GPIO_LED_LIT',
    form: { type: 'choice', choices: ['high', 'low'] },
    default: 'high',
    cost: 'live',
    doc: 'Level of the line that lights the LED.',
  },
  {
    path: 'demo.port',
    env: 'DEMO_PORT',
    form: { type: 'integer', min: 1024, max: 65_535 },
    default: 1935,
    cost: 'restart',
    doc: 'Port of the demonstration server, which runs where no output is configured.',
  },
  {
    path: 'mqtt.url',
    env: 'MQTT_URL',
    form: {
      type: 'word',
      words: 'mqtt://host, mqtts://host, ws://host/path or wss://host/path, with a port where it is not the usual one',
      pattern: /^$|^(mqtts?|wss?):\/\/[^\s/@?#]+(\/[^\s@?#]*)?$/,
    },
    default: '',
    cost: 'live',
    doc: 'The MQTT broker (docs/mqtt.md); without it there is none, and everything else works.',
  },
  {
    path: 'mqtt.username',
    env: 'MQTT_USERNAME',
    form: { type: 'word', words: 'text', pattern: /^[^\p{Cc}\p{Cs}]*$/u },
    default: '',
    cost: 'live',
    doc: 'User at the broker.',
  },
  {
    path: 'mqtt.password',
    env: 'MQTT_PASSWORD',
    form: { type: 'key' },
    default: '',
    secret: true,
    cost: 'live',
    doc: 'Password at the broker.',
  },
  {
    path: 'mqtt.ca',
    env: 'MQTT_CA',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: "Certificate of the authority that signed the broker's; without it, those that the machine trusts.",
  },
  {
    path: 'mqtt.cert',
    env: 'MQTT_CERT',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: 'Client certificate of this device.',
  },
  {
    path: 'mqtt.key',
    env: 'MQTT_KEY',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: 'Private key of the client certificate.',
  },
  {
    path: 'mqtt.baseTopic',
    env: 'MQTT_BASE_TOPIC',
    form: {
      type: 'word',
      words: 'levels of letters, digits, ., _ and -, with / between them',
      pattern: /^[A-Za-z0-9._-]{1,64}(\/[A-Za-z0-9._-]{1,64}){0,7}$/,
    },
    default: 'makercast',
    remote: 'never',
    cost: 'live',
    doc: 'What all topics begin with.',
  },
  {
    path: 'mqtt.id',
    env: 'MQTT_ID',
    form: {
      type: 'word',
      words: 'a letter or digit, then at most 63 letters, digits, _ and -',
      pattern: /^$|^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    },
    default: '',
    remote: 'never',
    cost: 'live',
    doc: "This device in topics; without it BALENA_DEVICE_UUID, else what goes by the board's serial number.",
  },
  {
    path: 'mqtt.groups',
    env: 'MQTT_GROUPS',
    form: {
      type: 'words',
      words: 'names of letters, digits, _ and - (in a variable with commas between them)',
      pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    },
    default: [],
    remote: 'device',
    cost: 'live',
    doc: 'Groups whose settings this device follows, the later ones over the earlier ones.',
  },
  {
    path: 'mqtt.allowPlainSecrets',
    env: 'MQTT_ALLOW_PLAIN_SECRETS',
    form: { type: 'boolean' },
    default: false,
    remote: 'never',
    cost: 'live',
    doc: 'Take secrets (`set-secret`) over a connection without TLS too.',
  },
  {
    path: 'mqtt.telemetrySeconds',
    env: 'MQTT_TELEMETRY_SECONDS',
    form: { type: 'integer', min: 1, max: 3600 },
    default: 10,
    unit: 's',
    cost: 'live',
    doc: 'How often figures are published.',
  },
  {
    path: 'mqtt.discovery',
    env: 'MQTT_DISCOVERY',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Announce this device to Home Assistant.',
  },
  {
    path: 'mqtt.discoveryPrefix',
    env: 'MQTT_DISCOVERY_PREFIX',
    form: {
      type: 'word',
      words: 'levels of letters, digits, ., _ and -, with / between them',
      pattern: /^[A-Za-z0-9._-]{1,64}(\/[A-Za-z0-9._-]{1,64}){0,7}$/,
    },
    default: 'homeassistant',
    cost: 'live',
    doc: "Home Assistant's discovery prefix.",
  },
  {
    path: 'config.locked',
    env: 'CONFIG_LOCKED',
    form: {
      type: 'words',
      words: 'paths of settings, such as audio.mute or outputs.* (in a variable with commas between them)',
      pattern: /^[A-Za-z]+(\.([A-Za-z0-9_]+|\*)){0,2}$/,
    },
    default: ['web.password', 'mqtt.username', 'mqtt.password', 'mqtt.cert', 'mqtt.key'],
    remote: 'never',
    cost: 'live',
    doc: 'What cannot be changed from afar. A path means all below it too.',
  },
  {
    path: 'config.probationSeconds',
    env: 'CONFIG_PROBATION_SECONDS',
    form: { type: 'integer', min: 1, max: 600 },
    default: 20,
    unit: 's',
    cost: 'live',
    doc: 'A change from afar that takes the stream off the air for so long is undone.',
  },
];

/** Whether a row is one of the fields that every output has. */
export function isOutputRow(row: Row): boolean {
  return row.path.startsWith('outputs.*.');
}

/** The value at a row's path, or undefined: `get(settings, 'video.fps')`. */
export function get(settings: Settings, path: string): unknown {
  let value: unknown = settings;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}
