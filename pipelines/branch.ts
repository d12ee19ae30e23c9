/** The branches that every pipeline has: pictures to AVC, sound to AAC. */
import { aacText, chooseAac } from './audio/aac.js';
import type { VideoEncoder } from './encoders/encoder.js';
import type { Facts } from './facts.js';
import type { ElementProperty, Plan } from './plan.js';
import type { Picture } from './sources/picture.js';
import type { WantedAudio, WantedVideo } from './wanted.js';

/** The sound's branch up to AAC, and what the plan says of it. */
export interface Sound {
  readonly text: string;
  readonly properties: readonly ElementProperty[];
  readonly about: Plan['audio'];
}

export function encodedSound(
  wanted: WantedAudio,
  facts: Facts,
  source: string,
  from: { text: string; properties?: readonly ElementProperty[] },
): Sound {
  const encoder = chooseAac(new Set(facts.elements));
  const { rate, channels, bitrateKbps } = wanted;
  return {
    text: `${from.text} ! ${aacText(wanted, encoder)}`,
    properties: from.properties ?? [],
    about: { source, encoder: encoder.element, rate, channels, bitrateKbps },
  };
}

export function encoderText(encoder: VideoEncoder, video: WantedVideo): string {
  return encoder.text({ ...video, keyframeFrames: Math.max(1, Math.round(video.keyframeSeconds * video.fps)) });
}

export function encodedVideo(picture: Picture, encoder: VideoEncoder, video: WantedVideo): Plan['video'] {
  const { width, height, fps, bitrateKbps } = video;
  return { source: picture.source, encoder: encoder.element, width, height, fps, bitrateKbps };
}

/** FLV keeps SPS and PPS in its sequence header: they are not repeated in the stream (`config-interval` stays 0). */
export const avc = 'h264parse ! video/x-h264,stream-format=avc,alignment=au';
