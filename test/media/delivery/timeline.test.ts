import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  compositionOf,
  isAacHeader,
  isAudio,
  isAvcHeader,
  isKeyframe,
  isVideo,
  setComposition,
  stamp,
  timestampOf,
  type Tag,
} from '../../../agent/formats/flv/tag.js';
import { Timeline, type Placed } from '../../../agent/media/delivery/timeline.js';
import { aacHeader, avcHeader, picture, sound } from '../../helpers/content/tags.js';

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

test('nothing comes before a stream has begun', () => {
  assert.deepEqual(new Timeline().place(picture(0), 0), []);
});

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
  assert.equal(placed.at(-1)!.atMs, 3990);
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

describe('taking a delay of the picture back', () => {
  const groupMs = 1000;
  const stepMs = 40;
  /** The pictures of a stream that come out where 1 s of delay is taken back at `backMs`. */
  function pictures(backMs: number): { ms: number; atMs: number; key: boolean }[] {
    const timeline = new Timeline();
    timeline.delay(-1000);
    timeline.begin();
    const placed: Placed[] = [];
    let isBack = false;
    for (const { tag, at } of stream(8000)) {
      if (at >= backMs && !isBack) {
        assert.equal(timeline.delay(0), true);
        isBack = true;
      }
      placed.push(...timeline.place(tag, at));
    }
    assert.ok(isBack && rises(placed, isVideo) && rises(placed, isAudio));
    return placed
      .filter(({ tag }) => isVideo(tag) && tag[12] === 1)
      .map(({ tag, atMs }) => ({ ms: timestampOf(tag), atMs, key: isKeyframe(tag) }));
  }
  const isJump = (one: { ms: number }, other: { ms: number }): boolean => other.ms - one.ms !== stepMs;

  test('cuts to the first keyframe that is later than what has gone out', () => {
    const shown = pictures(3300);
    const jump = shown.findIndex((each, i) => i > 0 && isJump(shown[i - 1]!, each));
    assert.deepEqual(shown[jump - 1], { ms: 3280, atMs: 4280, key: false });
    assert.deepEqual(shown[jump], { ms: 5000, atMs: 5000, key: true });
    assert.deepEqual(shown.at(-1), { ms: 7960, atMs: 7960, key: false });
  });

  test('never lets a picture follow one that it does not know, whenever it is', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 6000 }), (backMs) => {
        const shown = pictures(backMs);
        const jumps = shown.slice(1).filter((each, i) => isJump(shown[i]!, each));
        // None where the keyframe that is waited for is just the one that comes next.
        assert.ok(jumps.length <= 1 && jumps.every(({ key }) => key), JSON.stringify(jumps));
        assert.ok(jumps.length === 1 || backMs % groupMs > groupMs - stepMs || backMs % groupMs === 0);
      }),
    );
  });
});

test('a delay is a cut of the picture only where the picture then comes earlier', () => {
  const timeline = new Timeline();
  const delays = [500, 0, -500, -500, -800, -300, 500];
  assert.deepEqual(
    delays.map((ms) => timeline.delay(ms)),
    [false, false, false, false, false, true, true],
  );
  // It stays one until the keyframe has come, whatever is said meanwhile.
  assert.equal(timeline.delay(0), false);
  timeline.begin();
  timeline.place(picture(0, true), 0);
  timeline.delay(-100);
  timeline.delay(0);
  timeline.delay(0);
  assert.deepEqual(timeline.place(picture(40), 40), []);
  assert.equal(timeline.place(picture(80, true), 80).length, 1);
  assert.equal(timeline.place(picture(120), 120).length, 1);
});

