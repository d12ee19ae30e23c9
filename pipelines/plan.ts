/** The plan: which source and encoder, and the GStreamer text that makes FLV of them. */
import { candidates } from './candidates.js';
import { noEncoder } from './encoders/encoder.js';
import type { Facts } from './facts.js';
import { NoPlan } from './noplan.js';
import { slateName } from './sources/slate.js';
import type { UnitSetup } from './sources/unit.js';
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

/** One of a camera's formats: its V4L2 fourcc, and a size. */
export interface Mode {
  readonly fourcc: string;
  readonly width: number;
  readonly height: number;
}

/** `YUYV 640x480`. */
export const modeName = ({ fourcc, width, height }: Mode): string => `${fourcc} ${width}x${height}`;

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
  readonly missed?: { readonly code: string; readonly what: string; readonly mend: string };
}

/**
 * The best plan that this machine has for what is wanted; what kept a better source out is among its notes. Throws
 * {@link NoPlan} where there is none, and where it would be the slate for no other reason than an encoder that cannot be had: a
 * picture that is on the air is better.
 */
export function plan(wanted: Wanted, facts: Facts): Plan {
  const all = candidates(wanted, facts);
  const best = all.findIndex((candidate) => candidate.plan);
  const before = (best < 0 ? all : all.slice(0, best)).filter(({ standsIn }) => !standsIn);
  const refusals = before.flatMap(({ refused }) => refused ?? []);
  // That an encoder is none is nothing to act on while another one works.
  const serious = refusals.filter(({ code }) => code !== 'encoder_missing' && code !== 'passthrough_unfit');
  const foremost = serious[0] ?? (wanted.video.encoder === 'auto' ? noEncoder(facts) : refusals[0]!);
  const made = all[best]?.plan;
  if (!made) throw foremost;
  if (made.video.source === slateName) {
    if (facts.pictureOnAir && serious.length === 0) throw foremost;
    const { code, what, mend } = foremost;
    return { ...made, missed: { code, what, mend } };
  }
  return { ...made, notes: [...new Set(serious.map(({ what, mend }) => `${what} ${mend}`)), ...made.notes] };
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
