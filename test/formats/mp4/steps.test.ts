/** What each picture and frame of sound of a stream made by hand comes to: fragments, judged by their boxes. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { metadataTag } from '../../../agent/formats/flv/metadata.js';
import { payloadOf, setComposition, tagOf, videoTag, type Tag } from '../../../agent/formats/flv/tag.js';
import { Muxer, type Fragment } from '../../../agent/formats/mp4/muxer.js';
import { runsOf, topBoxes } from '../../helpers/content/mp4.js';
import { aacHeader, avcHeader, picture, sound } from '../../helpers/content/tags.js';

const born = Date.UTC(2026, 4, 3, 2, 1, 0);
const endless = Number.MAX_SAFE_INTEGER;
const opens = ({ bornMs }: Fragment): boolean => bornMs !== undefined;

function feed(muxer: Muxer, ...steps: readonly (readonly [Tag, number])[]): Fragment[] {
  return steps.flatMap(([tag, at]) => muxer.add(tag, at));
}
const headers = (): [Tag, number][] => [
  [avcHeader(), 0],
  [aacHeader(), 0],
];

describe('made by hand', () => {
  test('a changed sequence header ends the file in order and opens the next', () => {
    const muxer = new Muxer(endless, () => born);
    const first = feed(muxer, ...headers(), [picture(0, true), 0], [sound(5), 5], [picture(33), 33], [sound(26), 26]);
    assert.deepEqual(first, []);
    // Until its keyframe comes, nothing can be decoded.
    const between = feed(muxer, [avcHeader(9), 66], [picture(66), 66], [sound(70), 70]);
    assert.deepEqual(between, []);
    const [end, ...more] = feed(muxer, [picture(100, true), 100]);
    assert.deepEqual([opens(end!), end!.frames, more.length], [true, 2, 0]);
    assert.equal(topBoxes(end!.bytes).join(' '), 'ftyp moov free moof mdat');
    feed(muxer, [picture(133), 133]);
    const [next] = muxer.end();
    assert.deepEqual([opens(next!), next!.frames, next!.atMs], [true, 2, 100]);
    assert.ok(next!.bytes.includes(Buffer.from([0x61, 0x76, 0x63, 0x43, 9])), 'the new record');
  });

  test('the same headers again, as an output that joins gets them, change nothing', () => {
    const muxer = new Muxer(endless, () => born);
    feed(muxer, ...headers(), [picture(0, true), 0], [picture(33), 33]);
    assert.deepEqual(feed(muxer, ...headers(), [picture(66, true), 66]), []);
    assert.equal(muxer.end()[0]!.frames, 3);
  });

  test('a picture that lasts, because the camera was away, is no longer fragment for those before it', () => {
    const muxer = new Muxer(endless, () => born);
    const out = feed(
      muxer,
      ...headers(),
      ...Array.from({ length: 15 }, (_, i) => [picture(i * 100, i === 0), i * 100] as const),
      [picture(9000, true), 9000],
    );
    assert.deepEqual(
      out.map(({ atMs, frames }) => [atMs, frames]),
      [
        [0, 14],
        [1400, 1],
      ],
    );
  });

  test('when nothing comes any more, what is complete can be had', () => {
    const muxer = new Muxer(endless, () => born);
    feed(muxer, ...headers(), [picture(0, true), 0], [picture(33), 33], [picture(66), 66]);
    const [part] = muxer.flush();
    assert.equal(part!.frames, 2);
    assert.deepEqual(muxer.flush(), []);
    assert.deepEqual([muxer.end()[0]!.frames, muxer.end().length], [1, 0]);
  });

  test('nothing is opened before a keyframe and its headers are there', () => {
    const muxer = new Muxer(endless, () => born);
    assert.deepEqual(feed(muxer, [picture(0, true), 0], [avcHeader(), 10], [picture(40), 40], [sound(41), 41]), []);
    assert.deepEqual(muxer.end(), []);
  });
});

/** 48 kHz, so that a frame lasts 21.3 ms, or 1024 samples. */
const aac = (): Tag => aacHeader(0x90);
const both = (): [Tag, number][] => [
  [avcHeader(), 0],
  [aac(), 0],
];
const key = (ms: number): [Tag, number] => [picture(ms, true), ms];
const inter = (ms: number): [Tag, number] => [picture(ms), ms];
const heard = (ms: number): [Tag, number] => [sound(ms), ms];
const open = (...tags: readonly (readonly [Tag, number])[]): Muxer => {
  const muxer = new Muxer(endless, () => born);
  feed(muxer, ...both(), ...tags);
  return muxer;
};
/** Of each track, where it starts and how long its samples last. */
const lengths = (each: Fragment): [number, number, number[]][] =>
  runsOf(each.bytes).map(({ track, start, samples }) => [track, start, samples.map(({ duration }) => duration)]);
