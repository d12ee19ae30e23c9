/** The plan: which source and encoder, and the GStreamer text that makes FLV of them. */
import type { Facts } from './facts.js';
import type { Wanted } from './wanted.js';

/** Why there is no plan. `code` is one of `agent/errors.ts`; `what` and `mend` are plain words. */
export class NoPlan extends Error {
  constructor(
    readonly code: string,
    readonly what: string,
    readonly mend: string,
  ) {
    super(what);
  }
}

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
  /** After the last piece ends: start again at the first, or end. Live sources never end. */
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
  readonly audio: { readonly source: string; readonly encoder: string; readonly rate: number; readonly channels: number };
  /** How the encoder takes a bitrate while it runs; absent where it cannot. */
  readonly bitrate?: { readonly element: string; readonly property: string; readonly set: 'kbps' | 'bps' | 'extra-controls' };
  /** Element with `volume` and `mute` properties, where there is one (pass-through of a file has none). */
  readonly volume?: string;
}

/** Composes the plan. Throws {@link NoPlan} where the machine cannot do what is wanted. */
export function plan(_wanted: Wanted, _facts: Facts): Plan {
  throw new NoPlan('not_built', 'plan() is not written yet', '');
}
