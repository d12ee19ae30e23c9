/** Settings in the words of the pipelines and of delivery. Pure. */
import { isAbsolute, resolve } from 'node:path';
import { parseDestination } from '../config/destination.js';
import { redactUrl } from '../config/redact.js';
import type { Settings } from '../config/settings.js';
import type { WantedOutput } from '../media/messages.js';
import type { Wish } from '../../pipelines/wanted.js';

/** `folder`: what relative paths of media files start from. */
export function wantedMedia({ video, camera, audio, slate }: Settings, folder: string): Wish {
  const absolute = (file: string): string => (isAbsolute(file) ? file : resolve(folder, file));
  return {
    video: { ...video, files: video.files.map(absolute) },
    camera,
    audio,
    slate: { ...slate, image: slate.image === '' ? '' : absolute(slate.image) },
  };
}

/** The outputs that are switched on, each with its URL as it may be shown. */
export function wantedOutputs(settings: Settings): { output: WantedOutput; url: string }[] {
  const maxQueueMs = settings.output.maxQueueSeconds * 1000;
  return Object.entries(settings.outputs)
    .filter(([, { enabled }]) => enabled)
    .map(([name, { url, key, tlsVerify, adaptive }]) => ({
      output: {
        name,
        destination: { ...parseDestination(url, key), tlsVerify },
        maxQueueMs,
        adaptive: adaptive && settings.video.adaptive,
      },
      url: redactUrl(url),
    }));
}
