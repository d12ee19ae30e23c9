/** What cameras that are plugged in were seen not to do: formats in which they give no picture, requests that their encoders refuse. */
import { type Camera, type Mode, modeName } from '../../../pipelines/machine.js';
import { kindOf } from '../../../pipelines/choose/format.js';
import type { Fault } from '../../errors.js';
import type { EncoderRequest } from '../../media/messages.js';

/** Stays the same when a camera is unplugged and comes back under another node. */
export const cameraKey = (camera: Camera): string => `camera ${camera.usbPath ?? camera.byId ?? camera.path}`;

/** Failures that another format may not have; a camera that is in use, or gone, fails in all of them. */
const ofTheFormat: ReadonlySet<string> = new Set(['source_silent', 'source_failed', 'source_format']);
/** Each may take 5 s to come to nothing. */
const mostSilent = 4;

interface Unfit {
  readonly mode: Mode;
  /** A sentence or two for people. */
  readonly why: string;
}

const isOf =
  ({ fourcc, width, height }: Mode) =>
  ({ mode }: Unfit): boolean =>
    mode.fourcc === fourcc && mode.width === width && mode.height === height;

/** For people, what follows the name of a camera. */
const refusals: Readonly<Record<EncoderRequest, string>> = {
  setup: 'does not allow its H.264 encoder to be configured, which keeps its bitrate and keyframe interval',
  bitrate: 'does not change the bitrate of its H.264 encoder while it runs',
  keyframe: 'gives no keyframe when asked for one',
};

export class Shortcomings {
  /** Formats that have given a picture in this broadcast: what fails in one of them is not its fault. */
  readonly #worked = new Set<string>();
  readonly #unfit = new Map<string, readonly Unfit[]>();
  /** Why each was refused, in a few words. */
  readonly #refused = new Map<string, Partial<Record<EncoderRequest, string>>>();

  /** Only the cameras with these keys are plugged in: of the others nothing is known any more. */
  keep(there: ReadonlySet<string>): void {
    for (const each of [this.#unfit, this.#refused])
      for (const key of [...each.keys()]) if (!there.has(key)) each.delete(key);
  }

  forget(): void {
    this.#worked.clear();
    this.#unfit.clear();
    this.#refused.clear();
  }

  /** The camera gives pictures in `mode`. */
  worked(camera: Camera, mode: Mode): void {
    this.#worked.add(`${cameraKey(camera)} ${modeName(mode)}`);
  }

  /**
   * A camera that is there and gives no picture may do so in this format only: no room on the bus for raw pictures, a driver that is
   * wrong about one. The next is tried at once, and this one no more for as long as it is plugged in: undefined. Where the format is not to
   * blame, that one; where none is left, all that were tried, which may be tried again then.
   */
  leaveOut(camera: Camera, mode: Mode, { code }: Fault): readonly Mode[] | undefined {
    const key = cameraKey(camera);
    if (this.#worked.has(`${key} ${modeName(mode)}`) || !ofTheFormat.has(code)) return [mode];
    const why = `The camera ${camera.path} gives no pictures in ${modeName(mode)}: another of its formats is used. Plug it into a port of its own, not into a hub.`;
    const before = this.#unfit.get(key) ?? [];
    const unfit = [...before, { mode, why }];
    if (unfit.length < mostSilent && camera.formats.some((format) => !unfit.some(isOf(format)))) {
      this.#unfit.set(key, unfit);
      return undefined;
    }
    this.#unfit.delete(key);
    return [mode, ...before.map((each) => each.mode)];
  }

  /** Its H.264 is not fit to pass through, and why. */
  leaveOutH264(camera: Camera, why: string): void {
    const key = cameraKey(camera);
    const passing = camera.formats.filter(({ fourcc }) => kindOf(fourcc) === 'h264').map((mode) => ({ mode, why }));
    this.#unfit.set(key, [...(this.#unfit.get(key) ?? []), ...passing]);
  }

  /** Its encoder has refused `what`, and is not asked for that as long as it is plugged in. `why`: a few words. */
  refused(camera: Camera, what: EncoderRequest, why: string): void {
    const key = cameraKey(camera);
    this.#refused.set(key, { ...this.#refused.get(key), [what]: why });
  }

  /** The camera without the formats that have come to nothing, and without what its encoder refuses. */
  fit(camera: Camera): Camera {
    const key = cameraKey(camera);
    const unfit = this.#unfit.get(key) ?? [];
    const refused = this.#refused.get(key);
    if (unfit.length === 0 && !refused) return camera;
    const { encoderUnit, ...rest } = camera;
    const notes = Object.entries(refused ?? {}).map(
      ([what, why]) => `The camera ${camera.path} ${refusals[what as EncoderRequest]} (${why}).`,
    );
    return {
      ...rest,
      ...(encoderUnit && refused?.setup === undefined
        ? {
            encoderUnit: {
              ...encoderUnit,
              changesBitrate: encoderUnit.changesBitrate && refused?.bitrate === undefined,
              givesKeyframes: encoderUnit.givesKeyframes && refused?.keyframe === undefined,
            },
          }
        : {}),
      formats: camera.formats.filter((format) => !unfit.some(isOf(format))),
      leftOut: [...new Set([...notes, ...unfit.map(({ why }) => why)])],
    };
  }
}
