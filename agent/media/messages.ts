/** What the agent and its two children say to each other over IPC. Secrets travel this way and no other. */
import type { ElementProperty } from '../../pipelines/graph.js';
import type { RtmpDestination } from '../../pipelines/outputs/rtmp.js';
import type { Plan } from '../../pipelines/plan.js';
import type { FaultReport } from '../errors.js';
import type { OutputState } from './delivery/states.js';

/** How often each child says at least that it is there. Delivery is woken as seldom as can be; what viewers miss while capture hangs is longer. */
export const beatMs = { capture: 400, delivery: 1000, demo: 1000 } as const;

/** Agent → any child: answer with {@link Synced} once all that came before is done. */
export interface Sync {
  readonly type: 'sync';
  readonly id: number;
}

export interface Synced {
  readonly type: 'synced';
  readonly id: number;
}

/** Agent → capture. */
export type ToCapture =
  /** Where the hub listens. Comes once, first. */
  | { readonly type: 'hub'; readonly socket: string }
  /**
   * Play this in place of what is on now, its tags in batches of about `batchMs`. With `overlap` what is on stays on until this
   * gives its first tags; without it goes off at once, because both need one device. `id` comes back in all that concerns it.
   */
  | {
      readonly type: 'play';
      readonly id: number;
      readonly plan: Plan;
      readonly batchMs: number;
      readonly overlap: boolean;
    }
  /** The plan that plays becomes this one by setting `properties`, live. */
  | { readonly type: 'adjust'; readonly plan: Plan; readonly properties: readonly ElementProperty[] }
  | { readonly type: 'keyframe' }
  | { readonly type: 'halt' };

/** The part of a plan that a fault belongs to: what gives the picture, what gives the sound, what encodes, or none of these. */
export type InputPart = 'picture' | 'sound' | 'encoder' | 'other';

/** What a camera's encoder is asked for: to start as told, another bitrate, a keyframe. */
export type EncoderRequest = 'setup' | 'bitrate' | 'keyframe';

/** Capture → agent. */
export type FromCapture =
  /** Loaded: from now on a plan takes no longer than its devices do. */
  | { readonly type: 'ready' }
  /** First tags of plan `id` were handed to the hub, so many ms after `play` came. */
  | { readonly type: 'playing'; readonly id: number; readonly afterMs: number }
  /** Plan `id` stopped with a fault of this part of it. */
  | { readonly type: 'fault'; readonly id: number; readonly part: InputPart; readonly fault: FaultReport }
  /** The playlist of plan `id` is at its end. */
  | { readonly type: 'ended'; readonly id: number }
  /** The playlist of plan `id` begins again. */
  | { readonly type: 'round'; readonly id: number }
  /** What passes through has had no keyframe for so long. */
  | { readonly type: 'sparse'; readonly id: number; readonly seconds: number }
  /** The camera's encoder refuses what plan `id` asks of it, and why in a few words: it goes on as it is. */
  | { readonly type: 'refused'; readonly id: number; readonly what: EncoderRequest; readonly why: string }
  /** What follows may take seconds, in which nothing is said. */
  | { readonly type: 'busy' }
  | { readonly type: 'beat' };

export interface WantedOutput {
  readonly name: string;
  readonly destination: RtmpDestination;
  /** When more than so many milliseconds of media wait for it, groups of pictures are left out. */
  readonly maxQueueMs: number;
  /** The bitrate follows it. */
  readonly adaptive: boolean;
  /** So many milliseconds ago it was live, by a process that is gone: the server may still hold that session. */
  readonly liveAgoMs?: number;
}

/** Where recordings go to, and how much of them there may be. */
export interface WantedRecording {
  /** Absolute path. */
  readonly folder: string;
  /** A new file is begun at the first keyframe after so many milliseconds. */
  readonly maxFileMs: number;
  readonly quotaBytes: number;
  readonly minFreeBytes: number;
}

