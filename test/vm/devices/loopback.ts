/** A sound card of the kernel's own making (driver snd-aloop): what is played into one end is recorded at the other. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { mortal, run } from '../../helpers/command.js';
import { until } from '../../helpers/feed.js';
import { load, unload } from '../guest.js';

/** 16-bit mono, half of full scale, without an end; an eighth of a second at a time. It is heard for the first `seconds` of each second. */
function* sine(hertz: number, rate: number, seconds: number): Generator<Buffer> {
  const count = Math.round(rate / 8);
  for (let at = 0; ; at += count) {
    const samples = Int16Array.from({ length: count }, (_, index) =>
      (at + index) % rate < seconds * rate
        ? Math.round(16_384 * Math.sin((2 * Math.PI * hertz * (at + index)) / rate))
        : 0,
    );
    yield Buffer.from(samples.buffer);
  }
}

export class Loopback implements AsyncDisposable {
  /** Its ALSA card id. What is heard at its device 0 is what {@link play} plays into device 1. */
  readonly id = 'Loopback';
  #player: ChildProcess | undefined;

  static async start(): Promise<Loopback> {
    await load('snd-aloop', 'pcm_substreams=1');
    return new Loopback();
  }

  /** The card's clock is slow by this factor from now on (snd-aloop's `PCM Rate Shift`). To be said before anything plays. */
  async slow(factor: number): Promise<void> {
    // A control of each end; which one counts depends on the end that is opened.
    for (const device of [0, 1]) {
      const name = `iface=PCM,name='PCM Rate Shift 100000',device=${device},subdevice=0`;
      await run('amixer', ['-q', '-D', `hw:CARD=${this.id}`, 'cset', name, String(Math.round(100_000 * factor))]);
    }
  }

  /**
   * Plays a tone, or a beep of so many seconds once a second. For as long as it plays, the card has this one rate and one channel, as a
   * card does that knows no other.
   */
  async play(hertz: number, rate: number, seconds = 1): Promise<void> {
    await this.stop();
    const format = ['-t', 'raw', '-f', 'S16_LE', '-r', String(rate), '-c', '1'];
    // Microseconds. An emulated processor may feed nothing for longer than the usual half second, and what follows would come later.
    const args = ['-q', '-D', `hw:CARD=${this.id},DEV=1`, ...format, '--buffer-time=4000000'];
    const player = spawn(...mortal('aplay', args), { stdio: ['pipe', 'ignore', 'ignore'] });
    this.#player = player;
    player.stdin.on('error', () => undefined); // It ends before its input does.
    Readable.from(sine(hertz, rate, seconds)).pipe(player.stdin);
    const asked = ['-D', `hw:CARD=${this.id},DEV=0`, '--dump-hw-params', '-s', '1', '/dev/null'];
    await until(
      async () => new RegExp(`^RATE: ${rate}$`, 'm').test((await run('arecord', asked, { mayFail: true })).stderr),
      10_000,
      `the tone of ${rate} Hz at the card's other end`,
    );
  }

  async stop(): Promise<void> {
    const player = this.#player;
    this.#player = undefined;
    if (!player || player.exitCode !== null || player.signalCode !== null) return;
    const gone = once(player, 'close');
    player.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await unload('snd-aloop');
  }
}
