/** What is known of the recording, and what of that is worth a line in the log. */
import type { Log } from '../log.js';
import type { RecordingStatus } from '../media/messages.js';

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
    const sentence = [fault.what, fault.mend, 'It is tried again.'].filter((part) => part !== '').join(' ');
    this.log.warn('recording_failed', `Recording [${fault.code}]: ${sentence}`, { code: fault.code });
  }

  get status(): RecordingStatus | undefined {
    return this.#status;
  }
}
