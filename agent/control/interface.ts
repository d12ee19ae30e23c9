/** A way by which the world asks for things and sees how they are: MQTT, balena, a button. None knows of another. */
import type { Settings } from '../config/settings.js';
import type { Status } from './status.js';

/** All that an interface sees of the broadcast. */
export interface Control {
  /** The whole document, including what every interface adds to it. */
  status(): Status;
  /** The settings as they are now; the next call may return others. */
  settings(): Settings;
  /** On the air, from now on and after every restart. */
  startBroadcast(): Promise<void>;
  stopBroadcast(): Promise<void>;
  /** Retries now the outputs that wait for their next try. */
  retry(): void;
}

export interface Interface {
  /** Works until `signal` aborts. Failures are reported and retried; it never throws. */
  start(signal: AbortSignal): void | Promise<void>;
  /** Releases what it holds, after the outputs were closed. Must take less than a second. */
  stop(): Promise<void>;
  /** What it adds to the status document; `status` is that document so far. */
  tells?(status: Status): Partial<Status>;
}
