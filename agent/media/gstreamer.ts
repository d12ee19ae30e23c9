/** The one place that touches gstreamer-superficial (patched: see patches/), typed, with its errors as faults. Children only. */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import type { ElementProperty, PipelineText } from '../../pipelines/graph.js';
import { Fault, sentence } from '../errors.js';

/** A message of the pipeline's bus. `message` and `debug` are there for errors, and may quote what was set as a property. */
export interface BusMessage {
  readonly type: string;
  readonly _src_element_name: string;
  readonly message?: string;
  readonly debug?: string;
}

/** A GStreamer element: its properties by name. Numbers travel as doubles; structures, enums and flags as text. */
export interface Element {
  [property: string]: unknown;
}

interface AppSink extends Element {
  pullBatch(done: (tags: Buffer | null) => void, minMs: number, maxMs: number): void;
}

interface AppSrc extends Element {
  push(buffer: Buffer): void;
}

interface NativePipeline {
  play(): void;
  /** To NULL; blocks for as long as the slowest element takes. */
  stop(): void;
  destroy(): void;
  sendEOS(): void;
  forceKeyUnit(sink: string, count: number): boolean;
  findChild(name: string): Element | undefined;
  pollBus(each: (message: BusMessage) => void): void;
}

/** A TCP socket of this process; bytes since it was connected. */
export interface TcpSocket {
  /** What its peer has acknowledged. */
  readonly acked: number;
  /** What it was given to send. */
  readonly written: number;
  /** The room that its peer has told of beyond what it has acknowledged; undefined where the kernel (before 5.4) does not tell. */
  readonly window?: number;
  /** Bytes a second that it is paced to at most. */
  readonly pace: number;
}

interface Binding {
  Pipeline: new (text: string) => NativePipeline;
  tcpSockets(port: number): TcpSocket[];
  uvcQuery(fd: number, unit: number, selector: number, request: number, bytes: Buffer): number;
}

const load = createRequire(import.meta.url);

/** Loads the addon and GStreamer (once a process: Node.js keeps what it has loaded). Throws `binding_missing`. */
export function loadGStreamer(): Binding {
  try {
    return load('gstreamer-superficial') as Binding;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new Fault(
      'binding_missing',
      `The GStreamer binding cannot be loaded: ${reason}.`,
      'Run npm start, which builds it.',
    );
  }
}

/** Sockets of this process that are connected to `port` of any host: neither Node.js nor /proc tells what was acknowledged. */
export const tcpSockets = (port: number): TcpSocket[] => loadGStreamer().tcpSockets(port);

/**
 * One request (GET_CUR and its like) to a control of a USB camera's extension unit (UVCIOC_CTRL_QUERY of Linux). `fd` is the camera's node; `bytes`,
 * as long as the control is, are sent or filled. Answers the name of the error, such as `ENOENT`; undefined where the camera did as it was
 * asked. Blocks for as long as the camera takes.
 */
export function uvcQuery(
  fd: number,
  unit: number,
  selector: number,
  request: number,
  bytes: Buffer,
): string | undefined {
  const errno = loadGStreamer().uvcQuery(fd, unit, selector, request, bytes);
  return errno === 0 ? undefined : getSystemErrorName(-errno);
}

/** A parsed pipeline with its properties set. One object serves many `play()`/`stop()` rounds. */
export class Pipeline {
  readonly #native: NativePipeline;
  readonly #elements = new Map<string, Element>();

  /** `onMessage` gets every bus message until {@link destroy}. Throws `plugin_missing` or `pipeline_invalid`. */
  constructor(
    { text, properties }: Pick<PipelineText, 'text' | 'properties'>,
    onMessage: (message: BusMessage) => void,
  ) {
    const { Pipeline: Native } = loadGStreamer();
    try {
      this.#native = new Native(text);
    } catch (error) {
      throw parseFault(error instanceof Error ? error.message : String(error));
    }
    for (const each of properties) this.set(each);
    this.#native.pollBus(onMessage);
  }

  element(name: string): Element {
    let element = this.#elements.get(name);
    if (!element) {
      element = this.#native.findChild(name);
      if (!element) throw new Fault('pipeline_invalid', `The pipeline has no element named ${name}.`);
      this.#elements.set(name, element);
    }
    return element;
  }

  set({ element, property, value }: ElementProperty): void {
    this.element(element)[property] = value;
  }

  play(): void {
    this.#native.play();
  }

  stop(): void {
    this.#native.stop();
  }

  /** Stops for good and gives memory and descriptors back. */
  destroy(): void {
    this.#elements.clear();
    this.#native.destroy();
  }

  sendEos(): void {
    this.#native.sendEOS();
  }

  /** Asks the encoder above `sink` for a keyframe; sources that cannot ignore it. */
  forceKeyframe(sink: string): void {
    this.#native.forceKeyUnit(sink, 0);
  }

  /**
   * The next FLV tags of appsink `name`, whole and in order, as one buffer; null at the end of the stream or once stopped.
   * Comes after a video tag when `minMs` have passed, else when `maxMs` have.
   */
  pull(name: string, minMs: number, maxMs: number): Promise<Buffer | null> {
    return new Promise((resolve) => (this.element(name) as AppSink).pullBatch(resolve, minMs, maxMs));
  }

  /** One buffer into appsrc `name`; the bytes are copied. */
  push(name: string, buffer: Buffer): void {
    (this.element(name) as AppSrc).push(buffer);
  }
}

/** `no element "x264enc"` and its like; the text of the pipeline is never part of what is said. */
function parseFault(message: string): Fault {
  const missing = /no element "([\w-]+)"/.exec(message)?.[1];
  return missing
    ? new Fault(
        'plugin_missing',
        `GStreamer has no element ${missing}.`,
        'Run npm start, or makercast probe to see which package contains it.',
      )
    : new Fault('pipeline_invalid', `GStreamer rejected the pipeline: ${sentence(message)}`);
}
