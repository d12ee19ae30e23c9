/** Steers the broadcast from afar: each change is validated whole, kept on the card, applied at its cost, and proved or undone. */
import type { Change } from '../config/cost.js';
import { rowOf } from '../config/merge.js';
import type { Problem } from '../config/problem.js';
import { redactSettings } from '../config/redact.js';
import type { Layers, Resolved } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import type { Storage } from '../machine/storage.js';
import type { Broadcast } from './broadcast.js';
import { hashOf, readDocument, weigh, type Decision, type Document, type Refusal } from './decision.js';
import { layerTitle, Layering } from './layering.js';
import { hadStream, isBack, mark, type Mark } from './proof.js';
import { isRemembered, nothingKept, settledBy, undone, withValue, type Kept, type Remembered } from './remembered.js';

/** A layer that comes from afar; groups by name. */
export type LayerName = 'device' | 'page' | `group ${string}`;

/** What the program around it gives. */
export interface Helm {
  readonly log: Log;
  readonly broadcast: Pick<Broadcast, 'apply' | 'settled' | 'status'>;
}

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

/** A change that was handed to the broadcast. */
interface Applied {
  /** Resolves once the media processes have confirmed it, or the probation is over. A newer change does not wait for it. */
  readonly confirmed: Promise<void>;
}

const stateName = 'steering';
/** Not to be raised, since a file of another format is set aside, and a downgrade would lose the layers: fields may only be added. */
const stateFormat = 1;
/** How often it is looked whether what was never proved has become live. */
const lookMs = 1000;

export class Steering {
  #state: Remembered = nothingKept;
  readonly #layering: Layering;
  #resolved!: Resolved;
  #helm: Helm | undefined;
  #mark: Mark | undefined;
  #probation: NodeJS.Timeout | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** Everything that changes the state goes one after the other. */
  #turn: Promise<unknown> = Promise.resolve();
  /** The latest document of each layer that is not looked at yet. */
  readonly #waiting = new Map<string, unknown>();
  readonly #refusals = new Map<string, Refusal>();
  readonly #listeners = new Set<(changed: readonly Change[]) => void>();
  /** By the paths that it is about: whether a change there has worked. */
  readonly #provers = new Map<readonly string[], () => boolean>();
  /** Paths that were changed since the last good settings. */
  readonly #touched = new Set<string>();

  /** `read` gives the layers of file and environment; `release`: who decides. */
  constructor(
    read: () => Promise<Layers>,
    private readonly storage: Storage,
    private readonly release: string,
  ) {
    this.#layering = new Layering(read, storage.folder);
  }

