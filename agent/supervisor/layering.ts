/** All layers of settings: file and environment as they are read, and what is kept from afar in its order. */
import type { Remote } from '../config/remote.js';
import { resolve, type Layer, type Layers, type Resolved } from '../config/resolve.js';
import type { Kept } from './remembered.js';

/** For messages and origins. */
export const layerTitle = (layer: string): string => (layer === 'page' ? 'page' : `MQTT ${layer}`);

/** Whether the device goes by a layer: by those of the groups that it is in. */
export function isFollowed(layer: string, groups: readonly string[]): boolean {
  const [kind, group = ''] = layer.split(' ');
  return kind !== 'group' || groups.includes(group);
}

/** File and environment, and what they come to by themselves. */
export interface Base {
  readonly layers: Layers;
  readonly resolved: Resolved;
}

export class Layering {
  #layers: Layers = { env: {} };
  #locked: readonly string[] = [];
  #groups: readonly string[] = [];

  /** `layers` reads file and environment; `dataFolder`: where files from afar lie. */
  constructor(
    private readonly layers: () => Promise<Layers>,
    private readonly dataFolder: string,
  ) {}

  /** File and environment as they are now; nothing changes until they are used. */
  async read(): Promise<Base> {
    const layers = await this.layers();
    return { layers, resolved: resolve(layers) };
  }

  use({ layers, resolved }: Base): void {
    this.#layers = layers;
    this.#locked = resolved.settings.config.locked;
    this.#groups = resolved.settings.mqtt.groups;
  }

  /** What all layers come to. `strict`: the one that is new, which is to be right in everything. */
  resolve(kept: Kept, strict?: string): Resolved {
    const { dataFolder } = this;
    const layer = (name: string, kind: Remote['kind'], values: unknown): Layer => ({
      name: layerTitle(name),
      values,
      remote: { kind, locked: this.#locked, dataFolder, ...(name === strict ? {} : { kept: true }) },
    });
    const documents = (names: readonly string[], kind: Remote['kind']): Layer[] =>
      names.flatMap((name) => (kept.documents[name] ? [layer(name, kind, kept.documents[name].config)] : []));
    const own = [
      ...documents(['page'], 'page'),
      ...documents(['device'], 'device'),
      layer('secrets', 'secret', tree(kept.secrets)),
    ];
    const resolveWith = (followed: readonly string[]): Resolved => {
      const names = followed.map((group) => `group ${group}`);
      return resolve({ ...this.#layers, later: [...documents(names, 'group'), ...own] });
    };
    // Which groups there are may hang on the other layers; it seldom does, and to resolve takes a Zero W a while.
    const resolved = resolveWith(this.#groups);
    const { groups } = resolved.settings.mqtt;
    return groups.join() === this.#groups.join() ? resolved : resolveWith(groups);
  }

  /** Which layer gave each setting, without the path of the file. */
  originOf({ origin }: Resolved): Record<string, string> {
    const file = this.#layers.file?.name;
    const short = Object.entries(origin).map(([path, layer]): [string, string] => [
      path,
      layer === file ? 'file' : layer,
    ]);
    return Object.fromEntries(short);
  }
}

/** `outputs.club.key` as the map that a layer is. */
function tree(values: Readonly<Record<string, string>>): Record<string, unknown> {
  // Without prototypes, for whatever stands in a path.
  const root = Object.create(null) as Record<string, unknown>;
  for (const [path, value] of Object.entries(values)) {
    const parts = path.split('.');
    const field = parts.pop() ?? '';
    let node = root;
    for (const part of parts) node = (node[part] ??= Object.create(null)) as Record<string, unknown>;
    node[field] = value;
  }
  return root;
}
