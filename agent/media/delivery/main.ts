/** The delivery process: takes FLV tags from capture over a socket, and hands them to every output. */
import { systemClock } from '../../clock.js';
import { loadGStreamer, tcpSockets } from '../gstreamer.js';
import type { FromDelivery, ToDelivery } from '../messages.js';
import { serve } from '../peer.js';
import { Delivery } from './delivery.js';
import { Hub } from './hub.js';
import { Sockets } from './sockets.js';

process.title = 'makercast-delivery';

serve<ToDelivery, FromDelivery>((agent) => {
  const clock = { ...systemClock, wallMs: Date.now };
  return new Delivery(agent, new Hub(clock.now), new Sockets(tcpSockets), clock);
});
// Takes a Zero W seconds: the first beat has been sent before.
loadGStreamer();
