/** The capture process: one GStreamer pipeline from camera and microphone to FLV tags, which go to the hub. */
import { systemClock } from '../../clock.js';
import { loadGStreamer } from '../gstreamer.js';
import type { FromCapture, ToCapture } from '../messages.js';
import { serve } from '../peer.js';
import { Capture } from './capture.js';

process.title = 'makercast-capture';

const peer = serve<ToCapture, FromCapture>((agent) => new Capture(agent, systemClock));
// Takes a Zero W seconds: the first beat has been sent before.
loadGStreamer();
peer.send({ type: 'ready' });
