/** Reads the settings file (YAML) and notices when somebody edits it. */
import { statSync, watch, type FSWatcher } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { Fault } from '../errors.js';

export interface SettingsFile {
  /** The file's path, for messages. */
  readonly name: string;
  readonly values: Readonly<Record<string, unknown>>;
  /** Nothing at all is in it, not even a comment. */
  readonly isBlank?: true;
}

/** Nobody writes this much by hand. */
const maxBytes = 1024 * 1024;

/** Where the settings file is: what MAKERCAST_CONFIG names, which must exist, else `makercast.yml` in `folder`, which may. */
export function settingsPath(
  env: NodeJS.ProcessEnv,
  folder: string,
): { readonly name: string; readonly required: boolean } {
  const named = env['MAKERCAST_CONFIG'];
  return named
    ? { name: path.resolve(folder, named), required: true }
    : { name: path.join(folder, 'makercast.yml'), required: false };
}

/** Undefined where the file does not exist and need not. Throws `settings_unreadable`; no message quotes the file, which may hold keys. */
export async function readSettings({
  name,
  required,
}: ReturnType<typeof settingsPath>): Promise<SettingsFile | undefined> {
  const fail = (why: string, mend = 'Mend the file.'): Fault =>
    new Fault('settings_unreadable', `The settings file ${JSON.stringify(name)} ${why}.`, mend);
  let text: string;
  try {
    if ((await stat(name)).size > maxBytes) throw fail('is longer than 1 MB');
    text = await readFile(name, 'utf8');
  } catch (error) {
    if (error instanceof Fault) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !required) return undefined;
    if (code === 'ENOENT') throw fail('does not exist', 'Create it, or unset MAKERCAST_CONFIG.');
    throw fail(
      code === 'EISDIR' ? 'is a folder' : `cannot be read (${code ?? 'unknown error'})`,
      'Name a file that this user may read.',
    );
  }
  // Loaded only where there is a file: 0.1 s of a PC's processor, and seconds of a Zero W's.
  const { LineCounter, parseDocument } = await import('yaml');
  const lines = new LineCounter();
  // Without prettyErrors, which would quote the faulty line, and with it perhaps a key.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, uniqueKeys: true });
  const wrong = document.errors[0];
  if (wrong) {
    const { line, col } = lines.linePos(wrong.pos[0]);
    throw fail(`is not YAML at ${line}:${col} (${wrong.code.toLowerCase().replaceAll('_', ' ')})`);
  }
  let values: unknown;
  try {
    // Past 100 copies of one anchor yaml takes it for the attack that fills the memory from ten short lines.
    values = document.toJS({ maxAliasCount: 100 });
  } catch {
    throw fail('repeats its anchors without end');
  }
  if (values === null || values === undefined)
    return { name, values: {}, ...(text.trim() === '' && { isBlank: true }) };
  if (typeof values !== 'object' || Array.isArray(values)) throw fail('is not a map of settings (name: value)');
  return { name, values: values as Record<string, unknown> };
}

/** Editors write in several steps; this long after the last one the file counts as whole. */
const settleMs = 200;
/** For folders that are not there yet, network drives, and links into other folders, where no event comes. */
const pollMs = 5000;

/**
 * Calls `onChange` when the file was edited, replaced, created or removed, until `signal` aborts. `seen`: its fingerprint when it was
 * read; a slow board takes seconds from there to here, and an edit in between counts too.
 */
export function watchSettings(
  name: string,
  onChange: () => void,
  signal: AbortSignal,
  seen: string = fingerprint(name),
): void {
  if (signal.aborted) return;
  let last = seen;
  let settling: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const look = (): void => {
    const now = fingerprint(name);
    if (now === last) return;
    last = now;
    onChange();
  };
  const open = (): void => {
    try {
      const opened = watch(path.dirname(name), { persistent: false }, (_, changed) => {
        if (changed !== null && changed !== path.basename(name)) return;
        clearTimeout(settling);
        settling = setTimeout(look, settleMs);
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
  settling = setTimeout(look, settleMs).unref();
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    clearTimeout(settling);
    watcher?.close();
  });
}

/** What tells one state of the file from another. */
export function fingerprint(name: string): string {
  try {
    const { ino, size, mtimeNs, ctimeNs } = statSync(name, { bigint: true });
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`;
  } catch {
    return 'absent';
  }
}
