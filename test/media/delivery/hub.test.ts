import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTag, metadataTag } from '../../../agent/formats/flv/metadata.js';
import {
  fileHeader,
  isAacHeader,
  isAudio,
  isAvcHeader,
  isKeyframe,
  isVideo,
  scriptTag,
  stamp,
  tagOf,
  videoTag,
  type Piece,
  type Tag,
} from '../../../agent/formats/flv/tag.js';
import { Hub } from '../../../agent/media/delivery/hub.js';
import type { Placed } from '../../../agent/media/delivery/timeline.js';
import { aacHeader, avcHeader, picture, sound } from '../../helpers/content/tags.js';

const format = { width: 640, height: 360, fps: 25, audioRate: 48000, audioChannels: 2 };
const begin: Piece = { begin: true };
const pieces = (...tags: Tag[]): Piece[] => tags.map((tag) => ({ begin: false, tag }));

function hubWithEar(): { hub: Hub; heard: Placed[]; offers: number[]; clock: { now: number } } {
  const clock = { now: 0 };
  const hub = new Hub(() => clock.now);
  const heard: Placed[] = [];
  /** How many tags came at each offer. */
  const offers: number[] = [];
  hub.subscribe({
    offer: (tags) => {
      offers.push(tags.length);
      heard.push(...tags);
    },
  });
  return { hub, heard, offers, clock };
}

const start = (): Piece[] => [
  ...pieces(formatTag(format)),
  begin,
  ...pieces(avcHeader(), aacHeader(), picture(0, true), sound(5), picture(40)),
];

test('an output that joins late gets metadata, headers and the last group of pictures, in this order', () => {
  const { hub, clock } = hubWithEar();
  hub.accept(start());
  clock.now = 1000;
  hub.accept(pieces(picture(1000, true), sound(1005), picture(1040)));
  const [metadata, avc, aac, keyframe, ...rest] = hub.join().map(({ tag }) => tag);
  assert.equal(metadata![0], scriptTag);
  assert.ok(isAvcHeader(avc!) && isAacHeader(aac!) && isKeyframe(keyframe!));
  assert.deepEqual(rest, [sound(1005), picture(1040)]);
  assert.deepEqual(
    hub.join().map(({ atMs }) => atMs),
    [1000, 1000, 1000, 1000, 1005, 1040],
  );
});

test('headers that say nothing new are not sent again; changed ones are, before their keyframe', () => {
  const { hub, heard, clock } = hubWithEar();
  hub.accept(start());
  clock.now = 2000;
  heard.length = 0;
  hub.accept(start());
  assert.equal(heard.filter(({ tag }) => isAvcHeader(tag) || isAacHeader(tag) || tag[0] === scriptTag).length, 0);
  clock.now = 4000;
  heard.length = 0;
  hub.accept([begin, ...pieces(avcHeader(9), aacHeader(), picture(0, true))]);
  assert.ok(isAvcHeader(heard[0]!.tag) && isKeyframe(heard[1]!.tag));
});

test("flvmux's own metadata is dropped, the hub's is sent once a format", () => {
  const { hub, heard } = hubWithEar();
  const own = Buffer.from([18, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 14]);
  hub.accept([...start(), ...pieces(own, own)]);
  assert.equal(heard.filter(({ tag }) => tag[0] === scriptTag).length, 1);
});

test('before the first keyframe there is nothing to join', () => {
  const { hub } = hubWithEar();
  hub.accept([...pieces(formatTag(format)), begin, ...pieces(avcHeader(), picture(0))]);
  assert.deepEqual(hub.join(), []);
});

test('status counts frames, splices and the keyframe interval, and tells the rates', () => {
  const { hub, clock } = hubWithEar();
  assert.deepEqual(hub.status(), { frames: 0, fps: 0, kbps: 0, keyframeSeconds: 0, splices: 0 });
  hub.accept(start());
  clock.now = 2000;
  const before = [picture(0, true), sound(5), picture(40)].reduce((sum, { length }) => sum + length, 0);
  const kbps = (bytes: number, ms: number): number => Math.round((bytes * 8) / ms);
  assert.deepEqual(hub.status(), { frames: 2, fps: 1, kbps: kbps(before, 2000), keyframeSeconds: 0.04, splices: 1 });
  // What says nothing new is no traffic.
  hub.accept(pieces(avcHeader(), picture(2000, true, 10_000)));
  clock.now = 4000;
  const after = before + picture(0, true, 10_000).length;
  assert.deepEqual(hub.status(), { frames: 3, fps: 0.8, kbps: kbps(after, 4000), keyframeSeconds: 2, splices: 1 });
  hub.accept([begin, ...pieces(avcHeader(), picture(0, true))]);
  const { frames, splices, keyframeSeconds } = hub.status();
  assert.deepEqual({ frames, splices, keyframeSeconds }, { frames: 4, splices: 2, keyframeSeconds: 2 });
  hub.accept(pieces(picture(12_000)));
  assert.equal(hub.status().keyframeSeconds, 12, 'one that does not come is no better than one that comes late');
});

test('the end of a sequence is no end of the broadcast: nobody is told of it', () => {
  const { hub, heard, offers, clock } = hubWithEar();
  hub.accept(start());
  const joined = hub.join().length;
  heard.length = offers.length = 0;
  clock.now = 80;
  // As flvmux writes it where a file ends.
  const endOfSequence = tagOf(videoTag, 80, Buffer.from([0x17, 2, 0, 0, 0]));
  hub.accept(pieces(endOfSequence));
  assert.deepEqual([heard, offers, hub.join().length, hub.status().frames], [[], [], joined, 2]);
  hub.accept(pieces(endOfSequence, picture(80)));
  assert.deepEqual([heard.map(({ tag }) => tag), offers], [[picture(80)], [1]]);
});

