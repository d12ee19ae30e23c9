/** Where a contender streams to in one round, and what comes there: nginx-rtmp with a viewer, or a server at the far end of a link. */
import { isPicture, type ArrivedTag } from '../../test/helpers/content/flv.js';
import { makeNamespace, type Namespace } from '../../test/helpers/network/namespace.js';
import { startNginx, type Nginx } from '../../test/helpers/rtmp/nginx.js';
import { subscribe, type Subscription } from '../../test/helpers/rtmp/client.js';
import { startRtmpServer, type RtmpServer } from '../../test/helpers/rtmp/server.js';

/** Name of the stream, and key of makercast's output. */
export const streamName = 'bench7';

export interface Site extends AsyncDisposable {
  /** The application at the server. */
  readonly url: string;
  /** Words before the contender's command. */
  readonly prefix: readonly string[];
  /** All that came so far, in the order of arrival. */
  tags(): ArrivedTag[];
  /** How often the stream was published so far. */
  sessions(): number;
}

export const pictures = (site: Site): ArrivedTag[] => site.tags().filter(isPicture);

/** On this machine: nginx-rtmp, and a viewer that stays for as long as nginx does. */
export class Near implements Site {
  readonly prefix: readonly string[] = [];
  readonly #viewers: Subscription[] = [];

  constructor(readonly nginx: Nginx) {}

  get url(): string {
    return this.nginx.url();
  }

  /** A viewer may be there before the stream is. */
  async watch(): Promise<void> {
    this.#viewers.push(await subscribe(`${this.url}/${streamName}`));
  }

  /** The newest one, which saves what it saw. */
  get viewer(): Subscription {
    return this.#viewers.at(-1)!;
  }

  tags(): ArrivedTag[] {
    return this.#viewers.flatMap((viewer) => viewer.tags.items);
  }

  sessions(): number {
    return this.nginx.calls.items.filter(({ call, name }) => call === 'publish' && name === streamName).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const viewer of this.#viewers) await viewer.stop();
    await this.nginx.stop();
  }
}

export async function makeNear(): Promise<Near> {
  const near = new Near(await startNginx());
  await near.watch();
  return near;
}

/**
 * The contender in a network namespace of its own, the server outside. It lets a stream be published anew while the session before
 * is still open, as the big platforms do: nginx-rtmp does not, and after a black hole its own patience would be what is measured.
 */
export class Far implements Site {
  constructor(
    readonly network: Namespace,
    readonly server: RtmpServer,
  ) {}

  get url(): string {
    return `rtmp://${this.network.links[0]!.host}:${this.server.port}/live`;
  }

  get prefix(): readonly string[] {
    return this.network.prefix;
  }

  /** What came in each session. */
  bySession(): (readonly ArrivedTag[])[] {
    return this.server.publishes.items.map(({ tags }) => tags.items);
  }

  tags(): ArrivedTag[] {
    return this.bySession()
      .flat()
      .sort((one, other) => one.at - other.at);
  }

  sessions(): number {
    return this.server.publishes.items.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.stop();
    await this.network.stop();
  }
}

/** Needs root, and a kernel that lets namespaces be made. */
export async function makeFar(): Promise<Far> {
  const network = await makeNamespace(1);
  return new Far(network, await startRtmpServer({}, '0.0.0.0'));
}
