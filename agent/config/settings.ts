/** Every setting: the rows of all sections (settings/), one row each, and the typed document that they make. */
import type { Row } from './row.js';
import { audio, type AudioSettings } from './settings/audio.js';
import { balena, type BalenaSettings } from './settings/balena.js';
import { camera, type CameraSettings } from './settings/camera.js';
import { config, type ConfigSettings } from './settings/config.js';
import { demo, type DemoSettings } from './settings/demo.js';
import { gpio, type GpioSettings } from './settings/gpio.js';
import { log, type LogSettings } from './settings/log.js';
import { mqtt, type MqttSettings } from './settings/mqtt.js';
import { output, type DeliverySettings } from './settings/output.js';
import { outputs, type OutputSettings } from './settings/outputs.js';
import { recording, type RecordingSettings } from './settings/recording.js';
import { slate, type SlateSettings } from './settings/slate.js';
import { updates, type UpdateSettings } from './settings/updates.js';
import { video, type VideoSettings } from './settings/video.js';

export type { GpioSettings, MqttSettings, OutputSettings };

export interface Settings {
  readonly video: VideoSettings;
  readonly camera: CameraSettings;
  readonly audio: AudioSettings;
  readonly slate: SlateSettings;
  /** By name; in the order in which the layers name them. */
  readonly outputs: Readonly<Record<string, OutputSettings>>;
  readonly output: DeliverySettings;
  readonly recording: RecordingSettings;
  readonly log: LogSettings;
  readonly balena: BalenaSettings;
  readonly updates: UpdateSettings;
  readonly gpio: GpioSettings;
  readonly demo: DemoSettings;
  readonly mqtt: MqttSettings;
  readonly config: ConfigSettings;
}

/** Name of an output, in the file; in the environment it stands in capitals. */
export const OUTPUT_NAME = /^[a-z][a-z0-9_]{0,31}$/;
export const OUTPUTS_MAX = 8;

/** In the order of docs/settings.md. */
export const rows: readonly Row[] = [
  ...video,
  ...camera,
  ...audio,
  ...slate,
  ...outputs,
  ...output,
  ...recording,
  ...log,
  ...balena,
  ...updates,
  ...gpio,
  ...demo,
  ...mqtt,
  ...config,
];

/** Whether a row is one of the fields that every output has. */
export function isOutputRow(row: Row): boolean {
  return row.path.startsWith('outputs.*.');
}

/** The row of a path; all outputs share theirs. */
export function rowOf(path: string): Row | undefined {
  const general = path.replace(/^outputs\.[^.]+/, 'outputs.*');
  return rows.find((row) => row.path === general);
}

/** The second part of a path: in `outputs.main.url` the output's name. */
export function outputName(path: string): string {
  return path.split('.')[1] ?? '';
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
