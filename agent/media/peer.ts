/** A child's side of the IPC channel: typed messages, a beat each second, and an end when the agent is gone. */
import { Fault } from '../errors.js';

export interface Peer<Out> {
  send(message: Out): void;
}

/** A child's work. */
export interface Work<In, Out> {
  /** How often it says that it is there. */
  readonly beatMs: number;
  handle(message: In): void | Promise<void>;
  /** What is sent every `beatMs`, by which the agent sees that the event loop still turns. */
  beat(): Out;
  /** Ends it in order: the agent has said so, or SIGTERM. */
  halt(): Promise<void>;
}

/**
 * Serves the agent with the work that `begin` makes. A `sync` is answered once all that came before it has been done. An error that
 * `handle` throws is said as {@link lastWords}, and ends the process.
 */
export function serve<In, Out>(begin: (peer: Peer<Out>) => Work<In, Out>): Peer<Out> {
  const send = (message: Out): void => {
    if (process.connected) process.send!(message);
  };
  const peer = { send };
  const child = begin(peer);
  let ending = false;
  const end = (): void => {
    // systemd and a shell's `kill 0` signal every process of a group: we are then told twice, by them and by the agent.
    if (ending) return;
    ending = true;
    // The answer to a stop must leave before the process does.
    child.halt().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  // A Ctrl-C goes to every process of the terminal; the agent says when it is time.
  for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  process.on('SIGTERM', end);
  process.on('disconnect', () => process.exit(0));
  let working: Promise<void> = Promise.resolve();
  process.on('message', (message) => {
    const { type } = message as { type: string };
    if (type === 'halt') return end();
    if (type === 'sync')
      return void working.then(() => process.connected && process.send!({ ...(message as object), type: 'synced' }));
    const work = Promise.resolve()
      .then(() => child.handle(message as In))
      .catch((error: unknown) => {
        lastWords(Fault.from(error));
        process.exit(1);
      });
    const before = working;
    // Without a value: that of one would hold that of the one before it, and so all that there ever were.
    working = before.then(() => work);
  });
  // The first at once: how long a child takes to come up tells how slow the machine is.
  send(child.beat());
  setInterval(() => send(child.beat()), child.beatMs);
  return peer;
}

/**
 * A fault on stderr: for what cannot be sent any more. A child knows no secrets but those it works with, and redacts nothing: all that it
 * writes goes to the agent, which does so before it logs it (Child, `said`).
 */
function lastWords(fault: Fault): void {
  process.stderr.write(`${fault.code}: ${fault.message}\n`);
}
