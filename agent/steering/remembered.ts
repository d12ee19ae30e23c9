/** What steering keeps on the card: the remote layers in force, the decisions, and what is on probation. */
import type { Bound } from '../config/place.js';
import { streamSecrets } from '../config/redact.js';
import type { Destinations, Resolved } from '../config/resolve.js';
import { noSecrets, type Given, type Secrets } from '../config/secrets.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Storage } from '../machine/storage/storage.js';
import { isFollowed, isMap, type Decision, type Document } from './decision.js';

export const stateName = 'steering';
/** Not to be raised, since a file of another format is set aside, and a downgrade would lose the layers: fields may only be added. */
export const stateFormat = 1;

/** In force, or to be in force again. */
export interface Kept {
  /** By layer. */
  readonly documents: Readonly<Record<string, Pick<Document, 'version' | 'config'>>>;
  /** By path of the setting, for releases that know no places: the one for the place in force, or nothing. */
  readonly secrets: Readonly<Record<string, string>>;
  /** What each secret is for; absent where only such a release has written the state. */
  readonly bound?: BoundSecrets;
}

export interface BoundSecrets extends Secrets {
  /** Where the outputs went last. */
  readonly outputs: Destinations;
  /** Paths that `secrets` leaves out, because what is in force there comes from another layer. */
  readonly unsaid?: readonly string[];
}

/** Reads the card; empty where it holds no such state, or none that is reliable. */
export async function onCard(storage: Storage): Promise<Remembered> {
  const state = (await storage.readState(stateName, stateFormat, isRemembered)) ?? nothingKept;
  const { kept, pending, decisions } = state;
  return {
    ...state,
    decisions: Object.fromEntries(Object.entries(decisions).map(([layer, each]) => [layer, renamed(each)])),
    kept: reconciled(kept),
    ...(pending ? { pending: { ...pending, before: reconciled(pending.before) } } : {}),
  };
}

/** Reads what 0.1 wrote, which calls a remedy `mend`. */
function renamed(decision: Decision): Decision {
  const { reason } = decision;
  if (!reason) return decision;
  const { remedy = reason.mend } = reason as Partial<FaultReport>;
  return { ...decision, reason: { ...reason, remedy } };
}

/** As the card holds it, with what a release without places has set or forgotten meanwhile: what it has set is for the first place that comes. */
export function reconciled(kept: Kept): Kept {
  const { secrets, bound = { ...noSecrets, outputs: {} } } = kept;
  const said = Object.entries(secrets).map(([path, value]): [string, readonly Given[]] => {
    const known = bound.given[path] ?? [];
    const isKnown = known.length > 0 && (value === '' || known.some((each) => each.value === value));
    return [path, isKnown ? known : [...known, { value }]];
  });
  const unsaid = (bound.unsaid ?? []).flatMap((path): [string, readonly Given[]][] =>
    secrets[path] === undefined && bound.given[path] ? [[path, bound.given[path]]] : [],
  );
  const given = [...said, ...unsaid];
  if (given.length === 0 && !kept.bound) return kept;
  return { ...kept, bound: { ...bound, given: Object.fromEntries(given) } };
}

/** Every secret that was handed over, for whatever place. */
export const handedOver = ({ secrets, bound }: Kept): string[] =>
  [...Object.values(secrets), ...Object.values(bound?.given ?? {}).flatMap((all) => all.map(({ value }) => value))]
    .filter((value) => value !== '')
    .flatMap(streamSecrets);

/** The most secrets for one path, each for its own place, and the most paths. */
const mostPlaces = 16;
const mostPaths = 32;
/** Of all of them together: all text that leaves the program is searched for each, which takes a Zero W long. */
const mostCharacters = 8192;