const places = (fragments: readonly Fragment[]): [number, number, number][] =>
  fragments.map(({ file, atMs, frames }) => [file, atMs, frames]);

describe('samples', () => {
  test('of pictures last until the next, the last as long as the one before it', () => {
    const [one] = open(key(0), inter(33), inter(67)).end();
    assert.deepEqual(lengths(one!), [[1, 0, [33, 34, 34]]]);
  });

  test('of a picture that is alone lasts a thirtieth of a second', () => {
    assert.deepEqual(lengths(open(key(500)).end()[0]!), [[1, 0, [33]]]);
  });

  test('hold what the tags hold, when a picture is shown, and whether it stands alone', () => {
    const early = picture(33);
    setComposition(early, -20);
    const [one] = open(key(0), heard(5), [early, 33], heard(26)).end();
    const [video, audio] = runsOf(one!.bytes);
    assert.deepEqual(
      video!.samples.map(({ sync, composition, data }) => [sync, composition, data]),
      [
        [true, 0, payloadOf(picture(0, true))],
        [false, -20, payloadOf(early)],
      ],
    );
    for (const { sync, composition, data } of audio!.samples)
      assert.deepEqual([sync, composition, data], [true, 0, payloadOf(sound(0))]);
    assert.deepEqual([video!.track, audio!.track, audio!.samples.length], [1, 2, 2]);
  });

  test('of pictures at one moment stand apart', () => {
    const [one] = open(key(0), inter(0), inter(0), inter(40)).end();
    assert.deepEqual(lengths(one!), [[1, 0, [1, 1, 38, 38]]]);
  });

  test('of sound are a frame long, though FLV rounds their times to a millisecond', () => {
    const [one] = open(key(1000), ...[1000, 1021, 1043, 1064, 1085, 1107].map(heard)).end();
    assert.deepEqual(lengths(one!)[1], [2, 0, [1024, 1024, 1024, 1024, 1024, 1024]]);
  });

  test('of sound keep a time that is more than the rounding away', () => {
    // 96 samples are 2 ms; a time of its own is a whole number of samples.
    const second = (samples: number): number[] => lengths(open(key(0), heard(0), heard(samples / 48)).end()[0]!)[1]![2];
    assert.deepEqual(second(1024 + 96), [1024, 1024]);
    assert.deepEqual(second(1024 + 97), [1024 + 97, 1024]);
    assert.deepEqual(second(1024 - 96), [1024, 1024]);
    assert.deepEqual(second(1024 - 97), [1024 - 97, 1024]);
    assert.deepEqual(second(0), [1, 1024]);
    assert.deepEqual(second(4800), [4800, 1024]);
  });

  test('of sound begin with the first picture, not before', () => {
    const [one] = open(key(100), heard(99), heard(100), heard(121)).end();
    assert.deepEqual(lengths(one!)[1], [2, 0, [1024, 1024]]);
    const [later] = open(key(100), heard(110), heard(131)).end();
    assert.deepEqual(lengths(later!)[1], [2, 480, [1024, 1024]]);
  });

  test('are none where the end of a sequence comes', () => {
    const end = tagOf(videoTag, 40, Buffer.from([0x17, 2, 0, 0, 0]));
    const [one] = open(key(0), [end, 40], inter(66)).end();
    assert.deepEqual(lengths(one!), [[1, 0, [66, 66]]]);
  });
});

