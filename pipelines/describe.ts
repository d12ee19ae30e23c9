/** A plan in one line, for people. */
import type { Plan } from './plan.js';

/** Such as `camera C920 (/dev/video0), 1280x720 at 30 fps, x264enc 2500 kbit/s; sound from C920, 48000 Hz stereo, voaacenc 128 kbit/s`. */
export function describe({ video, audio }: Plan): string {
  const picture = `${video.source}, ${video.width}x${video.height} at ${Number(video.fps.toFixed(2))} fps`;
  const encoder = video.encoder === 'passthrough' ? 'H.264 as it comes' : video.encoder;
  const sound = `${audio.source}, ${audio.rate} Hz ${audio.channels === 1 ? 'mono' : 'stereo'}`;
  const aac = audio.encoder === 'passthrough' ? 'AAC as it comes' : audio.encoder;
  return `${picture}, ${encoder}${kbps(video.bitrateKbps)}; ${sound}, ${aac}${kbps(audio.bitrateKbps)}`;
}

const kbps = (rate: number | undefined): string => (rate === undefined ? '' : ` ${rate} kbit/s`);
