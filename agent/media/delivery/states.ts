/** The states of an output, and which may follow which. Pure. */

interface State {
  /** One line for docs/states.md. */
  readonly doc: string;
  readonly next: readonly OutputState[];
}

export const outputStates = ['idle', 'connecting', 'live', 'stalled', 'waiting', 'refused', 'stopping'] as const;
export type OutputState = (typeof outputStates)[number];

export const states: Readonly<Record<OutputState, State>> = {
  idle: {
    doc: 'Switched on and not begun yet (or not begun again after the delivery process was lost), or closed for good: the server may still hold the session before.',
    next: ['connecting', 'stopping'],
  },
  connecting: {
    doc: 'From resolving the name of the server to its acceptance of `publish`; given up after 7.5 s.',
    next: ['live', 'waiting', 'refused', 'stopping'],
  },
  live: {
    doc: 'The server has accepted, and acknowledges what it is sent.',
    next: ['stalled', 'waiting', 'stopping'],
  },
  stalled: {
    doc: 'For 2 s nothing that is due was acknowledged, or the server read less than half of what was; after 6 s the connection is given up, and at once if the network of this machine has just changed.',
    next: ['live', 'waiting', 'stopping'],
  },
  waiting: {
    doc: 'Tried again after half a second at first, later after a fifteenth of the time that it has been down, at most 30 s.',
    next: ['connecting', 'stopping'],
  },
  refused: {
    doc: 'The server rejects what only you can correct: key, application, user, certificate. Tried again every 20 to 30 s.',
    next: ['connecting', 'stopping'],
  },
  stopping: {
    doc: 'The stream is being ended in order, within 1 s.',
    next: ['idle'],
  },
};

/** `to`, where it may follow `from`; else it throws: an output that is in no known state must not be trusted with a connection. */
export function move(from: OutputState, to: OutputState): OutputState {
  if (states[from].next.includes(to)) return to;
  throw new Error(`An output cannot go from ${from} to ${to}.`);
}
