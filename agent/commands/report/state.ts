/** The settings in force here, remote ones included, as they may be shown; and every secret that is known. Only reads. */
import type { Problem } from '../../config/problem.js';
import { MASK, redactUrl } from '../../config/redact.js';
import type { Redactor } from '../../config/redactor.js';
import type { Resolved } from '../../config/resolve.js';
import { get, rowOf } from '../../config/settings.js';
import { environmentSecrets } from '../../config/detection.js';
import type { Storage } from '../../machine/storage/storage.js';
import { isSupervised, SettingsSource } from '../../steering/source.js';
import { Layering } from '../../steering/layering.js';
import { handedOver, onCard } from '../../steering/remembered.js';

export interface State {
  readonly resolved: Resolved;
  /** By path: the layer that gave each setting, `file` without its path. */
  readonly origin: Readonly<Record<string, string>>;
  readonly problems: readonly Problem[];
  readonly secrets: readonly string[];
}

/** `folder`: where `makercast.yml` is looked for. `redactor` learns what is secret as it is read. */
export async function stateOf(
  env: NodeJS.ProcessEnv,
  folder: string,
  storage: Storage,
  redactor: Redactor,
): Promise<State> {
  const source = new SettingsSource(env, folder, storage, redactor);
  const lastGood = isSupervised(env) ? await source.lastGood() : undefined;
  const { kept, pending } = await onCard(storage);
  redactor.add([kept, pending?.before].flatMap((each) => (each ? handedOver(each) : [])));
  const layering = new Layering(() => source.layers(lastGood), storage.folder);
  const base = await layering.read(kept);
  layering.use(base);
  const resolved = layering.resolve(kept);
  return {
    resolved,
    origin: layering.originOf(resolved),
    problems: [...resolved.problems, ...resolved.held],
    secrets: [
      ...resolved.secrets,
      ...base.resolved.secrets,
      ...[kept, pending?.before].flatMap((each) => (each ? handedOver(each) : [])),
    ],
  };
}

/** Shorter ones are words and numbers. */
const shortest = 6;

/** What a report must not show of the environment: its secrets, names of Wi-Fi networks, and user names in URLs. */
export function suspects(env: NodeJS.ProcessEnv): string[] {
  const others = Object.entries(env).flatMap(([name, value = '']) => {
    const user = /^[a-z][a-z0-9+.-]*:\/\/([^\s/@:]*):?[^\s/@]*@/i.exec(value)?.[1] ?? '';
    return [...(/ssid/i.test(name) ? [value] : []), user].filter((each) => each.length >= shortest);
  });
  return [...new Set([...environmentSecrets(env), ...others])];
}

/** What is not at its default: path, value without its secrets, and the layer that gave it. */
export function shown({ resolved: { settings }, origin }: State): readonly (readonly [string, string, string])[] {
  return Object.entries(origin)
    .filter(([, layer]) => layer !== 'default')
    .map(([path, layer]) => {
      const value: unknown = get(settings, path);
      const row = rowOf(path);
      const isHidden = row?.secret === true || row?.boundTo !== undefined;
      const open = typeof value === 'string' && /:\/\//.test(value) ? redactUrl(value) : value;
      return [path, JSON.stringify(isHidden && value !== '' ? MASK : open), layer] as const;
    });
}
