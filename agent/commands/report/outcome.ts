/** The result of a rehearsal, in words and as JSON. */
import { cell, json, table } from './markdown.js';
import type { Distance } from './pictures.js';
import type { Rehearsal } from './rehearsal.js';

export function outcome({ counted: found, afterMs, seconds, fault, part }: Rehearsal): string[] {
  const { pictures, keyframes, distances, since, fps, videoKbps, audioKbps, largestBytes, gapSeconds, h264 } = found;
  const ended = fault && `It ended early${part ? ` (${part})` : ''}: [${fault.code}] ${cell(fault.message)}`;
  if (pictures === 0) return [ended ?? 'No picture arrived.'];
  const range = (values: readonly number[], unit: string): string => {
    const [least, greatest] = [Math.min(...values), Math.max(...values)];
    return `${least === greatest ? least : `${least} to ${greatest}`}${unit}`;
  };
  const of = (pick: (distance: Distance) => number): number[] => distances.map(pick);
  const apart =
    distances.length > 0
      ? `${range(
          of((each) => each.pictures),
          ' pictures',
        )}, ${range(
          of((each) => each.seconds),
          ' s',
        )}`
      : `there was no second one${since ? ` in ${since.pictures} pictures, ${since.seconds} s` : ''}`;
  return [
    ...(ended === undefined ? [] : [ended, '']),
    ...table([
      ['H.264', h264],
      ['First picture', afterMs === undefined ? undefined : `after ${(afterMs / 1000).toFixed(1)} s`],
      [
        'Pictures',
        `${pictures} in ${seconds.toFixed(1)} s${fps === undefined ? '' : `, ${fps} a second by their own timestamps`}`,
      ],
      ['Longest gap', `${gapSeconds} s from one picture to the next`],
      ['Keyframes', String(keyframes)],
      ['Keyframe to keyframe', apart],
      ['Bitrate', videoKbps === undefined ? undefined : `${videoKbps} kbit/s of picture, ${audioKbps} of sound`],
      ['Largest picture', `${largestBytes} bytes`],
    ]),
    '',
    ...json({ ...found, distances: distances.slice(-100) }),
  ];
}
