/** What an output decides by, without a connection: its states, when it tries again, whether it lives, what it leaves out. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Liveness } from '../../../agent/media/delivery/liveness.js';
import { Retry } from '../../../agent/media/delivery/retry.js';
import { SendQueue } from '../../../agent/media/delivery/sendqueue.js';
import { Sockets } from '../../../agent/media/delivery/sockets.js';
import { move, outputStates, states, type OutputState } from '../../../agent/media/delivery/states.js';
import { isKeyframe } from '../../../agent/formats/flv/tag.js';
import { avcHeader, picture, sound } from '../../helpers/content/tags.js';

describe('states', () => {
  /** Written down once more, by what happens to an output, and not read from the code: what is not here must not happen. */
  const moves: Readonly<Record<OutputState, readonly OutputState[]>> = {
    // It is begun, or closed before it was.
    idle: ['connecting', 'stopping'],
    // The server accepts, fails, says no to what the operator must remedy; or it is closed meanwhile.
    connecting: ['live', 'waiting', 'refused', 'stopping'],
    // Never refused: what was accepted is tried again soon.
    live: ['stalled', 'waiting', 'stopping'],
    stalled: ['live', 'waiting', 'stopping'],
    waiting: ['connecting', 'stopping'],
    refused: ['connecting', 'stopping'],
    // Whatever comes meanwhile, it ends.
    stopping: ['idle'],
  };

  test('may follow each other as an output uses them; all else throws', () => {
    assert.deepEqual([...outputStates].sort(), Object.keys(moves).sort());
    for (const from of outputStates) {
      for (const to of outputStates) {
        if (moves[from].includes(to)) assert.equal(move(from, to), to);
        else assert.throws(() => move(from, to), { message: `An output cannot go from ${from} to ${to}.` });
      }
    }
  });

  test('from every state an output can be stopped, and tried again', () => {
    const reachable = (from: (typeof outputStates)[number]): Set<string> => {
      const seen = new Set([from]);
      for (const each of seen) for (const next of states[each].next) seen.add(next);
      return seen;
    };
    for (const each of outputStates) assert.deepEqual([...reachable(each)].sort(), [...outputStates].sort());
  });
});

describe('retries', () => {
  const clockAt = (now: number, random = 0.5) => ({ now: () => now, random: () => random });

  test('wait half a second at first, a fifteenth of the outage later, and never more than 30 s', () => {
    fc.assert(
      fc.property(fc.nat(3_600_000), fc.double({ min: 0, max: 1, noNaN: true }), (away, random) => {
        let now = 1000;
        const retry = new Retry({ now: () => now, random: () => random });
        retry.waitMs(false);
        now += away;
        const wait = retry.waitMs(false);
        assert.ok(wait >= 500 && wait <= 30_000);
        // The last of a number's digits is the rounding's.
        assert.ok(Math.floor(wait) <= Math.max(750, away / 15));
      }),
    );
  });

  test('of two outputs that fail at the same times fall apart', () => {
    const one = new Retry(clockAt(0, 0.1));
    const other = new Retry(clockAt(0, 0.9));
    assert.ok(Math.abs(one.waitMs(false) - other.waitMs(false)) > 150);
  });

  test('what only the operator can mend is tried slowly', () => {
    assert.ok(new Retry(clockAt(0, 0)).waitMs(true) >= 20_000);
  });

  test('are quick again after 30 s of progress, not before, and not where it stalled in between', () => {
    let now = 0;
    const retry = new Retry({ now: () => now, random: () => 1 });
    const away = (ms: number): void => {
      retry.waitMs(false);
      now += ms;
    };
    away(600_000);
    for (let seconds = 0; seconds <= 29; seconds += 1, now += 1000) retry.progress(true);
    assert.equal(retry.waitMs(false), 30_000);
    for (let seconds = 0; seconds <= 40; seconds += 1, now += 1000) retry.progress(seconds !== 20);
    assert.equal(retry.waitMs(false), 30_000);
    for (let seconds = 0; seconds <= 30; seconds += 1, now += 1000) retry.progress(true);
    assert.equal(retry.waitMs(false), 750);
    away(600_000);
    retry.forget();
    assert.equal(retry.waitMs(false), 750);
  });
});

