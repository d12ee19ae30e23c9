/** The probation of changes that nothing has proved yet: they are judged by what was live before, and by what else they must not break. */
import type { Change } from '../config/cost.js';
import { misfit } from '../config/row.js';
import { get, rows, type Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import { isBack, mark, type Mark } from './proof.js';
import type { BroadcastStatus } from '../broadcast/status.js';

/** Good looks in a row, a second apart, after which a change counts as having worked for a while. */
const goodLooks = 2;
/** A server that restarts is back by then: it is retried after 0.3, 0.6, 1.2, 2.4 and 4.8 s. */
const graceMs = 10_000;

/** `next`, but with the laxer of both values for limits that delete something: a change that nothing has proved deletes nothing. */
export function laxer(before: Settings, next: Settings): Settings {
  const laxest = rows.flatMap(({ path, deletesLess }): [string, number][] => {
    if (!deletesLess) return [];
    const [was, is] = [Number(get(before, path)), Number(get(next, path))];
    const value = deletesLess === 'larger' ? Math.max(was, is) : Math.min(was, is);
    return value === is ? [] : [[path, value]];
  });
  return laxest.length === 0 ? next : withLimits(next, Object.fromEntries(laxest));
}

/** The limits that delete something, by path. */
export function limitsOf(settings: Settings): Record<string, number> {
  return Object.fromEntries(
    rows.filter(({ deletesLess }) => deletesLess).map(({ path }) => [path, Number(get(settings, path))]),
  );
}

/** `settings` with other limits, where they are such. */
export function withLimits(settings: Settings, limits: Readonly<Record<string, number>>): Settings {
  let changed = settings;
  for (const { path, form, deletesLess } of rows) {
    const value = limits[path];
    if (!deletesLess || value === undefined || misfit(form, value)) continue;
    const [section = '', field = ''] = path.split('.');
    changed = { ...changed, [section]: { ...changed[section as keyof Settings], [field]: value } };
  }
  return changed;
}

export class Probation {
  #mark: Mark | undefined;
  #end: NodeJS.Timeout | undefined;
  /** How many changes were begun, and whether the last of them is confirmed. */
  #changes = 0;
  #isConfirmed = false;
  /** Looks in a row at which the last change had done no harm. */
  #good = 0;
  /** It did no harm for a while. */
  #worked = false;
  /** Who waits for the end of the probation. */
  readonly #waiting: (() => void)[] = [];
  /** By the paths they judge: whether a change there has worked, or what prevents it, if that is known. */
  readonly #provers = new Map<readonly string[], () => boolean | FaultReport>();
  /** Paths that were changed since the last good settings. */
  readonly #touched = new Set<string>();

  /** A change of one of these settings is only proved if `worked` returns true at the end; it may return what prevents it. */
  provedBy(paths: readonly string[], worked: () => boolean | FaultReport): void {
    this.#provers.set(paths, worked);
  }

  /** A change is about to be applied; `continues`: after another that nothing has proved. Not over before `endIn`. */
  begin(status: BroadcastStatus, continues: boolean): void {
    this.#mark = continues && this.#mark ? this.#mark : mark(status);
    this.#changes += 1;
    this.#isConfirmed = false;
    this.#good = 0;
    this.#worked = false;
    clearTimeout(this.#end);
  }

  /** `done`: the media processes have done the change that was begun last. Resolves then, or once the probation is over. */
  confirmedBy(done: Promise<void>): Promise<void> {
    const change = this.#changes;
    const over = new Promise<void>((resolve) => this.#waiting.push(resolve));
    const confirmed = done.then(() => void (this.#isConfirmed ||= change === this.#changes));
    return Promise.race([confirmed, over]);
  }

  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** Once a second while something is on probation; `harmed`: there was harm at this moment. */
  look(harmed: boolean): void {
    this.#good = this.#isConfirmed && !harmed ? this.#good + 1 : 0;
    if (this.#good >= goodLooks) this.#worked = true;
  }

  /**
   * How long to wait beyond the deadline, ms, for a probation of `ms`. What worked for a while after the change, and fails just then, may
   * recover by itself, and what was never confirmed may still be; what never recovered is undone at once.
   */
  graceMs(ms: number, harmed: boolean): number {
    return this.#worked || !harmed ? Math.min(ms, graceMs) : 0;
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
  finish(): void {
    clearTimeout(this.#end);
    this.#mark = undefined;
    this.#touched.clear();
    for (const resolve of this.#waiting.splice(0)) resolve();
  }

  /**
   * The harm done by now to the stream or to the connection to the controller, if any; `by`: when that is, such as `within 20 s`;
   * `hasTarget`: the settings name an output, or a recording.
   */
  harm(status: BroadcastStatus, by: string, hasTarget: boolean): FaultReport | undefined {
    const remedy = 'The last good settings are back.';
    const undoes = (what: string): FaultReport => new Fault('change_undone', what, remedy).report();
    if (this.#mark && !isBack(this.#mark, status, hasTarget)) {
      if (status.actual === 'idle')
        return undoes(
          'The stream was live, and the change left no output and no recording; to go off the air, use `stop`.',
        );
      const problem = status.problems[0] ?? Object.values(status.outputs).find(({ fault }) => fault)?.fault;
      return undoes(`The stream was live before the change, and was not live again ${by}${because(problem)}.`);
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
