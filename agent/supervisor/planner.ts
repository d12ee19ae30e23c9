/** From settings and facts to a plan, with what stands in the way as a fault. */
import type { Facts } from '../../pipelines/facts.js';
import { NoPlan, plan as compose, type Plan } from '../../pipelines/plan.js';
import type { Wanted } from '../../pipelines/wanted.js';
import type { Settings } from '../config/settings.js';
import { Fault, isFaultCode } from '../errors.js';
import { wantedMedia } from './wants.js';

export class Planner {
  /** What the last plan was made of. */
  #facts: Facts | undefined;

  /** `gather` looks at the machine, and throws the fault of a file that cannot be used; `folder`: what relative paths start from. */
  constructor(
    private readonly gather: (wanted: Wanted) => Promise<Facts>,
    private readonly folder: string,
  ) {}

  /** A plan of new facts. Throws a Fault where there is none. */
  async make(settings: Settings): Promise<Plan> {
    const wanted = wantedMedia(settings, this.folder);
    this.#facts = await this.gather(wanted);
    return composed(wanted, this.#facts);
  }

  /** The plan for settings that differ only in what is changed live: nothing is looked at anew. */
  adjusted(settings: Settings): Plan | undefined {
    return this.#facts && composed(wantedMedia(settings, this.folder), this.#facts);
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
