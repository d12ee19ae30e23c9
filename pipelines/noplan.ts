/** The one way in which composing a plan fails. */

/** What prevents a plan. `code` is one of `agent/errors.ts`; `what` and `remedy` are plain words. */
export interface Reason {
  readonly code: string;
  readonly what: string;
  readonly remedy: string;
}

/** Why there is no plan. */
export class NoPlan extends Error implements Reason {
  constructor(
    readonly code: string,
    readonly what: string,
    readonly remedy: string,
  ) {
    super(what);
    this.name = 'NoPlan';
  }
}
