/** balena: updates wait while something is delivered and are let in when it suits, the dashboard shows how we are, commands go to the Supervisor. */
import { existsSync } from 'node:fs';
import type { Clock } from '../../clock.js';
import { WallClock } from '../../config/hours.js';
import { Fault } from '../../errors.js';
import type { Log } from '../../log.js';
import { temperature } from '../../machine/host/health.js';
import type { Storage } from '../../machine/storage/storage.js';
import { isOn } from '../../broadcast/status.js';
import type { BalenaStatus, Status } from '../../control/status.js';
import type { Control, Interface } from '../../control/interface.js';
import { every } from '../pace.js';
import { UpdateLock } from './lock.js';
import { PendingUpdate } from './pending.js';
import { decide, notice, type Decision, type Notice } from './policy.js';
import { supervisorOf, type Supervisor, type Update } from './supervisor.js';
import { Tags } from './tags.js';

export interface BalenaDependencies {
  readonly env: NodeJS.ProcessEnv;
  readonly log: Log;
  readonly clock: Clock;
  /** Milliseconds since 1970, by a clock that may not be set yet. */
  readonly wall: () => number;
  readonly storage: Storage;
  /** Whether a change of settings has yet to prove itself. */
  readonly probation: () => boolean;
  /** Takes the broadcast off the air in order, until it is told to resume or this program is restarted. */
  readonly pause: () => Promise<void>;
  readonly resume: () => Promise<void>;
}

/** Short, so that the lock is taken before much can be lost, and released soon after a stop. */
const pollMs = 2000;
/** The Supervisor asks its cloud every 15 minutes, so once a minute is soon enough. */
const askMs = 60_000;
/** An output that delivered so recently is on the air: what is down for longer may as well be updated. */
const deliveredMs = 5 * 60_000;
/** For so long the lock stays open after a command, or after somebody has overridden it. */
const openMs = 5 * 60_000;
/** An update that is downloaded, and forced, ends us within seconds; viewers wait no longer for one that fails. */
const pausedMs = 60_000;
/** A lock that another process holds, or a folder without rights: each try costs a process. */
const againMs = 30_000;

/** What is tried, each with a fault of its own. */
type Area = 'poll' | 'lock' | 'ask' | 'update' | 'tags';

const updateWords = {
  none: 'none',
  downloading: 'downloading',
  waiting: 'update_pending',
  applying: 'applying',
} as const;

export class Balena implements Interface {
  readonly #supervisor: Supervisor | undefined;
  readonly #lock: UpdateLock | undefined;
  readonly #pending: PendingUpdate;
  readonly #tags: Tags | undefined;
  #update: Update | undefined;
  #device: Pick<BalenaStatus, 'name' | 'osVersion' | 'supervisorVersion'> = {};
  /** Where the hours for updates are. */
  readonly #clock = new WallClock();
  #decision: Decision = { hold: false, why: 'idle' };
  #notice: Notice = 'none';
  readonly #faults = new Map<Area, Fault>();
  /** All by the steady clock. */
  #deliveredAt = -Infinity;
  #openUntil = -Infinity;
  #overriddenUntil = -Infinity;
  /** The broadcast has been interrupted for an update; undefined where it has not. */
  #pausedUntil: number | undefined;
  #takeAgainAt = -Infinity;
  #locked = false;
  #signal = new AbortController().signal;
  #turn: Promise<void> = Promise.resolve();
  readonly #atExit = (): void => this.#lock?.release();

  constructor(
    private readonly control: Control,
    private readonly deps: BalenaDependencies,
  ) {
    const { env, clock, storage } = deps;
    this.#supervisor = supervisorOf(env);
    const path = env['BALENA_APP_LOCK_PATH'];
    this.#lock = path ? new UpdateLock(path) : undefined;
    this.#pending = new PendingUpdate(storage);
    this.#tags = this.#supervisor && new Tags(this.#supervisor, clock, temperature);
  }

