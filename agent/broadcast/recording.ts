/** The state of the recording, and which changes of it are logged. */
import type { Log } from '../log.js';
import type { RecordingStatus } from '../media/messages.js';
import { triedAgain } from './activefaults.js';

export class Recording {
  #status: RecordingStatus | undefined;

  constructor(private readonly log: Log) {}

  /** Nothing is known any more: it is off, or delivery has ended. */
  forget(): void {
    this.#status = undefined;
  }

  heard(status: RecordingStatus): void {
    const before = this.#status;
    this.#status = status;
    const { state, file, fault } = status;
    if (state === 'recording' && before?.state !== 'recording') {
      this.log.info('recording', `Recording to ${file}.`, { file });
    }
    // Every try would say the same again.
    if (!fault || fault.code === before?.fault?.code) return;
    this.log.warn('recording_failed', `Recording [${fault.code}]: ${triedAgain(fault)}`, { code: fault.code });
  }

  get status(): RecordingStatus | undefined {
    return this.#status;
  }
}
