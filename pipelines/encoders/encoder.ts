/** What every H.264 encoder file says of its element, and the choice among them. */
import type { Facts } from '../facts.js';
import { NoPlan } from '../noplan.js';
import type { EncoderName, WantedVideo } from '../wanted.js';
import { omxh264enc } from './omxh264enc.js';
import { openh264enc } from './openh264enc.js';
import { v4l2h264enc } from './v4l2h264enc.js';
import { x264enc } from './x264enc.js';

export interface EncoderSettings {
  readonly width: number;
  readonly height: number;
  /** Frames a second. */
  readonly fps: number;
  readonly bitrateKbps: number;
  /** Frames from one keyframe to the next. */
  readonly keyframeFrames: number;
}

export interface VideoEncoder {
  readonly element: EncoderName;
  /** Raw 4:2:0 formats that it takes, best first. Others would cost a conversion, or give a profile that players refuse. */
  readonly formats: readonly string[];
  /** From the element, named `venc`, to H.264 in whatever stream format it gives. */
  text(settings: EncoderSettings): string;
  /** How its bitrate is changed while it runs. */
  readonly bitrate: { readonly property: string; readonly set: 'kbps' | 'bps' | 'extra-controls' };
}

/** In order of preference: hardware leaves the processor free; x264 makes better pictures of a bit than OpenH264. */
export const encoders: readonly VideoEncoder[] = [v4l2h264enc, omxh264enc, x264enc, openh264enc];

/** The encoder that is asked for, or else the best one that works on this machine. Throws NoPlan. */
export function chooseEncoder(wanted: WantedVideo['encoder'], facts: Facts): VideoEncoder {
  const named = encoders.find((encoder) => encoder.element === wanted);
  const chosen = named ? works(named, facts) && named : encoders.find((encoder) => works(encoder, facts));
  if (chosen) return chosen;
  if (!named) {
    const why = facts.encoders.flatMap((encoder) => (encoder.why ? [` ${encoder.element}: ${encoder.why}.`] : []));
    throw new NoPlan(
      'encoder_missing',
      `No H.264 encoder works on this machine.${why.join('')}`,
      'Install the Debian package gstreamer1.0-plugins-ugly (x264enc).',
    );
  }
  const why = facts.encoders.find((encoder) => encoder.element === named.element)?.why ?? 'it is not installed';
  throw new NoPlan(
    'encoder_missing',
    `The encoder ${named.element} does not work on this machine: ${why}.`,
    'Set video.encoder to auto, or to one that `makercast probe` lists as working.',
  );
}

function works(encoder: VideoEncoder, facts: Facts): boolean {
  return facts.encoders.some((known) => known.element === encoder.element && known.works);
}
