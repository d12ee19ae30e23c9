/** The trial of a valid change: kept on the card as pending, applied, confirmed by the media processes, then proved or undone. */
import type { Change } from '../config/cost.js';
import type { Redactor } from '../config/redactor.js';
import type { Resolved } from '../config/resolve.js';
import type { Settings } from '../config/settings.js';
import { Fault, type FaultReport } from '../errors.js';
import type { Log } from '../log.js';
import type { Storage } from '../machine/storage/storage.js';
import type { Broadcast } from '../broadcast/broadcast.js';
import type { Decision } from './decision.js';
import type { Layering } from './layering.js';
import { laxer, limitsOf, Probation, withLimits } from './probation.js';
import { isAsLive } from './proof.js';
import {
  handedOver,
  keptWith,
  livedThrough,
  nothingKept,
  onCard,
  pruned,
  passed,
  stateFormat,
  stateName,
  undone,
  type Kept,
  type Remembered,
} from './remembered.js';
import { isOn, type BroadcastStatus } from '../broadcast/status.js';
import { isWanted } from '../broadcast/wants.js';

/** What a trial needs of the program around it. */
export interface TrialDependencies {
  readonly log: Log;
  readonly broadcast: Pick<Broadcast, 'apply' | 'applied' | 'status'>;
  /** The existing recordings that will be deleted under these settings. */
  readonly excess?: (settings: Settings) => Promise<Excess>;
}

/** Recordings that a limit has no room for. */
export interface Excess {
  readonly files: number;
  readonly bytes: number;
}

/** A change that was handed to the broadcast. */
export interface Applied {
  /** Resolves once the media processes have confirmed it; rejects if it was undone first. A newer change does not wait for it. */
  readonly confirmed: Promise<void>;
}

/** Interval of the checks whether a change that was never proved has become live. */
const pollMs = 1000;
/** Interval of the checks whether a broadcast that is starting has become live. */
const startPollMs = 200;
/** A state that could not be written is written again after this many polls: each failure is reported. */
const keepPolls = 10;

const neverConfirmed = (by: string): FaultReport =>
  new Fault(
    'change_undone',
    `The media processes have not confirmed the change ${by}.`,
    'The last good settings are back.',
  ).report();

/** How the trial calls back into steering. */
export interface TrialEvents {
  /** Runs `work` once all earlier changes of the state are done. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** After every decision and every change of the settings. */
  tell(changed: readonly Change[]): void;
}

export class Trial {
  readonly probation = new Probation();
  #state: Remembered = nothingKept;
  #resolved!: Resolved;
  #dependencies: TrialDependencies | undefined;
  /** The settings before the first of the changes on probation. */
  #proved: Settings | undefined;
  #excess: Excess | undefined;
  #polling: NodeJS.Timeout | undefined;
  #polls = 0;
  /** The card holds another state than this. */
  #unkept = false;

  constructor(
    private readonly storage: Storage,
    private readonly layering: Layering,
    private readonly redactor: Pick<Redactor, 'inForce' | 'leaving'>,
    private readonly events: TrialEvents,
  ) {}

