import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compositionOf,
  isAacHeader,
  isAudio,
  isAvcHeader,
  isKeyframe,
  isVideo,
  setComposition,
  type Tag,
} from '../../agent/flv/tag.js';
import { Timeline, type Placed } from '../../agent/media/delivery/timeline.js';
import { aacHeader, avcHeader, picture, sound } from '../helpers/tags.js';

/** A stream of `ms` milliseconds: 25 frames a second, a keyframe a second, sound each 21 ms; its clock begins at `from`. */
function stream(ms: number, from = 0): { tag: Tag; at: number }[] {
  const tags = [
    { tag: avcHeader(), at: 0 },
    { tag: aacHeader(), at: 0 },
  ];
  for (let at = 0; at < ms; at += 40) tags.push({ tag: picture(from + at, at % 1000 === 0), at });
  for (let at = 0; at < ms; at += 21) tags.push({ tag: sound(from + at), at });
  return tags.sort((a, b) => a.at - b.at);
}

/** Plays streams into a timeline, each begun at its own moment of the wall clock. */
function play(timeline: Timeline, streams: readonly { startMs: number; ms: number; from?: number }[]): Placed[] {
  return streams.flatMap(({ startMs, ms, from }) => {
    timeline.begin();
    return stream(ms, from).flatMap(({ tag, at }) => timeline.place(tag, startMs + at));
  });
}

const rises = (placed: readonly Placed[], of: (tag: Tag) => boolean): boolean => {
  const times = placed.filter(({ tag }) => of(tag)).map(({ atMs }) => atMs);
  return times.every((at, i) => i === 0 || at >= times[i - 1]!);
};

test('a stream begins at its first keyframe, headers first, and sound before it is dropped', () => {
  const timeline = new Timeline();
  timeline.begin();
  assert.deepEqual(timeline.place(sound(5), 0), []);
  assert.deepEqual(timeline.place(avcHeader(), 0), []);
  assert.deepEqual(timeline.place(picture(8), 0), []);
  const placed = timeline.place(picture(10, true), 7000);
  assert.deepEqual(
    placed.map(({ atMs }) => atMs),
    [0, 0],
  );
  assert.ok(isKeyframe(placed[1]!.tag));
});

test('streams that replace each other make one rising timeline that is true to the wall clock', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ gap: fc.nat(3000), ms: fc.integer({ min: 1, max: 3000 }), from: fc.nat(2 ** 31) }), {
        minLength: 1,
        maxLength: 50,
      }),
      (parts) => {
        const timeline = new Timeline();
        let now = 1000;
        const epoch = 1000;
        for (const { gap, ms, from } of parts) {
          const placed = play(timeline, [{ startMs: now, ms, from }]);
          assert.ok(rises(placed, isVideo) && rises(placed, isAudio));
          const first = placed.find(({ tag }) => isKeyframe(tag))!;
          // One stream ends where its last tag stands, not where it ends by the clock: never more than a frame off.
          assert.ok(Math.abs(first.atMs - (now - epoch)) <= 40, `${first.atMs} is not ${now - epoch}`);
          now += ms + gap;
        }
      },
    ),
  );
});

test('a clock that goes round after 49 days goes on', () => {
  const timeline = new Timeline();
  const placed = play(timeline, [{ startMs: 0, ms: 4000, from: 2 ** 32 - 2000 }]);
  assert.ok(rises(placed, isVideo));
  assert.equal(placed.at(-1)!.atMs > 3900, true);
});

for (const delay of [500, -500, 2000, -2000]) {
  test(`a delay of ${delay} ms moves the tracks against each other, and they go out in order`, () => {
    const timeline = new Timeline();
    timeline.delay(delay);
    const placed = play(timeline, [{ startMs: 0, ms: 6000 }]);
    const media = placed.filter(({ tag }) => !(tag[12] === 0));
    assert.ok(
      media.every(({ atMs }, i) => i === 0 || atMs >= media[i - 1]!.atMs),
      'in order',
    );
    const firstPicture = media.find(({ tag }) => isVideo(tag))!.atMs;
    const firstSound = media.find(({ tag }) => isAudio(tag))!.atMs;
    assert.ok(Math.abs(firstSound - firstPicture - delay) <= 21, `${firstSound} - ${firstPicture}`);
    // A recording is begun with the first keyframe, and would else have no sound.
    const known = placed
      .slice(
        0,
        placed.findIndex(({ tag }) => isKeyframe(tag)),
      )
      .map(({ tag }) => tag);
    assert.ok(known.some(isAvcHeader) && known.some(isAacHeader), 'headers of both tracks come before it');
  });
}

test('taking a delay back never lets a picture follow one that it does not know', () => {
  const timeline = new Timeline();
  timeline.delay(-1000);
  timeline.begin();
  const placed: Placed[] = [];
  for (const { tag, at } of stream(8000)) {
    if (at === 3001 - (3001 % 21)) assert.equal(timeline.delay(0), true);
    placed.push(...timeline.place(tag, at));
  }
  const pictures = placed.filter(({ tag }) => isVideo(tag) && tag[12] === 1);
  assert.ok(rises(placed, isVideo) && rises(placed, isAudio));
  const jump = pictures.findIndex(({ atMs }, i) => i > 0 && atMs - pictures[i - 1]!.atMs > 40);
  if (jump >= 0) assert.ok(isKeyframe(pictures[jump]!.tag));
});

test('pictures whose decode times flvmux has put on one moment are kept, moved apart, and shown when they were to be', () => {
  const timeline = new Timeline();
  const shown = (placed: readonly Placed[]): number[] =>
    placed.filter(({ tag }) => tag[12] === 1).map(({ tag, atMs }) => atMs + compositionOf(tag));
  // As a file with two B-frames between others begins: decode times of -67, -33 and 0 ms have all become 0.
  const pictures = [
    { at: 0, later: 0 },
    { at: 0, later: 133 },
    { at: 0, later: 66 },
    { at: 33, later: 0 },
    { at: 66, later: 34 },
  ];
  const play = (begin: number): Placed[] => {
    timeline.begin();
    return pictures.flatMap(({ at, later }, i) => {
      const tag = picture(at, i === 0);
      setComposition(tag, later);
      return timeline.place(tag, begin + at);
    });
  };
  for (const begin of [0, 1000]) {
    const placed = play(begin);
    const times = placed.map(({ atMs }) => atMs - begin);
    assert.deepEqual(times, [0, 1, 2, 33, 66]);
    assert.deepEqual(
      shown(placed).map((ms) => ms - begin),
      [0, 133, 66, 33, 100],
    );
  }
});
