/** The one way in which composing a plan fails. */

/** What is in the way. `code` is one of `agent/errors.ts`; `what` and `mend` are plain words. */
export interface Reason {
  readonly code: string;
  readonly what: string;
  readonly mend: string;
}

/** Why there is no plan. */
export class NoPlan extends Error implements Reason {
  constructor(
    readonly code: string,
    readonly what: string,
    readonly mend: string,
  ) {
    super(what);
    this.name = 'NoPlan';
  }
}
