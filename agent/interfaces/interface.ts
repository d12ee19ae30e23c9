/** A way in which the world asks and sees: started last, stopped around the broadcast's own end. */
export interface Interface {
  readonly name: string;
  /** For the status document; undefined where it is not in use. */
  status(): object | undefined;
  /** Begins; whatever fails in it is its own to report and to try again. */
  start(): void;
  /** The program ends: this can still be said. */
  stopping(): void;
  /** Resolves within seconds, whatever the other side does. */
  stop(): Promise<void>;
}
