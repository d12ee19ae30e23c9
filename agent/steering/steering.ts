/** The single entry for remote changes: each is decided, validated as a whole, and tried (trial.ts), or refused with a reason. */
import type { Change } from '../config/cost.js';
import { boundTo, placeFor, readFor, shownOrigin, type Bound } from '../config/place.js';
import type { Problem } from '../config/problem.js';
import { redactSettings } from '../config/redact.js';
import { isLocked } from '../config/remote.js';
import type { Redactor } from '../config/redactor.js';
import { DEFAULT, type Layers, type Resolved } from '../config/resolve.js';
import { allowed, misfit } from '../config/row.js';
import { HANDED_OVER } from '../config/secrets.js';
import { get, OUTPUT_NAME, outputName, rowOf, type Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Storage } from '../machine/storage/storage.js';
import {
  decisionOf,
  hashOf,
  isFollowed,
  readDocument,
  rejected,
  weigh,
  type Complaint,
  type Decision,
  type Document,
  type Refusal,
} from './decision.js';
import { layerTitle, Layering } from './layering.js';
import { keptWith, valueAt, withSecret, withValue } from './remembered.js';
import { Trial, type Applied, type Excess, type TrialDependencies } from './trial.js';
import { SerialQueue } from '../broadcast/serialqueue.js';

/** A layer that is set remotely; groups by name. */
export type LayerName = 'device' | 'page' | `group ${string}`;

/** What became of remote changes, for anyone who may look: holds no secret. */
export interface SteeringReport {
  readonly decisions: Readonly<Record<string, Decision>>;
  /** The last document of each layer that was refused without a decision, until the next is decided. */
  readonly refusals: Readonly<Record<string, Refusal>>;
  readonly settings: Settings;
  /** Which layer gave each setting. */
  readonly origin: Readonly<Record<string, string>>;
  /** Settings in the layers that this release does not know. */
  readonly ignored: Resolved['ignored'];
  /** Outputs for whose new address no stream key was given. */
  readonly held: readonly Complaint[];
  /** Recordings that will be deleted once the change on probation is proved. */
  readonly deletes?: Excess;
}

/** The arguments of `set-secret`. */
export interface SecretToSet {
  readonly path: string;
  /** Without it the secret is forgotten. */
  readonly value?: string;
  /** An origin, or a pattern of origins, that it is for; without it, what is in force. */
  readonly for?: string;
  /** It may be sent there even where the certificate is not checked. */
  readonly insecure?: true;
}

/** What became of it. */
export interface SecretSet {
  /** The address it is for; absent where it waits for the first one. */
  readonly for?: string;
  /** Whether it is used anywhere now. */
  readonly used: boolean;
}

/** Documents of one layer that came at the same moment. */
interface Waiting {
  readonly newest: Document;
  /** Decided after it: documents with no higher version, and those that build on a version and may have lost against it. */
  readonly others: readonly Document[];
}

/** A controller that compares and sets waits for the answer: more than this at once is a flood. */
const mostOthers = 8;

