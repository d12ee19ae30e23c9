import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTag } from '../../agent/flv/metadata.js';
import { isAacHeader, isAvcHeader, isKeyframe, scriptTag, type Piece, type Tag } from '../../agent/flv/tag.js';
import { Hub } from '../../agent/media/delivery/hub.js';
import type { Placed } from '../../agent/media/delivery/timeline.js';
import { aacHeader, avcHeader, picture, sound } from '../helpers/tags.js';

const format = { width: 640, height: 360, fps: 25, audioRate: 48000, audioChannels: 2 };
const begin: Piece = { begin: true };
const pieces = (...tags: Tag[]): Piece[] => tags.map((tag) => ({ begin: false, tag }));

function hubWithEar(): { hub: Hub; heard: Placed[]; clock: { now: number } } {
  const clock = { now: 0 };
  const hub = new Hub(() => clock.now);
  const heard: Placed[] = [];
  hub.subscribe({ offer: (tags) => heard.push(...tags) });
  return { hub, heard, clock };
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
  assert.equal(rest.length, 2);
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

test('status counts frames, splices and the keyframe interval', () => {
  const { hub, clock } = hubWithEar();
  hub.accept(start());
  clock.now = 2000;
  hub.accept(pieces(picture(2000, true)));
  const { frames, splices, keyframeSeconds } = hub.status();
  assert.deepEqual({ frames, splices, keyframeSeconds }, { frames: 3, splices: 1, keyframeSeconds: 2 });
});
