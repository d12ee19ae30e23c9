/** Why a source failed, from what v4l2src, alsasrc, filesrc and the decoders say. Texts and errno differ by driver and path. */
import type { Plan } from '../../../pipelines/plan.js';
import { Fault } from '../../errors.js';
import type { BusMessage } from '../gstreamer.js';

/** The microphone's element in every plan (pipelines/audio); all other faults are the picture's. */
const microphone = 'audio-source';

export function sourceFault(message: BusMessage, plan: Plan): Fault {
  const text = `${message.message ?? ''} ${message.debug ?? ''}`;
  const audio = message._src_element_name === microphone;
  const source = audio ? plan.audio.source : plan.video.source;
  const setting = audio ? 'audio.source' : 'video.source';
  const has = (pattern: RegExp): boolean => pattern.test(text);
  const missing = /(?:plug-?in|decoder|element).*(?:missing|not found)|no decoder|missing.*(?:plug-?in|decoder)/i;
  if (has(/is busy|Device or resource busy/i)) {
    return new Fault(
      'source_busy',
      `${source} is in use by another program.`,
      `Stop that program, or choose another ${setting}.`,
    );
  }
  if (has(/No such (file|device)|Cannot identify device|no such device/i)) {
    return new Fault(
      'source_not_found',
      `${source} is not there.`,
      `Plug it in, or choose another ${setting}; makercast probe lists what is there.`,
    );
  }
  if (has(/Permission denied|not permitted/i)) {
    return new Fault(
      'source_failed',
      `${source} may not be opened.`,
      'Add the user to the groups video and audio, or run as root.',
    );
  }
  if (has(missing)) {
    return new Fault(
      'plugin_missing',
      `GStreamer has no decoder for ${source}.`,
      'Run makercast probe to see which Debian packages are missing.',
    );
  }
  if (has(/not-negotiated/i)) {
    return new Fault(
      'source_format',
      `${source} does not give the format that it offered.`,
      'Choose another size or frame rate.',
    );
  }
  const said = (message.message ?? 'no reason given').split('\n')[0]!;
  return new Fault(
    'source_failed',
    `${source} stopped: ${said}`,
    `Check its cable and power, or choose another ${setting}.`,
  );
}
