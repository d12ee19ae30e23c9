/** Why a source failed, from what v4l2src, alsasrc, filesrc and the decoders say. Texts and errno differ by driver and path. */
import type { Plan } from '../../../pipelines/plan.js';
import { Fault, sentence } from '../../errors.js';
import type { BusMessage } from '../gstreamer.js';
import type { InputPart } from '../messages.js';

/** The part of every plan that an element of that name is; a decoder or a converter, which have no name of ours, is the picture's. */
export function partOf(message: BusMessage): InputPart {
  switch (message._src_element_name) {
    case 'audio-source':
      return 'sound';
    case 'venc':
      return 'encoder';
    case 'mux':
    case 'tags':
    case 'aenc':
      return 'other';
    default:
      return 'picture';
  }
}

export function sourceFault(message: BusMessage, plan: Plan): Fault {
  const text = `${message.message ?? ''} ${message.debug ?? ''}`;
  const audio = partOf(message) === 'sound';
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
  if (!plan.live && has(/No such file|Permission denied|not permitted/i)) {
    return new Fault(
      'file_unreadable',
      `${source}: a file can no longer be opened.`,
      'Put it back, and make it readable for this user.',
    );
  }
  if (has(/No such (file|device)|Cannot identify device|no such device/i)) {
    return new Fault(
      'source_not_found',
      `${source} was not found.`,
      `Plug it in, or choose another ${setting}; makercast probe lists what is there.`,
    );
  }
  if (has(/Permission denied|not permitted/i)) {
    return new Fault(
      'source_failed',
      `No permission to open ${source}.`,
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
      `${source} does not deliver the format that it offered.`,
      'Choose another size or frame rate.',
    );
  }
  const said = sentence(message.message ?? 'no reason given');
  if (partOf(message) === 'encoder') {
    return new Fault(
      'encoder_failed',
      `The encoder ${plan.video.encoder} stopped: ${said}`,
      'It is restarted automatically.',
    );
  }
  return new Fault(
    'source_failed',
    `${source} stopped: ${said}`,
    plan.live ? `Check its cable and power, or choose another ${setting}.` : 'Check the files and their disk.',
  );
}
