/** A stand-in for the Pi's H.264 encoder (driver vh264enc of test/vm/kernel/), and what its users asked of it. */
import { readFile, writeFile } from 'node:fs/promises';
import { until } from '../../helpers/feed.js';
import { load, unload } from '../guest.js';

const log = '/sys/kernel/debug/vh264enc/log';

/** One opener of the node, from its first request to its last. */
export interface Session {
  /** Every control that was set, in order, also where the value was the present one: `['video_bitrate', 800000]`. */
  readonly set: readonly (readonly [name: string, value: number])[];
  /** `320x180 stride 320 rate 15/1`, once pictures come; absent for who only asks what there is. */
  readonly started?: string;
  /** Pictures that were encoded, once it is over. */
  readonly pictures?: number;
}

export class Codec implements AsyncDisposable {
  /** `deaf`: it gives no keyframe when it is asked for one, as `v4l2h264enc` seemed to before GStreamer 1.22.4. */
  static async load({ deaf = false } = {}): Promise<Codec> {
    await load('vh264enc', ...(deaf ? ['deaf=1'] : []));
    return new Codec();
  }

  /** Forgets what was asked up to now. */
  async forget(): Promise<void> {
    await writeFile(log, 'forget');
  }

  /** Those who had the encoder open and asked for something, in the order of their opening. */
  async sessions(): Promise<Session[]> {
    const sessions = new Map<string, { set: [string, number][]; started?: string; pictures?: number }>();
    for (const line of (await readFile(log, 'utf8')).split('\n')) {
      const [, number, what, rest] = /^(\d+) (\w+) (.*)$/.exec(line) ?? [];
      if (number === undefined) continue;
      const session = sessions.get(number) ?? { set: [] };
      sessions.set(number, session);
      const [name, value] = rest!.split(' ');
      if (what === 'set') session.set.push([name!, Number(value)]);
      if (what === 'start') session.started = rest!;
      if (what === 'stop') session.pictures = Number(/\d+/.exec(rest!)?.[0]);
    }
    return [...sessions.values()];
  }

  /** The one that encodes pictures of `size` (`320x180`) now; waits until there is one. Encoders are tried with another size before. */
  async encoding(size: string, deadlineMs = 30_000): Promise<Session> {
    return until(
      async () =>
        (await this.sessions()).find(
          ({ started, pictures }) => started?.startsWith(`${size} `) === true && pictures === undefined,
        ),
      deadlineMs,
      `a user of the encoder with ${size}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unload('vh264enc');
  }
}

/** The value that a control was given last; undefined where nobody set it. */
export const valueOf = ({ set }: Session, control: string): number | undefined =>
  set.findLast(([name]) => name === control)?.[1];
