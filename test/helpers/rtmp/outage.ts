/** What is said of an output that was lost and comes back: shared by the tests of servers and those of networks. */
import assert from 'node:assert/strict';
import type { Agent, StatusDocument } from '../agent/agent.js';
import { isVideoKey } from '../content/flv.js';
import type { RtmpServer } from './server.js';

export const live = (agent: Agent): Promise<StatusDocument> => agent.status((status) => status.actual === 'live');

/** Waits until `server` has a publish after number `from` of them, with a keyframe. */
export async function publishedAgain(server: RtmpServer, from: number, deadlineMs = 60_000) {
  const connection = await server.published('k', { from, deadlineMs });
  await connection.tags.waitFor(isVideoKey, 30_000);
  return connection;
}

/** The goal is 8 s, which bench/recovery measures; the rest is for a machine that stands still for a moment. */
export const noticedMs = 20_000;

export const noChildSuffered = (agent: Agent): void =>
  assert.ok(!agent.log.items.some(({ event }) => event === 'child_hung' || event === 'child_died'), agent.output);
