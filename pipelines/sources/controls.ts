/** The camera's own controls: from settings to V4L2 controls, or to properties of libcamerasrc, as far as this camera has them. */
import type { Camera, CameraControl } from '../machine.js';
import type { WantedCamera } from '../wanted.js';

export interface Controls {
  /** `name=value` of what somebody set; all else stays as the camera has it. */
  readonly set: readonly string[];
  /** The same with the driver's default for all that nobody set: what a live change goes by. */
  readonly all: readonly string[];
  /** What this camera cannot do, one sentence each. */
  readonly notes: readonly string[];
}

/** How libcamera's part of them is called: each is a property of `libcamerasrc`, from libcamera 0.4 on. */
export const sensorControls = { exposure: 'exposure-time', focusMode: 'af-mode', focus: 'lens-position' } as const;

/** A knob that has a switch for its automatic beside it, by the names that kernels have given both. */
interface Pair {
  readonly setting: string;
  readonly automatic: readonly string[];
  readonly value: readonly string[];
  /** What the switch is at while a value is set by hand. */
  readonly manual: number;
}

/** Kernels before 5.18 have the second name. V4L2_EXPOSURE_MANUAL is 1; the other switches are on or off. */
const exposure: Pair = {
  setting: 'camera.exposureMs',
  automatic: ['auto_exposure', 'exposure_auto'],
  value: ['exposure_time_absolute', 'exposure_absolute'],
  manual: 1,
};
const whiteBalance: Pair = {
  setting: 'camera.whiteBalance',
  automatic: ['white_balance_automatic', 'white_balance_temperature_auto'],
  value: ['white_balance_temperature'],
  manual: 0,
};
const focus: Pair = {
  setting: 'camera.focus',
  automatic: ['focus_automatic_continuous', 'focus_auto', sensorControls.focusMode],
  value: ['focus_absolute', sensorControls.focus],
  manual: 0,
};

/** V4L2_CID_POWER_LINE_FREQUENCY. */
const mains = { off: 0, 50: 1, 60: 2, auto: 3 } as const;

/** exposure_time_absolute counts 100 µs, exposure-time single ones. */
const exposureSteps = 10;
const exposureMicroseconds = 1000;

export function cameraControls(wanted: WantedCamera, camera: Camera): Controls {
  const knobs = new Knobs(camera);
  const { rotation } = wanted;
  // Upside down is both flips, for the many cameras that flip and do not rotate.
  const turned = rotation === 180 && !knobs.find(['rotate']);
  knobs.plain('camera.horizontalFlip', ['horizontal_flip'], wanted.horizontalFlip !== turned ? 1 : undefined);
  knobs.plain('camera.verticalFlip', ['vertical_flip'], wanted.verticalFlip !== turned ? 1 : undefined);
  knobs.plain('camera.rotation', ['rotate'], turned || rotation === 0 ? undefined : rotation);
  // Both are libcamera's to choose unless it is told otherwise: there is no switch for it.
  const asItIs = <T>(wish: T | 'auto'): T | 'driver' | 'auto' =>
    wish === 'auto' && camera.api === 'libcamera' ? 'driver' : wish;
  const exposureMs = asItIs(wanted.exposureMs);
  if (knobs.find([sensorControls.exposure])) {
    const wish = typeof exposureMs === 'number' ? exposureMs * exposureMicroseconds : undefined;
    knobs.plain('camera.exposureMs', [sensorControls.exposure], wish);
  } else {
    knobs.pair(exposure, typeof exposureMs === 'number' ? exposureMs * exposureSteps : exposureMs);
  }
  knobs.pair(whiteBalance, asItIs(wanted.whiteBalance));
  knobs.pair(focus, wanted.focus);
  knobs.plain('camera.zoom', ['zoom_absolute'], wanted.zoom === 'driver' ? undefined : wanted.zoom);
  const hz = wanted.powerLineHz;
  knobs.plain('camera.powerLineHz', ['power_line_frequency'], hz === 'driver' ? undefined : mains[hz]);
  return knobs;
}

class Knobs implements Controls {
  readonly set: string[] = [];
  readonly all: string[] = [];
  readonly notes: string[] = [];

  constructor(private readonly camera: Camera) {}

  find(names: readonly string[]): CameraControl | undefined {
    return this.camera.controls.find(({ name }) => names.includes(name));
  }

  /** `wish` undefined: as the driver has it. */
  plain(setting: string, names: readonly string[], wish: number | undefined): void {
    const control = this.find(names);
    if (control) this.#put(control, wish === undefined ? undefined : this.#fitting(setting, control, wish));
    else if (wish !== undefined) this.#lacks(setting, names);
  }

  /** The switch goes first: a value is refused for as long as the automatic is on. */
  pair({ setting, automatic, value, manual }: Pair, wish: number | 'auto' | 'driver'): void {
    const [control, knob] = [this.find(automatic), this.find(value)];
    const fitting = knob && typeof wish === 'number' ? this.#fitting(setting, knob, wish) : undefined;
    if (typeof wish === 'number' && !knob) this.#lacks(setting, value);
    if (wish === 'auto' && !control) this.#lacks(setting, automatic);
    if (control) {
      const on = wish === 'auto' ? automaticOf(control, manual) : undefined;
      this.#put(control, fitting === undefined ? on : manual);
    }
    // Under an automatic the value is the camera's to choose.
    const byHand = fitting !== undefined || !control || control.default === manual;
    if (knob && byHand && wish !== 'auto') this.#put(knob, fitting);
  }

  #put({ name, default: start }: CameraControl, value: number | undefined): void {
    if (value !== undefined) this.set.push(`${name}=${value}`);
    this.all.push(`${name}=${value ?? start}`);
  }

  /** In the control's steps; undefined, and noted, where the camera does not go so far. */
  #fitting(setting: string, { name, min, max, step, choices }: CameraControl, wish: number): number | undefined {
    const value = choices ? wish : min + Math.round((wish - min) / step) * step;
    if (choices ? choices[value] !== undefined : value >= min && value <= max) return value;
    const range = choices ? Object.values(choices).join(', ') : `${min} to ${max}`;
    this.notes.push(`${setting}: the camera ${this.camera.name} does not support this value (${name}: ${range}).`);
    return undefined;
  }

  #lacks(setting: string, [name]: readonly string[]): void {
    this.notes.push(`${setting}: the camera ${this.camera.name} has no such control (${name}).`);
  }
}

/** Where the switch of an automatic stands when it is on: its default if that is one, else any place that is not by hand. */
function automaticOf({ choices, default: start }: CameraControl, manual: number): number {
  if (start !== manual) return start;
  // V4L2_EXPOSURE_APERTURE_PRIORITY is what webcams have; a plain switch is 1.
  const places = choices ? Object.keys(choices).map(Number) : [1];
  return places.includes(3) ? 3 : (places.find((place) => place !== manual) ?? manual);
}
