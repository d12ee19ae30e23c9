/** Plans that never end: a camera or the test picture, with a microphone or a sound made here. */
import { type Generated, generatedSound, type Span } from './audio/generated.js';
import { autoMicrophone, findMicrophone, microphoneSound } from './audio/microphone.js';
import { avc, encodedSound, encodedVideo, encoderText, type Sound } from './branch.js';
import { chooseEncoder, type VideoEncoder } from './encoders/encoder.js';
import type { Camera, Facts } from './facts.js';
import { NoPlan } from './noplan.js';
import type { Piece, Plan } from './plan.js';
import { cameraH264, cameraRaw, cameraUse, encodesItself } from './sources/camera.js';
import type { Picture } from './sources/picture.js';
import { testPicture } from './sources/test.js';
import type { Wanted, WantedAudio, WantedVideo } from './wanted.js';

export function cameraPlan(camera: Camera, wanted: Wanted, facts: Facts): Plan {
  const { video } = wanted;
  const use = cameraUse(camera, video, facts);
  const sound = liveSound(wanted.audio, facts, autoMicrophone(facts, camera)?.id, 'silence', 'tone', 'live');
  if (!use.passthrough) {
    const encoder = chooseEncoder(video.encoder, facts);
    return livePlan(cameraRaw(camera, use.format, video, encoder.formats, facts), encoder, video, sound);
  }
  const picture = cameraH264(camera, use.format, video);
  const { width, height, fps } = use.format;
  const own = encodesItself(camera);
  return {
    pieces: [livePiece(picture, '', sound)],
    live: true,
    loop: false,
    video: {
      source: picture.source,
      encoder: 'passthrough',
      width,
      height,
      fps,
      ...(own ? { bitrateKbps: video.bitrateKbps } : {}),
    },
    audio: sound.about,
    ...(own ? { bitrate: { element: 'video-source', property: 'extra-controls', set: 'extra-controls' } } : {}),
    volume: 'gain',
  };
}

export function testPlan(wanted: Wanted, facts: Facts): Plan {
  const { video, audio } = wanted;
  if (video.encoder === 'passthrough')
    throw new NoPlan('passthrough_unfit', 'The test picture has no H.264 of its own.', 'Set video.encoder to auto.');
  const sync = video.testPattern === 'sync';
  const encoder = chooseEncoder(video.encoder, facts);
  const picture = testPicture(video, encoder.formats[0]!, new Set(facts.elements));
  const tone = sync ? 'beep' : 'tone';
  const microphone = sync ? undefined : autoMicrophone(facts)?.id;
  return livePlan(picture, encoder, video, liveSound(audio, facts, microphone, tone, tone, sync ? 'clocked' : 'live'));
}

/** `auto` is the microphone that was found (its card id), else `fallback`; `test` is the `tone`. */
function liveSound(
  wanted: WantedAudio,
  facts: Facts,
  found: string | undefined,
  fallback: Generated,
  tone: Generated,
  span: Span,
): Sound {
  const id = wanted.source === 'auto' ? found : wanted.source;
  if (id === undefined || wanted.source === 'none' || wanted.source === 'test') {
    const kind = wanted.source === 'none' ? 'silence' : wanted.source === 'test' ? tone : fallback;
    return encodedSound(wanted, facts, kind, { text: generatedSound(kind, wanted, span) });
  }
  const microphone = findMicrophone(id, facts);
  return encodedSound(wanted, facts, `microphone ${microphone.name} (${id})`, microphoneSound(microphone, wanted));
}

function livePlan(picture: Picture, encoder: VideoEncoder, video: WantedVideo, sound: Sound): Plan {
  return {
    pieces: [livePiece(picture, ` ! ${encoderText(encoder, video)}`, sound)],
    live: true,
    loop: false,
    video: encodedVideo(picture, encoder, video),
    audio: sound.about,
    bitrate: { element: 'venc', ...encoder.bitrate },
    volume: 'gain',
  };
}

/**
 * The muxer waits half a second for the side that is late (nothing waits while both deliver) and drops what then still comes
 * too late, where it would otherwise give it a wrong time. The queues let source and muxer work at their own pace.
 */
function livePiece(picture: Picture, encoder: string, sound: Sound): Piece {
  return {
    text: [
      `${picture.text}${encoder} ! ${avc} ! queue ! mux.video`,
      `${sound.text} ! queue ! mux.audio`,
      'flvmux name=mux streamable=true skip-backwards-streams=true latency=500000000 ! ' +
        'appsink name=tags sync=false max-buffers=200 enable-last-sample=false',
    ].join('\n'),
    properties: [...picture.properties, ...sound.properties],
  };
}
