/** Where the fleet tool speaks to people: standard output for results, standard error for everything else; no secret on either. */
import { Redactor } from '../agent/config/redactor.js';
import { Fault } from '../agent/errors.js';

export class Console {
  readonly #redactor = new Redactor();
  #drawn = false;

  constructor(
    private readonly input: NodeJS.ReadStream,
    private readonly output: NodeJS.WriteStream,
    private readonly error: NodeJS.WriteStream,
  ) {}

  /** From now on these appear nowhere. */
  hide(secrets: Iterable<string>): void {
    this.#redactor.add(secrets);
  }

  redact(text: string): string {
    return this.#redactor.redact(text);
  }

  /** A line of the result. */
  print(line: string): void {
    this.draw('');
    this.output.write(`${this.redact(line)}\n`);
  }

  /** A line about the result. */
  note(line: string): void {
    this.draw('');
    this.error.write(`${this.redact(line)}\n`);
  }

  /** Writes over what was drawn last; nothing where nobody looks. */
  draw(text: string): void {
    if (!this.error.isTTY || (text === '' && !this.#drawn)) return;
    this.error.write(`\r\u001b[K${text}`);
    this.#drawn = text !== '';
  }

  /** Whether somebody can be asked. */
  get isInteractive(): boolean {
    return this.input.isTTY && this.error.isTTY;
  }

  /** Asks for a secret, which is not shown while it is typed or pasted. Ctrl-C and Ctrl-D give up. */
  async ask(what: string): Promise<string> {
    const { input } = this;
    // First of all, or what is typed at once would still be shown.
    input.setRawMode(true);
    input.setEncoding('utf8');
    this.error.write(`${what}: `);
    let text = '';
    try {
      for await (const chunk of input.iterator({ destroyOnReturn: false }) as AsyncIterable<string>) {
        for (const character of chunk) {
          if (character === '\r' || character === '\n') return text;
          if (character === '\u0003' || character === '\u0004') throw new Fault('usage', 'Cancelled.');
          if (character === '\u007f' || character === '\b') text = [...text].slice(0, -1).join('');
          else if (character >= ' ') text += character;
        }
      }
      throw new Fault('usage', 'Cancelled.');
    } finally {
      input.setRawMode(false);
      input.pause();
      this.error.write('\n');
    }
  }
}

/** Names and log lines come from elsewhere: what would move a terminal's cursor is taken out of them. */
export const plain = (text: string): string => text.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, ' ').trimEnd();
