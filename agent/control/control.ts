/** All that an interface may see and do, with one status document to which each interface adds what it knows. */
import type { Settings } from '../config/settings.js';
import type { Control, Interface } from './interface.js';
import type { Broadcast } from '../broadcast/broadcast.js';
import type { Status } from './status.js';
import type { Steering } from '../steering/steering.js';
import type { BoardStrain } from './strain.js';

export class Controls implements Control {
  #interfaces: readonly Interface[] = [];

  constructor(
    private readonly broadcast: Pick<Broadcast, 'status' | 'startBroadcast' | 'stopBroadcast' | 'retry'>,
    private readonly steering: Pick<Steering, 'resolved'>,
    private readonly board: Pick<BoardStrain, 'status'>,
  ) {}

  /** The interfaces that add to the status document, in this order. */
  attach(interfaces: readonly Interface[]): void {
    this.#interfaces = interfaces;
  }

  status(): Status {
    const strain = this.board.status;
    const own: Status = { ...this.broadcast.status(), ...(strain ? { strain } : {}) };
    return this.#interfaces.reduce<Status>((status, each) => ({ ...status, ...each.tells?.(status) }), own);
  }

  settings(): Settings {
    return this.steering.resolved.settings;
  }

  startBroadcast(): Promise<void> {
    return this.broadcast.startBroadcast();
  }

  stopBroadcast(): Promise<void> {
    return this.broadcast.stopBroadcast();
  }

  retry(): void {
    this.broadcast.retry();
  }
}
