/** The capture process: one GStreamer pipeline from camera and microphone to FLV tags, which go to the hub. */
import { systemClock } from '../../clock.js';
import { Fault } from '../../errors.js';
import { loadGStreamer } from '../gstreamer.js';
import { beatMs, type FromCapture, type ToCapture } from '../messages.js';
import { lastWords, serve } from '../peer.js';
import { Player } from './player.js';
import { Uplink } from './uplink.js';

process.title = 'makercast-capture';

let uplink: Uplink | undefined;
/** What is on, and what is to take its place as soon as it gives something. */
let player: Player | undefined;
let next: Player | undefined;

const peer = serve<ToCapture, FromCapture>({
  handle(message) {
    switch (message.type) {
      case 'hub':
        uplink = new Uplink(message.socket, () => player?.forceKeyframe());
        return;
      case 'play':
        return play(message);
      case 'adjust':
        return (next ?? player)?.adjust(message.plan, message.properties);
      case 'keyframe':
        return player?.forceKeyframe();
      case 'halt':
        return;
    }
  },
  beatMs: beatMs.capture,
  beat() {
    uplink?.look();
    return { type: 'beat' };
  },
  halt() {
    next?.stop();
    player?.stop();
    uplink?.close();
    return Promise.resolve();
  },
  failed(error) {
    lastWords(Fault.from(error));
    process.exit(1);
  },
});

function play({ id, plan, batchMs, overlap }: Extract<ToCapture, { type: 'play' }>): void {
  if (!uplink) throw new Fault('internal', 'A plan came before the hub was named.');
  peer.send({ type: 'busy' });
  const asked = systemClock.now();
  next?.stop();
  next = undefined;
  if (!overlap) {
    player?.stop();
    player = undefined;
  }
  const coming = new Player(plan, uplink, batchMs, systemClock, {
    playing() {
      if (next === coming) {
        peer.send({ type: 'busy' });
        player?.stop();
        player = coming;
        next = undefined;
      }
      peer.send({ type: 'playing', id, afterMs: Math.round(systemClock.now() - asked) });
    },
    ended: () => peer.send({ type: 'ended', id }),
    round: () => peer.send({ type: 'round', id }),
    refused: (what, why) => peer.send({ type: 'refused', id, what, why }),
    sparse: (seconds) => peer.send({ type: 'sparse', id, seconds }),
    failed(fault, part) {
      if (next === coming) next = undefined;
      peer.send({ type: 'fault', id, part, fault: fault.report() });
    },
  });
  next = coming;
  try {
    coming.start();
  } catch (error) {
    next = undefined;
    peer.send({ type: 'fault', id, part: 'other', fault: Fault.from(error).report() });
    coming.stop();
  }
}

loadGStreamer();
peer.send({ type: 'ready' });
