/** The plan: which source and encoder, and the GStreamer text that makes FLV of them. */
import type { Facts } from './facts.js';
import { cameraPlan, testPlan } from './live.js';
import { requireElements } from './elements.js';
import { steppedBitrate } from './encoders/v4l2h264enc.js';
import { NoPlan } from './noplan.js';
import { filePlan } from './recorded.js';
import { findCamera } from './sources/camera.js';
import type { Wanted } from './wanted.js';

export { NoPlan };

/** A value that must never be part of pipeline text (paths, free text): it is set as a property once the text is parsed. */
export interface ElementProperty {
  readonly element: string;
  readonly property: string;
  readonly value: string | number | boolean;
}

/** One pipeline that ends in `appsink name=tags` and gives FLV. */
export interface Piece {
  /** Text for gst_parse_launch. Names nothing that an operator typed freely. */
  readonly text: string;
  readonly properties: readonly ElementProperty[];
}

export interface Plan {
  /** Pipelines in playing order: one, or one for each file of a playlist. */
  readonly pieces: readonly Piece[];
  /** A live source never ends by itself: if it does, its device is lost. */
  readonly live: boolean;
  /** After the last piece ends: start again at the first, or end. */
  readonly loop: boolean;
  /** What goes on the air, for people and for the status document. */
  readonly video: {
    readonly source: string;
    /** GStreamer element, or `passthrough`. */
    readonly encoder: string;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
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
  /** How the encoder takes a bitrate while it runs; absent where it cannot. */
  readonly bitrate?: {
    readonly element: string;
    readonly property: string;
    readonly set: 'kbps' | 'bps' | 'extra-controls';
  };
  /** Element with `volume` and `mute` properties, where there is one (pass-through of a file has none). */
  readonly volume?: string;
}

/** Composes the plan. Throws {@link NoPlan} where the machine cannot do what is wanted. */
export function plan(wanted: Wanted, facts: Facts): Plan {
  const made = compose(wanted, facts);
  const installed = new Set(facts.elements);
  for (const piece of made.pieces) requireElements(piece.text, installed);
  return made;
}

function compose(wanted: Wanted, facts: Facts): Plan {
  const { source } = wanted.video;
  if (source === 'file') return filePlan(wanted, facts);
  if (source === 'test') return testPlan(wanted, facts);
  const camera = source === 'auto' ? facts.cameras[0] : findCamera(source, facts);
  return camera ? cameraPlan(camera, wanted, facts) : testPlan(wanted, facts);
}

/** The property that gives a running plan another bitrate; undefined where it cannot take one. */
export function bitrateProperty(plan: Plan, kbps: number): ElementProperty | undefined {
  if (!plan.bitrate) return undefined;
  const { element, property, set } = plan.bitrate;
  switch (set) {
    case 'kbps':
      return { element, property, value: kbps };
    case 'bps':
      return { element, property, value: kbps * 1000 };
    case 'extra-controls':
      return { element, property, value: `controls,video_bitrate=${steppedBitrate(kbps)}` };
  }
}