/** With another secret at `path`, replacing the one for the same place; without a `value` that one is removed, or all if `for` is missing. */
export function withSecret(kept: Kept, path: string, bound: Bound, value: string | undefined): Kept {
  const { given, first, outputs } = kept.bound ?? { ...noSecrets, outputs: {} };
  const before = given[path] ?? [];
  const isAll = value === undefined && bound.for === undefined;
  const others = isAll ? [] : before.filter((each) => each.for !== bound.for);
  const after = value === undefined ? others : [...others, { value, ...bound }];
  const rest = Object.entries(given).filter(([each]) => each !== path);
  const all = [...rest.flatMap(([, each]) => each), ...after];
  const size = all.reduce((sum, each) => sum + each.value.length, 0);
  const isMany = after.length > mostPlaces || rest.length >= mostPaths || size > mostCharacters;
  if (value !== undefined && isMany)
    throw new Fault(
      'command_failed',
      'There is no room for another secret: too many are kept already.',
      'Forget one first (set-secret without a value).',
    );
  const next = Object.fromEntries(after.length === 0 ? rest : [...rest, [path, after] as const]);
  return { ...kept, bound: { ...kept.bound, given: next, first, outputs } };
}

/** With what `resolved` has found out about what each secret is for and where the outputs go; unchanged where that is nothing. */
export function keptWith(kept: Kept, { bound, settings, held }: Pick<Resolved, 'bound' | 'settings' | 'held'>): Kept {
  const count = [bound.given, bound.first, settings.outputs].flatMap((each) => Object.keys(each)).length;
  if (count === 0 && !kept.bound) return kept;
  const all = Object.entries(settings.outputs);
  // A URL that holds a secret is kept only where it was given.
  const open = all.filter(([, { url, key }]) => key !== '' && !/[@?]/.test(url));
  const outputs = open.map(([name, { url, tlsVerify }]): [string, Destinations[string]] => [name, { url, tlsVerify }]);
  const inForce = new Set([settings.mqtt.password, ...all.map(([, { key }]) => key)]);
  // Such a release goes by the documents alone: where an output is held, to the address that there is no key for.
  const isHeld = (path: string): boolean => held.some((each) => each.path === path);
  const secrets = Object.entries(bound.given).flatMap(([path, given]): [string, string][] => {
    if (isHeld(path)) return [[path, '']];
    const value = given.findLast((each) => inForce.has(each.value))?.value;
    return value === undefined ? [] : [[path, value]];
  });
  const unsaid = Object.keys(bound.given).filter((path) => !secrets.some(([said]) => said === path));
  return {
    ...kept,
    secrets: Object.fromEntries(secrets),
    bound: { ...bound, outputs: Object.fromEntries(outputs), unsaid },
  };
}

export interface Remembered {
  readonly kept: Kept;
  /** By layer, and of `secrets`. */
  readonly decisions: Readonly<Record<string, Decision>>;
  /** Limits that are in force in place of narrower ones that nothing has proved yet, by path. */
  readonly limits?: Readonly<Record<string, number>>;
  /** Changes that nothing has proved yet, and what they are changes of. */
  readonly pending?: { readonly before: Kept; readonly layers: readonly string[] };
}

export const nothingKept: Remembered = { kept: { documents: {}, secrets: {} }, decisions: {} };

/** Whether the form of what the card holds is valid; the contents of documents are checked at each use. */
export function isRemembered(value: unknown): value is Remembered {
  if (!isMap(value) || !isKept(value['kept']) || !isMap(value['decisions'])) return false;
  const { pending, decisions, limits } = value;
  const good =
    (limits === undefined || isMap(limits)) &&
    (pending === undefined || (isMap(pending) && isKept(pending['before']) && Array.isArray(pending['layers'])));
  return good && Object.values(decisions as object).every(isDecision);
}

function isKept(value: unknown): boolean {
  if (!isMap(value) || !isMap(value['documents']) || !isMap(value['secrets'])) return false;
  return (
    Object.values(value['documents']).every((document) => isMap(document) && isMap(document['config'])) &&
    Object.values(value['secrets']).every((secret) => typeof secret === 'string') &&
    (value['bound'] === undefined || isBoundSecrets(value['bound']))
  );
}

