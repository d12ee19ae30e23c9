/** Hours of the day on the clock of a place: `02:00-04:00` in Europe/Berlin. Pure. */

/** `from` and `to` in minutes after midnight. Where `to` is the smaller one, the hours go over midnight. */
export interface Hours {
  readonly from: number;
  readonly to: number;
}

const dayMinutes = 24 * 60;
const minuteMs = 60_000;

/** What the text of a setting must be like. */
export const HOURS = /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;
/** What the name of a time zone looks like; {@link isZone} knows whether there is one. */
export const ZONE = /^[A-Za-z][A-Za-z0-9_+-]*(\/[A-Za-z0-9_+-]+)*$/;

/** `22:30-04:00` in minutes; undefined for any other text, and where both times are equal, which could mean a day or nothing. */
export function parseHours(text: string): Hours | undefined {
  const [, h1, m1, h2, m2] = HOURS.exec(text) ?? [];
  if (h1 === undefined) return undefined;
  const [from, to] = [Number(h1) * 60 + Number(m1), Number(h2) * 60 + Number(m2)];
  return from === to ? undefined : { from, to };
}

/** The clock on the wall of a place. Making one takes a hundred times as long as asking it, so that of the place that was asked for last is kept. */
export class WallClock {
  #zone: string | undefined;
  #format: Intl.DateTimeFormat | undefined;

  /** Minutes after midnight where `zone` is, at `now` (milliseconds since 1970); 0 where nobody knows that zone. */
  minute(zone: string, now: number): number {
    if (zone !== this.#zone) {
      this.#format = formatOf(zone);
      this.#zone = zone;
    }
    const [hour = '0', minute = '0'] = this.#format?.format(now).split(':') ?? [];
    return Number(hour) * 60 + Number(minute);
  }
}

function formatOf(timeZone: string): Intl.DateTimeFormat | undefined {
  try {
    return new Intl.DateTimeFormat('en-GB', { timeZone, hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  } catch {
    return undefined;
  }
}

/** Whether this system knows the time zone, such as `Europe/Berlin` or `UTC`. */
export function isZone(name: string): boolean {
  return ZONE.test(name) && formatOf(name) !== undefined;
}

/**
 * Whether it is between `from` and `to` where `zone` is. `now`: milliseconds since 1970. It goes by what a clock on the wall shows:
 * an hour that comes twice in autumn counts both times; one that is left out in spring does not come, so hours that lie wholly in it
 * fall out on that day.
 */
export function isWithin({ from, to }: Hours, zone: string, now: number, clock = new WallClock()): boolean {
  const minute = clock.minute(zone, now);
  return from < to ? minute >= from && minute < to : minute >= from || minute < to;
}

/** Milliseconds since 1970 at which the hours begin next, or `now` where they have begun. */
export function nextWithin(hours: Hours, zone: string, now: number, clock = new WallClock()): number {
  if (isWithin(hours, zone, now, clock)) return now;
  const start = Math.floor(now / minuteMs) * minuteMs;
  const ahead = (hours.from - clock.minute(zone, now) + dayMinutes) % dayMinutes;
  const guess = start + ahead * minuteMs;
  // The clock may have been set in between, by an hour at the most: then the guess is off by as much.
  const off = ((clock.minute(zone, guess) - hours.from + dayMinutes * 1.5) % dayMinutes) - dayMinutes / 2;
  const first = guess - off * minuteMs;
  // Where their beginning is left out in spring, they begin with the minute after the gap, or, lying wholly in it, on another day.
  for (let time = first; time <= Math.max(first, guess); time += minuteMs)
    if (time > now && isWithin(hours, zone, time, clock)) return time;
  return nextWithin(hours, zone, guess, clock);
}
