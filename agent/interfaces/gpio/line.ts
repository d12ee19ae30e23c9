/** One GPIO line by onoff, which is loaded only where a line is wanted: it brings a native addon. */
import { constants } from 'node:fs';
import { access, writeFile } from 'node:fs/promises';
import type { BinaryValue } from 'onoff';
import { Fault } from '../../errors.js';
import { lineNumber } from './chip.js';

export interface LineRequest {
  /** As the processor counts (BCM). */
  readonly line: number;
  readonly direction: 'in' | 'out';
  /** 1 is then the low level. */
  readonly activeLow: boolean;
}

export interface Line {
  read(): BinaryValue;
  write(value: BinaryValue): void;
  /** Calls `edge` with the level after each change. */
  watch(edge: (value: BinaryValue) => void): void;
  /** An output is switched off before. */
  close(): void;
}

export type OpenLine = (request: LineRequest) => Promise<Line>;

/** Long enough for udev to hand the files of a new line over to our group, on a Zero W at its start too. */
const rightsMs = 5000;
const pollMs = 50;

/** Throws `gpio_unavailable`. */
export const openLine: OpenLine = async (request) => {
  const { Gpio } = await import('onoff').catch((error: unknown) => {
    const why = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    throw new Fault(
      'gpio_unavailable',
      `GPIO needs the package onoff, which does not load: ${why}.`,
      'Run npm rebuild epoll.',
    );
  });
  const number = await lineNumber(request.line);
  try {
    await exported(number, request);
    const { direction, activeLow } = request;
    // Dark until it is told otherwise: what is written here is the level, whatever active_low says.
    const off = activeLow ? 'high' : 'low';
    const gpio = new Gpio(number, direction === 'out' ? off : 'in', 'both', { activeLow });
    if (direction === 'in' && gpio.edge() !== 'both') throw new Error('it supports no interrupts');
    return {
      read: () => gpio.readSync(),
      write: (value) => gpio.writeSync(value),
      watch: (edge) => gpio.watch((error, value) => (error ? undefined : edge(value))),
      close: () => {
        if (direction === 'out') gpio.writeSync(0);
        gpio.unexport();
      },
    };
  } catch (error) {
    throw Fault.from(error) === error ? error : unusable(request.line, error);
  }
};

/**
 * The line's files are there, and may be written. onoff waits for that too, but in a loop that lets nothing else happen, and not for
 * long.
 */
async function exported(number: number, { direction }: LineRequest): Promise<void> {
  const folder = `/sys/class/gpio/gpio${number}`;
  try {
    await access(folder);
  } catch {
    await writeFile('/sys/class/gpio/export', String(number));
  }
  const files = ['value', 'direction', 'active_low', ...(direction === 'in' ? ['edge'] : [])];
  for (let waited = 0; ; waited += pollMs) {
    const tries = await Promise.allSettled(files.map((file) => access(`${folder}/${file}`, constants.W_OK)));
    const refused = tries.find((each) => each.status === 'rejected');
    if (!refused) return;
    // Files that are missing do not come later: the line makes no interrupts.
    if (waited >= rightsMs || (refused.reason as NodeJS.ErrnoException).code === 'ENOENT') throw refused.reason;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function unusable(line: number, error: unknown): Fault {
  const { code, message } = error as NodeJS.ErrnoException;
  const reasons: Readonly<Record<string, string>> = {
    EBUSY: 'something else on this board uses it',
    EACCES: 'this user may not use it',
    EPERM: 'this user may not use it',
    EROFS: 'this user may not use it',
    ENOENT: 'the kernel has no such line, or the line supports no interrupts',
  };
  const why = reasons[code ?? ''] ?? code ?? message.split('\n')[0];
  return new Fault(
    'gpio_unavailable',
    `GPIO ${line} cannot be used: ${why}.`,
    'Choose a free line; this user must be in the group gpio, and a container must be privileged.',
  );
}
