/** A plan played for some seconds by a separate capture process, with no output: what it would give a broadcast is counted. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Plan } from '../../../pipelines/plan.js';
import { systemClock } from '../../clock.js';
import { Fault } from '../../errors.js';
import { TagCutter } from '../../formats/flv/tag.js';
import type { InputPart } from '../../media/messages.js';
import { Stage } from '../../broadcast/stage.js';
import { Pictures, type Counted } from './pictures.js';

/** A Zero W loads GStreamer in some ten seconds, and a camera that has given nothing 5 s later is said to give nothing. */
const openingMs = 60_000;
/** As often as a broadcast writes a stream. */
const batchMs = 58;
/** The last lines that a capture process wrote are kept, up to this many. */
const mostSaid = 20;

export interface Rehearsal {
  readonly counted: Counted;
  /** From the wish to the first picture. */
  readonly afterMs?: number;
  /** How long it was counted, by the clock of this machine. */
  readonly seconds: number;
  /** What ended it before its time, and which part of the plan that came from. */
  readonly fault?: Fault;
  readonly part?: InputPart;
  /** What GStreamer's elements and the drivers have said on the way. Not redacted. */
  readonly said: readonly string[];
}

/** Called while it plays: at its first picture, and before it is ended. */
export interface Moments {
  begun(): Promise<void>;
  ending(): Promise<void>;
}

/** Plays `plan` for `seconds` from its first picture on. `environment`: all that the capture process sees of ours. */
export async function rehearse(
  plan: Plan,
  seconds: number,
  environment: NodeJS.ProcessEnv,
  moments: Moments,
): Promise<Rehearsal> {
  const folder = await mkdtemp(path.join(tmpdir(), 'makercast-report-'));
  const pictures = new Pictures();
  const said: string[] = [];
  let end: (how: { fault?: Fault; part?: InputPart }) => void = () => undefined;
  const ended = new Promise<{ fault?: Fault; part?: InputPart }>((resolve) => (end = resolve));
  let begin: (afterMs: number) => void = () => undefined;
  const begun = new Promise<number>((resolve) => (begin = resolve));
  const hear = (line: string): void => {
    said.push(line);
    if (said.length > mostSaid) said.shift();
  };
  const stage = new Stage(environment, {
    playing: (_, afterMs) => begin(afterMs),
    failed: (_, part, fault) => end({ fault, part }),
    died: (fault) => end({ fault }),
    // A film that is shorter.
    ended: () => end({}),
    round: () => undefined,
    sparse: () => undefined,
    beat: () => undefined,
    recycled: () => undefined,
    refused: (_, what, why) => hear(`The camera's encoder refused the ${what}: ${why}`),
    said: hear,
  });
  const socket = path.join(folder, 'hub');
  let server: Server | undefined;
  try {
    server = await listening(socket, pictures, (fault) => end({ fault }));
    stage.start(socket);
    stage.play(plan, batchMs, true);
    const silent = new Fault(
      'source_silent',
      `${plan.video.source} delivered no picture within ${openingMs / 1000} s.`,
    );
    const first = await Promise.race([begun, ended, late(openingMs, { fault: silent })]);
    if (typeof first !== 'number') return { counted: pictures.counted, seconds: 0, said, ...first };
    const from = systemClock.now();
    await moments.begun();
    const how = await Promise.race([ended, late(seconds * 1000, {})]);
    const played = (systemClock.now() - from) / 1000;
    const { counted } = pictures;
    await moments.ending();
    return { counted, afterMs: first, seconds: played, said, ...how };
  } finally {
    await stage.stop();
    server?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function late<T>(ms: number, value: T): Promise<T> {
  return new Promise((resolve) => setTimeout(() => resolve(value), ms).unref());
}

/** Stands where the hub does in a broadcast. */
async function listening(socket: string, pictures: Pictures, failed: (fault: Fault) => void): Promise<Server> {
  const server = createServer((connection) => {
    const cutter = new TagCutter();
    connection.on('data', (chunk) => {
      try {
        for (const piece of cutter.push(chunk)) if (!piece.begin) pictures.take(piece.tag);
      } catch (error) {
        failed(Fault.from(error));
        connection.destroy();
      }
    });
    connection.on('error', () => connection.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  return server;
}
