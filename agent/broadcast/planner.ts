/** From settings and a machine to a plan; what prevents one becomes a fault. */
import { plan as compose } from '../../pipelines/choose/best.js';
import { candidates, type Candidate } from '../../pipelines/choose/candidates.js';
import { defaultFormat, resolveAuto } from '../../pipelines/choose/defaults.js';
import type { Machine } from '../../pipelines/machine.js';
import { NoPlan, type Reason } from '../../pipelines/noplan.js';
import type { OnAir } from '../../pipelines/onair.js';
import type { Plan } from '../../pipelines/plan.js';
import type { Format, Wanted, Wish } from '../../pipelines/wanted.js';
import type { Settings } from '../config/settings.js';
import { Fault, isFaultCode } from '../errors.js';
import { wantedMedia } from './wants.js';

/** What `auto` was resolved to, and every candidate for it. */
export interface Considered {
  readonly wanted: Wanted;
  /** Why the machine has the default format that it has. */
  readonly why: string;
  readonly candidates: readonly Candidate[];
}

/** What a plan may be made of. */
export interface Given {
  /** What of the machine may be used now. */
  usable(machine: Machine): Machine;
  /** What is and was on the air, where only `usable` may be used of the machine. */
  onAir(machine: Machine, usable: Machine): OnAir;
}

const nothingYet: Given = { usable: (machine) => machine, onAir: () => ({}) };

/** A plan, and everything known of the machine that it was made for. */
export interface Made {
  readonly plan: Plan;
  readonly machine: Machine;
}

export class Planner {
  /** The machine that the last plan was made for. */
  #machine: Machine | undefined;
  /** Size and rate of the broadcast: chosen when it begins, and kept whatever is plugged in or out. */
  #format: Format | undefined;
  /** How often it was forgotten: a look at the machine that began before that chooses no format. */
  #formats = 0;
  #fullKbps = 0;
  #limitKbps: number | undefined;

  /** `gather` looks at the machine, and throws the fault of a file that cannot be used; `folder`: what relative paths start from. */
  constructor(
    private readonly gather: (wish: Wish) => Promise<Machine>,
    private readonly folder: string,
    private readonly given: Given = nothingYet,
  ) {}

  /** A plan after another look at the machine. Throws a Fault where there is none. */
  async make(settings: Settings): Promise<Made> {
    const wish = wantedMedia(settings, this.folder);
    const formats = this.#formats;
    const machine = await this.gather(wish);
    this.#machine = machine;
    if (formats === this.#formats) this.#format ??= formatOf(resolveAuto(wish, this.given.usable(machine)));
    return { plan: this.#composed(settings, machine), machine };
  }

  /** A plan from what is already known, without another look at the machine. Undefined where nothing is known. Throws a Fault. */
  again(settings: Settings): Made | undefined {
    const machine = this.#machine;
    return machine && { plan: this.#composed(settings, machine), machine };
  }

  /** kbit/s that the encoder would be asked for without {@link limit}. */
  get fullKbps(): number {
    return this.#fullKbps;
  }

  /** From the next plan on, no encoder is asked for more kbit/s than this. */
  limit(kbps: number | undefined): void {
    this.#limitKbps = kbps;
  }

  /** A new broadcast may have another format. */
  forgetFormat(): void {
    this.#format = undefined;
    this.#formats += 1;
  }

  /** All that there is to choose from. Throws the fault of a machine that cannot be looked at. */
  async consider(settings: Settings): Promise<Considered> {
    const wish = wantedMedia(settings, this.folder);
    const machine = await this.gather(wish);
    const wanted = resolveAuto(wish, machine);
    return { wanted, why: defaultFormat(wish, machine).why, candidates: candidates(wanted, machine) };
  }

  #composed(settings: Settings, machine: Machine): Plan {
    const usable = this.given.usable(machine);
    const { video, ...rest } = resolveAuto(wantedMedia(settings, this.folder), usable, this.#format);
    this.#fullKbps = video.bitrateKbps;
    const bitrateKbps = Math.min(video.bitrateKbps, this.#limitKbps ?? Infinity);
    try {
      return compose({ ...rest, video: { ...video, bitrateKbps } }, usable, this.given.onAir(machine, usable));
    } catch (error) {
      throw error instanceof NoPlan ? faultOf(error) : error;
    }
  }
}

const formatOf = ({ video: { width, height, fps } }: Wanted): Format => ({ width, height, fps });

/** The reason that a plan gives, as a fault. */
export function faultOf({ code, what, remedy }: Reason): Fault {
  return new Fault(isFaultCode(code) ? code : 'internal', what, remedy);
}
