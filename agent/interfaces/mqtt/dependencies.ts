/** What MQTT needs of the rest of the program. */
import type { Clock } from '../../clock.js';
import type { Log } from '../../log.js';
import type { Storage } from '../../machine/storage/storage.js';
import type { Dispatcher } from '../../control/commands.js';
import type { Steering } from '../../steering/steering.js';
import type { Control } from '../../control/interface.js';

export interface MqttDependencies {
  readonly log: Log;
  readonly clock: Clock;
  /** ms since 1970. */
  readonly wallMs: () => number;
  readonly storage: Storage;
  readonly steering: Steering;
  readonly control: Pick<Control, 'status'>;
  readonly dispatcher: Dispatcher;
  readonly version: string;
  /** This machine, where the settings do not name it. */
  readonly identity: () => Promise<string>;
  readonly board: () => Promise<string | undefined>;
}
