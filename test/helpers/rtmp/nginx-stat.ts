/** nginx-rtmp's statistics page (XML of its own, no attributes) as objects. */

export interface StreamStat {
  readonly application: string;
  readonly name: string;
  /** Somebody publishes it now. */
  readonly publishing: boolean;
  /** Publisher and subscribers. */
  readonly clients: number;
  /** Milliseconds since the stream began. */
  readonly timeMs: number;
  /** Bits a second, averaged by nginx over 10 s. */
  readonly bitsIn: number;
  readonly bytesIn: number;
  readonly video?: {
    readonly codec: string;
    readonly profile: string;
    readonly level: number;
    readonly width: number;
    readonly height: number;
    readonly fps: number;
  };
  readonly audio?: {
    readonly codec: string;
    readonly profile: string;
    readonly channels: number;
    readonly rate: number;
  };
}

const entities: Record<string, string> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function text(xml: string, tag: string): string {
  const match = new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml);
  return (match?.[1] ?? '').replace(/&(\w+);/g, (whole, name: string) => entities[name] ?? whole);
}

function blocks(xml: string, tag: string): string[] {
  return [...xml.matchAll(new RegExp(`<${tag}>(.*?)</${tag}>`, 'gs'))].map((match) => match[1]!);
}

function streamStat(application: string, xml: string): StreamStat {
  const video = blocks(xml, 'video')[0];
  const audio = blocks(xml, 'audio')[0];
  return {
    application,
    name: text(xml, 'name'),
    publishing: /<publishing\s*\/>/.test(xml),
    clients: blocks(xml, 'client').length,
    timeMs: Number(text(xml, 'time')),
    bitsIn: Number(text(xml, 'bw_in')),
    bytesIn: Number(text(xml, 'bytes_in')),
    ...(video && {
      video: {
        codec: text(video, 'codec'),
        profile: text(video, 'profile'),
        level: Number(text(video, 'level')),
        width: Number(text(video, 'width')),
        height: Number(text(video, 'height')),
        fps: Number(text(video, 'frame_rate')),
      },
    }),
    ...(audio && {
      audio: {
        codec: text(audio, 'codec'),
        profile: text(audio, 'profile'),
        channels: Number(text(audio, 'channels')),
        rate: Number(text(audio, 'sample_rate')),
      },
    }),
  };
}

export function parseStat(xml: string): StreamStat[] {
  return blocks(xml, 'application').flatMap((application) =>
    blocks(application, 'stream').map((stream) => streamStat(text(application, 'name'), stream)),
  );
}
