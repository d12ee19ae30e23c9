/** A sound card that has only an odd rate (snd-aloop): what it really has is found out, and the stream has the rate that is wanted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runAgent, startAgent } from '../helpers/agent.js';
import { startNginx } from '../helpers/nginx.js';
import { decodeSound, loudnessDb, part, toneDb } from '../helpers/sound.js';
import { analyse } from '../helpers/stream.js';
import { Loopback } from './devices/loopback.js';
import { framesAbove, mustBeGuest, recorded, small } from './guest.js';

mustBeGuest();

/** A whole number of periods in half a second. */
const hertz = 1000;

interface Probe {
  readonly microphones: readonly { id: string; device: number; rates: unknown; channels: readonly number[] }[];
}

/** Rates of webcams and cheap adaptors, none of which is one of a broadcast; and what comes out of each is a tone. */
for (const { rate, wanted } of [
  { rate: 22_050, wanted: 48_000 },
  { rate: 16_000, wanted: 44_100 },
]) {
  test(`a card of ${rate} Hz, mono, in a broadcast of ${wanted} Hz, stereo`, async () => {
    await using card = await Loopback.start();
    await card.play(hertz, rate);
    const { microphones } = JSON.parse((await runAgent(['probe', '--json'])).stdout) as Probe;
    const found = microphones.find(({ id, device }) => id === card.id && device === 0);
    assert.deepEqual([found?.rates, found?.channels], [[rate], [1]]);

    await using nginx = await startNginx({ record: true });
    await using agent = await startAgent({
      ...small,
      STREAM_URL: nginx.url(),
      STREAM_KEY: 'cam',
      VIDEO_SOURCE: 'test',
      VIDEO_TEST_PATTERN: 'ball',
      AUDIO_SOURCE: card.id,
      AUDIO_RATE: String(wanted),
    });
    await framesAbove(agent, 60);
    await agent.stop();
    const file = await recorded(nginx, 'cam');
    const { audio } = await analyse(file);
    assert.deepEqual([audio!.codec, audio!.rate, audio!.channels], ['aac', wanted, 2]);
    assert.ok(audio!.monotonic);
    const sound = await decodeSound(file);
    // The tone is all that is to be heard; a moment may be lost where the processor is emulated.
    const halves = Array.from({ length: Math.floor(sound.samples.length / sound.rate) * 2 - 1 }, (_, index) =>
      part(sound, index / 2, (index + 1) / 2),
    );
    const clear = halves.filter((half) => loudnessDb(half) > -15 && toneDb(half, hertz) > loudnessDb(half) - 1);
    assert.ok(clear.length > halves.length / 2, `${clear.length} of ${halves.length} half seconds are the tone`);
  });
}
