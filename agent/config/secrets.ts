/** Which secret goes to the place in force: each is for one place, whether a layer gives it or it was handed over. Pure. */
import { merge } from './merge.js';
import { boundTo, covers, placeFor, type Bound, type Place } from './place.js';
import type { Entry, Reading } from './reading.js';
import { isLocked, type Remote } from './remote.js';
import { misfit } from './row.js';
import { outputName, rowOf } from './settings.js';

/** A secret that was handed over by itself (`set-secret`). */
export interface Given extends Bound {
  readonly value: string;
}

/** What the secret of a layer that names no address is for: the place that was in force when it first came. */
export interface First extends Bound {
  /** Of the secret: another one comes for the first time. */
  readonly hash: string;
  /** It has been live there. Until then it follows the address: the first one may be mistyped. */
  readonly isProved?: true;
}

export interface Secrets {
  /** By path of the setting; the newest last. */
  readonly given: Readonly<Record<string, readonly Given[]>>;
  /** By layer and path. */
  readonly first: Readonly<Record<string, First>>;
}

export const noSecrets: Secrets = { given: {}, first: {} };

/** The layer of those that were handed over, for people. */
export const HANDED_OVER = 'MQTT secrets';

/** One layer as it was read, lowest first. */
export interface Source {
  readonly kind: 'file' | 'environment' | Remote['kind'];
  readonly reading: Reading;
}

interface Candidate {
  readonly entry: Entry;
  readonly bound: Bound;
  /** Where it is kept what it is for, once it has a place. */
  readonly first?: string;
  /** It was not there before. */
  readonly isNew?: boolean;
}

/** So many are remembered, even of layers that no longer give anything. */
const maxFirst = 64;

const isLocal = ({ kind }: Source): boolean => kind === 'file' || kind === 'environment';
export class Keyring {
  readonly #candidates = new Map<string, Candidate[]>();
  readonly #first = new Map<string, First>();
  readonly #given: Map<string, readonly Given[]>;
  readonly #local: ReadonlyMap<string, Entry>;

  /** `locked`: paths of which nothing that was handed over is used. `digest`: by which a secret is known again. */
  constructor(
    private readonly sources: readonly Source[],
    secrets: Secrets,
    locked: readonly string[],
    private readonly digest: (text: string) => string,
  ) {
    this.#local = merge(sources.filter(isLocal).map(({ reading }) => reading));
    this.#given = new Map(Object.entries(secrets.given));
    // A layer that cannot be read just now must not count as new when it can be read again.
    for (const [name, first] of Object.entries(secrets.first).slice(-maxFirst)) this.#first.set(name, first);
    for (const source of sources) for (const step of source.reading.steps) this.#read(source, step, secrets);
    const named = new Set([...merge(sources.map(({ reading }) => reading)).keys()].map(outputName));
    for (const [path, given] of this.#given) {
      const row = rowOf(path);
      // One may come before the output that it is for.
      const belongs = !path.startsWith('outputs.') || named.has(outputName(path));
      if (!row?.boundTo || !belongs || isLocked(path, locked)) continue;
      const entries = given.filter(({ value }) => !misfit(row.form, value));
      for (const { value, ...bound } of entries)
        this.#add(path, { entry: { path, value, layer: HANDED_OVER, name: path }, bound });
    }
  }

