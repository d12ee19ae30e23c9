/** The camera's controls. */
import type { WantedCamera } from '../../../pipelines/wanted.js';
import type { Row } from '../row.js';

/** None of these has a default that depends on the machine: what is set is what is wanted. */
export type CameraSettings = WantedCamera;

export const camera: readonly Row[] = [
  {
    path: 'camera.horizontalFlip',
    env: 'CAMERA_HORIZONTAL_FLIP',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Mirrors the picture, if the camera supports it.',
  },
  {
    path: 'camera.verticalFlip',
    env: 'CAMERA_VERTICAL_FLIP',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Turns the picture upside down, if the camera supports it.',
  },
  {
    path: 'camera.rotation',
    env: 'CAMERA_ROTATION',
    form: { type: 'choice', choices: [0, 90, 180, 270] },
    default: 0,
    unit: 'degrees clockwise',
    cost: 'live',
    doc: 'Rotates the picture, if the camera supports it; for 180 it may support both flips instead.',
  },
  {
    path: 'camera.exposureMs',
    env: 'CAMERA_EXPOSURE_MS',
    form: { type: 'number', min: 0.1, max: 1000, words: ['driver', 'auto'] },
    default: 'driver',
    unit: 'ms',
    cost: 'live',
    doc: 'Exposure time of each picture. `driver`: left to the driver.',
  },
  {
    path: 'camera.whiteBalance',
    env: 'CAMERA_WHITE_BALANCE',
    form: { type: 'integer', min: 1000, max: 12_000, words: ['driver', 'auto'] },
    default: 'driver',
    unit: 'kelvin',
    cost: 'live',
    doc: 'Colour temperature of the light. `driver`: left to the driver.',
  },
  {
    path: 'camera.focus',
    env: 'CAMERA_FOCUS',
    form: { type: 'integer', min: 0, max: 1023, words: ['driver', 'auto'] },
    default: 'driver',
    cost: 'live',
    doc: 'Focus, in steps of the camera (`makercast probe` lists them). `driver`: left to the driver.',
  },
  {
    path: 'camera.zoom',
    env: 'CAMERA_ZOOM',
    form: { type: 'integer', min: 0, max: 10_000, words: ['driver'] },
    default: 'driver',
    cost: 'live',
    doc: 'Zoom, in steps of the camera (`makercast probe` lists them; on a C920, 100 is no zoom). `driver`: left to the driver.',
  },
  {
    path: 'camera.powerLineHz',
    env: 'CAMERA_POWER_LINE_HZ',
    form: { type: 'choice', choices: ['driver', 50, 60, 'auto', 'off'] },
    default: 'driver',
    unit: 'Hz',
    cost: 'live',
    doc: 'Mains frequency, against the flicker of lamps: 50 in most of the world, 60 in the Americas. `driver`: left to the driver.',
  },
];
