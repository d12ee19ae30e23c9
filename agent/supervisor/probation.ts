/** What changes that nothing has proved yet are judged by: what was live before them, and what else they must not break. */
import type { Change } from '../config/cost.js';
import { Fault, type FaultReport } from '../errors.js';
import { hadStream, isBack, mark, type Mark } from './proof.js';
import type { Status } from './status.js';

export class Probation {
  #mark: Mark | undefined;
  #end: NodeJS.Timeout | undefined;
  /** By the paths that it is about: whether a change there has worked, or what is in its way where that is known. */
  readonly #provers = new Map<readonly string[], () => boolean | FaultReport>();
  /** Paths that were changed since the last good settings. */
  readonly #touched = new Set<string>();

  /** A change of one of these settings is only proved where `worked` says so at the end, and not what is in its way. */
  provedBy(paths: readonly string[], worked: () => boolean | FaultReport): void {
    this.#provers.set(paths, worked);
  }

  /** A change is about to be applied; `continues`: after another that nothing has proved. Not over before `endIn`. */
  begin(status: Status, continues: boolean): void {
    this.#mark = continues && this.#mark ? this.#mark : mark(status);
    clearTimeout(this.#end);
  }

  touch(changed: readonly Change[]): void {
    for (const { path } of changed) this.#touched.add(path);
  }

  /** Calls `end` once, unless another change begins before. */
  endIn(ms: number, end: () => void): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(end, ms);
  }

  /** Nothing is on probation any more. */
  settle(): void {
    clearTimeout(this.#end);
    this.#mark = undefined;
    this.#touched.clear();
  }

  /**
   * What was done to the stream or to the way to whoever steers by now, if anything; `by`: what now is, such as `within 20 s`;
   * `hasTarget`: the settings name an output, or a recording.
   */
  harm(status: Status, by: string, hasTarget: boolean): FaultReport | undefined {
    const mend = 'The last good settings are back.';
    const undoes = (what: string): FaultReport => new Fault('change_undone', what, mend).report();
    if (this.#mark && hadStream(this.#mark) && !isBack(this.#mark, status, hasTarget)) {
      if (status.actual === 'idle')
        return undoes('The stream was live, and no output is left, nor a recording; `stop` is the way off the air.');
      const problem = status.problems[0] ?? Object.values(status.outputs).find(({ fault }) => fault)?.fault;
      return undoes(`The stream was live, and was not live again ${by}${because(problem)}.`);
    }
    for (const [paths, worked] of this.#provers) {
      const touched = paths.filter((path) => this.#touched.has(path));
      if (touched.length === 0) continue;
      const answer = worked();
      if (answer !== true)
        return undoes(`A change of ${touched.join(', ')} has not worked ${by}${because(answer || undefined)}.`);
    }
    return undefined;
  }
}

const because = (problem: FaultReport | undefined): string => (problem ? ` (${problem.code}: ${problem.what})` : '');
