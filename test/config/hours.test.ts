/** Hours of the day where somebody lives: midnight, and the two nights on which the clock is set. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isWithin, isZone, nextWithin, parseHours, type Hours } from '../../agent/config/hours.js';

const hours = (text: string): Hours => {
  const read = parseHours(text);
  assert.ok(read, text);
  return read;
};
const minute = 60_000;
const at = (iso: string): number => {
  const time = Date.parse(iso);
  assert.ok(!Number.isNaN(time), iso);
  return time;
};

test('hours are read, and what is none is refused', () => {
  assert.deepEqual(hours('02:00-04:30'), { from: 120, to: 270 });
  assert.deepEqual(hours('22:00-00:00'), { from: 1320, to: 0 });
  const bad = ['', '2:00-4:00', '24:00-01:00', '02:60-03:00', '02:00', '02:00-', '02:00-02:00', '02:00 - 04:00', 'x'];
  for (const text of bad) assert.equal(parseHours(text), undefined, text);
});

test('zones that there are, and no others', () => {
  for (const name of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5'])
    assert.ok(isZone(name), name);
  for (const name of ['', 'Berlin', 'Europe/Nowhere', '+02:00', 'Europe/Berlin\n', '__proto__'])
    assert.ok(!isZone(name), name);
});

const inside: [text: string, zone: string, time: string, want: boolean][] = [
  ['02:00-04:00', 'UTC', '2026-07-01T01:59:59Z', false],
  ['02:00-04:00', 'UTC', '2026-07-01T02:00:00Z', true],
  ['02:00-04:00', 'UTC', '2026-07-01T03:59:59Z', true],
  ['02:00-04:00', 'UTC', '2026-07-01T04:00:00Z', false],
  // Two hours ahead in summer, one in winter.
  ['02:00-04:00', 'Europe/Berlin', '2026-07-01T00:00:00Z', true],
  ['02:00-04:00', 'Europe/Berlin', '2026-07-01T02:00:00Z', false],
  ['02:00-04:00', 'Europe/Berlin', '2026-12-01T00:30:00Z', false],
  ['02:00-04:00', 'Europe/Berlin', '2026-12-01T01:00:00Z', true],
  // A quarter of an hour off.
  ['00:00-00:15', 'Asia/Kathmandu', '2026-07-01T18:15:00Z', true],
  ['00:00-00:15', 'Asia/Kathmandu', '2026-07-01T18:14:59Z', false],
  // Over midnight, and up to it.
  ['23:30-00:30', 'UTC', '2026-07-01T23:29:59Z', false],
  ['23:30-00:30', 'UTC', '2026-07-01T23:30:00Z', true],
  ['23:30-00:30', 'UTC', '2026-07-02T00:29:59Z', true],
  ['23:30-00:30', 'UTC', '2026-07-02T00:30:00Z', false],
  ['22:00-00:00', 'UTC', '2026-07-01T23:59:59Z', true],
  ['22:00-00:00', 'UTC', '2026-07-02T00:00:00Z', false],
  // 2026-03-29 in Berlin: after 01:59 comes 03:00.
  ['02:00-04:00', 'Europe/Berlin', '2026-03-29T00:59:59Z', false],
  ['02:00-04:00', 'Europe/Berlin', '2026-03-29T01:00:00Z', true],
  ['02:00-04:00', 'Europe/Berlin', '2026-03-29T02:00:00Z', false],
  ['02:15-02:45', 'Europe/Berlin', '2026-03-29T01:30:00Z', false],
  // 2026-10-25 in Berlin: after 02:59 comes 02:00 again.
  ['02:00-03:00', 'Europe/Berlin', '2026-10-25T00:30:00Z', true],
  ['02:00-03:00', 'Europe/Berlin', '2026-10-25T01:30:00Z', true],
  ['02:00-03:00', 'Europe/Berlin', '2026-10-25T02:00:00Z', false],
];

for (const [text, zone, time, want] of inside) {
  test(`${time} is ${want ? '' : 'not '}within ${text} in ${zone}`, () => {
    assert.equal(isWithin(hours(text), zone, at(time)), want);
  });
}

const next: [text: string, zone: string, time: string, want: string][] = [
  ['02:00-04:00', 'UTC', '2026-07-01T01:10:30Z', '2026-07-01T02:00:00Z'],
  ['02:00-04:00', 'UTC', '2026-07-01T05:00:00Z', '2026-07-02T02:00:00Z'],
  ['23:30-00:30', 'UTC', '2026-07-01T12:00:00Z', '2026-07-01T23:30:00Z'],
  ['02:00-04:00', 'UTC', '2026-07-01T03:00:00Z', '2026-07-01T03:00:00Z'],
  // The night between is an hour shorter, or longer.
  ['05:00-06:00', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-29T03:00:00Z'],
  ['05:00-06:00', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-25T04:00:00Z'],
  // Their beginning, or all of them, is left out that night: they never begin earlier for it.
  ['02:00-05:00', 'Europe/Berlin', '2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z'],
  ['02:15-11:30', 'Australia/Lord_Howe', '2026-10-03T12:00:00Z', '2026-10-03T15:30:00Z'],
  ['02:15-02:45', 'Europe/Berlin', '2026-03-29T00:30:00Z', '2026-03-30T00:15:00Z'],
];

for (const [text, zone, time, want] of next) {
  test(`after ${time}, ${text} in ${zone} begins at ${want}`, () => {
    assert.equal(nextWithin(hours(text), zone, at(time)), at(want));
  });
}

test('on any day the hours begin within a day and an hour, and have begun then', () => {
  const any = fc.record({
    from: fc.integer({ min: 0, max: 1439 }),
    length: fc.integer({ min: 61, max: 1439 }),
    zone: fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu'),
    now: fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2028-01-01T00:00:00Z') }),
  });
  fc.assert(
    fc.property(any, ({ from, length, zone, now }) => {
      const some = { from, to: (from + length) % 1440 };
      const begin = nextWithin(some, zone, now);
      assert.ok(begin >= now - minute && begin <= now + 25 * 60 * minute);
      assert.ok(isWithin(some, zone, begin), new Date(begin).toISOString());
      if (begin !== now) assert.ok(begin > now && !isWithin(some, zone, begin - minute), new Date(begin).toISOString());
    }),
  );
});
