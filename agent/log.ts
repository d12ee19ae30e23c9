/** The log: one line an event, for people on a terminal and in systemd's journal, and as JSON elsewhere; secrets are gone before they reach it. */
import { fstatSync } from 'node:fs';
import winston from 'winston';
import type { Clock } from './clock.js';
import type { Redactor } from './config/redactor.js';

export type Level = 'error' | 'warn' | 'info' | 'debug';

/**
 * The most lines a minute, whatever happens: the balena dashboard keeps 1000 in all. One of them is reserved for the line that says
 * how many were left out.
 */
const maxLinesAMinute = 20;
const minuteMs = 60_000;

export interface LogOptions {
  readonly level: Level;
  /** `auto`: text on a terminal and in the journal, JSON elsewhere. */
  readonly format: 'auto' | 'text' | 'json';
}

export interface Line {
  readonly level: Level;
  readonly event: string;
  /** Without secrets. */
  readonly message: string;
}

export class Log {
  readonly #logger: winston.Logger;
  readonly #listeners = new Set<(line: Line) => void>();
  /** When the lines of the last minute were written. */
  #written: number[] = [];
  #leftOut = 0;

  constructor(
    options: LogOptions,
    readonly redactor: Redactor,
    private readonly clock: Clock,
  ) {
    const json = options.format === 'json' || (options.format === 'auto' && !process.stdout.isTTY && !isJournal());
    const text = isJournal() ? journalLine : textLine;
    this.#logger = winston.createLogger({
      level: options.level,
      format: winston.format.combine(winston.format.timestamp(), winston.format.printf(json ? jsonLine : text)),
      transports: [new winston.transports.Console()],
    });
  }

  set level(level: Level) {
    this.#logger.level = level;
  }

  enabled(level: Level): boolean {
    return this.#logger.isLevelEnabled(level);
  }

  /** Calls `listener` with each line that is written. */
  onLine(listener: (line: Line) => void): void {
    this.#listeners.add(listener);
  }

  /** `event` is a stable name for machines, `message` a sentence for people, `fields` what belongs to it. */
  error(event: string, message: string, fields: object = {}): void {
    this.#write('error', event, message, fields);
  }

  warn(event: string, message: string, fields: object = {}): void {
    this.#write('warn', event, message, fields);
  }

  info(event: string, message: string, fields: object = {}): void {
    this.#write('info', event, message, fields);
  }

  debug(event: string, message: string, fields: object = {}): void {
    this.#write('debug', event, message, fields);
  }

  /** Lines whose number the operator has set, or that end the program: they are never left out. */
  always(level: Level, event: string, message: string, fields: object = {}): void {
    const line = { level, event, message: this.redactor.redact(message) };
    this.#logger.log({ ...line, ...this.#clean(fields) });
    for (const listener of this.#listeners) listener(line);
  }

  #write(level: Level, event: string, message: string, fields: object): void {
    if (!this.enabled(level)) return;
    const now = this.clock.now();
    this.#written = this.#written.filter((at) => now - at < minuteMs);
    // Whoever asks for debug lines wants them all.
    if (level !== 'debug') {
      if (this.#written.length >= maxLinesAMinute - 1) {
        this.#leftOut += 1;
        return;
      }
      this.#written.push(now);
      if (this.#leftOut > 0) {
        this.#written.push(now);
        this.always('warn', 'left_out', `${this.#leftOut} lines were left out: more than ${maxLinesAMinute} a minute.`);
        this.#leftOut = 0;
      }
    }
    this.always(level, event, message, fields);
  }

  /** Texts without their secrets, however deep; the names of fields are ours and stay. */
  #clean(fields: object): object {
    const text = JSON.stringify(fields, (_, value: unknown) =>
      typeof value === 'string' ? this.redactor.redact(value) : value,
    );
    return JSON.parse(text) as object;
  }
}

function jsonLine(info: winston.Logform.TransformableInfo): string {
  const { timestamp, level, event, message, ...fields } = info;
  return JSON.stringify({ time: timestamp, level, event, message, ...fields });
}

/**
 * Whether standard output is systemd's journal: JOURNAL_STREAM names device and inode of it (systemd.exec(5)), and is inherited by
 * programs that write elsewhere.
 */
function isJournal(): boolean {
  const named = process.env['JOURNAL_STREAM'];
  if (named === undefined) return false;
  const { dev, ino } = fstatSync(1, { bigint: true });
  return named === `${dev}:${ino}`;
}

/** Priorities of syslog, which the journal takes from the beginning of a line (sd-daemon(3)): `journalctl -p warning` then works. */
const priorities: Readonly<Record<string, number>> = { error: 3, warn: 4, info: 6, debug: 7 };

/** The journal adds the time, and shows the level by colours. */
function journalLine({ level, message }: winston.Logform.TransformableInfo): string {
  return `<${priorities[level] ?? 6}>${oneLine(message)}`;
}

// A newline within a message would let a file name forge a line.
const oneLine = (message: unknown): string => String(message).replaceAll(/[\r\n]+/g, ' ');

function textLine({ level, message, timestamp }: winston.Logform.TransformableInfo): string {
  const time = new Date(String(timestamp)).toTimeString().slice(0, 8);
  const mark = level === 'error' ? 'ERROR ' : level === 'warn' ? 'WARNING ' : '';
  return `${time}  ${mark}${oneLine(message)}`;
}
