/** What of the steering from afar is kept on the card: the layers in force, what was decided, and what is on probation. */
import type { FaultReport } from '../errors.js';
import { isMap, type Decision, type Document } from './decision.js';
import { isFollowed } from './layering.js';

/** In force, or to be in force again. */
export interface Kept {
  /** By layer. */
  readonly documents: Readonly<Record<string, Pick<Document, 'version' | 'config'>>>;
  /** By path of the setting. */
  readonly secrets: Readonly<Record<string, string>>;
}

export interface Remembered {
  readonly kept: Kept;
  /** By layer, and of `secrets`. */
  readonly decisions: Readonly<Record<string, Decision>>;
  /** Changes that nothing has proved yet, and what they are changes of. */
  readonly pending?: { readonly before: Kept; readonly layers: readonly string[] };
}

export const nothingKept: Remembered = { kept: { documents: {}, secrets: {} }, decisions: {} };

/** Whether what the card holds can be relied on in its form; what the documents say is looked at with each use. */
export function isRemembered(value: unknown): value is Remembered {
  if (!isMap(value) || !isKept(value['kept']) || !isMap(value['decisions'])) return false;
  const { pending, decisions } = value;
  const good =
    pending === undefined || (isMap(pending) && isKept(pending['before']) && Array.isArray(pending['layers']));
  return good && Object.values(decisions as object).every(isDecision);
}

function isKept(value: unknown): boolean {
  if (!isMap(value) || !isMap(value['documents']) || !isMap(value['secrets'])) return false;
  return (
    Object.values(value['documents']).every((document) => isMap(document) && isMap(document['config'])) &&
    Object.values(value['secrets']).every((secret) => typeof secret === 'string')
  );
}

function isDecision(value: unknown): boolean {
  return isMap(value) && typeof value['version'] === 'number' && typeof value['status'] === 'string';
}

/** The last good state, with all that was on probation marked. */
export function undone({ decisions, pending, kept }: Remembered, reason: FaultReport): Remembered {
  const marked = Object.entries(decisions).map(([layer, decision]): [string, Decision] => [
    layer,
    pending?.layers.includes(layer) && decision.status !== 'rejected'
      ? { ...decision, status: 'rolled_back', proved: false, reason }
      : decision,
  ]);
  return { kept: pending?.before ?? kept, decisions: Object.fromEntries(marked) };
}

/** What was applied has done no harm; `live`: and is proved by the stream. */
export function settledBy(state: Remembered, live: boolean): Remembered {
  const marked = Object.entries(state.decisions).map(([layer, decision]): [string, Decision] => {
    const stands = decision.status === 'applied' || decision.status === 'pending';
    return [layer, stands ? { ...decision, status: 'applied', proved: decision.proved || live } : decision];
  });
  return { ...state, decisions: Object.fromEntries(marked) };
}

/** Without what came from groups that were left, and what was pending: who joins again begins anew. */
export function pruned({ kept, decisions }: Remembered, groups: readonly string[]): Remembered {
  const of = <T>(layers: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(layers).filter(([name]) => isFollowed(name, groups)));
  return { kept: { ...kept, documents: of(kept.documents) }, decisions: of(decisions) };
}

type Tree = Readonly<Record<string, unknown>>;

/** What stands at a path; undefined where nothing does. */
export function valueAt(tree: Tree, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, name) => (isMap(at) && Object.hasOwn(at, name) ? at[name] : undefined), tree);
}

/** A copy with another value at a path. */
export function withValue(tree: Tree, [name = '', ...rest]: readonly string[], value: unknown): Tree {
  const others = Object.entries(tree).filter(([each]) => each !== name);
  const below = Object.hasOwn(tree, name) ? tree[name] : undefined;
  const next = rest.length === 0 ? value : withValue(isMap(below) ? below : {}, rest, value);
  return Object.fromEntries(next === undefined ? others : [...others, [name, next]]);
}