/** What comes out at each step, as `K` keyframe, `P` picture, `S` sound, `v` and `a` headers, with its place. */
function steps(timeline: Timeline, ...tags: readonly (readonly [Tag, number])[]): string[] {
  const letter = (tag: Tag): string =>
    isAvcHeader(tag) ? 'v' : isAacHeader(tag) ? 'a' : isAudio(tag) ? 'S' : isKeyframe(tag) ? 'K' : 'P';
  return tags.map(([tag, now]) =>
    timeline
      .place(tag, now)
      .map((placed) => `${letter(placed.tag)}${placed.atMs}`)
      .join(' '),
  );
}
const at = (tag: (ms: number) => Tag, ms: number): [Tag, number] => [tag(ms), ms];
const key = (ms: number): Tag => picture(ms, true);
/** A sequence header in the middle of a stream. */
const late = (tag: Tag, ms: number): Tag => {
  stamp(tag, ms);
  return tag;
};

describe('tags in the order in which they come out', () => {
  const heads = (): [Tag, number][] => [
    [avcHeader(), 0],
    [aacHeader(), 0],
  ];

  test('without a delay each as it comes', () => {
    const timeline = new Timeline();
    timeline.begin();
    assert.deepEqual(
      steps(timeline, ...heads(), at(key, 0), at(sound, 0), at(picture, 40), at(sound, 21), [
        late(avcHeader(2), 80),
        80,
      ]),
      ['', '', 'v0 a0 K0', 'S0', 'P40', 'S21', 'v80'],
    );
    assert.equal(timeline.reachedMs, 80);
  });

  test('sound that is delayed waits for the picture, however much of it comes', () => {
    const timeline = new Timeline();
    timeline.delay(100);
    timeline.begin();
    assert.equal(timeline.reachedMs, 0);
    assert.deepEqual(steps(timeline, ...heads(), at(key, 0), at(sound, 0), at(sound, 20), at(sound, 500)), [
      '',
      '',
      'v0 a0 K0',
      '',
      '',
      '',
    ]);
    assert.equal(timeline.reachedMs, 0);
    assert.deepEqual(steps(timeline, at(picture, 99), at(picture, 100), at(picture, 119), at(picture, 160)), [
      'P99',
      'S100 P100',
      'P119',
      'S120 P160',
    ]);
    assert.equal(timeline.reachedMs, 160);
    // A header that is not the first belongs to the sound that follows it.
    assert.deepEqual(steps(timeline, [late(aacHeader(2), 510), 510], at(picture, 600), at(picture, 610)), [
      '',
      'S600 P600',
      'a610 P610',
    ]);
  });

  test('a picture that is delayed waits for the sound; its first header does not', () => {
    const timeline = new Timeline();
    timeline.delay(-100);
    timeline.begin();
    assert.deepEqual(
      steps(
        timeline,
        ...heads(),
        at(key, 0),
        at(sound, 0),
        at(picture, 40),
        at(sound, 99),
        at(sound, 100),
        at(sound, 141),
      ),
      ['', '', 'v0 a0', 'S0', '', 'S99', 'K100 S100', 'P140 S141'],
    );
  });

  test('a header after a first picture at 0 is no first header: it keeps to its picture', () => {
    const timeline = new Timeline();
    timeline.begin();
    steps(timeline, ...heads(), at(key, 0));
    timeline.delay(-100);
    assert.deepEqual(steps(timeline, [late(avcHeader(2), 40), 40], at(key, 40), at(sound, 139), at(sound, 140)), [
      '',
      '',
      'S139',
      'v140 K140 S140',
    ]);
  });

  test('a header never stands before what its track has shown', () => {
    const timeline = new Timeline();
    timeline.begin();
    assert.deepEqual(
      steps(timeline, ...heads(), at(key, 0), at(picture, 40), [late(avcHeader(2), 30), 41]).at(-1),
      'v40',
    );
  });

  test('no track steps back, and nothing is written into sound that would', () => {
    const timeline = new Timeline();
    timeline.begin();
    steps(timeline, ...heads(), at(key, 100), at(sound, 120));
    const again = sound(120);
    assert.deepEqual(timeline.place(again, 121), []);
    assert.deepEqual(again, sound(120));
    assert.deepEqual(steps(timeline, at(sound, 119), at(sound, 121)), ['', 'S21']);
  });

  test('a picture may be late by what 16 of them come to; one that is later is left out', () => {
    for (const [lateMs, come] of [
      [15, 'P1016'],
      [16, ''],
      [400, ''],
    ] as const) {
      const timeline = new Timeline();
      timeline.begin();
      steps(timeline, ...heads(), at(key, 0), at(picture, 1015));
      assert.deepEqual(steps(timeline, at(picture, 1015 - lateMs)), [come], `${lateMs} ms`);
    }
  });

  test('one that is late is not moved where a keyframe is waited for', () => {
    const timeline = new Timeline();
    timeline.delay(-100);
    timeline.begin();
    steps(timeline, ...heads(), at(key, 0), at(sound, 0));
    timeline.delay(0);
    // It would stand at 101, and the keyframe is at 90.
    const keyframe = key(90);
    assert.deepEqual(
      timeline.place(keyframe, 90).map(({ tag }) => tag),
      [],
    );
    assert.deepEqual(keyframe, key(90));
    assert.deepEqual(steps(timeline, at(sound, 100), at(picture, 110), at(key, 130)), ['K100 S100', '', 'K130']);
  });
});

