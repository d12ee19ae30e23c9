/** What an MP4 file holds, as ffprobe and its boxes say: for the tests' own use, independent of the code under test. */
import { run } from '../command.js';

export interface Packet {
  readonly type: string;
  /** Seconds. */
  readonly pts: number;
  readonly dts: number;
  readonly key: boolean;
  readonly hash: string;
}

/** Every packet of a media file in its order, with a hash of its bytes. Tolerates a file that is cut off. */
export async function packets(file: string): Promise<Packet[]> {
  const { stdout } = await run(
    'ffprobe',
    [
      ...['-v', 'error', '-show_data_hash', 'md5', '-of', 'json'],
      ...['-show_entries', 'packet=codec_type,pts_time,dts_time,flags,data_hash', file],
    ],
    { mayFail: true },
  );
  const { packets = [] } = JSON.parse(stdout.toString() || '{}') as { packets?: Record<string, string>[] };
  return packets.map((packet) => ({
    type: packet['codec_type'] ?? '',
    pts: Number(packet['pts_time']),
    dts: Number(packet['dts_time']),
    key: packet['flags']?.startsWith('K') ?? false,
    hash: packet['data_hash'] ?? '',
  }));
}

/** Names of the boxes at the top of `bytes`; fails where they do not fill it exactly. */
export function topBoxes(bytes: Buffer): string[] {
  const names: string[] = [];
  let at = 0;
  while (at < bytes.length) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) throw new Error(`box at ${at} of ${bytes.length} is torn`);
    names.push(bytes.toString('latin1', at + 4, at + 8));
    at += size;
  }
  return names;
}

/** How many bytes of `bytes` are whole boxes, the last of them an `mdat` (or all that comes before the first `moof`). */
export function completeBytes(bytes: Buffer): number {
  let at = 0;
  let complete = 0;
  while (at + 8 <= bytes.length) {
    const size = bytes.readUInt32BE(at);
    if (size < 8 || at + size > bytes.length) break;
    at += size;
    if (bytes.toString('latin1', at - size + 4, at - size + 8) !== 'moof') complete = at;
  }
  return complete;
}

export interface TrackRun {
  readonly track: number;
  /** Where its first sample stands, in units of the track. */
  readonly start: number;
  readonly samples: readonly { duration: number; sync: boolean; composition: number; data: Buffer }[];
}

/** The boxes right inside `bytes`, with their contents. */
function boxes(bytes: Buffer): { name: string; at: number; body: Buffer }[] {
  const found: { name: string; at: number; body: Buffer }[] = [];
  for (let at = 0; at < bytes.length; at += bytes.readUInt32BE(at)) {
    const body = bytes.subarray(at + 8, at + bytes.readUInt32BE(at));
    found.push({ name: bytes.toString('latin1', at + 4, at + 8), at, body });
  }
  return found;
}

/** What the one fragment in `bytes` holds of each track (ISO/IEC 14496-12, 8.8), with every field of every sample. */
export function runsOf(bytes: Buffer): TrackRun[] {
  const { body: moof, at: moofAt } = boxes(bytes).find(({ name }) => name === 'moof')!;
  return boxes(moof)
    .filter(({ name }) => name === 'traf')
    .map(({ body: traf }) => {
      const part = (wanted: string): Buffer => boxes(traf).find(({ name }) => name === wanted)!.body;
      const trun = part('trun');
      let at = moofAt + trun.readUInt32BE(8);
      const samples = Array.from({ length: trun.readUInt32BE(4) }, (_, i) => {
        const [duration, size, flags] = [0, 4, 8].map((field) => trun.readUInt32BE(12 + 16 * i + field)) as [
          number,
          number,
          number,
        ];
        const data = bytes.subarray(at, at + size);
        at += size;
        return { duration, sync: flags === 0x0200_0000, composition: trun.readInt32BE(12 + 16 * i + 12), data };
      });
      return { track: part('tfhd').readUInt32BE(4), start: Number(part('tfdt').readBigUInt64BE(4)), samples };
    });
}