export class Steering {
  readonly #layering: Layering;
  readonly #trial: Trial;
  #dependencies: TrialDependencies | undefined;
  /** Whatever changes the state runs one at a time. */
  readonly #queue = new SerialQueue();
  /** Documents of each layer that are not decided yet. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #listeners = new Set<(changed: readonly Change[]) => void>();
  #ending = false;

  /** `read` gives the layers of file and environment; `redactor` learns every secret before it is used; `release`: who decides. `wallMs`: since 1970, where the clock is set. */
  constructor(
    read: () => Promise<Layers>,
    storage: Storage,
    private readonly redactor: Redactor,
    private readonly release: string,
    private readonly wallMs: () => number | undefined = () => undefined,
  ) {
    this.#layering = new Layering(read, storage.folder);
    this.#trial = new Trial(storage, this.#layering, redactor, {
      inTurn: (work) => this.#queue.run(work),
      tell: (changed) => this.#tell(changed),
    });
  }

  /** The settings to begin with. A change that was still on probation when the power went is undone. */
  async open(): Promise<{
    readonly resolved: Resolved;
    /** Wrong in file and environment. */ readonly own: Problem[];
    /** What the broadcast is to go by. */ readonly inForce: Settings;
  }> {
    await this.#trial.open();
    const base = await this.#layering.read(this.#trial.state.kept);
    this.redactor.leaving(base.resolved.secrets);
    this.#layering.use(base);
    await this.#trial.begin();
    return { resolved: this.resolved, own: base.resolved.problems, inForce: this.#trial.inForce };
  }

  /** From now on changes are applied. */
  attach(dependencies: TrialDependencies): void {
    this.#dependencies = dependencies;
    this.#trial.attach(dependencies);
  }

  get resolved(): Resolved {
    return this.#trial.resolved;
  }

  /** A change is in force that nothing has proved yet. */
  get isOnProbation(): boolean {
    return this.#trial.state.pending !== undefined;
  }

  report(): SteeringReport {
    const { settings, ignored, held } = this.resolved;
    const refusals = [...this.#refusals].filter(([layer]) => isFollowed(layer, settings.mqtt.groups));
    return {
      decisions: this.#trial.state.decisions,
      refusals: Object.fromEntries(refusals),
      settings: redactSettings(settings),
      origin: this.#layering.originOf(this.resolved),
      ignored,
      ...(this.#trial.excess ? { deletes: this.#trial.excess } : {}),
      held: held.map(({ path, code, message }) => ({ path, code, message })),
    };
  }

  /** Calls `listener` after every decision and every change of the settings, until `signal` aborts. */
  onChange(listener: (changed: readonly Change[]) => void, signal?: AbortSignal): void {
    this.#listeners.add(listener);
    signal?.addEventListener('abort', () => this.#listeners.delete(listener));
  }

  /** A change of one of these settings is only proved where `worked` says so at the end of the probation, and not what is in its way. */
  provedBy(paths: readonly string[], worked: () => boolean | FaultReport): void {
    this.#trial.probation.provedBy(paths, worked);
  }

  /** A whole layer, as it came. Resolves once it is applied, rejected or refused; what has become of it is in the report. */
  async propose(layer: LayerName, given: unknown): Promise<void> {
    if (this.#ending || !isFollowed(layer, this.resolved.settings.mqtt.groups)) return;
    const document = readDocument(given);
    if ('code' in document) return this.refuse(layer, document);
    const waiting = this.#waiting.get(layer);
    this.#waiting.set(layer, waiting ? joined(waiting, document) : { newest: document, others: [] });
    if (waiting) return;
    // A document that was written while the device was off arrives before the stream is up.
    if (this.#trial.isStarting) await this.#trial.started();
    const change = await this.#queue.run(async () => {
      const { newest, others } = this.#waiting.get(layer)!;
      this.#waiting.delete(layer);
      let made = await this.#tried(layer, newest);
      for (const other of others) made = (await this.#tried(layer, other)) ?? made;
      return made;
    });
    // The sender reads in the report what became of it.
    await change?.confirmed.catch(() => undefined);
  }

  #tried(layer: LayerName, document: Document): Promise<Applied | undefined> {
    return this.#propose(layer, document).catch((error: unknown) => {
      const { code, message } = Fault.from(error);
      this.refuse(layer, { path: '', code, message });
      return undefined;
    });
  }

  /** What came for `layer` is not a document at all. */
  refuse(layer: LayerName, refusal: Refusal): void {
    this.#setAside(layer, refusal);
    this.#tell([]);
  }

  /** Whoever wrote it may have written a secret into it. */
  #setAside(layer: LayerName, refusal: Refusal): void {
    this.#refusals.set(layer, { ...refusal, message: this.redactor.redact(refusal.message) });
  }

  /** Sets one setting in the layer of the page; without a value it is removed from there. Throws a Fault where it is not applied. */
  async adjust(path: string, value: unknown): Promise<void> {
    const change = await this.#queue.run(async () => {
      this.#mustGoOn();
      const before = this.#trial.state.kept.documents['page']?.config ?? {};
      const version = (this.#trial.state.decisions['page']?.version ?? 0) + 1;
      const config = withValue(before, path.split('.'), value);
      // A setting that another release has put there can still be removed.
      const takesOut = value === undefined && hashOf({ version, config: before }) !== hashOf({ version, config });
      if (!rowOf(path) && !takesOut) throw new Fault('setting_unknown', 'There is no setting with that path.');
      const document = readDocument({ version, config });
      if ('code' in document) throw new Fault(document.code, document.message);
      const made = await this.#propose('page', document, path);
      const refusal = this.#refusals.get('page') ?? this.#trial.state.decisions['page']?.errors[0];
      if (refusal) throw new Fault(refusal.code, refusal.message);
      return made;
    });
    await change?.confirmed;
  }

  /** The next document of `layer` may have any version. Throws a Fault where none was decided. */
  async resetVersion(layer: LayerName): Promise<void> {
    await this.#queue.run(async () => {
      const { decisions } = this.#trial.state;
      const decision = decisions[layer];
      if (!decision)
        throw new Fault(
          'command_failed',
          `No document of the layer ${layerTitle(layer)} has been decided.`,
          `Layers with a decision: ${Object.keys(decisions).join(', ')}.`,
        );
      this.#refusals.delete(layer);
      await this.#trial.remember({
        ...this.#trial.state,
        decisions: { ...decisions, [layer]: { ...decision, version: 0 } },
      });
    });
    this.#tell([]);
  }

  /** Sets a secret, or forgets it where it has no value. Throws a Fault where it cannot be set. */
  async setSecret(secret: SecretToSet): Promise<SecretSet> {
    const bound = this.#boundOf(secret);
    await (
      await this.#queue.run(() => this.#setSecret(secret, bound))
    ).confirmed;
    const { settings, origin, bound: known } = this.resolved;
    const { path, value } = secret;
    const place = bound.for ?? known.given[path]?.find((each) => each.value === value)?.for;
    return {
      ...(place === undefined ? {} : { for: shownOrigin(place) }),
      used: value !== undefined && origin[path] === HANDED_OVER && get(settings, path) === value,
    };
  }

  /** The settings file was edited. Nothing changes where it is not valid; what is wrong is the answer. */
  reload(): Promise<Pick<Resolved, 'problems' | 'warnings'> & { readonly changed: readonly Change[] }> {
    return this.#queue.run(async () => {
      const base = await this.#layering.read(this.#trial.state.kept);
      const { problems, warnings, secrets } = base.resolved;
      this.redactor.leaving(secrets);
      if (problems.length > 0) return { problems, warnings, changed: [] };
      this.#layering.use(base);
      return { problems, warnings, changed: await this.#trial.reload() };
    });
  }

  /**
   * The program ends in order. A change that has broken the stream is undone; any other stays, not yet proved. What arrives from here on
   * would be found half done by the next start, and undone: the broker keeps it until then.
   */
  close(): Promise<void> {
    this.#ending = true;
    return this.#queue.run(() => this.#trial.close());
  }

  /** `about`: the one setting that is new in it, of a layer that is otherwise as it was. */
  async #propose(layer: LayerName, document: Document, about?: string): Promise<Applied | undefined> {
    if (this.#ending || !isFollowed(layer, this.resolved.settings.mqtt.groups)) return undefined;
    const answer = weigh(document, this.#trial.state.decisions[layer], this.release, this.wallMs());
    if (answer !== 'decide') {
      if (typeof answer === 'object') this.#setAside(layer, answer);
      else this.#refusals.delete(layer);
      this.#tell([]);
      return undefined;
    }
    this.#refusals.delete(layer);
    const { documents } = this.#trial.state.kept;
    const { version, config } = document;
    const kept = { ...this.#trial.state.kept, documents: { ...documents, [layer]: { version, config } } };
    const decision = decisionOf(document, this.release);
    const inForce = this.resolved.settings.outputs;
    let resolved = this.#layering.resolve(kept, layer, inForce);
    this.redactor.addPassing(resolved.secrets);
    let errors = this.#news(resolved);
    if (about !== undefined && errors.length > 0) {
      // Other settings in it that only another release knows stay ignored, as before.
      const before = this.#layering.resolve(this.#trial.state.kept, layer).problems;
      errors = this.#news(
        resolved,
        before.filter(({ path }) => path !== about),
      );
      resolved = this.#layering.resolve(kept, undefined, inForce);
    }
    if (errors.length > 0) {
      await this.#trial.remember({
        ...this.#trial.state,
        decisions: {
          ...this.#trial.state.decisions,
          [layer]: rejected(decision, errors),
        },
      });
      this.#dependencies?.log.warn(
        'change_rejected',
        `${layerTitle(layer)}: version ${version} is rejected: ${errors[0]!.message}`,
      );
      this.#tell([]);
      return undefined;
    }
    if (about !== undefined && isCovered(resolved, layer, config, about))
      throw new Fault(
        'setting_covered',
        `${about} is set in the document of this device, which takes precedence over the page: nothing has changed.`,
        'Change it there (config/desired), or remove it from there.',
      );
    try {
      return await this.#trial.change(layer, keptWith(kept, resolved), decision, resolved);
    } catch (error) {
      const { code, message } = Fault.from(error);
      this.#setAside(layer, { path: '', code, version, message });
      this.#tell([]);
      return undefined;
    }
  }

  /** The place a secret is for: the one that is named, otherwise the one in force. */
  #boundOf({ path, value, for: named, insecure }: SecretToSet): Bound {
    const row = rowOf(path);
    const name = outputName(path);
    const isName = !path.startsWith('outputs.') || (OUTPUT_NAME.test(name) && name !== 'constructor');
    if (!row?.secret || !row.boundTo || !isName)
      throw new Fault('setting_unknown', 'There is no secret setting with that path.');
    // To forget one without naming its place means all of them.
    if (named === undefined && value === undefined) return {};
    if (named === undefined) {
      const { settings } = this.resolved;
      const place = placeFor(path, row.boundTo, (at) => get(settings, at));
      return place ? boundTo(place) : {};
    }
    const origin = readFor(row.boundTo, named);
    if (origin !== undefined) return { for: origin, ...(insecure ? { insecure } : {}) };
    const example = row.boundTo === 'output' ? 'rtmps://*.rtmps.youtube.com/live2' : 'mqtts://broker.example.org';
    throw new Fault(
      'command_malformed',
      '"for" is not an address that a secret can be given for.',
      `Write it as ${example}.`,
    );
  }

  async #setSecret({ path, value }: SecretToSet, bound: Bound): Promise<Applied> {
    this.#mustGoOn();
    const row = rowOf(path)!;
    if (isLocked(path, this.#layering.locked))
      throw new Fault(
        'setting_locked',
        `${path} is locked against remote changes.`,
        'Set it in the settings file or the environment.',
      );
    if (value !== undefined && misfit(row.form, value))
      throw new Fault('setting_range', `That is not a valid value for ${path}.`, `Allowed: ${allowed(row)}.`);
    this.redactor.addPassing(value === undefined ? [] : [value]);
    const { kept, decisions } = this.#trial.state;
    const next = withSecret(kept, path, bound, value);
    const resolved = this.#layering.resolve(next, undefined, this.resolved.settings.outputs);
    const [wrong] = this.#news(resolved);
    if (wrong) throw new Fault(wrong.code, wrong.message);
    const version = (decisions['secrets']?.version ?? 0) + 1;
    const decision: Decision = { ...decisionOf({ version, config: {} }, this.release), hash: '' };
    return this.#trial.change('secrets', keptWith(next, resolved), decision, resolved);
  }

  #mustGoOn(): void {
    if (this.#ending)
      throw new Fault('command_failed', 'The program is about to end.', 'Try again once it has restarted.');
  }

  /** The problems of `resolved` that are not in `before`, which is what is in force. */
  #news(resolved: Resolved, before = this.resolved.problems): Problem[] {
    const known = new Set(before.map(({ path, code, layer }) => `${path} ${code} ${layer}`));
    return resolved.problems.filter(({ path, code, layer }) => !known.has(`${path} ${code} ${layer}`));
  }

  #tell(changed: readonly Change[]): void {
    for (const listener of this.#listeners) listener(changed);
  }
}

/**
 * Of several that wait only the newest is decided, and the last of the others is refused with the reason. A document that builds on a
 * version is neither skipped nor taken early: of two controllers that build on the same version the first wins, and the other is told.
 */
function joined({ newest, others }: Waiting, document: Document): Waiting {
  const isNewest = document.base === undefined && document.version > newest.version;
  const second = isNewest ? newest : document;
  if (second.base !== undefined) others = [...others, second];
  else if (!isNewest) others = [...others.filter(({ base }) => base !== undefined), second];
  return { newest: isNewest ? document : newest, others: others.slice(-mostOthers) };
}

/** Whether what `layer` says about `path` has no effect, because a higher layer says otherwise. */
function isCovered({ origin }: Resolved, layer: LayerName, config: Document['config'], path: string): boolean {
  const said = valueAt(config, path.split('.'));
  // An output that is left out has no settings, whoever gives them.
  if (said === undefined || origin[path] === undefined) return false;
  return origin[path] !== (said === null ? DEFAULT : layerTitle(layer));
}