/** Agent → delivery. */
export type ToDelivery =
  /** Listen for capture here. Comes once, first. */
  | { readonly type: 'hub'; readonly socket: string }
  /** All outputs that shall be on the air; those not named are closed. */
  | { readonly type: 'outputs'; readonly outputs: readonly WantedOutput[] }
  /** From now on this is recorded; nothing where it is left out. */
  | { readonly type: 'recording'; readonly recording?: WantedRecording }
  /** Milliseconds by which sound is sent later (negative: the picture is). */
  | { readonly type: 'delay'; readonly audioMs: number }
  /** Try again now what waits for its time, of all outputs or of the one that is named. */
  | { readonly type: 'retry'; readonly output?: string }
  /** An address or a route of this machine has changed. */
  | { readonly type: 'network' }
  /** Answer with the last keyframe. */
  | { readonly type: 'picture' }
  /** Close every output in order, then exit. */
  | { readonly type: 'halt' };

export interface OutputStatus {
  readonly state: OutputState;
  /** kbit/s that the server acknowledged over the last two seconds. */
  readonly deliveredKbps: number;
  /** Milliseconds that the oldest picture or sound has waited which the server has not acknowledged. */
  readonly queuedMs: number;
  /** Video frames sent since the output was switched on. */
  readonly frames: number;
  /** Video frames dropped since then, because the server did not keep up. */
  readonly droppedFrames: number;
  /** Times that the connection was made since then. */
  readonly connects: number;
  /** The encoder gave no keyframe when it was asked for one: the connection began with the last group of pictures, whose first was so old. */
  readonly joinedLateMs?: number;
  /** Why it is not live, or was last not. */
  readonly fault?: FaultReport;
}

/** starting: no keyframe yet. waiting: it cannot be written, or not as fast as it comes; tried again. */
export type RecordingState = 'starting' | 'recording' | 'waiting' | 'stopping';

export interface RecordingStatus {
  readonly state: RecordingState;
  /** Path of the file that is being written. */
  readonly file?: string;
  /** On the card since recording was switched on. */
  readonly bytes: number;
  /** Read from the hub, and not yet on the card. */
  readonly waitingBytes: number;
  /** Video frames on the card, and video frames left out because the card was full, away or too slow. */
  readonly frames: number;
  readonly droppedFrames: number;
  /** Why it is waiting. */
  readonly fault?: FaultReport;
}

export interface HubStatus {
  /** Video frames that came from capture. */
  readonly frames: number;
  /** Frames a second over the last seconds. */
  readonly fps: number;
  /** kbit/s of picture and sound that came from capture over the last seconds. */
  readonly kbps: number;
  /** Seconds between the last two keyframes, or since the last one if that is longer. */
  readonly keyframeSeconds: number;
  /** Streams spliced into the timeline: each start of a plan or of a file is one. */
  readonly splices: number;
}

/** Delivery → agent. */
export type FromDelivery =
  | { readonly type: 'ready' }
  /** What follows may take a while, in which nothing is said. */
  | { readonly type: 'busy' }
  /** An FLV file (base64) of the last keyframe; nothing where there is none. */
  | { readonly type: 'picture'; readonly flv?: string }
  /** At every change of an output's state. */
  | { readonly type: 'output'; readonly name: string; readonly status: OutputStatus }
  /** At every change of the recording's state. */
  | { readonly type: 'recording'; readonly status: RecordingStatus }
  /** An output joined and wants a keyframe. */
  | { readonly type: 'keyframe' }
  /** Once a second. */
  | {
      readonly type: 'beat';
      readonly hub: HubStatus;
      readonly outputs: Readonly<Record<string, OutputStatus>>;
      readonly recording?: RecordingStatus;
    };

/** Agent → demonstration server. */
export type ToDemo =
  | { readonly type: 'listen'; readonly port: number; /** For its files. */ readonly folder: string }
  | { readonly type: 'halt' };

/** Demonstration server → agent. */
export type FromDemo =
  | { readonly type: 'listening'; readonly port: number }
  /** node-media-server is not installed. */
  | { readonly type: 'missing' }
  | { readonly type: 'beat' };
