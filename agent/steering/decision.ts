/** Remote documents and the decisions on them: which are decided, and which are refused unread. Pure. */
import { createHash } from 'node:crypto';
import type { FaultCode, FaultReport } from '../errors.js';

/** The whole of one layer, as somebody wants it. */
export interface Document {
  /** Above that of the document before. */
  readonly version: number;
  /** Settings as a tree; lower layers supply what it does not name. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Who sent it, for people. */
  readonly by?: string;
  /** Only if this was the last version decided. */
  readonly base?: number;
  /** Accept any version: after one that was far too high there are no higher ones left. */
  readonly resetVersion?: true;
}

/** Whether the device follows a layer: of groups, only those that it is in. */
export function isFollowed(layer: string, groups: readonly string[]): boolean {
  const [kind, group = ''] = layer.split(' ');
  return kind !== 'group' || groups.includes(group);
}

export const decisionStatuses = ['pending', 'applied', 'rejected', 'rolled_back'] as const;
export type DecisionStatus = (typeof decisionStatuses)[number];

/** One thing that is wrong with a document. */
export interface Complaint {
  readonly path: string;
  readonly code: FaultCode;
  readonly message: string;
}

/** What became of the last document of a layer that was decided. */
export interface Decision {
  readonly version: number;
  /** Of the content; empty for secrets. */
  readonly hash: string;
  /** The release that decided. */
  readonly release: string;
  readonly status: DecisionStatus;
  /** The stream worked after it (and the connection to the broker, if that was changed). */
  readonly proved: boolean;
  readonly by?: string;
  readonly errors: readonly Complaint[];
  /** Why it was rolled back. */
  readonly reason?: FaultReport;
}

/** Why a document was not decided at all; the decision before stands. */
export interface Refusal extends Complaint {
  readonly version?: number;
}

/** The longest name or address of the sender, in characters. */
const byMax = 256;

/** A version may be this far above the last one: by number, or as milliseconds since 1970 by a clock that is a day ahead. */
const mostStep = 1_000_000;
const dayMs = 24 * 60 * 60_000;

/** Twice as many as there are settings: each name may become a problem, and all of them must fit into one message. */
const namesMax = 300;

/** The document in `value`, or how it is malformed. */
export function readDocument(value: unknown): Document | Refusal {
  const malformed = (path: string, allowed: string): Refusal => ({
    path,
    code: 'document_malformed',
    message: `${path === '' ? 'The document' : path} is malformed; allowed: ${allowed}`,
  });
  if (!isMap(value)) return malformed('', 'a map {version, config, by?, base?, resetVersion?}');
  const known = ['version', 'config', 'by', 'base', 'resetVersion'];
  if (Object.keys(value).some((name) => !known.includes(name)))
    return malformed('', 'version, config, by, base and resetVersion, and nothing else');
  const { version, config, by, base, resetVersion } = value;
  if (!isVersion(version, 1)) return malformed('version', 'a whole number above 0');
  if (!isMap(config)) return { ...malformed('config', 'a map of sections'), version };
  if (countNames(config) > namesMax)
    return { ...malformed('config', `at most ${namesMax} names of sections and settings`), version };
  if (by !== undefined && (typeof by !== 'string' || by.length > byMax))
    return { ...malformed('by', `text of at most ${byMax} characters`), version };
  if (base !== undefined && !isVersion(base, 0)) return { ...malformed('base', 'a whole number'), version };
  if (resetVersion !== undefined && typeof resetVersion !== 'boolean')
    return { ...malformed('resetVersion', 'true or false'), version };
  return {
    version,
    config,
    ...(by === undefined ? {} : { by }),
    ...(base === undefined ? {} : { base }),
    ...(resetVersion ? { resetVersion } : {}),
  };
}

/**
 * Whether `document` is to be decided after `last`; `repeated`: it has been, and that stands. A rejected one is decided once more
 * by another release, which may know what this one did not. `nowMs`: since 1970; undefined while the clock is not set.
 */
export function weigh(
  document: Document,
  last: Decision | undefined,
  release: string,
  nowMs?: number,
): 'decide' | 'repeated' | Refusal {
  const { version, base } = document;
  const refusal = (code: FaultCode, message: string): Refusal => ({ path: 'version', code, version, message });
  const lastVersion = last?.version ?? 0;
  const isReset = document.resetVersion === true;
  if (last?.version === version && !(isReset && hashOf(document) !== last.hash)) {
    if (hashOf(document) !== last.hash)
      return refusal(
        'version_conflict',
        `Version ${version} was already decided, with different content: use a higher version.`,
      );
    return last.status === 'rejected' && last.release !== release ? 'decide' : 'repeated';
  }
  if (isReset) return 'decide';
  if (version < lastVersion)
    return refusal(
      'stale',
      `Version ${version} is stale: the last one is ${lastVersion}. If that one was a mistake, add "resetVersion": true.`,
    );
  // Any version is accepted for the first document, and while the clock is not set.
  const most = Math.max(lastVersion + mostStep, (nowMs ?? Infinity) + dayMs);
  if (lastVersion > 0 && version > most)
    return refusal(
      'version_too_high',
      `Version ${version} would make every later one stale: the last one is ${lastVersion}; allowed: at most ${most}, or "resetVersion": true.`,
    );
  if (base !== undefined && base !== lastVersion)
    return refusal(
      'base_conflict',
      `The document builds on version ${base}, but the last one decided is ${lastVersion}: build on that one.`,
    );
  return 'decide';
}

/** Counts the names in all maps in `value`, however deep. */
function countNames(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const below = Object.values(value).reduce<number>((sum, each) => sum + countNames(each), 0);
  return below + (Array.isArray(value) ? 0 : Object.keys(value).length);
}

/** The first decision on a document: to try it. */
export function decisionOf(document: Document, release: string): Decision {
  const { version, by } = document;
  const hash = hashOf(document);
  return { version, hash, release, status: 'pending', proved: false, ...(by === undefined ? {} : { by }), errors: [] };
}

export function rejected(decision: Decision, errors: readonly Complaint[]): Decision {
  return {
    ...decision,
    status: 'rejected',
    errors: errors.map(({ path, code, message }) => ({ path, code, message })),
  };
}

/** A hash of the content, whatever the order of its maps. */
export function hashOf({ config }: Document): string {
  return createHash('sha256').update(canonical(config)).digest('hex').slice(0, 32);
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (!isMap(value)) return JSON.stringify(value);
  const entries = Object.keys(value).sort();
  return `{${entries.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join()}}`;
}

function isVersion(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
