/** Settings in the words of the pipelines and of delivery. Pure. */
import { isAbsolute, resolve } from 'node:path';
import { parseDestination } from '../config/destination.js';
import { redactUrl } from '../config/redact.js';
import type { Settings } from '../config/settings.js';
import type { WantedOutput } from '../media/messages.js';
import { volumeOf } from '../../pipelines/audio/aac.js';
import type { ElementProperty, Plan } from '../../pipelines/plan.js';
import type { Wanted } from '../../pipelines/wanted.js';

/** `folder`: what relative paths of media files start from. */
export function wantedMedia({ video, audio }: Settings, folder: string): Wanted {
  return {
    video: { ...video, files: video.files.map((file) => (isAbsolute(file) ? file : resolve(folder, file))) },
    audio,
  };
}

/** The outputs that are switched on, each with its URL as it may be shown. */
export function wantedOutputs(settings: Settings): { output: WantedOutput; url: string }[] {
  return Object.entries(settings.outputs)
    .filter(([, { enabled }]) => enabled)
    .map(([name, { url, key, tlsVerify }]) => ({
      output: { name, destination: { ...parseDestination(url, key), tlsVerify } },
      url: redactUrl(url),
    }));
}

/** Volume and mute as the running pipeline takes them; nothing where a file passes through. */
export function soundProperties({ audio }: Settings, plan: Plan): ElementProperty[] {
  if (plan.volume === undefined) return [];
  return [
    { element: plan.volume, property: 'volume', value: volumeOf(audio.gainDb) },
    { element: plan.volume, property: 'mute', value: audio.mute },
  ];
}
