/** A child process that ends once it is allowed to, and says what it is told and what it holds. */
import { serve } from '../../../agent/media/peer.js';

type Told = { readonly type: 'allow' } | { readonly type: 'weigh' } | { readonly type: 'nothing' };
type Said =
  | { readonly type: 'beat' }
  | { readonly type: 'halting' }
  | { readonly type: 'signalled' }
  | { readonly type: 'halted' }
  | { readonly type: 'weight'; readonly heapBytes: number };

let allow: () => void = () => undefined;
const allowed = new Promise<void>((resolve) => (allow = resolve));

serve<Told, Said>((peer) => {
  process.on('SIGTERM', () => peer.send({ type: 'signalled' }));
  return {
    handle({ type }) {
      if (type === 'allow') allow();
      if (type !== 'weigh') return;
      // Started with --expose-gc.
      globalThis.gc?.();
      peer.send({ type: 'weight', heapBytes: process.memoryUsage().heapUsed });
    },
    beatMs: 60_000,
    beat: () => ({ type: 'beat' }),
    async halt() {
      peer.send({ type: 'halting' });
      await allowed;
      peer.send({ type: 'halted' });
    },
  };
});