function isBoundSecrets(value: unknown): boolean {
  if (!isMap(value) || !isMap(value['given']) || !isMap(value['first']) || !isMap(value['outputs'])) return false;
  const isGiven = (each: unknown): boolean => isMap(each) && typeof each['value'] === 'string' && isBound(each);
  const isOutput = (each: unknown): boolean =>
    isMap(each) && typeof each['url'] === 'string' && typeof each['tlsVerify'] === 'boolean';
  return (
    Object.values(value['given']).every((given) => Array.isArray(given) && given.every(isGiven)) &&
    Object.values(value['first']).every((each) => isMap(each) && typeof each['hash'] === 'string' && isBound(each)) &&
    Object.values(value['outputs']).every(isOutput) &&
    (value['unsaid'] === undefined || Array.isArray(value['unsaid']))
  );
}

const isBound = (value: Record<string, unknown>): value is Record<string, unknown> & Bound =>
  ['for', 'ca'].every((name) => value[name] === undefined || typeof value[name] === 'string') &&
  [undefined, true].includes(value['insecure'] as true | undefined);

function isDecision(value: unknown): boolean {
  return isMap(value) && typeof value['version'] === 'number' && typeof value['status'] === 'string';
}

/** A secret that was live at an address stays bound to it, even if the document that named the address is undone. */
function withProved(before: Kept, kept: Kept): Kept {
  const proved = Object.entries(kept.bound?.first ?? {}).filter(([, { isProved }]) => isProved);
  if (proved.length === 0) return before;
  const { given, first, outputs } = before.bound ?? { ...noSecrets, outputs: {} };
  return { ...before, bound: { given, outputs, first: { ...first, ...Object.fromEntries(proved) } } };
}

/** With what each secret of a layer is for as it is now, since it has been live there. */
export function livedThrough(kept: Kept): Kept {
  const { bound } = kept;
  if (!bound || Object.values(bound.first).every(({ isProved }) => isProved)) return kept;
  const first = Object.entries(bound.first).map(
    ([name, each]) => [name, { ...each, isProved: true as const }] as const,
  );
  return { ...kept, bound: { ...bound, first: Object.fromEntries(first) } };
}

/** The last good state, with all that was on probation marked. */
export function undone({ decisions, pending, kept }: Remembered, reason: FaultReport): Remembered {
  const marked = Object.entries(decisions).map(([layer, decision]): [string, Decision] => [
    layer,
    pending?.layers.includes(layer) && decision.status !== 'rejected'
      ? { ...decision, status: 'rolled_back', proved: false, reason }
      : decision,
  ]);
  return { kept: pending ? withProved(pending.before, kept) : kept, decisions: Object.fromEntries(marked) };
}

/** Without the probation, which has passed: what was applied has done no harm. `live`: the stream also proves it. */
export function passed(state: Remembered, live: boolean): Remembered {
  const marked = Object.entries(state.decisions).map(([layer, decision]): [string, Decision] => {
    const stands = decision.status === 'applied' || decision.status === 'pending';
    return [layer, stands ? { ...decision, status: 'applied', proved: decision.proved || live } : decision];
  });
  return { ...state, decisions: Object.fromEntries(marked) };
}

/** Without documents of groups that the device has left, and without what was pending: a device that rejoins starts afresh. */
export function pruned({ kept, decisions }: Remembered, groups: readonly string[]): Remembered {
  const of = <T>(layers: Readonly<Record<string, T>>): Record<string, T> =>
    Object.fromEntries(Object.entries(layers).filter(([name]) => isFollowed(name, groups)));
  return { kept: { ...kept, documents: of(kept.documents) }, decisions: of(decisions) };
}

type Tree = Readonly<Record<string, unknown>>;

/** The value at a path; undefined where there is none. */
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
