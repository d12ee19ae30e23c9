/** Publishers that are not makercast, to try the instruments with: gst-launch-1.0 and ffmpeg. */
import { spawn, type ChildProcess } from 'node:child_process';
import { ended, mortal } from '../command.js';

export class Publisher implements AsyncDisposable {
  #text = '';
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.#text += text));
    this.ended = ended(child);
  }

  /** stdout and stderr so far. */
  get text(): string {
    return this.#text;
  }

  async stop(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill(signal);
    await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

export function launch(command: string, args: readonly string[]): Publisher {
  return new Publisher(spawn(...mortal(command, args), { stdio: ['ignore', 'pipe', 'pipe'] }));
}

/** Splits at blanks; GStreamer's own texts and ffmpeg's arguments here hold none inside a word. */
const words = (text: string): string[] => text.trim().split(/\s+/);

/**
 * A small live test stream by gst-launch: 320x180 at 30 frames/s, whose picture turns to its negative each second (a ball's
 * colours swap every 50 frames), with a tick at the same time. The muxer waits up to 3 s for the other track: on a busy
 * machine it would else give several pictures one timestamp. `location` as rtmp2sink takes it; `picture`, `sound` and `sink`
 * are further properties of videotestsrc, audiotestsrc and rtmp2sink.
 */
export function gstPublisher(
  location: string,
  options: { picture?: string; sound?: string; sink?: string } = {},
): Publisher {
  return launch('gst-launch-1.0', [
    '-e',
    ...words(`videotestsrc pattern=ball animation-mode=frames flip=true ${options.picture ?? ''}
      ! video/x-raw,width=320,height=180,framerate=50/1 ! videorate ! video/x-raw,framerate=30/1 ! clocksync
      ! x264enc tune=zerolatency speed-preset=ultrafast bitrate=500 key-int-max=60
      ! video/x-h264,profile=baseline ! h264parse ! mux.
      audiotestsrc wave=ticks ${options.sound ?? ''} ! audio/x-raw,rate=48000,channels=2 ! clocksync
      ! voaacenc bitrate=128000 ! aacparse ! mux.
      flvmux name=mux streamable=true latency=3000000000 ! rtmp2sink ${options.sink ?? ''}`),
    `location=${location}`,
  ]);
}

/** The same by ffmpeg: moving bars and a 440 Hz sine. */
export function ffmpegPublisher(url: string): Publisher {
  return launch('ffmpeg', [
    ...words(`-nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=30 -f lavfi -i sine=frequency=440:sample_rate=48000
      -c:v libx264 -preset ultrafast -tune zerolatency -g 60 -pix_fmt yuv420p -b:v 500k -c:a aac -b:a 128k -ac 2 -f flv`),
    url,
  ]);
}