  /** Binds a new secret that has no place yet to the place that was in force when it arrived, whatever is wanted by now. */
  bind(path: string, place: Place): void {
    const all = this.#candidates.get(path) ?? [];
    const updated = all.map((each): Candidate => {
      if (each.first === undefined || !each.isNew || each.bound.for !== undefined) return each;
      const bound = { hash: this.#hash(path, each.entry.value), ...boundTo(place), isProved: true as const };
      this.#first.set(each.first, bound);
      return { ...each, bound };
    });
    this.#candidates.set(path, updated);
  }

  /** The secret for `place`: of several, that of the highest layer. Undefined where none of them is for it. */
  pick(path: string, place: Place | undefined): Entry | undefined {
    const candidates = this.#candidates.get(path) ?? [];
    const fit = place ? candidates.filter(({ bound }) => covers(bound, place)) : candidates;
    if (place) this.#learn(path, place);
    return fit.at(-1)?.entry;
  }

  /** Whether there is any secret for `path`, for whatever place. */
  has(path: string): boolean {
    return (this.#candidates.get(path) ?? []).some(({ entry }) => entry.value !== '');
  }

  /** Whether the layer that gives the address in `entry` lets it go without its certificate being checked. */
  allowsInsecure(entry: Entry): boolean {
    const source = this.sources.find(({ reading }) => reading.steps.includes(entry));
    if (!source) return false;
    const layer = isLocal(source) ? this.#local : merge([source.reading]);
    return layer.get(entry.path.replace(/[^.]*$/, 'tlsVerify'))?.value === false;
  }

  /** Whether `entry` is of file or environment. */
  isLocal(entry: Entry): boolean {
    return this.sources.some((source) => isLocal(source) && source.reading.steps.includes(entry));
  }

  /** What file and environment give at a path. */
  local(path: string): Entry | undefined {
    return this.#local.get(path);
  }

  /** Where file and environment have an output go. */
  localOutput(name: string): { readonly url: string; readonly tlsVerify: boolean } | undefined {
    const url = this.#local.get(`outputs.${name}.url`)?.value;
    const tlsVerify = this.#local.get(`outputs.${name}.tlsVerify`)?.value !== false;
    return typeof url === 'string' ? { url, tlsVerify } : undefined;
  }

  /** What there is, with what each is for as it is known now. */
  get secrets(): Secrets {
    return { given: Object.fromEntries(this.#given), first: Object.fromEntries(this.#first) };
  }

  #read(source: Source, step: Reading['steps'][number], secrets: Secrets): void {
    if ('remove' in step) {
      for (const path of this.#candidates.keys())
        if (path === step.remove || path.startsWith(`${step.remove}.`)) this.#candidates.delete(path);
      return;
    }
    const row = rowOf(step.path);
    if (!row?.boundTo) return;
    // Nothing that stands in a document is secret: it may go wherever the document says.
    if (source.kind === 'group' || source.kind === 'device') return this.#add(step.path, { entry: step, bound: {} });
    const own = this.#placeIn(source, step.path, row.boundTo);
    if (own) return this.#add(step.path, { entry: step, bound: boundTo(own) });
    const name = `${source.kind} ${step.path}`;
    const known = secrets.first[name];
    const hash = this.#hash(step.path, step.value);
    const isKnown = known?.hash === hash;
    this.#add(step.path, {
      entry: step,
      bound: isKnown && known.isProved ? known : {},
      first: name,
      isNew: !isKnown,
    });
  }

  /** The place that a layer itself names; where file or environment names none, the other may: one owner writes both. */
  #placeIn(source: Source, path: string, kind: 'output' | 'broker'): Place | undefined {
    const layer = merge([source.reading]);
    const isOwn = (at: string): boolean => !isLocal(source) || (at.endsWith('.url') && layer.has(at));
    return placeFor(path, kind, (at) => (isOwn(at) ? layer : this.#local).get(at)?.value);
  }

  #hash(path: string, value: unknown): string {
    // Anything but text is refused later on; converting it may throw (`{toString: {}}`).
    return this.digest(`${path}\n${typeof value === 'object' ? typeof value : String(value)}`);
  }

  #add(path: string, candidate: Candidate): void {
    this.#candidates.set(path, [...(this.#candidates.get(path) ?? []), candidate]);
  }

  /** What has had no place yet is for this one. */
  #learn(path: string, place: Place): void {
    for (const { entry, bound, first } of this.#candidates.get(path) ?? []) {
      if (first !== undefined && bound.for === undefined)
        this.#first.set(first, { hash: this.#hash(path, entry.value), ...boundTo(place) });
    }
    const given = this.#given.get(path);
    if (!given) return;
    const learned = given.map((each): Given => {
      if (each.for === undefined) return { value: each.value, ...boundTo(place) };
      return each.ca === undefined && covers(each, place) ? { ...each, ca: place.ca } : each;
    });
    // The newest of several for one place.
    const newest = learned.filter((each, i) => !learned.slice(i + 1).some((later) => later.for === each.for));
    this.#given.set(path, newest);
  }
}
