/** Logs faults that are not the answer to anybody; those that come before there is a log wait for it. */
import type { Fault } from './errors.js';
import type { Log } from './log.js';

export class FaultLog {
  #log: Pick<Log, 'warn'> | undefined;
  #early: Fault[] = [];

  /** Never throws; may be handed on by itself. */
  readonly report = (fault: Fault): void => {
    const { code, message } = fault;
    if (this.#log) this.#log.warn(code, `[${code}] ${message}`, { code });
    else this.#early.push(fault);
  };

  /** From now on there is a log, whose redactor knows the secrets of the settings in force. */
  attach(log: Pick<Log, 'warn'>): void {
    this.#log = log;
    for (const fault of this.#early.splice(0)) this.report(fault);
  }
}
