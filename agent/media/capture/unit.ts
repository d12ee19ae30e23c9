/** The extension unit of a camera that encodes: set up before the camera starts, then told what changes while it runs. */
import { closeSync, constants, openSync } from 'node:fs';
import type { ElementProperty } from '../../../pipelines/graph.js';
import type { UnitSetup } from '../../../pipelines/sources/unit.js';
import {
  askedConfig,
  bitrateLayers,
  configBytes,
  keyPicture,
  readConfig,
  requests,
  selectors,
} from '../../formats/uvc/h264.js';
import { uvcQuery } from '../gstreamer.js';

/** What a camera's rate may be off by: intervals are whole 100 ns. */
const rateTolerance = 0.01;

export class EncoderUnit {
  #fd: number | undefined;

  /**
   * Opens the camera once more, beside whoever streams from it: its driver lets a unit be asked by anybody. Held until
   * {@link close}, since a camera that nobody holds may be suspended, and forget.
   */
  constructor(private readonly setup: UnitSetup) {}

  /**
   * Tells the encoder what is wanted; to be called before the camera streams. Answers why it does not follow, in a few words;
   * undefined where it does, as far as it says, and where the camera is missing, which the stream will report. Takes milliseconds, and 5 s
   * where the camera hangs (UVC_CTRL_CONTROL_TIMEOUT of Linux).
   */
  configure(): string | undefined {
    try {
      this.#fd = openSync(this.setup.device, constants.O_RDWR | constants.O_NONBLOCK);
    } catch {
      return undefined;
    }
    const why = this.#negotiate();
    if (why !== undefined) this.close();
    return why;
  }

  /** As GStreamer's uvch264src does: from the defaults to a wish, what the camera makes of it, and that is agreed. */
  #negotiate(): string | undefined {
    const { setup } = this;
    const bytes = Buffer.alloc(configBytes);
    const { probe, commit } = selectors;
    const failed =
      this.#query(probe, requests.getDefault, bytes) ??
      this.#query(probe, requests.setCurrent, askedConfig(bytes, setup)) ??
      this.#query(probe, requests.getCurrent, bytes);
    if (failed !== undefined) return failed;
    const { width, height, fps } = readConfig(bytes);
    const isOther = width !== setup.width || height !== setup.height || Math.abs(fps / setup.fps - 1) > rateTolerance;
    if (isOther) return `it offers ${width}x${height} at ${Number(fps.toFixed(2))} fps instead`;
    return this.#query(commit, requests.setCurrent, bytes);
  }

  /** `keyframe`, or `bitrateKbps` with its value, while the camera streams. Answers as {@link configure} does. */
  set({ property, value }: Pick<ElementProperty, 'property' | 'value'>): string | undefined {
    const { setCurrent } = requests;
    return property === 'keyframe'
      ? this.#query(selectors.pictureType, setCurrent, keyPicture())
      : this.#query(selectors.bitrate, setCurrent, bitrateLayers(Number(value)));
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #query(selector: number, request: number, bytes: Buffer): string | undefined {
    if (this.#fd === undefined) return undefined;
    const why = uvcQuery(this.#fd, this.setup.id, selector, request, bytes);
    return why === 'ENODEV' ? undefined : why;
  }
}
