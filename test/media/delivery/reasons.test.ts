import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceFault } from '../../../agent/media/capture/reasons.js';
import { outputFault } from '../../../agent/media/delivery/reasons.js';
import type { Plan } from '../../../pipelines/plan.js';

/** What rtmp2sink of GStreamer 1.22 said, word for word; `publish` replies by nginx-rtmp 1.2.2 and a scripted server. */
const said: [string, boolean, string][] = [
  ['Failed to connect: Error resolving “nosuch.invalid”: Name or service not known', false, 'output_unresolved'],
  ['Connection refused: Could not connect to 127.0.0.1: Connection refused', false, 'output_refused'],
  ['Could not connect to 192.0.2.1: Network is unreachable', false, 'output_unreachable'],
  ["Failed to connect: 'connect' cmd failed: connection closed remotely", false, 'output_closed_connecting'],
  ["Failed to connect: 'publish' cmd failed: connection closed remotely", false, 'output_closed_connecting'],
  ['Connection error: Error receiving data: Connection reset by peer', false, 'output_closed_connecting'],
  ['Connection error: Error receiving data: Connection reset by peer', true, 'output_closed'],
  ['Failed to connect: Socket I/O timed out', false, 'output_timeout'],
  ['Connection error: Socket I/O timed out', true, 'output_stalled'],
  [
    'Failed to connect: Error performing TLS handshake: An unexpected TLS packet was received. g-tls-error-quark',
    false,
    'output_tls',
  ],
  ['Failed to connect: Unacceptable TLS certificate', false, 'output_tls'],
  [
    'Failed to connect: Peer failed to perform TLS handshake: The TLS connection was non-properly terminated.',
    false,
    'output_tls',
  ],
  // A server that ends without a word of TLS, long after it has spoken it.
  ["Failed to connect: 'publish' cmd failed: TLS connection closed unexpectedly", false, 'output_closed_connecting'],
  ['Connection error: TLS connection closed unexpectedly; g-tls-error-quark, code 6', true, 'output_closed'],
  [
    'Connection error: Error reading data from TLS socket: Decryption has failed. g-tls-error-quark',
    true,
    'output_closed',
  ],
  [
    'Failed to connect: publish denied; stream already exists: { "code": "NetStream.Publish.BadName", "description": "Already publishing" }',
    false,
    'output_already_published',
  ],
  [
    'Failed to connect: publish denied; stream already exists: { "code": "NetStream.Publish.BadName", "description": "Invalid stream key" }',
    false,
    'output_denied',
  ],
  [
    `Failed to connect: 'publish' cmd failed: onStatus: { "code": "NetStream.Publish.Unauthorized", "description": "no" }`,
    false,
    'output_denied',
  ],
  ["Failed to connect: 'connect' cmd returned 'NetConnection.Connect.InvalidApp'", false, 'output_denied'],
  ['Not authorized to connect: no username for adobe authentication', false, 'output_denied'],
  ['something that nobody has seen yet', false, 'output_failed'],
];

test('what rtmp2sink says is told apart', () => {
  for (const [text, connected, code] of said) assert.equal(outputFault(text, 'host:1935', connected).code, code, text);
});

test('no reason repeats what the server or GStreamer said, which may hold the key', () => {
  for (const [text, connected] of said) {
    const { message } = outputFault(`${text} live/s3cr3t`, 'host:1935', connected);
    assert.ok(!message.includes('s3cr3t') && message.includes('host:1935'));
  }
});

const plan = { live: true, video: { source: 'C920' }, audio: { source: 'USB Audio' } } as Plan;

/** Messages of v4l2src, alsasrc and the decoders, as seen on real drivers in a virtual machine. */
const faults: [string, string, string][] = [
  ['video-source', "Device '/dev/video1' is busy", 'source_busy'],
  ['video-source', 'Cannot identify device. system error: No such file or directory', 'source_not_found'],
  ['video-source', 'Could not read from resource. poll error 1: No such device (19)', 'source_not_found'],
  ['video-source', 'Failed to allocate a buffer', 'source_failed'],
  ['video-source', 'Internal data stream error. streaming stopped, reason not-negotiated (-4)', 'source_format'],
  ['audio-source', 'Could not open audio device for recording. Device or resource busy', 'source_busy'],
  ['decode', 'Your GStreamer installation is missing a plug-in.', 'plugin_missing'],
];

test('what a source says is told apart, and the right device is named', () => {
  for (const [element, message, code] of faults) {
    const fault = sourceFault({ type: 'error', _src_element_name: element, message }, plan);
    assert.equal(fault.code, code, message);
    const audio = element === 'audio-source';
    assert.ok(fault.what.includes(audio ? 'USB Audio' : 'C920'), fault.what);
    // GStreamer ends some of its messages with a full stop and others not.
    assert.match(fault.message, /^[^.].*[^.]\. [A-Z].*[^.]\.$/);
  }
});

test('a file that is gone or shut is no device to be plugged in', () => {
  const film = { ...plan, live: false, video: { source: 'file' } } as Plan;
  for (const message of [
    'Resource not found. No such file "film.mp4"',
    'Could not open file "film.mp4": Permission denied',
  ]) {
    const fault = sourceFault({ type: 'error', _src_element_name: 'video-source', message }, film);
    assert.equal(fault.code, 'file_unreadable', message);
    assert.ok(!fault.message.includes('film.mp4') && !fault.message.includes('lug'));
  }
});