  /** On a machine without balena it does nothing. */
  async start(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    if (this.#supervisor) {
      await this.#pending.load();
      void every(
        () => askMs,
        () => this.ask(),
        signal,
      );
    }
    if (this.#lock) {
      process.on('exit', this.#atExit);
      // What a run of ours has left behind would hold updates back for ever: it is taken over, and let go unless it is needed.
      if (existsSync(this.#lock.path)) await this.#take(this.#lock);
    }
    if (this.#supervisor || this.#lock)
      void every(
        () => pollMs,
        () => this.poll(),
        signal,
      );
  }

  stop(): Promise<void> {
    this.#lock?.release();
    process.off('exit', this.#atExit);
    return Promise.resolve();
  }

  tells(status: Status): Partial<Status> {
    if (!this.#supervisor && !this.#lock) return {};
    const { letInAt, why } = this.#decision;
    const { since } = this.#pending;
    const fault = [...this.#faults.values()][0];
    const iso = (time: number): string => new Date(time).toISOString();
    const balena: BalenaStatus = {
      ...this.#device,
      update: this.#update ? updateWords[this.#update] : 'unknown',
      ...(since !== undefined && { waitingSince: iso(since) }),
      ...(letInAt !== undefined && { letInAt: iso(letInAt) }),
      lock: this.#lock?.isHeld ? 'held' : this.#isOverridden ? 'overridden' : 'free',
      lockReason: why,
      ...(fault && { fault: fault.report() }),
    };
    const isEnding = status.actual === 'stopping' || (status.actual === 'idle' && this.#pausedUntil !== undefined);
    const updating = isEnding && this.#expectsUpdate;
    return { balena, ...(updating && { actual: 'updating' as const }) };
  }

  /** By command: nothing is let in, until `unlock` or the end of this run. Throws where it is not locked then. */
  async lock(): Promise<void> {
    const lock = this.#lock;
    if (!lock) throw new Fault('command_failed', 'This machine has no balena update lock.');
    if (this.control.settings().balena.lock === 'never')
      throw new Fault(
        'command_failed',
        'The update lock is not used: balena.lock is never.',
        'Set it to onAir or always.',
      );
    this.#locked = true;
    this.#openUntil = -Infinity;
    this.#takeAgainAt = -Infinity;
    await this.poll();
    if (lock.isHeld) return;
    const why = 'The update lock is not held yet: an update is being applied at this moment.';
    throw this.#faults.get('lock') ?? new Fault('command_failed', why, 'It will be taken as soon as it is free.');
  }

  async unlock(): Promise<void> {
    this.#locked = false;
    await this.poll();
  }

  /**
   * By command: updates are looked for now. With `force` one that waits comes at once, on the air too, and the broadcast is stopped in
   * order before; one that has to be downloaded first interrupts nothing until the Supervisor tells us to end. Throws what the
   * Supervisor says.
   */
  async update(force: boolean): Promise<void> {
    // Before the lock is let go, or variables that wait would no longer be known to.
    if (force) await this.ask();
    const interrupts = force && this.#update === 'waiting' && isOn(this.control.status());
    await this.#commanded(force, async (supervisor) => {
      if (interrupts) await this.#pause();
      await supervisor.startUpdate(force, this.#signal);
    });
  }

  /** By command, on the air too, in order. Refused while another service of this device holds a lock, unless `force`. */
  async reboot(force: boolean): Promise<void> {
    await this.#commanded(true, (supervisor) => supervisor.reboot(force, this.#signal));
  }

  /** Checks what is on the air: takes or releases the lock, sets the tags. Every two seconds. */
  poll(): Promise<void> {
    this.#turn = this.#turn.then(() => this.#tried('poll', () => this.#poll()));
    return this.#turn;
  }

  /** Asks the Supervisor how things stand. Every minute. */
  async ask(): Promise<void> {
    const supervisor = this.#supervisor;
    if (!supervisor) return;
    await this.#tried('ask', async () => {
      const wasWaiting = this.#update === 'waiting';
      this.#update = await supervisor.update(this.#lock?.isHeld ?? false, this.#signal);
      await this.#pending.heard(this.#update, this.deps.wall());
      if (this.#update === 'waiting' && !wasWaiting && this.#lock?.isHeld)
        this.deps.log.info('update_pending', 'An update is pending until it may interrupt the broadcast.');
      if (this.#device.supervisorVersion === undefined) {
        const { osVersion, supervisorVersion } = await supervisor.device(this.#signal);
        this.#device = { ...(osVersion && { osVersion }), ...(supervisorVersion && { supervisorVersion }) };
      }
      // It can be renamed at any time.
      const name = await supervisor.name(this.#signal);
      this.#device = { ...this.#device, ...(name !== undefined && { name }) };
      // What it did not hear then, it does by itself within 15 minutes.
      this.#faults.delete('update');
    });
  }

  async #poll(): Promise<void> {
    if (this.#signal.aborted) return;
    const status = this.control.status();
    const { clock, log, wall, probation } = this.deps;
    const now = clock.now();
    if (Object.values(status.outputs).some(({ deliveredKbps }) => deliveredKbps > 0)) this.#deliveredAt = now;
    const delivering = isOn(status) && now - this.#deliveredAt < deliveredMs;
    const command = now < this.#openUntil ? 'unlock' : this.#locked ? 'lock' : undefined;
    const { since } = this.#pending;
    const waits = this.#update === 'waiting' && since !== undefined;
    const situation = {
      delivering,
      probation: probation(),
      ...(command && ({ command } as const)),
      ...(waits && { waitingSince: since }),
    };
    this.#decision = decide(this.control.settings(), situation, wall(), this.#clock);
    this.#warn(wall());
    const lock = this.#lock;
    if (lock?.isHeld && !lock.check()) {
      this.#overriddenUntil = now + openMs;
      log.warn(
        'update_lock_overridden',
        'The update lock was overridden: the Supervisor is about to end this service.',
      );
    }
    if (lock && this.#decision.hold && !lock.isHeld && !this.#isOverridden && now >= this.#takeAgainAt) {
      await this.#take(lock);
    }
    if (lock?.isHeld && !this.#decision.hold) this.#letGo(lock);
    if (this.#pausedUntil !== undefined && now >= this.#pausedUntil) {
      log.warn('update_missing', 'The forced update did not arrive: the broadcast goes on.');
      this.#openUntil = -Infinity;
      void this.#tried('poll', () => this.#resume());
    }
    const tags = this.#tags;
    if (tags?.isDue) void this.#tried('tags', () => tags.set(status, wall(), this.#signal));
  }

  async #pause(): Promise<void> {
    this.#pausedUntil = this.deps.clock.now() + pausedMs;
    this.deps.log.warn('update_let_in', 'An update was forced by command: the broadcast is stopped for it.');
    await this.deps.pause();
  }

  async #resume(): Promise<void> {
    this.#pausedUntil = undefined;
    await this.deps.resume();
  }

  async #take(lock: UpdateLock): Promise<void> {
    const { clock, log } = this.deps;
    await this.#tried('lock', async () => {
      const taken = await lock.take();
      // The Supervisor's own file is gone in seconds, and looking costs nothing.
      if (taken === 'supervisor') return;
      if (taken === 'held') log.debug('update_lock', 'The update lock is held.');
      if (taken === 'held' && lock.isWhole) return;
      const [what, remedy] =
        taken === 'held'
          ? ['Only one of the two update locks is held: the program flock is missing.', 'Install util-linux.']
          : [
              `Another process holds the update lock ${lock.path}.`,
              'Stop that process, unless it is meant to hold updates back.',
            ];
      throw new Fault('update_lock_failed', what, remedy);
    });
    if (!lock.isHeld && this.#faults.has('lock')) this.#takeAgainAt = clock.now() + againMs;
  }

  #letGo(lock: UpdateLock): void {
    lock.release();
    const { why } = this.#decision;
    const { log } = this.deps;
    if (why === 'window' && this.#update === 'waiting')
      log.warn('update_let_in', 'An update is pending, and its window is open: the broadcast is interrupted for it.');
    else if (why === 'overdue')
      log.warn(
        'update_let_in',
        'A pending update has waited for updates.maxWaitDays: the broadcast is interrupted for it.',
      );
    else log.debug('update_lock', `The update lock was released (${why}).`);
    // Else it is tried again within 15 minutes. By command this is asked for anyway.
    const supervisor = this.#supervisor;
    if (why !== 'command' && supervisor) void this.#tried('update', () => supervisor.startUpdate(false, this.#signal));
  }

  #warn(now: number): void {
    const due = notice(this.#decision, now);
    if (due === this.#notice) return;
    this.#notice = due;
    const { letInAt } = this.#decision;
    if (due === 'none' || letInAt === undefined) return;
    const { updates } = this.control.settings();
    // Within its hours it is what was ordered, day after day.
    if (updates.onAir === 'window') return;
    this.deps.log.warn(
      'update_pending',
      `A pending update will interrupt the broadcast at ${new Date(letInAt).toISOString()} (updates.maxWaitDays).`,
    );
  }

  async #commanded(open: boolean, what: (supervisor: Supervisor) => Promise<void>): Promise<void> {
    const supervisor = this.#supervisor;
    if (!supervisor) {
      const remedy = 'Use the tools of this machine instead.';
      throw new Fault('supervisor_unreachable', 'This machine has no balena Supervisor.', remedy);
    }
    if (open) {
      this.#openUntil = this.deps.clock.now() + openMs;
      await this.poll();
    }
    try {
      await what(supervisor);
    } catch (error) {
      // It will not come: what is on the air is looked after as before.
      this.#openUntil = -Infinity;
      if (this.#pausedUntil !== undefined) await this.#resume();
      throw error;
    }
  }

  get #isOverridden(): boolean {
    return this.deps.clock.now() < this.#overriddenUntil;
  }

  /** Told to end now, it is most likely for an update. */
  get #expectsUpdate(): boolean {
    return this.#isOverridden || this.#update === 'waiting' || this.#update === 'applying';
  }

  /** What goes wrong stands in the status, and is said once. */
  async #tried(area: Area, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
      this.#faults.delete(area);
    } catch (error) {
      if (this.#signal.aborted) return;
      const fault = Fault.from(error);
      const known = [...this.#faults.values()].some(({ code }) => code === fault.code);
      this.#faults.set(area, fault);
      if (known) return;
      this.deps.log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
    }
  }
}
