/** Every way to the wanted broadcast on this machine, best first: what it is, why it stands where it does, and its plan or what prevents it. */
import { cameraPlan, slatePlan, testPlan } from '../live.js';
import type { Camera, Machine } from '../machine.js';
import { NoPlan } from '../noplan.js';
import type { OnAir } from '../onair.js';
import type { PlanKind, Plan } from '../plan.js';
import { filePlan, inFormatOfFiles, inFormatOnAir } from '../recorded.js';
import type { Wanted, WantedVideo, Way } from '../wanted.js';
import { cameraName, findCamera, noCamera, rawKinds } from './camera.js';
import { encoderNames, encoders } from './encoders.js';
import { asNear, chooseFormat } from './format.js';

export interface Candidate {
  /** `camera HD Pro Webcam C920 (/dev/video0), v4l2h264enc`. */
  readonly what: string;
  /** Why it comes before those that follow. */
  readonly why: string;
  /** The slate stands in for what is wanted. */
  readonly kind: PlanKind;
  readonly plan?: Plan;
  /** Why there is no plan. */
  readonly refused?: NoPlan;
}

/** A source with its ways to H.264, best first. */
interface Source {
  readonly kind: PlanKind;
  readonly name: string;
  readonly ways: readonly Way[];
  plan(way: Way): Plan;
}

/** Never empty. */
export function candidates(wanted: Wanted, machine: Machine, onAir: OnAir = {}): Candidate[] {
  return sources(wanted, machine, onAir).flatMap(({ kind, name, ways, plan }) =>
    ways.map((way) => {
      const what = `${name}, ${way === 'passthrough' ? 'H.264 as it comes' : way}`;
      const about = { kind, what, why: merit(way) };
      try {
        return { ...about, plan: plan(way) };
      } catch (error) {
        if (error instanceof NoPlan) return { ...about, refused: error };
        throw error;
      }
    }),
  );
}

const merit = (way: Way): string =>
  encoders.find(({ element }) => element === way)?.merit ?? 'encoded by the source itself: nothing to do here';

function sources(wanted: Wanted, machine: Machine, onAir: OnAir): Source[] {
  const { source, encoder } = wanted.video;
  const chosen = (ways: readonly Way[]): readonly Way[] => (encoder === 'auto' ? ways : [encoder]);
  const test: Source = {
    kind: 'test',
    name: 'test picture',
    ways: chosen(encoderNames),
    plan: (way) => testPlan(way, wanted, machine),
  };
  // The last resort goes by any encoder, whichever one is insisted on.
  const ofSlate = source === 'file' ? inFormatOfFiles(wanted, machine, onAir) : inFormatOnAir(wanted, onAir);
  const slate: Source = {
    kind: 'slate',
    name: 'slate',
    ways: encoderNames,
    plan: (way) => slatePlan(way, ofSlate, machine, onAir),
  };
  const cameraSource = (camera: Camera): Source => ({
    kind: 'camera',
    name: cameraName(camera),
    ways: chosen(cameraWays(camera, wanted.video, machine)),
    plan: (way) => cameraPlan(camera, way, wanted, machine),
  });
  if (source === 'test') return [test, slate];
  if (source === 'file') {
    const ways = chosen(['passthrough', ...encoderNames]);
    return [{ kind: 'file', name: 'file', ways, plan: (way) => filePlan(way, wanted, machine, onAir) }, slate];
  }
  if (source === 'auto') {
    const cameras = machine.cameras.map(cameraSource);
    if (cameras.length > 0) return [...cameras, slate];
    return [onAir.cameraLost ? away('camera', cameraGone) : test, slate];
  }
  const named = findCamera(source, machine);
  return [named ? cameraSource(named) : away(`camera ${source}`, noCamera(source, machine)), slate];
}

/** A camera that is wanted and not there. */
const away = (name: string, reason: NoPlan): Source => ({
  kind: 'camera',
  name,
  ways: ['passthrough'],
  plan() {
    throw reason;
  },
});

const cameraGone = new NoPlan(
  'source_not_found',
  'The camera is missing or delivers nothing, and there is no other.',
  'Plug it in again; it is retried automatically.',
);

/** The camera's own H.264 comes first where nothing else that the camera gives is nearer to the wanted size and rate. */
function cameraWays(camera: Camera, video: WantedVideo, machine: Machine): readonly Way[] {
  const h264 = chooseFormat(camera.formats, video, ['h264']);
  const other = chooseFormat(camera.formats, video, rawKinds(machine));
  return h264 && asNear(h264, other, video) ? ['passthrough', ...encoderNames] : [...encoderNames, 'passthrough'];
}
