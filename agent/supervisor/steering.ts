/** The one door for changes from afar: each is decided, validated whole, and tried (trial.ts), or refused with a reason. */
import type { Change } from '../config/cost.js';
import type { Problem } from '../config/problem.js';
import { redactSettings } from '../config/redact.js';
import type { Layers, Resolved } from '../config/resolve.js';
import { rowOf, type Settings } from '../config/settings.js';
import { Fault } from '../errors.js';
import type { Storage } from '../machine/storage.js';
import {
  decisionOf,
  hashOf,
  readDocument,
  rejected,
  weigh,
  type Decision,
  type Document,
  type Refusal,
} from './decision.js';
import { isFollowed, layerTitle, Layering } from './layering.js';
import { withValue } from './remembered.js';
import { Trial, type Applied, type Helm } from './trial.js';

/** A layer that comes from afar; groups by name. */
export type LayerName = 'device' | 'page' | `group ${string}`;

/** What became of what was wanted from afar, for whoever may look: no secret in it. */
export interface SteeringReport {
  readonly decisions: Readonly<Record<string, Decision>>;
  /** The last document of each layer that was refused without a decision, until the next is decided. */
  readonly refusals: Readonly<Record<string, Refusal>>;
  readonly settings: Settings;
  /** Which layer gave each setting. */
  readonly origin: Readonly<Record<string, string>>;
  /** What layers say that this release does not know. */
  readonly ignored: Resolved['ignored'];
}

interface Waiting {
  readonly newest: Document;
  /** Came after it, and is not above it. */
  readonly last?: Document;
}

