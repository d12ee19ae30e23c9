/** The demonstration server as a destination: started where nothing is configured, so that the first start already shows a stream. */
import { Fault } from '../errors.js';
import { Child } from '../media/child.js';
import { beatMs, type FromDemo, type ToDemo, type WantedOutput } from '../media/messages.js';
import type { Pace } from '../media/watchdog.js';

/** It serves one viewer on this machine: nothing depends on it. */
const pace: Pace = { beatMs: beatMs.demo, hungMs: 10_000 };
/** A server that has ended is restarted after this long. */
const againMs = 1000;

export class Demo {
  #child: Child<ToDemo, FromDemo> | undefined;

  /** `report` gets each fault, and nothing (`undefined`) once it is over. */
  constructor(
    private readonly environment: NodeJS.ProcessEnv,
    private readonly report: (fault?: Fault) => void,
  ) {}

  /** Starts the server on `port` or, where that is in use, on a higher one. Undefined where it cannot be started. */
  start(port: number, folder: string): Promise<WantedOutput | undefined> {
    return new Promise((resolve) => {
      /** The port it listens on: after a crash it comes back there. */
      let at = port;
      const child = new Child<ToDemo, FromDemo>('demonstration server', 'demo/main.js', pace, this.environment, {
        message: (message) => {
          if (message.type === 'missing') {
            this.report(
              new Fault(
                'demo_missing',
                'The demonstration server is not installed on this machine.',
                'Set a destination with STREAM_URL and STREAM_KEY.',
              ),
            );
            resolve(undefined);
          }
          if (message.type !== 'listening') return;
          at = message.port;
          if (at === port) this.report();
          else {
            const what = `Port ${port} of 127.0.0.1 is already in use; the demonstration server listens on ${at}.`;
            this.report(new Fault('port_in_use', what, 'Stop the program that uses it, or set demo.port (DEMO_PORT).'));
          }
          resolve({
            name: 'demo',
            destination: {
              scheme: 'rtmp',
              host: '127.0.0.1',
              port: message.port,
              application: 'live',
              stream: 'demo',
              tlsVerify: true,
            },
            maxQueueMs: 4000,
            adaptive: false,
          });
        },
        said: () => undefined, // Its own log says what ours says already.
        died: (fault) => {
          this.report(fault);
          resolve(undefined);
          setTimeout(() => {
            if (this.#child !== child) return;
            child.start();
            child.send({ type: 'listen', port: at, folder });
          }, againMs);
        },
      });
      this.#child = child;
      child.start();
      child.send({ type: 'listen', port, folder });
    });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    await child?.stop();
  }
}
