/** From settings and facts to a plan, with what stands in the way as a fault. */
import { candidates, type Candidate } from '../../pipelines/candidates.js';
import { defaultFormat, settle } from '../../pipelines/defaults.js';
import type { Facts } from '../../pipelines/facts.js';
import { NoPlan, plan as compose, type Plan } from '../../pipelines/plan.js';
import type { Format, Wanted, Wish } from '../../pipelines/wanted.js';
import type { Settings } from '../config/settings.js';
import { Fault, isFaultCode } from '../errors.js';
import { wantedMedia } from './wants.js';

/** What `auto` came to, and every way that there is to it. */
export interface Considered {
  readonly wanted: Wanted;
  /** Why the machine has the default format that it has. */
  readonly why: string;
  readonly candidates: readonly Candidate[];
}

export class Planner {
  /** What the last plan was made of. */
  #facts: Facts | undefined;
  /** Size and rate of the broadcast: settled when it begins, and kept whatever is plugged in or out. */
  #format: Format | undefined;

  /** `gather` looks at the machine, and throws the fault of a file that cannot be used; `folder`: what relative paths start from. */
  constructor(
    private readonly gather: (wish: Wish) => Promise<Facts>,
    private readonly folder: string,
  ) {}

  /** A plan of new facts. Throws a Fault where there is none. */
  async make(settings: Settings): Promise<Plan> {
    const wish = wantedMedia(settings, this.folder);
    this.#facts = await this.gather(wish);
    const wanted = settle(wish, this.#facts, this.#format);
    const made = composed(wanted, this.#facts);
    const { width, height, fps } = wanted.video;
    this.#format = { width, height, fps };
    return made;
  }

  /** The plan for settings that differ only in what is changed live: nothing is looked at anew. */
  adjusted(settings: Settings): Plan | undefined {
    if (!this.#facts) return undefined;
    return composed(settle(wantedMedia(settings, this.folder), this.#facts, this.#format), this.#facts);
  }

  /** A new broadcast may have another format. */
  forgetFormat(): void {
    this.#format = undefined;
  }

  /** All that there is to choose from. Throws the fault of a machine that cannot be looked at. */
  async consider(settings: Settings): Promise<Considered> {
    const wish = wantedMedia(settings, this.folder);
    const facts = await this.gather(wish);
    const wanted = settle(wish, facts);
    return { wanted, why: defaultFormat(wish, facts).why, candidates: candidates(wanted, facts) };
  }
}

function composed(wanted: Wanted, facts: Facts): Plan {
  try {
    return compose(wanted, facts);
  } catch (error) {
    if (!(error instanceof NoPlan)) throw error;
    throw new Fault(isFaultCode(error.code) ? error.code : 'internal', error.what, error.mend);
  }
}