describe('liveness', () => {
  const looks = (acked: readonly number[], due = true, windows: readonly number[] = []): string[] => {
    const liveness = new Liveness();
    return acked.map((bytes, i) =>
      liveness.look({ acked: bytes, ...(windows[i] === undefined ? {} : { window: windows[i] }) }, due),
    );
  };

  test('a peer that acknowledges nothing is stalled after 2 s, dead after 6', () => {
    const pulses = looks([1000, ...Array<number>(12).fill(1000)]);
    assert.equal(pulses.indexOf('stalled'), 4);
    assert.equal(pulses.indexOf('dead'), 12);
  });

  test('one that acknowledges a little now and then lives', () => {
    assert.ok(looks(Array.from({ length: 60 }, (_, i) => Math.floor(i / 4))).every((pulse) => pulse !== 'dead'));
  });

  /** 25 kB a look, of which the application reads a part, out of a buffer of 1 MB. */
  const read = (part: number, fills = 1): string[] => {
    const acked = Array.from({ length: 60 }, (_, i) => 25_000 * i);
    // Nothing is due at any look: the kernel takes it all at once.
    return looks(
      acked,
      false,
      acked.map((bytes) => 1_000_000 - bytes * (1 - part) * fills),
    );
  };

  test('one whose kernel acknowledges what nobody reads is dead after 6 s as well, long before its buffer is full', () => {
    // As of Linux 6.18; of a kernel that counts a buffer as twice as full as it is; and one that is all but stopped.
    for (const pulses of [read(0, 0.97), read(0, 0.55), read(0.2)]) {
      assert.equal(pulses.indexOf('stalled'), 4);
      assert.equal(pulses.indexOf('dead'), 12);
    }
  });

  test('one that reads, if slowly, lives; so does one that reads in lumps', () => {
    for (const pulses of [read(1), read(0.7)]) assert.ok(pulses.every((pulse) => pulse === 'fine'));
    const acked = Array.from({ length: 60 }, (_, i) => 25_000 * (i + 1));
    const inLumps = acked.map((_, i) => 200_000 - 25_000 * (i % 4));
    assert.ok(looks(acked, true, inLumps).every((pulse) => pulse === 'fine'));
  });

  test('a window that is full says nothing new: what counts is that nothing is acknowledged', () => {
    const acked = [25_000, 50_000, 75_000, 100_000, ...Array<number>(9).fill(125_000)];
    const windows = [100_000, 75_000, 50_000, 25_000, ...Array<number>(9).fill(0)];
    assert.equal(looks(acked, true, windows).indexOf('dead'), 12);
  });

  test('where nothing is due, nothing is missed', () => {
    assert.ok(looks(Array<number>(60).fill(0), false).every((pulse) => pulse === 'fine'));
  });
});

test('of several outputs to one server each finds its own socket, and none where that is closed', () => {
  const open: { acked: number; written: number; pace: number }[] = [];
  const sockets = new Sockets((port) => (port === 1935 ? open : []));
  const marks = [sockets.mark(), sockets.mark()] as const;
  for (const [i, mark] of marks.entries()) open.unshift({ acked: i, written: i, pace: mark * 125 });
  assert.equal(sockets.find(1935, marks[0])?.acked, 0);
  assert.equal(sockets.find(1935, marks[1])?.acked, 1);
  assert.equal(sockets.find(443, marks[1]), undefined);
  open.shift();
  assert.equal(sockets.find(1935, marks[1]), undefined);
});

describe('the queue', () => {
  const tags = (from: number, to: number, keyframes: readonly number[] = []) =>
    Array.from({ length: (to - from) / 40 }, (_, i) => from + 40 * i).flatMap((atMs) => [
      { tag: picture(atMs, keyframes.includes(atMs), 1000), atMs },
      { tag: sound(atMs), atMs },
    ]);

  test('is as far behind as the oldest tag that is not acknowledged waits', () => {
    const queue = new SendQueue();
    queue.add(tags(0, 2000, [0]), 10_000);
    while (queue.aheadMs < 1000) queue.take();
    assert.equal(queue.waitingMs, 960);
    assert.equal(queue.givenBehindMs(10_500), 500);
    queue.add(tags(2000, 4000), 11_000);
    queue.acknowledge(0, 1);
    assert.equal(queue.aheadMs, 0);
    while (queue.take());
    // Two pictures and what belongs to them are in the source, some 10 kB in the socket: ten pictures and their sound.
    queue.acknowledge(4, 10_000);
    assert.ok(queue.aheadMs >= 360 && queue.aheadMs <= 480, String(queue.aheadMs));
    assert.ok(queue.aheadBytes >= 10_000 && queue.aheadBytes <= 13_000, String(queue.aheadBytes));
    assert.equal(queue.behindMs(11_700), 700);
    queue.acknowledge(0, 0);
    assert.ok(queue.isEmpty);
    assert.equal(queue.aheadBytes, 0);
    assert.equal(queue.behindMs(99_999), 0);
  });

  test('leaves out whole groups of pictures, and goes on with headers and a keyframe', () => {
    const queue = new SendQueue();
    queue.add(tags(0, 6000, [0, 2000, 4000]), 0);
    const headers = (atMs: number) => [{ tag: avcHeader(), atMs }];
    assert.equal(queue.shed(headers), 100);
    assert.equal(queue.take()!.atMs, 4000);
    assert.ok(isKeyframe(queue.take()!.tag));
    // No newer keyframe: what is left depends on the one that was sent.
    assert.equal(queue.shed(headers), 0);
    // Nor does what has passed count as dropped twice.
    queue.add(tags(6000, 6400, [6000]), 0);
    assert.equal(queue.shed(headers), 49);
    assert.equal(queue.shed(headers), 0);
  });
});
