/** Tags of this device in balena's dashboard, so that a fleet can be looked over there: set when they change, and seldom. */
import type { Clock } from '../../clock.js';
import type { Status } from '../../control/status.js';
import type { Supervisor } from './supervisor.js';

/** Each change is a request to balena's API, for each device of a fleet. */
const pauseMs = 5 * 60_000;
/** At a start everything changes within seconds. */
const firstMs = 30_000;
/** Finer than this a temperature changes each time that it is read. */
const stepDegrees = 5;

/** Their names; `makercast fleet list` reads them again. Balena keeps no time with a tag, so one of them is the time. */
export const tagNames = {
  /** As in the status document: `live`, `idle`, `degraded`, … */
  state: 'makercast.state',
  /** Each output and its state. */
  outputs: 'makercast.outputs',
  /** Codes of docs/errors.md, or `none`. */
  problems: 'makercast.problems',
  release: 'makercast.release',
  /** Degrees Celsius. */
  temperature: 'makercast.temperature',
  /** When the others came to be as they are, as in 2026-11-21T10:00:00Z. */
  since: 'makercast.since',
} as const;

export class Tags {
  #sent = '';
  #dueAt: number;
  #supported = true;
  #busy = false;

  constructor(
    private readonly supervisor: Supervisor,
    private readonly clock: Clock,
    private readonly temperature: () => Promise<number | undefined>,
  ) {
    this.#dueAt = clock.now() + firstMs;
  }

  get isDue(): boolean {
    return this.#supported && !this.#busy && this.clock.now() >= this.#dueAt;
  }

  /** Sets them where they have changed. `now`: milliseconds since 1970. Throws what the Supervisor says. */
  async set(status: Status, now: number, signal: AbortSignal): Promise<void> {
    this.#busy = true;
    try {
      const tags = tagsOf(status, await this.temperature());
      const text = JSON.stringify(tags);
      if (text === this.#sent) return;
      this.#dueAt = this.clock.now() + pauseMs;
      // Since when it is so: the Supervisor hands them on when there is a network.
      const dated = { ...tags, [tagNames.since]: new Date(now).toISOString() };
      this.#supported = await this.supervisor.setTags(dated, signal);
      this.#sent = text;
    } finally {
      this.#busy = false;
    }
  }
}

function tagsOf(status: Status, degrees: number | undefined): Record<string, string> {
  const outputs = Object.entries(status.outputs).map(([name, { state }]) => `${name} ${state}`);
  return {
    [tagNames.state]: status.actual,
    [tagNames.outputs]: outputs.join(', ') || 'none',
    [tagNames.problems]: status.problems.map(({ code }) => code).join(', ') || 'none',
    [tagNames.release]: status.version,
    ...(degrees !== undefined && {
      [tagNames.temperature]: String(Math.round(degrees / stepDegrees) * stepDegrees),
    }),
  };
}