describe('fragments', () => {
  /** What is cut when pictures come at these times, negative ones as keyframes. */
  const cuts = (...times: readonly number[]): [number, number, number][] => {
    const muxer = open(key(0));
    return places(times.flatMap((ms) => feed(muxer, ms < 0 ? key(-ms) : inter(ms))));
  };

  test('end at a keyframe after a second', () => {
    assert.deepEqual(cuts(500, -999), []);
    assert.deepEqual(cuts(500, -1000), [[1, 0, 2]]);
    assert.deepEqual(cuts(500, -1000, 1500, -1999), [[1, 0, 2]]);
    assert.deepEqual(cuts(500, -1000, 1500, -2000), [
      [1, 0, 2],
      [1, 1000, 2],
    ]);
  });

  test('end after two seconds, before the picture that would make them longer', () => {
    assert.deepEqual(cuts(1960, 2000), []);
    assert.deepEqual(cuts(1960, 2001), [[1, 0, 1]]);
    // The next is counted from the picture that is its first.
    assert.deepEqual(cuts(1960, 2001, 3960), [[1, 0, 1]]);
    assert.deepEqual(cuts(1960, 2001, 3961), [
      [1, 0, 1],
      [1, 1960, 1],
    ]);
  });

  test('wait for a keyframe that is a little late', () => {
    assert.deepEqual(cuts(1960, -2100), [[1, 0, 2]]);
    assert.deepEqual(cuts(1960, -2101), [[1, 0, 1]]);
  });

  test('of one file are numbered, and only the first has the header and the time of birth', () => {
    const muxer = open(key(0));
    const [one, two] = [...feed(muxer, key(1000)), ...muxer.end()];
    assert.deepEqual([one!.bornMs, one!.headerBytes > 0, one!.headerBytes % 8], [born, true, 0]);
    assert.deepEqual(topBoxes(one!.bytes.subarray(0, one!.headerBytes)).slice(0, 2), ['ftyp', 'moov']);
    assert.deepEqual([two!.bornMs, two!.headerBytes, topBoxes(two!.bytes)], [undefined, 0, ['moof', 'mdat']]);
    const numbers = [one, two].map((each) => each!.bytes.readUInt32BE(each!.headerBytes + 20));
    assert.deepEqual(numbers, [1, 2]);
    assert.deepEqual(lengths(two!), [[1, 1000, [33]]]);
  });

  test('that are asked for end with the last complete picture, and the next begins there', () => {
    const muxer = open(key(0), inter(40), heard(40), heard(61), inter(80));
    assert.deepEqual(places(muxer.flush()), [[1, 0, 2]]);
    feed(muxer, inter(120));
    const [next] = muxer.flush();
    assert.deepEqual(places([next!]), [[1, 80, 1]]);
    assert.deepEqual(new Muxer(endless, () => born).flush(), []);
  });

  test('hold sound alone where no picture is complete', () => {
    const muxer = open(key(0), heard(0), heard(21));
    assert.deepEqual(places(muxer.flush()), [[1, 0, 0]]);
    assert.deepEqual(places(muxer.end()), [[1, 0, 1]]);
  });
});

