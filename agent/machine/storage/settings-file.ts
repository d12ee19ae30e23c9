/** Reads the settings file (YAML) and notices when somebody edits it. */
import { existsSync, statSync, watch, type FSWatcher } from 'node:fs';
import path from 'node:path';
import { Fault } from '../../errors.js';
import { readRegular } from './regular.js';

export interface SettingsFile {
  /** The file's path, for messages. */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Nothing at all is in it, not even a comment. */
  readonly isBlank?: true;
}

/** Nobody writes this much by hand. */
const maxBytes = 1024 * 1024;

const unreadable: Readonly<Record<string, string>> = {
  EISDIR: 'is a folder',
  ENOTREG: 'is not a file but a pipe, a socket or a device',
  EFBIG: 'is longer than 1 MB',
};

/** Where settings are looked for. */
export interface SettingsPath {
  /** Absolute. */
  readonly name: string;
  /** It must be there. */
  readonly required: boolean;
  /** The other spelling of its name, which is read where there is none of that name. */
  readonly other?: string;
}

/** What MAKERCAST_CONFIG names, which must exist, else `makercast.yml` or `makercast.yaml` in `folder`, which may. */
export function settingsPath(env: NodeJS.ProcessEnv, folder: string): SettingsPath {
  const named = env['MAKERCAST_CONFIG'];
  if (named) return { name: path.resolve(folder, named), required: true };
  const [name, other] = ['makercast.yml', 'makercast.yaml'].map((each) => path.join(folder, each)) as [string, string];
  return { name, other, required: false };
}

/** Undefined where the file does not exist and need not. Throws `settings_unreadable`; no message quotes the file, which may hold keys. */
export async function readSettings(where: SettingsPath): Promise<SettingsFile | undefined> {
  const there = namesOf(where).filter((each) => existsSync(each));
  const [name = where.name, second] = there;
  const fail = (why: string, remedy = 'Correct the file.'): Fault =>
    new Fault('settings_unreadable', `The settings file ${JSON.stringify(name)} ${why}.`, remedy);
  if (second !== undefined)
    throw fail(`exists, and so does ${path.basename(second)} beside it`, 'Put all settings into one of them.');
  let bytes: Buffer;
  try {
    bytes = await readRegular(name, maxBytes);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !where.required) return undefined;
    if (code === 'ENOENT') throw fail('does not exist', 'Create it, or unset MAKERCAST_CONFIG.');
    throw fail(
      unreadable[code ?? ''] ?? `cannot be read (${code ?? 'unknown error'})`,
      'Name a file that this user may read.',
    );
  }
  const text = textOf(bytes, fail);
  // Loaded only where there is a file: 0.1 s of a PC's processor, and seconds of a Zero W's.
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  // Without prettyErrors, which would quote the faulty line, and with it perhaps a key.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, uniqueKeys: true, merge: true });
  // A tag that is not known would be left out, and `!secret stream_key` be the key itself.
  const wrong = document.errors[0] ?? document.warnings.find(({ code }) => code === 'TAG_RESOLVE_FAILED');
  if (wrong) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    throw fail(`is not valid YAML at ${line}:${col} (${wrong.code.toLowerCase().replaceAll('_', ' ')})`);
  }
  let values: unknown;
  try {
    // Past 100 copies of one anchor yaml takes it for the attack that fills the memory from ten short lines.
    values = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw fail('repeats its anchors too often');
  }
  if (values === null || values === undefined)
    return { name, values: {}, ...(text.trim() === '' && { isBlank: true }) };
  if (typeof values !== 'object' || Array.isArray(values)) throw fail('is not a map of settings (name: value)');
  return { name, values: values as Record<string, unknown> };
}

/** The text of UTF-8 bytes; where they are not UTF-8, the fault says where. */
function textOf(bytes: Buffer, fail: (why: string, remedy?: string) => Fault): string {
  const remedy = 'Save it as UTF-8.';
  const head = bytes.subarray(0, 2).toString('hex');
  if (head === 'fffe' || head === 'feff') throw fail('is UTF-16', remedy);
  const decoder = new TextDecoder('utf-8', { fatal: true });
  try {
    return decoder.decode(bytes);
  } catch {
    if (bytes.includes(0)) throw fail('is UTF-16, or not text', remedy);
    // Where it stops being UTF-8: as many bytes as still decode.
    const isText = (length: number): boolean => isUtf8Start(bytes.subarray(0, length));
    let [good, bad] = [0, bytes.length];
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      if (isText(middle)) good = middle;
      else bad = middle;
    }
    const before = new TextDecoder().decode(bytes.subarray(0, good)).replace(/\ufffd$/, '');
    const line = before.split('\n').length;
    throw fail(`is not UTF-8 at ${line}:${before.length - before.lastIndexOf('\n')}`, remedy);
  }
}

/** Whether these bytes are UTF-8, but for a last character that may be cut. */
function isUtf8Start(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Editors write in several steps; this long after the last one the file counts as whole. */
const debounceMs = 200;
/** For folders that are not there yet, network drives, and links into other folders, where no event comes. */
const pollMs = 5000;

/**
 * Calls `onChange` when the file was edited, replaced, created or removed, until `signal` aborts. `seen`: its fingerprint when it was
 * read; a slow board takes seconds from there to here, and an edit in between counts too.
 */
export function watchSettings(
  where: SettingsPath,
  onChange: () => void,
  signal: AbortSignal,
  seen: string = fingerprint(where),
): void {
  const names = namesOf(where);
  if (signal.aborted) return;
  let last = seen;
  let debounce: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const look = (): void => {
    const now = fingerprint(where);
    if (now === last) return;
    last = now;
    onChange();
  };
  const open = (): void => {
    try {
      const opened = watch(path.dirname(where.name), { persistent: false }, (_, changed) => {
        if (changed !== null && !names.some((name) => path.basename(name) === changed)) return;
        clearTimeout(debounce);
        debounce = setTimeout(look, debounceMs);
      });
      watcher = opened;
      opened.on('error', () => {
        opened.close();
        watcher = undefined;
      });
    } catch {
      // No such folder yet: the next poll tries again.
    }
  };
  const timer = setInterval(() => {
    if (!watcher) open();
    look();
  }, pollMs);
  timer.unref();
  open();
  debounce = setTimeout(look, debounceMs).unref();
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    clearTimeout(debounce);
    watcher?.close();
  });
}

/** What tells one state of the file from another. */
export function fingerprint(where: SettingsPath): string {
  return namesOf(where).map(stateOf).join();
}

const namesOf = ({ name, other }: SettingsPath): string[] => (other === undefined ? [name] : [name, other]);

function stateOf(name: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(name, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return 'absent';
  }
}
