/** All H.264 encoders, and the choice among them. */
import type { VideoEncoder } from '../encoders/encoder.js';
import { omxh264enc } from '../encoders/omxh264enc.js';
import { openh264enc } from '../encoders/openh264enc.js';
import { v4l2h264enc } from '../encoders/v4l2h264enc.js';
import { x264enc } from '../encoders/x264enc.js';
import type { Machine } from '../machine.js';
import { NoPlan } from '../noplan.js';
import type { EncoderName } from '../wanted.js';

/** In order of preference: hardware leaves the processor free; x264 makes better pictures of a bit than OpenH264. */
export const encoders: readonly VideoEncoder[] = [v4l2h264enc, omxh264enc, x264enc, openh264enc];

export const encoderNames: readonly EncoderName[] = encoders.map(({ element }) => element);

/** The encoder of that name. Throws NoPlan where it does not work on this machine. */
export function workingEncoder(name: EncoderName, machine: Machine): VideoEncoder {
  const encoder = encoders.find(({ element }) => element === name)!;
  const known = machine.encoders.find(({ element }) => element === name);
  if (known?.works) return encoder;
  throw new NoPlan(
    'encoder_missing',
    `The encoder ${name} does not work on this machine: ${known?.why ?? 'it is not installed'}.`,
    'Set video.encoder to auto, or to one that `makercast probe` lists as working.',
  );
}

/** The raw formats that it takes on this machine, best first. */
export const rawFormats = ({ element, formats }: VideoEncoder, machine: Machine): readonly string[] => [
  ...formats,
  ...(machine.encoders.find((known) => known.element === element)?.takes ?? []),
];

/** Why nothing here can encode. */
export function noEncoder(machine: Machine): NoPlan {
  const why = machine.encoders.flatMap((encoder) => (encoder.why ? [` ${encoder.element}: ${encoder.why}.`] : []));
  return new NoPlan(
    'encoder_missing',
    `No H.264 encoder works on this machine.${why.join('')}`,
    'Install the Debian package gstreamer1.0-plugins-ugly (x264enc).',
  );
}
