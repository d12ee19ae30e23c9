/** A way by which the world asks for things and sees how they are: MQTT, balena, a button. None knows of another. */
import type { Settings } from '../config/settings.js';
import type { Status } from './status.js';

/** All that an interface sees of the broadcast. */
export interface Control {
  /** The whole document, what every interface has to say in it included. */
  status(): Status;
  /** As they are now; they may be others the next time. */
  settings(): Settings;
  /** On the air, from now on and after every restart. */
  startBroadcast(): Promise<void>;
  stopBroadcast(): Promise<void>;
  /** Outputs that wait for their next try are tried now. */
  retry(): void;
}

export interface Interface {
  /** Works until `signal` aborts. What goes wrong is reported and tried again; it never throws. */
  start(signal: AbortSignal): void | Promise<void>;
  /** After the outputs were closed: what is held is let go. Must take less than a second. */
  stop(): Promise<void>;
  /** What it knows for the status document `status`, which the broadcast has begun. */
  tells?(status: Status): Partial<Status>;
}
