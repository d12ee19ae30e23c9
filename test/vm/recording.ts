/** What a server has received of a broadcast, judged afterwards: a live subscriber would cost the emulated processor too much. */
import type { Agent, StatusDocument } from '../helpers/agent/agent.js';
import type { Nginx } from '../helpers/rtmp/nginx.js';

const framesOf = (status: StatusDocument): number => (status['hub'] as { frames: number } | undefined)?.frames ?? 0;

/** Waits until so many pictures have come from capture, at 5 a second or more, stops in order, and answers with the path of the newest recording. */
export async function recording(agent: Agent, nginx: Nginx, pictures: number): Promise<string> {
  await agent.status((status) => framesOf(status) >= pictures, 60_000 + 400 * pictures);
  const calls = nginx.calls.items.length;
  await agent.stop();
  await nginx.waitForCall('record_done', { from: calls });
  return (await nginx.recordings()).at(-1)!;
}
