/** Which faults are made, in which order: decided by a seed alone, so that a run that failed can be made again. */

/** Numbers from 0 to 1 (1 left out), the same ones for the same seed: mulberry32, a public-domain generator by Tommy Ettinger. */
export function chanceOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** What of makercast or around it a fault is done to: two in a row to one child would be a child that fails again and again. */
export type Part = 'nginx' | 'server' | 'network' | 'capture' | 'delivery' | 'settings';

export interface Kind {
  readonly name: string;
  readonly part: Part;
  /** About how long it takes until the next one may be made; what fits into a short run goes by it. */
  readonly seconds: number;
}

/** One fault of the schedule. */
export interface Step<K extends Kind> {
  readonly kind: K;
  /** Decides whatever is left to chance within this fault. */
  readonly seed: number;
  /** Seconds of peace before it. */
  readonly pauseSeconds: number;
  /** Of the first round, in which every kind comes once. */
  readonly isFirst: boolean;
}

/** A short run has no time to wait in. */
const longMinutes = 10;
/** A process that is struck in every round does not live long enough to be seen growing: after the first round, one strike of so many is made. */
const sparedChildren = 4;
/** Every second order or so is a good one, unless there is no good one at all. */
const mostTries = 1000;

/**
 * Faults without end, in rounds in which each kind comes once, but for those of the children, which come more seldom after the first.
 * Of the first round only so much as fits into `minutes`, so that it can always be finished. No two in a row are done to the same child.
 */
export function* schedule<K extends Kind>(
  kinds: readonly K[],
  minutes: number,
  seed: number,
): Generator<Step<K>, never> {
  const chance = chanceOf(seed);
  const isLong = minutes >= longMinutes;
  const [leastPause, morePause] = isLong ? [1, 6] : [0.3, 0.7];
  let isFirst = true;
  let room = minutes * 60;
  let last: Part | undefined;
  for (;;) {
    const known = shuffled(kinds, chance);
    const fits = known.filter(({ seconds }) => {
      const left = room - seconds - leastPause - morePause / 2;
      if (left >= 0) room = left;
      return left >= 0;
    });
    const spared = known.filter(({ part }) => !isChild(part) || chance() * sparedChildren < 1);
    const taken = !isFirst ? spared : fits.length > 0 ? fits : known;
    let mixed = taken;
    for (let tries = 0; tries < mostTries && clashes(mixed, last); tries += 1) mixed = shuffled(taken, chance);
    for (const kind of mixed) {
      last = kind.part;
      const pauseSeconds = leastPause + chance() * morePause;
      yield { kind, seed: Math.floor(chance() * 2 ** 32), pauseSeconds, isFirst };
    }
    isFirst = false;
  }
}

function shuffled<T>(items: readonly T[], chance: () => number): T[] {
  const mixed = [...items];
  for (let i = mixed.length - 1; i > 0; i -= 1) {
    const j = Math.floor(chance() * (i + 1));
    [mixed[i], mixed[j]] = [mixed[j]!, mixed[i]!];
  }
  return mixed;
}

const isChild = (part: Part): boolean => part === 'capture' || part === 'delivery';

/** Whether one child would be struck twice in a row. */
function clashes(kinds: readonly Kind[], last: Part | undefined): boolean {
  return kinds.some(({ part }, index) => {
    const before = index === 0 ? last : kinds[index - 1]!.part;
    return part === before && isChild(part);
  });
}
