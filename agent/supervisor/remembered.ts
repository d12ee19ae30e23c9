/** What of the steering from afar is kept on the card: the layers in force, what was decided, and what is on probation. */
import type { Decision, Document } from './decision.js';

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

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
