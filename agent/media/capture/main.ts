/** The capture process: one GStreamer pipeline from camera and microphone to FLV tags, which go to the hub. */
import { systemClock } from '../../clock.js';
import { Fault } from '../../errors.js';
import { loadGStreamer } from '../gstreamer.js';
import type { FromCapture, ToCapture } from '../messages.js';
import { lastWords, serve } from '../peer.js';
import { Player } from './player.js';
import { Uplink } from './uplink.js';

process.title = 'makercast-capture';

let uplink: Uplink | undefined;
let player: Player | undefined;

const peer = serve<ToCapture, FromCapture>({
  handle(message) {
    switch (message.type) {
      case 'hub':
        uplink = new Uplink(message.socket, () => player?.forceKeyframe());
        return;
      case 'play':
        return play(message);
      case 'adjust':
        return player?.adjust(message.plan, message.properties);
      case 'keyframe':
        return player?.forceKeyframe();
      case 'halt':
        return;
    }
  },
  beat: () => ({ type: 'beat' }),
  halt() {
    player?.stop();
    uplink?.close();
    return Promise.resolve();
  },
  failed(error) {
    lastWords(Fault.from(error));
    process.exit(1);
  },
});

function play({ id, plan, batchMs }: Extract<ToCapture, { type: 'play' }>): void {
  if (!uplink) throw new Fault('internal', 'A plan came before the hub was named.');
  const asked = systemClock.now();
  player?.stop();
  player = new Player(plan, uplink, batchMs, systemClock, {
    playing: () => peer.send({ type: 'playing', id, afterMs: Math.round(systemClock.now() - asked) }),
    ended: () => peer.send({ type: 'ended', id }),
    failed: (fault) => peer.send({ type: 'fault', id, fault: fault.report() }),
  });
  try {
    player.start();
  } catch (error) {
    player.stop();
    peer.send({ type: 'fault', id, fault: Fault.from(error).report() });
  }
}

loadGStreamer();
