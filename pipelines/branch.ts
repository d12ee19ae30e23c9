/** The branches that every pipeline has: pictures to AVC, sound to AAC. */
import { requireElements } from './elements.js';
import type { EncoderSettings, VideoEncoder } from './encoders/encoder.js';
import { caps, type Chain, element, type ElementProperty, pipelineText, type PipelineText } from './graph.js';
import type { Machine } from './machine.js';
import { aacChain, chooseAac, volumeOf } from './mix/aac.js';
import type { Plan } from './plan.js';
import type { Picture } from './sources/picture.js';
import type { WantedAudio, WantedVideo } from './wanted.js';

/** The sound's branch up to AAC, and what the plan says of it. */
export interface Sound {
  readonly chain: Chain;
  readonly adjustable: readonly ElementProperty[];
  readonly about: Plan['audio'];
  /** Id of the sound card that it opens. */
  readonly microphone?: string;
  /** Why it is silence where a microphone was wanted. */
  readonly missed?: Plan['missed'];
}

export function encodedSound(wanted: WantedAudio, machine: Machine, source: string, from: Chain): Sound {
  const encoder = chooseAac(new Set(machine.elements));
  const { rate, channels, bitrateKbps } = wanted;
  return {
    chain: [...from, ...aacChain(wanted, encoder)],
    adjustable: [
      { element: 'gain', property: 'volume', value: volumeOf(wanted.gainDb) },
      { element: 'gain', property: 'mute', value: wanted.mute },
    ],
    about: { source, encoder: encoder.element, rate, channels, bitrateKbps },
  };
}

/** The picture's branch from its source up to H.264. */
export interface Encoding {
  readonly picture: Picture;
  /** Behind the picture's own: `x264enc`; empty where nothing is encoded here. */
  readonly chain: Chain;
  readonly about: Plan['video'];
  readonly adjustable: readonly ElementProperty[];
  readonly keyframe?: ElementProperty;
  readonly notes: readonly string[];
}

/** `picture` may carry more than a picture does (a file's sound): it comes back as it is. */
export function encode<P extends Picture>(
  picture: P,
  encoder: VideoEncoder,
  video: WantedVideo,
  machine: Machine,
): Encoding & { readonly picture: P } {
  const { width, height, fps, bitrateKbps } = video;
  const settings: EncoderSettings = {
    ...{ width, height, fps, bitrateKbps },
    keyframeFrames: Math.max(1, Math.round(video.keyframeSeconds * fps)),
    ...(picture.sharedMemory ? { sharedMemory: true } : {}),
  };
  const level = encoder.level?.(settings);
  const doubt = encoder.doubt?.(settings, machine);
  return {
    picture,
    chain: encoder.chain(settings),
    about: {
      source: picture.source,
      encoder: encoder.element,
      ...{ width, height, fps },
      ...(level === undefined ? {} : { level }),
      bitrateKbps,
    },
    adjustable: [{ element: 'venc', ...encoder.bitrate(bitrateKbps) }, ...(picture.adjustable ?? [])],
    ...(encoder.keyframe ? { keyframe: { element: 'venc', ...encoder.keyframe } } : {}),
    notes: doubt === undefined ? [] : [doubt],
  };
}

/** FLV keeps SPS and PPS in its sequence header: they are not repeated in the stream (`config-interval` stays 0). */
export const avc: Chain = [element('h264parse'), caps('video/x-h264', { 'stream-format': 'avc', alignment: 'au' })];

/** What GStreamer is given. Throws NoPlan where an element is not installed. */
export function composed(chains: readonly Chain[], { elements }: Machine): PipelineText {
  requireElements(chains, new Set(elements));
  return pipelineText(chains);
}
