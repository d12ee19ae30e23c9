/** The controller of the bitrate, on a link that is simulated: frame by frame, with keyframes, a round trip, and groups that are left out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Bitrate, type Bounds } from '../../../agent/broadcast/bitrate/bitrate.js';

const audioKbps = 128;
const frameMs = 40;
const framesPerGroup = 50;

interface Scene {
  readonly bounds: Bounds;
  /** kbit/s that the link carries at a time, in ms. */
  readonly capacity: (atMs: number) => number;
  readonly tripMs: number;
  /** How many times as large as another picture a keyframe is. */
  readonly keyframe: number;
}

interface Look {
  readonly atMs: number;
  readonly targetKbps: number;
  readonly behindMs: number;
  readonly deliveredKbps: number;
  readonly dropped: number;
}

/** What the controller makes of it, look by look. The server is behind by what the link has not carried yet, and the round trip. */
function simulate({ bounds, capacity, tripMs, keyframe }: Scene, seconds: number): Look[] {
  const bitrate = new Bitrate(bounds);
  const looks: Look[] = [];
  const delivered: number[] = [];
  let queue: { readonly atMs: number; bits: number }[] = [];
  /** The encoder follows a second later: its rate buffer is that long. */
  const asked: number[] = [];
  let withholding = false;
  let dropped = 0;
  let inGroup = 0;
  for (let frame = 0; frame * frameMs < seconds * 1000; frame += 1) {
    const now = frame * frameMs;
    asked.push(bitrate.targetKbps);
    const kbps = asked[Math.max(0, frame - 1000 / frameMs)]!;
    const behind = queue[0] ? now - queue[0].atMs : 0;
    if (behind > 1500 && !withholding) {
      // A second of media is in the connection, the rest is left out.
      withholding = true;
      queue = queue.filter(({ atMs }) => atMs <= queue[0]!.atMs + 1000);
    }
    if (withholding && (queue.at(-1)?.atMs ?? 0) - (queue[0]?.atMs ?? 0) <= 300) {
      withholding = false;
      inGroup = 0;
    }
    const share = (kbps * frameMs * framesPerGroup) / (framesPerGroup - 1 + keyframe);
    if (withholding) dropped += 1;
    else {
      queue.push({ atMs: now, bits: (inGroup === 0 ? keyframe * share : share) + audioKbps * frameMs });
      inGroup = (inGroup + 1) % framesPerGroup;
    }
    let room = capacity(now) * frameMs;
    let sent = 0;
    while (queue[0] && room > 0) {
      const part = Math.min(room, queue[0].bits);
      queue[0].bits -= part;
      room -= part;
      sent += part;
      if (queue[0].bits <= 0) queue.shift();
    }
    delivered.push(sent);
    if (frame % (1000 / frameMs) !== 0) continue;
    const lately = delivered.slice(-2000 / frameMs);
    const deliveredKbps = lately.reduce((sum, bits) => sum + bits, 0) / (lately.length * frameMs);
    const behindMs = (queue[0] ? now - queue[0].atMs : 0) + tripMs;
    const targetKbps = bitrate.look({ queuedMs: behindMs, deliveredKbps }, now);
    looks.push({ atMs: now, targetKbps, behindMs, deliveredKbps, dropped });
  }
  assert.equal(looks.length, Math.ceil(seconds), 'one look a second');
  return looks;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
/** How often a series turns round, up to down or down to up, by more than `least`. */
function turns(values: readonly number[], least: number): number {
  let count = 0;
  let direction = 0;
  let extreme = values[0] ?? 0;
  for (const value of values) {
    const step = value - extreme;
    if (direction * step > 0) extreme = value;
    else if (Math.abs(step) > least) {
      if (direction !== 0) count += 1;
      direction = Math.sign(step);
      extreme = value;
    }
  }
  return count;
}

const bounds: Bounds = { fullKbps: 2500, floorKbps: 750, audioKbps };
const scene = fc.record({
  fullKbps: fc.integer({ min: 600, max: 6000 }),
  /** Of what is needed. */
  share: fc.double({ min: 0.45, max: 3, noNaN: true }),
  tripMs: fc.integer({ min: 0, max: 300 }),
  keyframe: fc.integer({ min: 1, max: 6 }),
});

describe('the bitrate', () => {
  test('stays where it is while the link carries it, whatever its round trip', () => {
    fc.assert(
      fc.property(scene, ({ fullKbps, share, tripMs, keyframe }) => {
        const capacity = (fullKbps + audioKbps) * (1.3 + share);
        const own: Bounds = { fullKbps, floorKbps: fullKbps * 0.3, audioKbps };
        const looks = simulate({ bounds: own, capacity: () => capacity, tripMs, keyframe }, 60);
        assert.ok(looks.length === 60 && looks.every(({ targetKbps }) => targetKbps === fullKbps));
      }),
    );
  });

  test('never leaves its bounds, whatever it is told', () => {
    const look = fc.record({ queuedMs: fc.nat(20_000), deliveredKbps: fc.nat(10_000), afterMs: fc.nat(5000) });
    fc.assert(
      fc.property(fc.array(look, { maxLength: 100 }), (looks) => {
        const bitrate = new Bitrate(bounds);
        let now = 0;
        for (const { queuedMs, deliveredKbps, afterMs } of looks) {
          now += afterMs;
          const kbps = bitrate.look({ queuedMs, deliveredKbps }, now);
          assert.ok(kbps >= bounds.floorKbps && kbps <= bounds.fullKbps);
        }
      }),
    );
  });

  test('fits a link that has become too small: the server is not far behind, and most of the link is used, without swinging', () => {
    fc.assert(
      fc.property(scene, ({ fullKbps, share, tripMs, keyframe }) => {
        const capacity = (fullKbps + audioKbps) * Math.min(0.95, share);
        const own: Bounds = { fullKbps, floorKbps: fullKbps * 0.3, audioKbps };
        const at = (ms: number): number => (ms < 10_000 ? fullKbps * 3 : capacity);
        const looks = simulate({ bounds: own, capacity: at, tripMs, keyframe }, 130);
        const said = JSON.stringify({ fullKbps, capacity, tripMs, keyframe });
        const settled = looks.filter(({ atMs }) => atMs >= 20_000);
        const behind = Math.max(...settled.map(({ behindMs }) => behindMs));
        assert.ok(behind <= 2000 + tripMs, `${said}: ${behind} ms behind`);
        const late = looks.filter(({ atMs }) => atMs >= 40_000);
        const used = mean(late.map(({ deliveredKbps }) => deliveredKbps)) / capacity;
        assert.ok(used >= 0.7, `${said}: ${used} of the link used`);
        const swings = turns(
          late.map(({ targetKbps }) => targetKbps),
          capacity * 0.35,
        );
        assert.ok(swings <= 4, `${said}: ${swings} swings in 90 s`);
      }),
      { numRuns: 200 },
    );
  });

  test('comes back when the link does: 90 % within 40 s, without a picture left out', () => {
    fc.assert(
      fc.property(scene, fc.integer({ min: 20, max: 90 }), ({ fullKbps, share, tripMs, keyframe }, backAt) => {
        const small = (fullKbps + audioKbps) * Math.min(0.8, share);
        const own: Bounds = { fullKbps, floorKbps: fullKbps * 0.3, audioKbps };
        const at = (ms: number): number => (ms >= 10_000 && ms < backAt * 1000 ? small : fullKbps * 2 + audioKbps);
        const looks = simulate({ bounds: own, capacity: at, tripMs, keyframe }, backAt + 45);
        const back = looks.filter(({ atMs }) => atMs >= (backAt + 38) * 1000);
        const said = JSON.stringify({ fullKbps, small, tripMs, keyframe, backAt });
        assert.ok(
          back.every(({ targetKbps }) => targetKbps >= 0.9 * fullKbps),
          `${said}: ${back[0]?.targetKbps}`,
        );
        const before = looks.find(({ atMs }) => atMs >= (backAt + 3) * 1000)!.dropped;
        assert.equal(looks.at(-1)!.dropped, before, said);
      }),
    );
  });

  test('is lowered again 2 s later, when nothing of what was delivered is from before the trouble', () => {
    const bitrate = new Bitrate({ ...bounds, floorKbps: 300 });
    const course = [
      [0, 2600],
      [700, 2400],
      [1500, 1205],
      [2200, 700],
      [2000, 750],
    ] as const;
    const targets = course.map(([queuedMs, deliveredKbps], second) =>
      bitrate.look({ queuedMs, deliveredKbps }, second * 1000),
    );
    assert.deepEqual(targets, [2500, 2500, 808, 808, 467]);
  });

  test('asks whether there is more after 4 s, 8 s and then 16 s while the answer is no, and after 4 s again once it was yes', () => {
    const bitrate = new Bitrate({ ...bounds, floorKbps: 100 });
    const capacity = (second: number): number => (second < 5 || (second >= 100 && second < 130) ? 5000 : 1000);
    const steps: [number, number][] = [];
    for (let second = 0; second < 150; second += 1) {
      const before = bitrate.targetKbps;
      const carries = capacity(second);
      const look = { queuedMs: before > carries ? 800 : 0, deliveredKbps: Math.min(before, carries) + audioKbps };
      const kbps = bitrate.look(look, second * 1000);
      if (kbps !== before) steps.push([second, kbps]);
    }
    const [drained, kept, asked] = [750, 900, 1120];
    assert.deepEqual(
      steps.map(([second, kbps]) => `${second} ${kbps}`),
      [
        ...[`6 ${drained}`, `10 ${kept}`],
        ...[`14 ${asked}`, `16 ${kept}`],
        ...[`24 ${asked}`, `26 ${kept}`],
        ...[`42 ${asked}`, `44 ${kept}`],
        ...[`60 ${asked}`, `62 ${kept}`],
        ...[`78 ${asked}`, `80 ${kept}`],
        ...[`96 ${asked}`, `98 ${kept}`],
        // The link is back, and the answer is yes: what was known is forgotten, the patience with it.
        ...[`114 ${asked}`, '118 1400', '120 1750', '122 2188', '124 2500'],
        ...[`131 ${drained}`, `135 ${kept}`],
        ...[`139 ${asked}`, `141 ${kept}`],
        `149 ${asked}`,
      ],
    );
  });

  test('2.5 Mbit/s into 800 kbit/s: at most 2 s behind after 10 s, and for as long as it lasts', () => {
    const looks = simulate(
      { bounds: { ...bounds, floorKbps: 500 }, capacity: (at) => (at < 10_000 ? 9000 : 800), tripMs: 50, keyframe: 4 },
      120,
    );
    const after = looks.filter(({ atMs }) => atMs >= 20_000);
    assert.equal(after.length, 100);
    for (const { atMs, behindMs } of after) assert.ok(behindMs <= 2000, `${behindMs} ms at ${atMs}`);
  });
});