describe('a stream that follows another', () => {
  /** The places of a second stream that comes at `now`, where a first of 1 s, with `delay`, began at 5000. */
  function second(now: number, delay = 0): string[] {
    const timeline = new Timeline();
    timeline.delay(delay);
    timeline.begin();
    steps(timeline, [avcHeader(), 5000], [key(0), 5000], [sound(0), 5000], [sound(1000), 6000], [picture(960), 6000]);
    timeline.begin();
    return steps(timeline, [avcHeader(2), now], [key(7000), now], [sound(7005), now]);
  }

  test('begins where the clock is, and 1 ms after the longer track where that is later', () => {
    assert.deepEqual(second(6500.4), ['', 'v1500 K1500', 'S1505']);
    assert.deepEqual(second(6002), ['', 'v1002 K1002', 'S1007']);
    assert.deepEqual(second(6001), ['', 'v1001 K1001', 'S1006']);
    assert.deepEqual(second(5900), ['', 'v1001 K1001', 'S1006']);
  });

  test('begins there by what its tracks were before they were delayed', () => {
    assert.deepEqual(second(5900, 300), ['', 'v1001 K1001', '']);
    assert.deepEqual(second(5900, -300), ['', '', 'S1006']);
  });

  test('has its own headers, and none of the one before', () => {
    const timeline = new Timeline();
    timeline.begin();
    steps(timeline, [avcHeader(), 0], [aacHeader(), 0], [key(0), 0]);
    timeline.begin();
    assert.deepEqual(steps(timeline, [avcHeader(2), 40], [key(0), 40]), ['', 'v40 K40']);
    timeline.begin();
    steps(timeline, [aacHeader(), 60], [avcHeader(), 60]);
    timeline.begin();
    assert.deepEqual(steps(timeline, [key(0), 80]), ['K80']);
  });

  test('is placed by its own clock, though that of the one before has gone round', () => {
    const timeline = new Timeline();
    const step = 2 ** 30;
    timeline.begin();
    const far = Array.from({ length: 10 }, (_, i) => i * step);
    const placed = far.flatMap((ms) => timeline.place(picture(ms % 2 ** 32, ms === 0), ms));
    assert.deepEqual(
      placed.map(({ atMs }) => atMs),
      far,
    );
    // Sound from just before it went round, after a picture from just after.
    const again = new Timeline();
    again.begin();
    assert.deepEqual(
      steps(again, [key(2 ** 32 - 10), 0], [picture(30), 40], [sound(2 ** 32 - 5), 40], [sound(16), 41]),
      ['K0', 'P40', 'S5', 'S26'],
    );
    timeline.begin();
    const now = 9 * step + 1000;
    assert.deepEqual(steps(timeline, [key(7), now], [picture(47), now + 40]), [`K${now}`, `P${now + 40}`]);
  });
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
