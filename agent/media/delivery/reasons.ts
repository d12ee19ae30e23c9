/** Why an output failed, from what rtmp2sink says. Tried on GStreamer 1.22 with nginx-rtmp, and servers that say nothing, close or send garbage. */
import { Fault } from '../../errors.js';

const denied =
  /authorization|\b(un|not )authorized|authmod|AccessManager|\bauth(entication)?\b.*(fail|denied|reject)|publish denied(?!; stream)|Publish\.(Denied|Rejected)|invalid (stream )?key|connection rejected|Connect\.(Rejected|InvalidApp)|permission denied/i;

const mostCharacters = 8192;

const closedAbruptly = /TLS connection closed unexpectedly/;

/** `text`: message and debug text of the bus error. `place`: host and port, for people. `connected`: media had been accepted. */
export function outputFault(said: string, place: string, connected: boolean): Fault {
  // A server may say 64 kB, and each pattern looks through all of it.
  const text = said.slice(0, mostCharacters);
  const has = (pattern: RegExp): boolean => pattern.test(text);
  // GStreamer says of every bad name that it exists already; the server may say otherwise.
  if (has(/already publish(ing|ed)/i) || (has(/stream already exists/i) && !has(denied))) {
    return new Fault(
      'output_already_published',
      `${place} says that someone is already publishing with this key.`,
      'Stop the other publisher, or use another key.',
    );
  }
  if (has(denied)) {
    return new Fault(
      'output_denied',
      `${place} rejected the application, the stream key or the user.`,
      "Check the output's URL and key.",
    );
  }
  if (has(/Error resolving|Name or service not known|Temporary failure in name resolution|g-resolver-error/i)) {
    return new Fault(
      'output_unresolved',
      `The name of the server ${place} cannot be resolved.`,
      'Check the URL for a typo, and that DNS works on this machine.',
    );
  }
  // A server that has spoken TLS may end without a last word of it, or in the middle of one.
  if (!connected && has(/TLS|certificate|handshake.*g-tls|g-tls-error/i) && !has(closedAbruptly)) {
    return new Fault(
      'output_tls',
      `No secure connection to ${place}: ${tlsReason(text)}`,
      'Check the port and the certificate of the server; a server with a self-signed certificate needs tlsVerify: false.',
    );
  }
  if (has(/Connection refused/i)) {
    return new Fault(
      'output_refused',
      `${place} refused the connection.`,
      'Check host and port, and that the server is running.',
    );
  }
  if (has(/unreachable|No route to host/i)) {
    return new Fault('output_unreachable', `No route to ${place}.`, "Check this machine's network.");
  }
  if (has(/timed out|timeout/i)) {
    if (connected) return silentFault(place);
    return new Fault(
      'output_timeout',
      `${place} does not answer.`,
      'Check the network, and host and port (rtmps to a port without TLS looks the same).',
    );
  }
  if (has(closedAbruptly) || has(/closed remotely|reset by peer|Broken pipe|Short read|Connection error/i)) {
    return connected
      ? new Fault('output_closed', `${place} closed the connection.`, "Check the server's log.")
      : new Fault(
          'output_closed_connecting',
          `${place} closed the connection before it accepted the stream.`,
          'Check the application and the key.',
        );
  }
  return new Fault(
    'output_failed',
    `The output to ${place} failed; the server gave no reason.`,
    "Check the server's log.",
  );
}

/** A connection that is open and makes no progress: a black hole, a server that hangs, a cable that was pulled far away. */
export function silentFault(place: string): Fault {
  return new Fault(
    'output_stalled',
    `${place} stopped accepting data and reported no error.`,
    'Check the network, and that the server is running.',
  );
}

/** What was sent arrives so late that a new connection is the shorter way. */
export function slowFault(place: string): Fault {
  return new Fault(
    'output_slow',
    `${place} accepts data much more slowly than it is sent.`,
    'Lower video.bitrateKbps, or find out what else is using the network.',
  );
}

/** The server has spoken, and only a setting can help. */
export function isForOperator({ code }: Fault): boolean {
  return code === 'output_denied' || code === 'output_already_published' || code === 'output_tls';
}

function tlsReason(text: string): string {
  if (/support is not available|No TLS|not supported/i.test(text))
    return 'TLS is not installed here (Debian package glib-networking).';
  if (/Unacceptable TLS certificate|certificate/i.test(text)) return 'this machine does not trust its certificate.';
  return 'the server does not speak TLS on this port.';
}
