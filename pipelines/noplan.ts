/** The one way in which composing a plan fails. */

/** Why there is no plan. `code` is one of `agent/errors.ts`; `what` and `mend` are plain words. */
export class NoPlan extends Error {
  constructor(
    readonly code: string,
    readonly what: string,
    readonly mend: string,
  ) {
    super(what);
    this.name = 'NoPlan';
  }
}
