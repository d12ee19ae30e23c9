/** A plan: what goes on the air, by which pipelines, and what of it changes while it plays. */
import type { ElementProperty, PipelineText } from './graph.js';
import type { Mode } from './machine.js';
import type { Reason } from './noplan.js';
import { unitElement, type UnitSetup } from './sources/unit.js';
import type { Way } from './wanted.js';

/** Where the picture comes from; the slate is the card that stands in for a missing one. */
export type PlanKind = 'camera' | 'file' | 'test' | 'slate';

export interface Plan {
  readonly kind: PlanKind;
  /** Pipelines in playing order: one, or one for each file of a playlist. */
  readonly pipelines: readonly PipelineText[];
  /** A live source never ends by itself: if it does, its device is lost. */
  readonly live: boolean;
  /** After the last pipeline ends: start again at the first, or end. */
  readonly loop: boolean;
  /** What goes on the air, for people and for the status document. */
  readonly video: {
    readonly source: string;
    readonly encoder: Way;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
    /** H.264 level, where the encoder was told one. */
    readonly level?: string;
    /** kbit/s asked of the encoder; absent in pass-through. */
    readonly bitrateKbps?: number;
  };
  readonly audio: {
    readonly source: string;
    /** GStreamer element, or `passthrough`. */
    readonly encoder: string;
    readonly rate: number;
    readonly channels: number;
    /** kbit/s asked of the encoder; absent in pass-through. */
    readonly bitrateKbps?: number;
  };
  /** What it opens: a camera's `path`, a sound card's id; the path of the slate's picture. */
  readonly devices: { readonly camera?: string; readonly microphone?: string; readonly slateImage?: string };
  /** Which of the camera's formats it opens; absent without a camera. */
  readonly mode?: Mode;
  /**
   * What changes while it plays, each with the value that the text has for it now: bitrate, volume, mute, the camera's
   * controls. A setting whose cost is `live` changes nothing else, so the values that differ between two plans are what
   * has to be set; where none does, the source cannot take the change (H.264 that passes through keeps its bitrate).
   */
  readonly adjustable: readonly ElementProperty[];
  /** What asks its driver for a keyframe each time it is set, where GStreamer's event may not reach it; absent where the event is the way. */
  readonly keyframe?: ElementProperty;
  /** What a camera's own encoder is told by its extension unit before it starts; absent where it cannot be told. */
  readonly encoderUnit?: UnitSetup;
  /** A number that grows with each picture of the source, where what goes on the air repeats the last one for as long as none comes. */
  readonly pulse?: { readonly element: string; readonly property: string };
  /** Settings that the source cannot follow, and why: one plain sentence each. */
  readonly notes: readonly string[];
  /** What keeps the wanted picture or sound away, where a slate or silence stands in; absent where that is known from elsewhere. */
  readonly missed?: Reason;
}

/**
 * What has to be set for a plan that runs to become the `next` one; undefined where setting is not enough, and the next one has
 * to be played instead.
 */
export function liveChanges(running: Plan, next: Plan): readonly ElementProperty[] | undefined {
  const name = ({ element, property }: ElementProperty): string => `${element}.${property}`;
  const names = (of: Plan): string => of.adjustable.map(name).join();
  // The encoder was started for a level, which bounds its bitrate.
  if (running.video.level !== next.video.level || names(running) !== names(next)) return undefined;
  return next.adjustable.flatMap((after, index) => {
    const before = running.adjustable[index]!;
    if (before.value === after.value) return [];
    if (after.property !== 'extra-controls') return [after];
    // Of a camera's knobs only those that move: the others may have been set by hand.
    const [structure, ...controls] = String(after.value).split(',');
    const had = new Set(String(before.value).split(','));
    return [{ ...after, value: [structure, ...controls.filter((control) => !had.has(control))].join(',') }];
  });
}

/** The same plan for a camera whose encoder cannot be controlled. */
export function withoutUnit({ encoderUnit, keyframe, ...plan }: Plan): Plan {
  if (!encoderUnit) return { ...plan, ...(keyframe && { keyframe }) };
  const { source, encoder, width, height, fps } = plan.video;
  const video = { source, encoder, width, height, fps };
  return { ...plan, video, adjustable: plan.adjustable.filter(({ element }) => element !== unitElement) };
}