test('a read in which nothing goes out is offered to nobody', () => {
  const { hub, offers } = hubWithEar();
  hub.accept([]);
  hub.accept([begin, ...pieces(avcHeader(), sound(0))]);
  assert.deepEqual(offers, []);
});

test('a group of pictures of more than 8 MB is not kept for those who join, and goes out to those who are there', () => {
  const { hub, heard } = hubWithEar();
  const [keyframe, next] = [picture(0, true), picture(40)];
  const filled = (bytes: number): Tag => picture(80, false, bytes - picture(0, false, 0).length);
  const rest = 8_000_000 - keyframe.length - next.length;
  for (const [bytes, kept] of [
    [rest, 4],
    [rest + 1, 0],
  ] as const) {
    heard.length = 0;
    hub.accept([begin, ...pieces(avcHeader(), keyframe, next, filled(bytes))]);
    assert.equal(hub.join().length, kept, `${bytes} bytes`);
    // Nothing of it is begun again in its middle.
    hub.accept(pieces(picture(120)));
    assert.equal(hub.join().length, 0);
    assert.equal(heard.filter(({ tag }) => isVideo(tag) && !isAvcHeader(tag)).length, 4);
  }
  // What counts is the group, not the stream.
  hub.accept([begin, ...pieces(avcHeader(), keyframe, filled(rest))]);
  assert.equal(hub.join().length, 3);
});

test('who has left is offered nothing; those who stay are', () => {
  const { hub, heard } = hubWithEar();
  const other: Placed[] = [];
  const subscriber = { offer: (tags: readonly Placed[]) => other.push(...tags) };
  hub.subscribe(subscriber);
  hub.accept(start());
  const before = other.length;
  assert.deepEqual(other, heard);
  hub.unsubscribe(subscriber);
  hub.accept(pieces(picture(80)));
  assert.deepEqual([other.length, heard.length], [before, before + 1]);
});

test('metadata stands where the timeline has come to, ahead of the stream that it is for', () => {
  const { hub, heard, clock } = hubWithEar();
  hub.accept(start());
  heard.length = 0;
  clock.now = 1000;
  hub.accept([...pieces(formatTag({ ...format, fps: 30 })), begin, ...pieces(avcHeader(), picture(0, true))]);
  assert.deepEqual(
    heard.map(({ tag, atMs }) => [tag[0], atMs]),
    [
      [scriptTag, 40],
      [videoTag, 1000],
    ],
  );
  assert.deepEqual(heard[0]!.tag, metadataTag({ ...format, fps: 30 }));
  assert.deepEqual(
    hub.headers(77).map(({ tag, atMs }) => [tag[0], tag, atMs]),
    [metadataTag({ ...format, fps: 30 }), avcHeader(), aacHeader()].map((tag) => [tag[0], tag, 77]),
  );
});

test('headers that differ in their length only are changed ones', () => {
  const { hub, heard } = hubWithEar();
  hub.accept(start());
  heard.length = 0;
  const longer = tagOf(videoTag, 0, Buffer.concat([avcHeader().subarray(11, -4), Buffer.from([0])]));
  hub.accept([begin, ...pieces(longer, aacHeader(), picture(0, true))]);
  assert.deepEqual(
    heard.map(({ tag }) => tag),
    [longer, picture(0, true)],
  );
});

test('headers that come again at another time are the same', () => {
  const { hub, heard } = hubWithEar();
  hub.accept(start());
  heard.length = 0;
  const [avc, aac] = [avcHeader(), aacHeader()];
  for (const header of [avc, aac]) stamp(header, 0x0102_0304);
  hub.accept(pieces(avc, aac));
  assert.deepEqual(heard, []);
  // Sound and picture have each their own.
  hub.accept(pieces(aacHeader(2)));
  assert.deepEqual(
    hub.headers(0).map(({ tag }) => tag),
    [metadataTag(format), avcHeader(), aacHeader(2)],
  );
});

test('a delay is that of the timeline: what it says is told, and sound goes out later', () => {
  const { hub, heard } = hubWithEar();
  assert.equal(hub.delay(-200), false);
  assert.equal(hub.delay(100), true);
  hub.accept(start());
  hub.accept(pieces(picture(105)));
  const first = heard.find(({ tag }) => isAudio(tag) && !isAacHeader(tag));
  assert.equal(first?.atMs, 105);
});

test('whether an encoder can be asked for less is what the last format says', () => {
  const { hub } = hubWithEar();
  assert.equal(hub.isEncoded, false);
  hub.accept(pieces(formatTag({ ...format, videoKbps: 2500 })));
  assert.equal(hub.isEncoded, true);
  hub.accept(pieces(formatTag(format)));
  assert.equal(hub.isEncoded, false);
});

test('the last keyframe alone is a file, once there is one with its header', () => {
  const bare = hubWithEar().hub;
  bare.accept([begin, ...pieces(picture(0, true))]);
  assert.equal(bare.picture(), undefined);
  const { hub } = hubWithEar();
  hub.accept([...pieces(formatTag(format)), begin, ...pieces(avcHeader(), aacHeader())]);
  assert.equal(hub.picture(), undefined);
  const last = picture(1000, true, 30);
  hub.accept(pieces(picture(0, true), sound(5), picture(40), last, picture(1040)));
  assert.deepEqual(hub.picture(), Buffer.concat([fileHeader, avcHeader(), last]));
});