  /** Reads the card. A change that was still on probation when the power failed is undone. */
  async open(): Promise<void> {
    this.#state = await onCard(this.storage);
    const { kept, pending } = this.#state;
    this.redactor.leaving([kept, pending?.before].flatMap((each) => (each ? handedOver(each) : [])));
    if (!pending) return;
    const what = 'The program was killed, or the machine lost power, while a change was on probation.';
    await this.remember(undone(this.#state, new Fault('change_undone', what).report()));
  }

  attach(dependencies: TrialDependencies): void {
    this.#dependencies = dependencies;
    this.#poll();
  }

  get state(): Remembered {
    return this.#state;
  }

  /** The settings the broadcast follows: those in force, except for limits that nothing has proved yet. */
  get inForce(): Settings {
    const { settings } = this.#resolved;
    return this.#proved ? laxer(this.#proved, settings) : settings;
  }

  /** The settings in force. */
  get resolved(): Resolved {
    return this.#resolved;
  }

  /** What will be deleted once the change on probation is proved. */
  get excess(): Excess | undefined {
    return this.#excess;
  }

  /** The broadcast is starting, and nothing is on probation. */
  get isStarting(): boolean {
    return !this.#state.pending && this.#dependencies?.broadcast.status().actual === 'starting';
  }

  /** Resolves once it is live or has failed, at the latest after a probation: a change can only be judged by what was live. */
  async started(): Promise<void> {
    const mostMs = this.#resolved.settings.config.probationSeconds * 1000;
    for (let waitedMs = 0; this.isStarting && waitedMs < mostMs; waitedMs += startPollMs)
      await new Promise((done) => setTimeout(done, startPollMs).unref());
  }

  /** Puts in force what is kept, with file and environment as they are now. */
  async begin(): Promise<void> {
    const resolved = this.layering.resolve(this.#state.kept);
    this.redactor.inForce(resolved.secrets);
    this.#resolved = resolved;
    const { limits } = this.#state;
    if (limits) this.#proved = withLimits(this.#resolved.settings, limits);
    await this.#learn();
  }

  /** Keeps what is now known about what each secret is for, and where the outputs go. */
  async #learn(): Promise<void> {
    const kept = keptWith(this.#state.kept, this.#resolved);
    if (JSON.stringify(kept) !== JSON.stringify(this.#state.kept)) await this.remember({ ...this.#state, kept });
  }

  /** False where it could not be written; it is retried, or the next power cut would undo what was proved. */
  async remember({ limits: _, ...state }: Remembered): Promise<boolean> {
    // Across restarts too, a change that nothing has proved deletes nothing.
    const limits = this.#proved && this.#isLax ? { limits: limitsOf(this.#proved) } : {};
    this.#state = { ...state, ...limits };
    const kept = await this.storage.writeState(stateName, stateFormat, this.#state);
    this.#unkept = !kept;
    return kept;
  }

  /** Takes a valid change: on the card as pending, then applied, then on probation. */
  async change(layer: string, kept: Kept, decision: Decision, resolved: Resolved): Promise<Applied> {
    const dependencies = this.#dependencies;
    if (!dependencies) throw new Fault('internal', 'A change arrived before there was a broadcast to apply it to.');
    const state = this.#state;
    const { pending } = state;
    // The last good settings are those before the first of several changes that nothing has proved yet.
    const before = pending?.before ?? state.kept;
    const proved = this.#proved ?? this.#resolved.settings;
    const layers = [...new Set([...(pending?.layers ?? []), layer])];
    const decisions = { ...state.decisions, [layer]: decision };
    if (!(await this.remember({ kept, decisions, pending: { before, layers } }))) {
      this.#state = state;
      throw new Fault(
        'state_unwritable',
        'The change could not be saved to the data folder, and was not applied.',
        'Free some space there, and make it writable.',
      );
    }
    this.probation.begin(dependencies.broadcast.status(), pending !== undefined);
    this.#proved = proved;
    this.events.tell([]);
    let changed: Change[];
    try {
      changed = await this.#apply(resolved);
    } catch (error) {
      await this.#undo(Fault.from(error).report());
      throw error;
    }
    this.probation.touch(changed);
    await this.#foretell(resolved.settings);
    const deadlineMs = resolved.settings.config.probationSeconds * 1000;
    this.probation.endIn(deadlineMs, () => void this.events.inTurn(() => this.#judge()));
    const done = this.probation.confirmedBy(dependencies.broadcast.applied());
    const confirmed = done.then(() => this.events.inTurn(() => this.#confirm(layer, decision, changed)));
    // The report says so too, and not everyone waits for it.
    confirmed.catch(() => undefined);
    return { confirmed };
  }

  /** The media processes have done it, or it is over. Throws the reason where it was undone; a newer change may have replaced it. */
  async #confirm(layer: string, decision: Decision, changed: readonly Change[]): Promise<void> {
    const { decisions, pending, kept } = this.#state;
    const now = decisions[layer];
    if (now !== decision) {
      const { status, version, reason } = now ?? {};
      if (status === 'rolled_back' && version === decision.version && reason)
        throw new Fault(reason.code, reason.what, reason.remedy);
      return;
    }
    // A change without effect has nothing to prove, unless another one has.
    const proves = changed.length === 0 && !this.#isLax && pending?.layers.length === 1;
    const applied: Decision = { ...decision, status: 'applied', proved: proves };
    const state = { kept, decisions: { ...decisions, [layer]: applied } };
    await this.remember(proves || !pending ? this.#pruned(state) : { ...state, pending });
    if (proves) await this.#commit();
    const list = changed.map(({ path }) => path).join(', ');
    if (changed.length > 0)
      this.#dependencies?.log.info('settings_applied', `Settings applied remotely: ${list}.`, { changed });
    this.events.tell(changed);
  }

  /** Without the documents of groups that the device has left. */
  #pruned(state: Remembered): Remembered {
    return pruned(state, this.#resolved.settings.mqtt.groups);
  }

  /** File or environment have changed. */
  async reload(): Promise<Change[]> {
    const inForce = this.#resolved.settings.outputs;
    const changed = await this.#impose(this.layering.resolve(this.#state.kept, undefined, inForce));
    await this.#learn();
    this.events.tell([]);
    if (!this.#state.pending) await this.remember(this.#pruned(this.#state));
    return changed;
  }

  /** The program ends: a change that has broken the stream is undone; any other stays, not yet proved. */
  async close(): Promise<void> {
    clearInterval(this.#polling);
    const { pending, ...rest } = this.#state;
    if (!pending || !this.#dependencies) return;
    const status = this.#dependencies.broadcast.status();
    // It is too late to judge by what is on the air.
    if (status.actual === 'stopping') return;
    const reason = this.#harm(status, 'when the program was told to end');
    this.probation.finish();
    await this.remember(reason ? undone(this.#state, reason) : passed(rest, false));
  }

  async #apply(resolved: Resolved): Promise<Change[]> {
    this.redactor.inForce(resolved.secrets);
    this.#resolved = resolved;
    const changed = (await this.#dependencies?.broadcast.apply(this.inForce)) ?? [];
    if (changed.length > 0) this.events.tell(changed);
    return changed;
  }

  /** A laxer limit is in force than the one that is wanted. */
  get #isLax(): boolean {
    const { settings } = this.#resolved;
    return this.#proved !== undefined && laxer(this.#proved, settings) !== settings;
  }

  /** Nothing is on probation any more. */
  #forget(): void {
    this.probation.finish();
    this.#proved = undefined;
    this.#excess = undefined;
  }

  /** What is in force is proved: limits that delete apply from here on. */
  async #commit(): Promise<void> {
    const isLax = this.#isLax;
    this.#forget();
    if (isLax) await this.#impose(this.#resolved);
  }

  /** Announces what the settings will delete, while they can still be taken back. */
  async #foretell(settings: Settings): Promise<void> {
    const excess = this.#isLax ? await this.#dependencies?.excess?.(settings) : undefined;
    this.#excess = excess && excess.files > 0 ? excess : undefined;
    if (!this.#excess) return;
    const { files, bytes } = this.#excess;
    const what = `${files} recordings (${(bytes / 1e9).toFixed(2)} GB) will be deleted, one a second`;
    this.#dependencies?.log.warn('recordings_to_delete', `Once this change of recording limits is proved, ${what}.`, {
      files,
      bytes,
    });
    this.events.tell([]);
  }

  #harm(status: BroadcastStatus, by: string): FaultReport | undefined {
    return this.probation.harm(status, by, isWanted(this.#resolved.settings));
  }

  /** Applies the settings, and logs what the broadcast fails at: they are wanted from here on all the same. */
  async #impose(resolved: Resolved): Promise<Change[]> {
    try {
      return await this.#apply(resolved);
    } catch (error) {
      const { code, message } = Fault.from(error);
      this.#dependencies?.log.error(code, `[${code}] ${message}`, { code });
      return [];
    }
  }

  /** Judges the change at the end of the probation, or `moreMs` after it, where it may still recover. */
  async #judge(moreMs = 0): Promise<void> {
    const { pending, ...rest } = this.#state;
    if (!pending || !this.#dependencies) return;
    const status = this.#dependencies.broadcast.status();
    const deadlineMs = this.#resolved.settings.config.probationSeconds * 1000;
    const by = `within ${(deadlineMs + moreMs) / 1000} s`;
    const harm = this.#harm(status, by);
    const reason = harm ?? (isOn(status) && !this.probation.isConfirmed ? neverConfirmed(by) : undefined);
    if (reason && moreMs < this.probation.graceMs(deadlineMs, harm !== undefined))
      return this.probation.endIn(pollMs, () => void this.events.inTurn(() => this.#judge(moreMs + pollMs)));
    if (reason) return this.#undo(reason);
    const live = isAsLive(status);
    await this.remember(this.#pruned(passed(rest, live)));
    if (live) await this.#commit();
    else this.probation.finish();
    this.events.tell([]);
  }

  /** The last good settings come back. */
  async #undo(reason: FaultReport): Promise<void> {
    this.#forget();
    const before = undone(this.#state, reason);
    await this.storage.writeState(stateName, stateFormat, before);
    this.#state = before;
    const back = this.#impose(this.layering.resolve(before.kept));
    this.#dependencies?.log.warn('change_undone', `[change_undone] ${reason.what} ${reason.remedy}`, {
      code: 'change_undone',
    });
    await back;
    await this.#learn();
    this.events.tell([]);
  }

  /** Polls whether a change that was applied while nothing was on the air is live, which proves it. */
  #poll(): void {
    this.#polling = setInterval(() => {
      this.#polls += 1;
      if (this.#unkept && this.#polls % keepPolls === 0) void this.events.inTurn(() => this.remember(this.#state));
      const { pending, decisions, kept } = this.#state;
      const isLive = this.#dependencies !== undefined && isAsLive(this.#dependencies.broadcast.status());
      if (isLive && livedThrough(kept) !== kept)
        void this.events.inTurn(() => this.remember({ ...this.#state, kept: livedThrough(this.#state.kept) }));
      if (pending && this.#dependencies)
        this.probation.look(this.#harm(this.#dependencies.broadcast.status(), '') !== undefined);
      const open = Object.values(decisions).some(({ status, proved: done }) => status === 'applied' && !done);
      if (pending || !open || !isLive) return;
      void this.events.inTurn(async () => {
        if (this.#state.pending) return;
        await this.remember(passed(this.#state, true));
        await this.#commit();
        this.events.tell([]);
      });
    }, pollMs);
    this.#polling.unref();
  }
}
