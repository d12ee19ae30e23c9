/** What every H.264 encoder file says about its element. */
import type { Chain } from '../graph.js';
import type { Machine } from '../machine.js';
import type { EncoderName, Format } from '../wanted.js';

export interface EncoderSettings extends Format {
  readonly bitrateKbps: number;
  /** Frames from one keyframe to the next. */
  readonly keyframeFrames: number;
  /** The pictures are handed over where they lie. */
  readonly sharedMemory?: boolean;
}

export interface VideoEncoder {
  readonly element: EncoderName;
  /** Why it stands where it does among the others, for people. */
  readonly merit: string;
  /** Raw 4:2:0 formats that it takes, best first. Others would cost a conversion, or give a profile that players refuse. */
  readonly formats: readonly string[];
  /** From the element, named `venc`, to H.264 in whatever stream format it gives. */
  chain(settings: EncoderSettings): Chain;
  /** The H.264 level in that chain, where it has to be told one. */
  level?(settings: EncoderSettings): string;
  /** How its bitrate is changed while it runs. */
  bitrate(kbps: number): { readonly property: string; readonly value: string | number };
  /** What asks it for a keyframe; absent where GStreamer's event does. */
  readonly keyframe?: { readonly property: string; readonly value: string };
  /** What may go wrong with such pictures, in one sentence; undefined where nothing is expected to. */
  doubt?(settings: EncoderSettings, machine: Machine): string | undefined;
}
