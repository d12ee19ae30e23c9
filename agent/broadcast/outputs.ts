/** The destination and state of each output, and which changes of it are logged. */
import { sessionOf } from '../../pipelines/outputs/rtmp.js';
import type { Fault } from '../errors.js';
import type { Log } from '../log.js';
import type { OutputState } from '../media/delivery/states.js';
import type { OutputStatus, WantedOutput } from '../media/messages.js';
import type { BroadcastStatus } from './status.js';
import { triedAgain } from './activefaults.js';

/** An output that is wanted, and its URL as it may be shown. */
export interface Shown {
  readonly output: WantedOutput;
  readonly url: string;
}

const loopback = /^(localhost|127\.|::1$)/;

export class Outputs {
  #wanted = new Map<string, Shown>();
  readonly #statuses = new Map<string, OutputStatus>();
  /** When each session that was live was lost with the process that had it open, by its destination. */
  readonly #lostAt = new Map<string, number>();

  /** `networkFault`: the fault of a machine that has no network; undefined where it has one. */
  constructor(
    private readonly log: Log,
    private readonly networkFault: () => Fault | undefined,
    private readonly now: () => number,
  ) {}

  /** From now on these are wanted, and no others. */
  want(wanted: readonly Shown[]): void {
    this.#wanted = new Map(wanted.map((each) => [each.output.name, each]));
    for (const name of this.#statuses.keys()) {
      if (this.#wanted.has(name)) continue;
      this.#statuses.delete(name);
      this.log.info('output_off', `Output ${name} is off.`, { output: name });
    }
  }

  /** Takes the status that an output reports; ignores outputs that are no longer wanted. */
  heard(name: string, reported: OutputStatus): void {
    const wanted = this.#wanted.get(name);
    if (!wanted) return;
    const before = this.#statuses.get(name);
    const status = this.#explained(wanted, reported);
    this.#statuses.set(name, status);
    if (status.state === 'live' && before?.state !== 'live' && before?.state !== 'stalled') {
      this.log.info('output_live', `Output ${name} is live: ${wanted.url}`, { output: name });
      if (name === 'demo') this.log.info('watch', `Watch it: ffplay ${wanted.url}`);
    }
    const late = status.joinedLateMs;
    if (late !== undefined && (before?.connects !== status.connects || before.joinedLateMs === undefined)) {
      const message = `Output ${name} began with pictures that were up to ${(late / 1000).toFixed(1)} s old, because the encoder gave no keyframe when asked for one.`;
      this.log.info('joined_late', message, { output: name, lateMs: late });
    }
    // Every retry of a server that is down would say the same again.
    const news = before?.fault?.code !== status.fault?.code || before?.state === 'live' || before?.state === 'stalled';
    const failed = status.state === 'waiting' || status.state === 'refused';
    if (!failed || !status.fault || !news) return;
    const { code } = status.fault;
    this.log.warn('output_failed', `Output ${name} [${code}]: ${triedAgain(status.fault)}`, { output: name, code });
  }

  /** The process that had them open has ended: all are idle until the next process reports otherwise. */
  lost(): void {
    for (const [name, status] of this.#statuses) {
      const { state, frames, droppedFrames, connects } = status;
      const wanted = this.#wanted.get(name);
      if (wanted && (state === 'live' || state === 'stalled'))
        this.#lostAt.set(sessionOf(wanted.output.destination), this.now());
      this.#statuses.set(name, { state: 'idle', deliveredKbps: 0, queuedMs: 0, frames, droppedFrames, connects });
    }
  }

  /** `output` for a new process, with the time since it was last live if it was lost. */
  again(output: WantedOutput): WantedOutput {
    const at = this.#lostAt.get(sessionOf(output.destination));
    return at === undefined ? output : { ...output, liveAgoMs: Math.round(this.now() - at) };
  }

  /** Nothing is known any more: delivery has ended. */
  forget(): void {
    this.#lostAt.clear();
    this.#statuses.clear();
  }

  /** Whether every server has accepted or refused. */
  get haveAnswered(): boolean {
    const isOpen = (state?: OutputState): boolean => state === undefined || state === 'idle' || state === 'connecting';
    return ![...this.#wanted.keys()].some((name) => isOpen(this.#statuses.get(name)?.state));
  }

  get states(): OutputState[] {
    return [...this.#statuses.values()].map((status) => status.state);
  }

  document(): BroadcastStatus['outputs'] {
    const shown = [...this.#statuses].map(([name, status]) => [
      name,
      { ...status, url: this.#wanted.get(name)?.url ?? '' },
    ]);
    return Object.fromEntries(shown) as BroadcastStatus['outputs'];
  }

  /** Where no server can be reached because there is no network at all, that is the reason to give. */
  #explained({ output }: Shown, status: OutputStatus): OutputStatus {
    const unreachable = /^output_(unresolved|unreachable|timeout)$/.test(status.fault?.code ?? '');
    if (!unreachable || loopback.test(output.destination.host)) return status;
    const fault = this.networkFault();
    return fault ? { ...status, fault: fault.report() } : status;
  }
}
