/** A sound card (snd-aloop) with an odd rate, and one whose clock is wrong: the stream has the rate that is wanted, and stays with the picture. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { runAgent, startAgent } from '../helpers/agent/agent.js';
import { temporaryFolder } from '../helpers/command.js';
import { beeps } from '../helpers/content/lipsync.js';
import { startNginx, type Nginx } from '../helpers/rtmp/nginx.js';
import { decodeSound, toneShare } from '../helpers/content/sound.js';
import { analyse } from '../helpers/content/stream.js';
import { Loopback } from './devices/loopback.js';
import { mustBeGuest, small } from './guest.js';
import { recording } from './recording.js';

mustBeGuest();

/** A whole number of periods in half a second. */
const hertz = 1000;

interface Probe {
  readonly microphones: readonly { id: string; device: number; rates: unknown; channels: readonly number[] }[];
}

/** What one makercast has found out of the encoders, the next knows: each of them would try them anew. */
const data = await temporaryFolder();
after(data.remove);

/** Streams the card's sound with a small picture until so many pictures have come, and answers with the recording. */
async function heard(card: Loopback, nginx: Nginx, rate: number, pictures: number): Promise<string> {
  await using agent = await startAgent(
    {
      ...small,
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'onair',
      VIDEO_SOURCE: 'test',
      VIDEO_TEST_PATTERN: 'ball',
      AUDIO_SOURCE: card.id,
      AUDIO_RATE: String(rate),
    },
    { dataFolder: data.folder },
  );
  return await recording(agent, nginx, pictures);
}

/** A webcam's rate, which is none of a broadcast. */
test('a card of 22050 Hz, mono, in a broadcast of 48000 Hz, stereo', async () => {
  const rate = 22_050;
  await using card = await Loopback.start();
  await card.play(hertz, rate);
  const { microphones } = JSON.parse((await runAgent(['probe', '--json'])).stdout) as Probe;
  const found = microphones.find(({ id, device }) => id === card.id && device === 0);
  assert.deepEqual([found?.rates, found?.channels], [[rate], [1]]);

  await using nginx = await startNginx({ record: true });
  const file = await heard(card, nginx, 48_000, 60);
  const [{ audio }, sound] = await Promise.all([analyse(file), decodeSound(file)]);
  assert.deepEqual([audio!.codec, audio!.rate, audio!.channels], ['aac', 48_000, 2]);
  assert.ok(audio!.monotonic);
  // The tone is all that is to be heard; a moment may be lost where the processor is emulated.
  const share = toneShare(sound, hertz);
  assert.ok(share > 0.4, `the tone is in ${(100 * share).toFixed(0)} % of the sound`);
});

/** Half a per cent is far more than any card is wrong by: it adds up to half a second in 100. */
test('a card whose clock is slow by half a per cent stays with the picture for 100 s', async (t) => {
  const wrong = 1.005;
  await using card = await Loopback.start();
  await card.slow(wrong);
  await card.play(hertz, 48_000, 0.1);
  await using nginx = await startNginx({ record: true });
  const file = await heard(card, nginx, 48_000, 1000);
  // The card beeps after as many samples as make a second by its own clock, which is a little more by ours.
  const [first, ...others] = beeps(await decodeSound(file));
  const errors = others.map((at) => {
    const seconds = at - first!;
    return 1000 * (seconds - Math.round(seconds / wrong) * wrong);
  });
  const seconds = others.at(-1)! - first!;
  // The first beep may be as wrong as any other: what counts is how far they stray from where most of them are.
  const middle = errors.toSorted((a, b) => a - b)[errors.length >> 1]!;
  const off = errors.map((error) => Math.abs(error - middle)).toSorted((a, b) => a - b);
  // A beep whose beginning is lost where the processor is emulated is heard late by as much, which says nothing of the clocks.
  const worst = off[Math.floor(0.95 * (off.length - 1))]!;
  t.diagnostic(
    `${others.length} beeps in ${seconds.toFixed(1)} s, at most ${worst.toFixed(0)} ms off but for one in twenty (${off.at(-1)!.toFixed(0)} ms)`,
  );
  assert.ok(seconds >= 90, `${seconds} s`);
  // Some are lost where the processor is emulated.
  assert.ok(others.length > 0.7 * seconds, `${others.length} beeps in ${seconds} s`);
  assert.ok(worst <= 40, `${worst} ms off: ${errors.map((error) => error.toFixed(0)).join(' ')}`);
});