describe('files', () => {
  test('end at the first keyframe after their time, and take the clock of the machine each', () => {
    let wall = born;
    const muxer = new Muxer(2000, () => (wall += 7));
    feed(muxer, ...both());
    const out = feed(muxer, key(100), inter(600), key(2099), inter(2500), key(3000), inter(3500), key(5000));
    assert.deepEqual(places(out), [
      [1, 100, 2],
      [1, 2099, 2],
      [2, 3000, 2],
    ]);
    assert.deepEqual(
      out.map(({ bornMs }) => bornMs),
      [born + 7, undefined, born + 14],
    );
    const exact = new Muxer(2000, () => born);
    assert.deepEqual(places(feed(exact, ...both(), key(100), key(2100))), [[1, 100, 1]]);
    assert.deepEqual(places(exact.end()), [[2, 2100, 1]]);
  });

  test('end at the next keyframe where that is asked of the one that is being filled, once', () => {
    const muxer = new Muxer(endless, () => born);
    muxer.split(0);
    muxer.split(1);
    feed(muxer, ...both(), key(0));
    assert.deepEqual(feed(muxer, key(100)), [], 'there was none');
    muxer.split(2);
    assert.deepEqual(feed(muxer, key(200)), [], 'another one');
    muxer.split(1);
    muxer.split(2);
    assert.deepEqual(feed(muxer, inter(250)), []);
    assert.deepEqual(places(feed(muxer, key(300))), [[1, 0, 4]]);
    assert.deepEqual(feed(muxer, key(400)), [], 'once');
    assert.deepEqual(places(muxer.end()), [[2, 300, 2]]);
  });

  test('that follow an end begin with a keyframe', () => {
    const muxer = open(key(0), inter(40));
    assert.deepEqual(places(muxer.end()), [[1, 0, 2]]);
    assert.deepEqual(feed(muxer, inter(80), heard(90)), []);
    assert.deepEqual(muxer.end(), []);
    feed(muxer, key(120));
    assert.deepEqual(places(muxer.end()), [[2, 120, 1]]);
  });

  /** Two files, the second from 1000 on; sound at `soundMs` is held when it begins. */
  const turned = (soundMs: number, ...between: readonly (readonly [Tag, number])[]): (readonly Fragment[])[] => {
    const muxer = new Muxer(900, () => born);
    const first = feed(muxer, ...both(), key(0), heard(0), heard(soundMs), ...between, key(1000));
    return [first, feed(muxer, inter(1040), heard(1021), heard(1043)), muxer.end()];
  };

  test('take the frame of sound with them that goes on over their beginning', () => {
    const [first, between, second] = turned(990);
    assert.deepEqual(lengths(first![0]!), [
      [1, 0, [1000]],
      [2, 0, [990 * 48]],
    ]);
    assert.deepEqual(between, []);
    assert.deepEqual([second![0]!.file, second![0]!.atMs], [2, 990]);
    assert.deepEqual(lengths(second![0]!), [
      [1, 10, [40, 40]],
      [2, 0, [31 * 48, 1024, 1024]],
    ]);
  });

  test('leave it where it is long ago, or another config has come', () => {
    const ended = (fragments: readonly Fragment[]): number[] => lengths(fragments[0]!)[1]![2];
    assert.deepEqual(ended(turned(900)[0]!), [900 * 48]);
    const [first, , second] = turned(899);
    assert.deepEqual(ended(first!), [899 * 48, 1024]);
    assert.equal(second![0]!.atMs, 1000);
    assert.deepEqual(ended(turned(990, [aacHeader(0x88), 995])[0]!), [990 * 48, 1024]);
    // Sound that is ahead of the picture goes with it as well.
    assert.deepEqual(ended(turned(1100)[0]!), [1100 * 48]);
    assert.equal(turned(1100)[2]![0]!.atMs, 1000);
    assert.deepEqual(ended(turned(1101)[0]!), [1101 * 48, 1024]);
  });

  test('without sound have pictures only, until a config of sound makes another', () => {
    const muxer = new Muxer(endless, () => born);
    feed(muxer, [avcHeader(), 0], key(0), heard(5), inter(40), heard(26), [aac(), 50], heard(60), inter(80));
    const [first] = feed(muxer, key(120), heard(120), heard(141));
    assert.deepEqual(lengths(first!), [[1, 0, [40, 80]]]);
    assert.deepEqual(
      lengths(muxer.end()[0]!).map(([track]) => track),
      [1, 2],
    );
  });

  test('say what size the pictures are; another size makes another file', () => {
    const format = { width: 640, height: 360, fps: 25, audioRate: 48_000, audioChannels: 2 };
    const size = ({ bytes }: Fragment): number[] => {
      const at = bytes.indexOf('avc1') + 4;
      return [bytes.readUInt16BE(at + 24), bytes.readUInt16BE(at + 26)];
    };
    const muxer = new Muxer(endless, () => born);
    feed(muxer, [metadataTag(format), 0], ...both(), key(0));
    // Metadata that tells no size takes nothing away.
    feed(muxer, [tagOf(18, 0, Buffer.from([2, 0, 0])), 0], [metadataTag({ ...format, fps: 30 }), 0]);
    assert.deepEqual(feed(muxer, key(40)), []);
    for (const [other, at] of [
      [{ width: 1280 }, 80],
      [{ width: 1280, height: 720 }, 160],
    ] as const) {
      assert.deepEqual(feed(muxer, [metadataTag({ ...format, ...other }), 0], inter(at)), []);
      assert.equal(feed(muxer, key(at + 40)).length, 1);
    }
    assert.deepEqual(size(muxer.end()[0]!), [1280, 720]);
    assert.deepEqual(size(open(key(0)).end()[0]!), [0, 0]);
  });

  test('keep their headers, whatever becomes of the tags', () => {
    const header = avcHeader();
    const muxer = new Muxer(endless, () => born);
    feed(muxer, [header, 0], key(0));
    header.fill(0);
    const [one] = muxer.end();
    assert.ok(one!.bytes.includes(payloadOf(avcHeader())));
  });
});
