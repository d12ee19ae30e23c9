/** What every H.264 encoder file says of its element, and the choice among them. */
import type { Facts } from '../facts.js';
import { NoPlan } from '../noplan.js';
import type { EncoderName, Format } from '../wanted.js';
import { omxh264enc } from './omxh264enc.js';
import { openh264enc } from './openh264enc.js';
import { v4l2h264enc } from './v4l2h264enc.js';
import { x264enc } from './x264enc.js';

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
  text(settings: EncoderSettings): string;
  /** The H.264 level in that text, where it has to be told one. */
  level?(settings: EncoderSettings): string;
  /** How its bitrate is changed while it runs. */
  bitrate(kbps: number): { readonly property: string; readonly value: string | number };
  /** What asks it for a keyframe; absent where GStreamer's event does. */
  readonly keyframe?: { readonly property: string; readonly value: string };
  /** What it is feared to make of such pictures, in one sentence; undefined where all is well. */
  doubt?(settings: EncoderSettings, facts: Facts): string | undefined;
}

/** In order of preference: hardware leaves the processor free; x264 makes better pictures of a bit than OpenH264. */
export const encoders: readonly VideoEncoder[] = [v4l2h264enc, omxh264enc, x264enc, openh264enc];

export const encoderNames: readonly EncoderName[] = encoders.map(({ element }) => element);

/** The encoder of that name. Throws NoPlan where it does not work on this machine. */
export function workingEncoder(name: EncoderName, facts: Facts): VideoEncoder {
  const encoder = encoders.find(({ element }) => element === name)!;
  const known = facts.encoders.find(({ element }) => element === name);
  if (known?.works) return encoder;
  throw new NoPlan(
    'encoder_missing',
    `The encoder ${name} does not work on this machine: ${known?.why ?? 'it is not installed'}.`,
    'Set video.encoder to auto, or to one that `makercast probe` lists as working.',
  );
}

/** The raw formats that it takes on this machine, best first. */
export const rawFormats = ({ element, formats }: VideoEncoder, facts: Facts): readonly string[] => [
  ...formats,
  ...(facts.encoders.find((known) => known.element === element)?.takes ?? []),
];

/** Why nothing here can encode. */
export function noEncoder(facts: Facts): NoPlan {
  const why = facts.encoders.flatMap((encoder) => (encoder.why ? [` ${encoder.element}: ${encoder.why}.`] : []));
  return new NoPlan(
    'encoder_missing',
    `No H.264 encoder works on this machine.${why.join('')}`,
    'Install the Debian package gstreamer1.0-plugins-ugly (x264enc).',
  );
}