export class Steering {
  readonly #layering: Layering;
  readonly #trial: Trial;
  #helm: Helm | undefined;
  /** Everything that changes the state goes one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Documents of each layer that are not looked at yet. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #listeners = new Set<(changed: readonly Change[]) => void>();

  /** `read` gives the layers of file and environment; `release`: who decides. */
  constructor(
    read: () => Promise<Layers>,
    storage: Storage,
    private readonly release: string,
  ) {
    this.#layering = new Layering(read, storage.folder);
    this.#trial = new Trial(storage, this.#layering, {
      inTurn: (work) => this.#inTurn(work),
      tell: (changed) => this.#tell(changed),
    });
  }

  /** The settings to begin with. A change that was still on probation when the power went is undone. */
  async open(): Promise<{
    readonly resolved: Resolved;
    /** Wrong in file and environment. */ readonly own: Problem[];
  }> {
    await this.#trial.open();
    const base = await this.#layering.read();
    this.#layering.use(base);
    this.#trial.begin();
    return { resolved: this.resolved, own: base.resolved.problems };
  }

  /** From now on changes are applied. */
  attach(helm: Helm): void {
    this.#helm = helm;
    this.#trial.attach(helm);
  }

  get resolved(): Resolved {
    return this.#trial.resolved;
  }

  /** A change is in force that nothing has proved yet. */
  get isOnProbation(): boolean {
    return this.#trial.state.pending !== undefined;
  }

  report(): SteeringReport {
    const { settings, ignored } = this.resolved;
    return {
      decisions: this.#trial.state.decisions,
      refusals: Object.fromEntries(this.#refusals),
      settings: redactSettings(settings),
      origin: this.#layering.originOf(this.resolved),
      ignored,
    };
  }

  /** Calls `listener` after every decision and every change of the settings. */
  onChange(listener: (changed: readonly Change[]) => void): void {
    this.#listeners.add(listener);
  }

  /** A change of one of these settings is only proved where `worked` says so at the end of the probation. */
  provedBy(paths: readonly string[], worked: () => boolean): void {
    this.#trial.probation.provedBy(paths, worked);
  }

  /** A whole layer, as it came. Resolves once it is applied, rejected or refused; what has become of it is in the report. */
  async propose(layer: LayerName, given: unknown): Promise<void> {
    if (!isFollowed(layer, this.resolved.settings.mqtt.groups)) return;
    const document = readDocument(given);
    if ('code' in document) return this.refuse(layer, clean(document, this.#helm));
    // Of several that wait only the newest is decided, and the last one is told why it is not.
    const waiting = this.#waiting.get(layer);
    const isNewest = !waiting || document.version > waiting.newest.version;
    this.#waiting.set(layer, isNewest ? { newest: document } : { ...waiting, last: document });
    if (waiting) return;
    const change = await this.#inTurn(async () => {
      const { newest, last } = this.#waiting.get(layer)!;
      this.#waiting.delete(layer);
      const made = await this.#tried(layer, newest);
      return (last && (await this.#tried(layer, last))) ?? made;
    });
    await change?.confirmed;
  }

  #tried(layer: LayerName, document: Document): Promise<Applied | undefined> {
    return this.#propose(layer, document).catch((error: unknown) => {
      const { code, message } = Fault.from(error);
      this.refuse(layer, { path: '', code, message });
      return undefined;
    });
  }

  /** What came for `layer` is no document at all. */
  refuse(layer: LayerName, refusal: Refusal): void {
    this.#refusals.set(layer, refusal);
    this.#tell([]);
  }

  /** One setting in the layer of the page; without a value it is taken out of there. Throws a Fault where it is not applied. */
  async adjust(path: string, value: unknown): Promise<void> {
    const change = await this.#inTurn(async () => {
      const before = this.#trial.state.kept.documents['page']?.config ?? {};
      const version = (this.#trial.state.decisions['page']?.version ?? 0) + 1;
      const config = withValue(before, path.split('.'), value);
      // What another release has put there can still be taken out.
      const takesOut = value === undefined && hashOf({ version, config: before }) !== hashOf({ version, config });
      if (!rowOf(path) && !takesOut) throw new Fault('setting_unknown', 'There is no setting of that path.');
      const document = readDocument({ version, config });
      if ('code' in document) throw new Fault(document.code, document.message);
      const made = await this.#propose('page', document, path);
      const refusal = this.#refusals.get('page') ?? this.#trial.state.decisions['page']?.errors[0];
      if (refusal) throw new Fault(refusal.code, refusal.message);
      return made;
    });
    await change?.confirmed;
  }

  /** Sets the secret at `path`, or forgets it where there is none. Throws a Fault where it cannot be set. */
  async setSecret(path: string, value: string | undefined): Promise<void> {
    await (
      await this.#inTurn(() => this.#setSecret(path, value))
    ).confirmed;
  }

  /** The settings file was edited. Nothing changes where it is not valid; what is wrong is the answer. */
  reload(): Promise<Pick<Resolved, 'problems' | 'warnings'> & { readonly changed: readonly Change[] }> {
    return this.#inTurn(async () => {
      const base = await this.#layering.read();
      const { problems, warnings, secrets } = base.resolved;
      this.#helm?.log.redactor.add(secrets);
      if (problems.length > 0) return { problems, warnings, changed: [] };
      this.#layering.use(base);
      return { problems, warnings, changed: await this.#trial.reload() };
    });
  }

  /** The program ends in order. A change that has taken the stream away is undone; any other stays, not yet proved. */
  close(): Promise<void> {
    return this.#inTurn(() => this.#trial.close());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** `about`: the one setting that is new in it, of a layer that is otherwise as it was. */
  async #propose(layer: LayerName, document: Document, about?: string): Promise<Applied | undefined> {
    if (!isFollowed(layer, this.resolved.settings.mqtt.groups)) return undefined;
    const answer = weigh(document, this.#trial.state.decisions[layer], this.release);
    if (answer !== 'decide') {
      if (typeof answer === 'object') this.#refusals.set(layer, clean(answer, this.#helm));
      else this.#refusals.delete(layer);
      this.#tell([]);
      return undefined;
    }
    this.#refusals.delete(layer);
    const { documents } = this.#trial.state.kept;
    const { version, config } = document;
    const kept = { ...this.#trial.state.kept, documents: { ...documents, [layer]: { version, config } } };
    const decision = decisionOf(document, this.release);
    let resolved = this.#layering.resolve(kept, layer);
    this.#helm?.log.redactor.addPassing(resolved.secrets);
    let errors = this.#news(resolved);
    if (about !== undefined && errors.length > 0) {
      // What another release has put beside it stays set aside, as before.
      const before = this.#layering.resolve(this.#trial.state.kept, layer).problems;
      errors = this.#news(
        resolved,
        before.filter(({ path }) => path !== about),
      );
      resolved = this.#layering.resolve(kept);
    }
    if (errors.length > 0) {
      await this.#trial.remember({
        ...this.#trial.state,
        decisions: {
          ...this.#trial.state.decisions,
          [layer]: rejected(decision, errors),
        },
      });
      this.#helm?.log.warn(
        'change_rejected',
        `${layerTitle(layer)}: version ${version} is rejected: ${errors[0]!.message}`,
      );
      this.#tell([]);
      return undefined;
    }
    try {
      return await this.#trial.change(layer, kept, decision, resolved);
    } catch (error) {
      const { code, message } = Fault.from(error);
      this.#refusals.set(layer, { path: '', code, version, message });
      this.#tell([]);
      return undefined;
    }
  }

  async #setSecret(path: string, value: string | undefined): Promise<Applied> {
    const secrets = { ...this.#trial.state.kept.secrets };
    if (value === undefined) delete secrets[path];
    else secrets[path] = value;
    this.#helm?.log.redactor.addPassing(value === undefined ? [] : [value]);
    const kept = { ...this.#trial.state.kept, secrets };
    const resolved = this.#layering.resolve(kept, 'secrets');
    const [wrong] = this.#news(resolved);
    if (wrong) throw new Fault(wrong.code, wrong.message);
    const version = (this.#trial.state.decisions['secrets']?.version ?? 0) + 1;
    const decision: Decision = { ...decisionOf({ version, config: {} }, this.release), hash: '' };
    return this.#trial.change('secrets', kept, decision, resolved);
  }

  /** What is wrong in `resolved` that is not wrong in `before`: now. */
  #news(resolved: Resolved, before = this.resolved.problems): Problem[] {
    const known = new Set(before.map(({ path, code, layer }) => `${path} ${code} ${layer}`));
    return resolved.problems.filter(({ path, code, layer }) => !known.has(`${path} ${code} ${layer}`));
  }

  #tell(changed: readonly Change[]): void {
    for (const listener of this.#listeners) listener(changed);
  }
}

const clean = (refusal: Refusal, helm: Helm | undefined): Refusal => ({
  ...refusal,
  message: helm?.log.redactor.redact(refusal.message) ?? refusal.message,
});
