/** What the command line of `makercast report` asks for. */
import { Fault } from '../../errors.js';

/** A day. */
const mostSeconds = 86_400;

export interface Asked {
  /** `-` is standard output. */
  readonly file?: string;
  readonly seconds?: number;
}

/** Throws `usage`. */
export function asked(words: readonly string[]): Asked {
  let found: Asked = {};
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    if (word === '--seconds') {
      const seconds = Number(words[++at]);
      if (!Number.isInteger(seconds) || seconds < 1 || seconds > mostSeconds)
        throw new Fault(
          'usage',
          '--seconds needs a whole number.',
          `Give 1 to ${mostSeconds}: how long the picture runs.`,
        );
      found = { ...found, seconds };
    } else if (found.file === undefined && (word === '-' || !word.startsWith('-')) && word !== '') {
      found = { ...found, file: word };
    } else {
      throw new Fault(
        'usage',
        `makercast report does not know ${JSON.stringify(word)}.`,
        'Usage: makercast report [file] [--seconds N]',
      );
    }
  }
  return found;
}

/** Such as `makercast-report-20261130-215233.md`, in UTC. */
export function usualName(now: Date): string {
  const time = now.toISOString().replace(/[-:]/g, '').replace('T', '-').slice(0, 15);
  return `makercast-report-${time}.md`;
}
