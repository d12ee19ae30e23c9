/** A camera that encodes: its H.264 goes on the air as it comes. */
import { cameraName } from '../choose/camera.js';
import type { Choice } from '../choose/format.js';
import { levelOf } from '../encoders/level.js';
import { forceKeyframe, high, steppedBitrate } from '../encoders/v4l2h264enc.js';
import type { Camera } from '../machine.js';
import type { WantedVideo } from '../wanted.js';
import type { Controls } from './controls.js';
import type { Picture } from './picture.js';
import { unitElement, type UnitSetup } from './unit.js';
import { adjustableControls, v4l2Source } from './v4l2.js';

/** PiCam on the legacy stack: the GPU encodes, and the camera's node takes the encoder's controls. */
export const gpuEncodes = (camera: Camera): boolean => camera.driver.startsWith('bm2835');

/** Whether its bitrate changes while it runs. */
export const changesBitrate = (camera: Camera): boolean =>
  gpuEncodes(camera) || camera.encoderUnit?.changesBitrate === true;

/** The size and rate of the broadcast are then the camera's; so are bitrate and keyframes, unless its encoder can be told. */
export function cameraH264(camera: Camera, format: Choice, video: WantedVideo, controls: Controls): Picture {
  const own = gpuEncodes(camera);
  const { bitrateKbps } = video;
  const bitrate = `video_bitrate=${steppedBitrate(bitrateKbps)}`;
  const frames = Math.max(1, Math.round(video.keyframeSeconds * format.fps));
  const level = levelOf({ ...format, bitrateKbps });
  const encoder = [
    bitrate,
    `h264_i_frame_period=${frames}`,
    'repeat_sequence_header=1',
    `h264_profile=${high}`,
    `h264_level=${level.v4l2}`,
  ];
  const unit = own ? undefined : camera.encoderUnit;
  const byUnit = unit?.changesBitrate ? [{ element: unitElement, property: 'bitrateKbps', value: bitrateKbps }] : [];
  return {
    chain: v4l2Source(camera, format, [...(own ? encoder : []), ...controls.set]),
    source: cameraName(camera),
    adjustable: [...byUnit, ...adjustableControls([...(own ? [bitrate] : []), ...controls.all])],
    ...(camera.givesKeyframes ? { keyframe: { element: 'video-source', ...forceKeyframe } } : {}),
    ...(unit?.givesKeyframes ? { keyframe: { element: unitElement, property: 'keyframe', value: true } } : {}),
    ...(unit ? { encoderUnit: setup(camera, unit.id, format, video) } : {}),
    ...(own ? { level: level.name } : {}),
  };
}

const setup = (camera: Camera, id: number, { width, height, fps }: Choice, video: WantedVideo): UnitSetup => ({
  device: camera.path,
  id,
  ...{ width, height, fps },
  bitrateKbps: video.bitrateKbps,
  keyframeSeconds: video.keyframeSeconds,
});
