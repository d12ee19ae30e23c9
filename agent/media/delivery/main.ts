/** The delivery process: takes FLV tags from capture over a socket, and hands them to every output. */
import { existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import path from 'node:path';
import { systemClock } from '../../clock.js';
import { Fault } from '../../errors.js';
import { TagCutter } from '../../flv/tag.js';
import { loadGStreamer, tcpSockets } from '../gstreamer.js';
import {
  beatMs,
  type FromDelivery,
  type OutputStatus,
  type RecordingStatus,
  type ToDelivery,
  type WantedOutput,
  type WantedRecording,
} from '../messages.js';
import { lastWords, serve } from '../peer.js';
import { Hub } from './hub.js';
import { Output } from './output.js';
import { Recorder } from './recording/recorder.js';
import { Sockets } from './sockets.js';

process.title = 'makercast-delivery';

const hub = new Hub(systemClock.now);
const sockets = new Sockets(tcpSockets);
const outputs = new Map<string, Output>();
const left = new Map<string, number>();
let capture: Socket | undefined;
let door: { readonly server: Server; readonly socket: string } | undefined;
let recorder: Recorder | undefined;

const peer = serve<ToDelivery, FromDelivery>({
  handle(message) {
    switch (message.type) {
      case 'hub':
        return listen(message.socket);
      case 'outputs':
        return setOutputs(message.outputs);
      case 'recording':
        return setRecording(message.recording);
      case 'delay':
        if (hub.delay(message.audioMs)) peer.send({ type: 'keyframe' });
        return;
      case 'retry':
        for (const [name, output] of outputs)
          if (message.output === undefined || message.output === name) output.retry();
        return;
      case 'network':
        for (const output of outputs.values()) output.networkChanged();
        return;
      case 'picture': {
        const flv = hub.picture();
        peer.send({ type: 'picture', ...(flv ? { flv: flv.toString('base64') } : {}) });
        return;
      }
      case 'halt':
        return;
    }
  },
  beatMs: beatMs.delivery,
  beat() {
    recorder?.measure();
    // Somebody has swept /tmp: the next capture process would not find us.
    if (door && !existsSync(door.socket)) void open(door.socket).catch(() => undefined);
    const statuses = [...outputs].map(([name, output]): [string, OutputStatus] => [name, output.status()]);
    return { type: 'beat', hub: hub.status(), outputs: Object.fromEntries(statuses), ...recording() };
  },
  async halt() {
    await Promise.all([recorder, ...outputs.values()].map((output) => output?.close()));
  },
  failed(error) {
    lastWords(Fault.from(error));
    process.exit(1);
  },
});

async function listen(socket: string): Promise<void> {
  await open(socket);
  peer.send({ type: 'ready' });
}

/** Only one capture process feeds the hub: a new connection takes the place of the one before. */
async function open(socket: string): Promise<void> {
  const server = createServer((connection) => {
    capture?.destroy();
    capture = connection;
    const cutter = new TagCutter();
    connection.on('data', (chunk) => hub.accept(cutter.push(chunk)));
    // A capture process that was killed in mid-write: the next one begins a stream of its own.
    connection.on('error', () => connection.destroy());
  });
  // Its path goes with it, so not after the next one has taken that.
  door?.server.close();
  makePrivate(path.dirname(socket));
  // One that was killed leaves its socket behind.
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  door = { server, socket };
}

/** The folder is there, and nobody else's: had it been swept away, another user could have made one of that name. */
function makePrivate(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (lstatSync(folder).uid === process.getuid?.()) return;
  throw new Fault('internal', `The folder ${folder} belongs to somebody else.`, 'Restart makercast.');
}

/** Opens what is new, closes what is gone, opens anew what has changed, and leaves the rest alone. */
async function setOutputs(wanted: readonly WantedOutput[]): Promise<void> {
  peer.send({ type: 'busy' });
  const keep = new Map(wanted.map((each) => [each.name, each]));
  const closing = [...outputs].filter(([name, output]) => {
    const next = keep.get(name);
    return !next || !output.take(next);
  });
  for (const [name] of closing) outputs.delete(name);
  const closed = closing.map(([name, output]) => ({ name, session: output.session, done: output.close() }));
  for (const each of wanted) {
    if (outputs.has(each.name)) continue;
    const tell = {
      status: () => peer.send({ type: 'output', name: each.name, status: output.status() }),
      keyframe: () => peer.send({ type: 'keyframe' }),
    };
    const output: Output = new Output(each, hub, sockets, systemClock, tell, left);
    outputs.set(each.name, output);
    if (each.liveAgoMs !== undefined && !left.has(output.session))
      left.set(output.session, systemClock.now() - each.liveAgoMs);
    // The server may still hold the session that is being closed, whatever its output was called.
    const before = closed.filter(({ name, session }) => name === each.name || session === output.session);
    void Promise.all(before.map(({ done }) => done)).then(() => {
      if (outputs.get(each.name) === output) output.start();
    });
  }
  await Promise.all(closed.map(({ done }) => done));
}

function recording(): { recording?: RecordingStatus } {
  return recorder ? { recording: recorder.status() } : {};
}

/** Other limits are taken over in mid-recording; another folder is another recording. */
async function setRecording(wanted: WantedRecording | undefined): Promise<void> {
  if (wanted && wanted.folder === recorder?.wanted.folder) return recorder.adjust(wanted);
  const before = recorder;
  recorder = undefined;
  if (wanted) {
    const next = new Recorder(
      wanted,
      hub,
      { ...systemClock, wallMs: Date.now },
      {
        status: () => peer.send({ type: 'recording', status: next.status() }),
        keyframe: () => peer.send({ type: 'keyframe' }),
      },
    );
    recorder = next;
    next.start();
  }
  await before?.close();
}

loadGStreamer();
