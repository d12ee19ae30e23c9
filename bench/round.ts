/** One contender on the air for some seconds, measured from outside. */
import { spawn } from 'node:child_process';
import { ended, mortal } from '../test/helpers/command.js';
import { isPicture, wallClock } from '../test/helpers/content/flv.js';
import { lasts } from '../test/helpers/interval.js';
import type { Nginx } from '../test/helpers/rtmp/nginx.js';
import { processTree } from '../test/helpers/agent/processes.js';
import { subscribe } from '../test/helpers/rtmp/client.js';
import { commandOf, type Contender } from './contenders.js';
import { pictureLatency } from './latency.js';
import { costs, totalCpu, waitsBetween } from './processes.js';

/** Time from the first keyframe until the steady part begins: encoders, allocators and JavaScript's compiler have settled by then. */
const settleMs = 5000;

export interface ProcessResult {
  /** CPU seconds for 60 s on the air. */
  readonly cpuPerMinute: number;
  readonly wakeupsPerSecond: number;
  readonly mainWakeupsPerSecond: number;
  readonly pssMb: number;
}

export interface RoundResult {
  /** Milliseconds from the start of the process to the arrival of the first keyframe at a subscriber that was waiting for it. */
  readonly firstKeyframeMs: number;
  /** CPU seconds from the start to the first keyframe and the settling after it. */
  readonly startCpuSeconds: number;
  readonly latencyMs: number | undefined;
  /** Pictures that arrived from the very start, but could not be decoded. */
  readonly undecoded: number;
  readonly repeated: number;
  /** Frames a second that arrived in the steady part: a contender that cannot keep up must not win by it. */
  readonly fps: number;
  readonly processes: ReadonlyMap<string, ProcessResult>;
}

let streams = 0;

/**
 * Runs `contender` for `seconds` of steady stream to `nginx`. Nobody else should use the machine meanwhile. `folder` is its home:
 * the same one each time, so that GStreamer's registry and makercast's probes are there already, as at any start but the first.
 */
export async function measure(
  contender: Contender,
  nginx: Nginx,
  gst: string,
  seconds: number,
  folder: string,
): Promise<RoundResult> {
  streams += 1;
  const name = `round${streams}`;
  const { command, args, env } = commandOf(contender, nginx.url(), name, folder, gst);
  // The subscriber is there before the publisher: nginx-rtmp then passes the very first keyframe on at once.
  await using subscriber = await subscribe(`${nginx.url()}/${name}`);
  const started = wallClock();
  const child = spawn(...mortal(command, args), { env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const end = ended(child);
  const died = end.then(({ code, signal }) => {
    throw new Error(`${contender} ended with ${code ?? signal}: ${stderr.slice(-1000)}`);
  });
  died.catch(() => undefined);
  const root = child.pid!;
  try {
    const keyframe = await Promise.race([subscriber.keyframe(30_000), died]);
    await Promise.race([lasts(settleMs, 'the stream settles'), died]);
    const firstTag = subscriber.tags.items.length;
    const before = costs(root, false);
    const from = wallClock();
    await Promise.race([lasts(seconds * 1000, 'what is measured'), died]);
    const after = costs(root, false);
    const took = (wallClock() - from) / 1000;
    const lastTag = subscriber.tags.items.length;
    const memory = new Map(costs(root, true).map((cost) => [cost.pid, cost.pssMb]));
    const processes = after.flatMap((cost): [string, ProcessResult][] => {
      const earlier = before.find(({ pid }) => pid === cost.pid);
      if (!earlier) return [];
      return [
        [
          cost.name,
          {
            cpuPerMinute: ((cost.cpuSeconds - earlier.cpuSeconds) * 60) / took,
            wakeupsPerSecond: waitsBetween(earlier, cost) / took,
            mainWakeupsPerSecond: waitsBetween(earlier, cost, true) / took,
            pssMb: memory.get(cost.pid) ?? 0,
          },
        ],
      ];
    });
    child.kill('SIGINT');
    await Promise.race([end, lasts(8000, 'the patience with its end')]);
    const pictures = subscriber.tags.items.slice(firstTag, lastTag).filter(isPicture).length;
    const latency = await pictureLatency(subscriber.tags.items.slice(0, lastTag));
    return {
      firstKeyframeMs: keyframe.at - started,
      startCpuSeconds: totalCpu(before),
      latencyMs: latency.ms,
      undecoded: latency.undecoded,
      repeated: latency.repeated,
      fps: pictures / took,
      processes: new Map(processes),
    };
  } finally {
    for (const { pid } of processTree(root)) process.kill(pid, 'SIGKILL');
    await end.catch(() => undefined);
  }
}
