/** Which of several outputs the bitrate follows, and for how long one counts that carries nothing. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { OutputState } from '../../../agent/media/delivery/states.js';
import type { OutputStatus } from '../../../agent/media/messages.js';
import { Adaptation } from '../../../agent/broadcast/bitrate/adaptation.js';

const fullKbps = 2500;
const bounds = { fullKbps, floorKbps: 500, audioKbps: 128 };
/** What an output shows whose link carries it, and one that gets a queue over a link of 800 kbit/s. */
const wide = { state: 'live', queuedMs: 40, deliveredKbps: fullKbps + 128 } as const;
const narrow = (queuedMs: number) => ({ state: 'live', queuedMs, deliveredKbps: 800 }) as const;
const away = (state: OutputState) => ({ state, queuedMs: 0, deliveredKbps: 0 });
type Shown = Pick<OutputStatus, 'state' | 'queuedMs' | 'deliveredKbps'>;

const all = () => true;

describe('the bitrate of several outputs', () => {
  let now = 0;
  let adaptation = new Adaptation({ now: () => now, random: () => 0.5 });
  beforeEach(() => (adaptation = new Adaptation({ now: () => now, random: () => 0.5 })));

  const look = (shown: Record<string, Shown>, follows: (name: string) => boolean = all): number => {
    now += 1000;
    const outputs = Object.entries(shown).map(([name, status]) => [
      name,
      { ...status, frames: 0, droppedFrames: 0, connects: 1 },
    ]);
    return adaptation.look(Object.fromEntries(outputs) as Record<string, OutputStatus>, follows, bounds);
  };
  /** The link of `slow` turns out to be too small; what is asked for then. */
  const lowered = (others: Record<string, Shown> = {}, follows = all as (name: string) => boolean): number => {
    look({ ...others, slow: narrow(40) }, follows);
    look({ ...others, slow: narrow(700) }, follows);
    return look({ ...others, slow: narrow(1500) }, follows);
  };

  test('is what the slowest carries', () => {
    const kbps = lowered({ quick: wide });
    assert.ok(kbps < 800 && kbps >= bounds.floorKbps, String(kbps));
  });

  test('does not follow one that is left out of it', () => {
    assert.equal(
      lowered({ quick: wide }, (name) => name !== 'slow'),
      fullKbps,
    );
  });

  test('is full again at once where the slow one is switched off', () => {
    lowered({ quick: wide });
    assert.equal(
      look({ quick: wide }, (name) => name !== 'slow'),
      fullKbps,
    );
  });

  for (const others of [{}, { quick: wide }]) {
    const beside = Object.keys(others).length > 0 ? 'beside one that is live' : 'alone';
    test(`does not rise because a slow one stalls and is connected anew, ${beside}`, () => {
      const kbps = lowered(others);
      for (const state of ['stalled', 'stalled', 'waiting', 'connecting', 'idle'] as const)
        assert.equal(look({ ...others, slow: away(state) }), kbps, state);
      // Nor where no output is open at all: another process takes over, or another format comes.
      assert.equal(look(others), kbps);
      assert.equal(look({ ...others, slow: narrow(40) }), kbps);
    });

    test(`is full again a minute after one has gone for good, ${beside}`, () => {
      const kbps = lowered(others);
      const seconds = Array.from({ length: 70 }, () => look({ ...others, slow: away('waiting') }));
      const restored = seconds.indexOf(fullKbps);
      assert.ok(restored >= 55 && restored <= 60, `after ${restored} s`);
      assert.ok(seconds.slice(0, restored).every((each) => each === kbps));
      assert.ok(seconds.slice(restored).every((each) => each === fullKbps));
      assert.equal(look({ ...others, slow: narrow(40) }), fullKbps, 'what it carries is found out anew');
    });
  }

  test('holds for a minute less a moment after the slow one was last live', () => {
    const kbps = lowered({ quick: wide });
    now += 58_999;
    assert.equal(look({ quick: wide }), kbps);
    lowered({ quick: wide });
    now += 59_000;
    assert.equal(look({ quick: wide }), fullKbps);
  });

  test('is full again where all that is known is forgotten', () => {
    lowered();
    adaptation.forget();
    assert.equal(look({}), fullKbps);
  });

  test('keeps to its bounds while the slow one is away', () => {
    lowered();
    now += 1000;
    const narrower = { fullKbps: 1000, floorKbps: 900, audioKbps: 128 };
    assert.equal(adaptation.look({}, all, narrower), 900);
  });
});
