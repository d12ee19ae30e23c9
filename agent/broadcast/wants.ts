/** Settings in the words of the pipelines and of delivery. Pure. */
import { resolve } from 'node:path';
import { parseDestination } from '../config/destination.js';
import { redactUrl } from '../config/redact.js';
import type { Settings } from '../config/settings.js';
import type { WantedOutput, WantedRecording } from '../media/messages.js';
import type { Wish } from '../../pipelines/wanted.js';

/** `folder`: what relative paths of media files start from. */
export function wantedMedia({ video, camera, audio, slate }: Settings, folder: string): Wish {
  const absolute = (file: string): string => resolve(folder, file);
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

/** What is to be recorded, if anything. `folder` as above; `usual`: the folder where none is set. */
export function wantedRecording({ recording }: Settings, folder: string, usual: string): WantedRecording | undefined {
  if (!recording.enabled) return undefined;
  return {
    folder: recording.folder === '' ? usual : resolve(folder, recording.folder),
    maxFileMs: recording.splitMinutes * 60_000,
    quotaBytes: recording.quotaGb * 1e9,
    minFreeBytes: recording.minFreeGb * 1e9,
  };
}

/** Somebody wants what is on the air: a server, or the recording. */
export function isWanted(settings: Settings): boolean {
  return settings.recording.enabled || wantedOutputs(settings).length > 0;
}