  /** The settings to begin with. A change that was still on probation when the power went is undone. */
  async open(): Promise<{
    readonly resolved: Resolved;
    /** Wrong in file and environment. */ readonly own: Problem[];
  }> {
    this.#state = (await this.storage.readState(stateName, stateFormat, isRemembered)) ?? nothingKept;
    const { pending } = this.#state;
    if (pending) {
      const what = 'The program or the machine was cut off while a change was on probation.';
      await this.#remember(undone(this.#state, new Fault('change_undone', what).report()));
    }
    const base = await this.#layering.read();
    this.#layering.use(base);
    this.#resolved = this.#layering.resolve(this.#state.kept);
    return { resolved: this.#resolved, own: base.resolved.problems };
  }

  /** From now on changes are applied. */
  attach(helm: Helm): void {
    this.#helm = helm;
    this.#look();
  }

  get resolved(): Resolved {
    return this.#resolved;
  }

  /** A change is in force that nothing has proved yet. */
  get isOnProbation(): boolean {
    return this.#state.pending !== undefined;
  }

  report(): SteeringReport {
    const { settings, ignored } = this.#resolved;
    return {
      decisions: this.#state.decisions,
      refusals: Object.fromEntries(this.#refusals),
      settings: redactSettings(settings),
      origin: this.#layering.originOf(this.#resolved),
      ignored,
    };
  }

  /** Calls `listener` after every decision and every change of the settings. */
  onChange(listener: (changed: readonly Change[]) => void): void {
    this.#listeners.add(listener);
  }

  /** A change of one of these settings is only proved where `worked` says so at the end of the probation. */
  provedBy(paths: readonly string[], worked: () => boolean): void {
    this.#provers.set(paths, worked);
  }

  /** A whole layer, as it came. Resolves once it is applied, rejected or refused; what has become of it is in the report. */
  async propose(layer: LayerName, given: unknown): Promise<void> {
    // Of several that wait only the last is looked at.
    const waits = this.#waiting.has(layer);
    this.#waiting.set(layer, given);
    if (waits) return;
    const change = await this.#inTurn(() => {
      const latest = this.#waiting.get(layer);
      this.#waiting.delete(layer);
      return this.#propose(layer, latest).catch((error: unknown) => {
        const { code, message } = Fault.from(error);
        return this.refuse(layer, { path: '', code, message });
      });
    });
    await change?.confirmed;
  }

  /** What came for `layer` is no document at all. */
  refuse(layer: LayerName, refusal: Refusal): void {
    this.#refusals.set(layer, refusal);
    this.#tell([]);
  }

  /** One setting in the layer of the page; without a value it is taken out of there. Throws a Fault where it is not applied. */
  async adjust(path: string, value: unknown): Promise<void> {
    const change = await this.#inTurn(async () => {
      const before = this.#state.kept.documents['page']?.config ?? {};
      const version = (this.#state.decisions['page']?.version ?? 0) + 1;
      const config = withValue(before, path.split('.'), value);
      // What another release has put there can still be taken out.
      const takesOut = value === undefined && hashOf({ version, config: before }) !== hashOf({ version, config });
      if (!rowOf(path) && !takesOut) throw new Fault('setting_unknown', 'There is no setting of that path.');
      const document = { version, config };
      const made = await this.#propose('page', document, path);
      const refusal = this.#refusals.get('page') ?? this.#state.decisions['page']?.errors[0];
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
      const changed = await this.#apply(this.#layering.resolve(this.#state.kept));
      this.#tell([]);
      if (!this.#state.pending) await this.#remember(this.#pruned(this.#state));
      return { problems, warnings, changed };
    });
  }

  /** The program ends in order. A change that has taken the stream away is undone; any other stays, not yet proved. */
  async close(): Promise<void> {
    clearTimeout(this.#probation);
    clearInterval(this.#looking);
    await this.#inTurn(async () => {
      const { pending, ...rest } = this.#state;
      if (!pending || !this.#helm) return;
      const reason = this.#harm(this.#helm.broadcast.status());
      await this.#remember(reason ? undone(this.#state, reason) : settledBy(rest, false));
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** `about`: the one setting that is new in it, of a layer that is otherwise as it was. */
  async #propose(layer: LayerName, given: unknown, about?: string): Promise<Applied | undefined> {
    if (!this.#isFollowed(layer)) return undefined;
    const document = readDocument(given);
    const answer = 'code' in document ? document : weigh(document, this.#state.decisions[layer], this.release);
    if (answer !== 'decide' || 'code' in document) {
      if (typeof answer === 'object') this.#refusals.set(layer, clean(answer, this.#helm));
      else this.#refusals.delete(layer);
      this.#tell([]);
      return undefined;
    }
    this.#refusals.delete(layer);
    const { documents } = this.#state.kept;
    const { version, config } = document;
    const kept = { ...this.#state.kept, documents: { ...documents, [layer]: { version, config } } };
    const decision = this.#decision(document);
    let resolved = this.#layering.resolve(kept, layer);
    this.#helm?.log.redactor.addPassing(resolved.secrets);
    let errors = this.#news(resolved);
    if (about !== undefined && errors.length > 0) {
      // What another release has put beside it stays set aside, as before.
      const before = this.#layering.resolve(this.#state.kept, layer).problems;
      errors = this.#news(
        resolved,
        before.filter(({ path }) => path !== about),
      );
      resolved = this.#layering.resolve(kept);
    }
    if (errors.length > 0) {
      await this.#remember({
        ...this.#state,
        decisions: {
          ...this.#state.decisions,
          [layer]: {
            ...decision,
            status: 'rejected',
            errors: errors.map(({ path, code, message }) => ({ path, code, message })),
          },
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
      return await this.#change(layer, kept, decision, resolved);
    } catch (error) {
      const { code, message } = Fault.from(error);
      this.#refusals.set(layer, { path: '', code, version, message });
      this.#tell([]);
      return undefined;
    }
  }

  async #setSecret(path: string, value: string | undefined): Promise<Applied> {
    const secrets = { ...this.#state.kept.secrets };
    if (value === undefined) delete secrets[path];
    else secrets[path] = value;
    this.#helm?.log.redactor.addPassing(value === undefined ? [] : [value]);
    const kept = { ...this.#state.kept, secrets };
    const resolved = this.#layering.resolve(kept, 'secrets');
    const [wrong] = this.#news(resolved);
    if (wrong) throw new Fault(wrong.code, wrong.message);
    const version = (this.#state.decisions['secrets']?.version ?? 0) + 1;
    const decision: Decision = { ...this.#decision({ version, config: {} }), hash: '' };
    return this.#change('secrets', kept, decision, resolved);
  }

  #decision(document: Document): Decision {
    const { version, by } = document;
    return {
      version,
      hash: hashOf(document),
      release: this.release,
      status: 'pending',
      proved: false,
      ...(by === undefined ? {} : { by }),
      errors: [],
    };
  }

  /** What is wrong in `resolved` that is not wrong in `before`: now. */
  #news(resolved: Resolved, before = this.#resolved.problems): Problem[] {
    const known = new Set(before.map(({ path, code, layer }) => `${path} ${code} ${layer}`));
    return resolved.problems.filter(({ path, code, layer }) => !known.has(`${path} ${code} ${layer}`));
  }

  /** A valid change: on the card as pending, then applied, then on probation. */
  async #change(layer: string, kept: Kept, decision: Decision, resolved: Resolved): Promise<Applied> {
    const helm = this.#helm;
    if (!helm) throw new Fault('internal', 'A change came before the broadcast was there.');
    const state = this.#state;
    const { pending } = state;
    // The last good settings are those before the first of several changes that nothing has proved yet.
    const before = pending?.before ?? state.kept;
    const layers = [...new Set([...(pending?.layers ?? []), layer])];
    const decisions = { ...state.decisions, [layer]: decision };
    if (!(await this.#remember({ kept, decisions, pending: { before, layers } }))) {
      this.#state = state;
      throw new Fault('state_unwritable', 'The change could not be kept, and was not applied.');
    }
    this.#mark = pending && this.#mark ? this.#mark : mark(helm.broadcast.status());
    clearTimeout(this.#probation);
    this.#tell([]);
    const changed = await this.#apply(resolved);
    for (const { path } of changed) this.#touched.add(path);
    const deadlineMs = resolved.settings.config.probationSeconds * 1000;
    this.#probation = setTimeout(() => void this.#inTurn(() => this.#judge()), deadlineMs);
    const late = new Promise((done) => setTimeout(done, deadlineMs).unref());
    const settled = Promise.race([helm.broadcast.settled(), late]);
    return { confirmed: settled.then(() => this.#inTurn(() => this.#confirm(layer, decision, changed))) };
  }

  /** The media processes have done it. Nothing is left to say where it was undone, or a newer change has taken its place. */
  async #confirm(layer: string, decision: Decision, changed: readonly Change[]): Promise<void> {
    const { decisions, pending, kept } = this.#state;
    if (decisions[layer] !== decision) return;
    // What changes nothing has nothing to prove, unless something else has.
    const proves = changed.length === 0 && pending?.layers.length === 1;
    const applied: Decision = { ...decision, status: 'applied', proved: proves };
    const state = { kept, decisions: { ...decisions, [layer]: applied } };
    await this.#remember(proves || !pending ? this.#pruned(state) : { ...state, pending });
    if (proves) this.#settle();
    const list = changed.map(({ path }) => path).join(', ');
    if (changed.length > 0)
      this.#helm?.log.info('settings_applied', `Settings applied from afar: ${list}.`, { changed });
    this.#tell(changed);
  }

  async #apply(resolved: Resolved): Promise<Change[]> {
    this.#helm?.log.redactor.add(resolved.secrets);
    this.#resolved = resolved;
    const changed = (await this.#helm?.broadcast.apply(resolved.settings)) ?? [];
    if (changed.length > 0) this.#tell(changed);
    return changed;
  }

  /** The end of the probation. */
  async #judge(): Promise<void> {
    const { pending, ...rest } = this.#state;
    if (!pending || !this.#helm) return;
    const status = this.#helm.broadcast.status();
    const reason = this.#harm(status);
    this.#settle();
    if (!reason) {
      await this.#remember(this.#pruned(settledBy(rest, status.actual === 'live')));
      return this.#tell([]);
    }
    const before = undone(this.#state, reason);
    await this.storage.writeState(stateName, stateFormat, before);
    this.#state = before;
    const back = this.#apply(this.#layering.resolve(before.kept));
    this.#helm.log.warn('change_undone', `[change_undone] ${reason.what} ${reason.mend}`, { code: 'change_undone' });
    await back;
    this.#tell([]);
  }

  /** Nothing is on probation any more. */
  #settle(): void {
    clearTimeout(this.#probation);
    this.#mark = undefined;
    this.#touched.clear();
  }

  /** What a change on probation has done to the stream or to the way to whoever steers, if anything. */
  #harm(status: ReturnType<Broadcast['status']>): FaultReport | undefined {
    const { probationSeconds } = this.#resolved.settings.config;
    const mend = 'The last good settings are back.';
    const undoes = (what: string): FaultReport => new Fault('change_undone', what, mend).report();
    if (this.#mark && hadStream(this.#mark) && !isBack(this.#mark, status)) {
      const problem = status.problems[0] ?? Object.values(status.outputs).find(({ fault }) => fault)?.fault;
      const why = problem ? ` (${problem.code}: ${problem.what})` : '';
      return undoes(`The stream was live, and was not live again within ${probationSeconds} s${why}.`);
    }
    for (const [paths, worked] of this.#provers) {
      const touched = paths.filter((path) => this.#touched.has(path));
      if (touched.length > 0 && !worked())
        return undoes(`A change of ${touched.join(', ')} has not worked within ${probationSeconds} s.`);
    }
    return undefined;
  }

  /** Without what came from groups that were left: who joins again begins anew. */
  #pruned({ kept, decisions }: Remembered): Remembered {
    const of = <T>(layers: Readonly<Record<string, T>>): Record<string, T> =>
      Object.fromEntries(Object.entries(layers).filter(([name]) => this.#isFollowed(name)));
    return { kept: { ...kept, documents: of(kept.documents) }, decisions: of(decisions) };
  }

  #isFollowed(layer: string): boolean {
    const [kind, group = ''] = layer.split(' ');
    return kind !== 'group' || this.#resolved.settings.mqtt.groups.includes(group);
  }

  /** What was applied while nothing was on the air is proved once it is live. */
  #look(): void {
    this.#looking = setInterval(() => {
      const { pending, decisions } = this.#state;
      const open = Object.values(decisions).some(({ status, proved: done }) => status === 'applied' && !done);
      if (pending || !open || this.#helm?.broadcast.status().actual !== 'live') return;
      void this.#inTurn(async () => {
        if (this.#state.pending) return;
        await this.#remember(settledBy(this.#state, true));
        this.#tell([]);
      });
    }, lookMs);
    this.#looking.unref();
  }

  #remember(state: Remembered): Promise<boolean> {
    this.#state = state;
    return this.storage.writeState(stateName, stateFormat, state);
  }

  #tell(changed: readonly Change[]): void {
    for (const listener of this.#listeners) listener(changed);
  }
}

const clean = (refusal: Refusal, helm: Helm | undefined): Refusal => ({
  ...refusal,
  message: helm?.log.redactor.redact(refusal.message) ?? refusal.message,
});
