/** All layers of settings: file and environment as they are read, and the remote ones in their order. */
import { createHash } from 'node:crypto';
import type { Remote } from '../config/remote.js';
import { resolve, type Destinations, type Layer, type Layers, type Resolved } from '../config/resolve.js';
import { noSecrets } from '../config/secrets.js';
import type { Kept } from './remembered.js';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 32);

/** For messages and origins. */
export const layerTitle = (layer: string): string => (layer === 'page' ? 'page' : `MQTT ${layer}`);

/** File and environment, and what these two alone resolve to. */
export interface Base {
  readonly layers: Layers;
  readonly resolved: Resolved;
}

export class Layering {
  #layers: Layers = { env: {} };
  #locked: readonly string[] = [];
  #groups: readonly string[] = [];

  /** `layers` reads file and environment; `dataFolder`: the folder of files that are named remotely. */
  constructor(
    private readonly layers: () => Promise<Layers>,
    private readonly dataFolder: string,
  ) {}

  /** File and environment as they are now, with the secrets that were handed over; nothing changes until they are used. */
  async read(kept: Kept): Promise<Base> {
    const layers = await this.layers();
    return { layers, resolved: resolve({ ...layers, secrets: kept.bound ?? noSecrets, digest }) };
  }

  use({ layers, resolved }: Base): void {
    this.#layers = layers;
    this.#locked = resolved.settings.config.locked;
    this.#groups = resolved.settings.mqtt.groups;
  }

  /** Paths that only file and environment may set. */
  get locked(): readonly string[] {
    return this.#locked;
  }

  /**
   * Resolves all layers. `strict`: the new one, which must be valid throughout. `inForce`: where the outputs go now; an output stays
   * there if there is no key for its new address.
   */
  resolve(kept: Kept, strict?: string, inForce: Destinations = kept.bound?.outputs ?? {}): Resolved {
    const { dataFolder } = this;
    const layer = (name: string, kind: Remote['kind'], values: unknown): Layer => ({
      name: layerTitle(name),
      values,
      remote: { kind, locked: this.#locked, dataFolder, ...(name === strict ? {} : { kept: true }) },
    });
    const documents = (names: readonly string[], kind: Remote['kind']): Layer[] =>
      names.flatMap((name) => (kept.documents[name] ? [layer(name, kind, kept.documents[name].config)] : []));
    const own = [...documents(['page'], 'page'), ...documents(['device'], 'device')];
    const secrets = kept.bound ?? noSecrets;
    const resolveWith = (followed: readonly string[]): Resolved => {
      const names = followed.map((group) => `group ${group}`);
      const later = [...documents(names, 'group'), ...own];
      return resolve({ ...this.#layers, later, secrets, digest, locked: this.#locked, inForce });
    };
    // Which groups there are may depend on the other layers; it seldom does, and resolving takes a Zero W a while.
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
