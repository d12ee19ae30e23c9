/** Every fault that makercast can report: a stable code, who must act, and whether trying again can help. */

/** Who must act: the operator (a setting), the network, the device (hardware, packages), or us (a bug). */
export type Actor = 'operator' | 'network' | 'device' | 'us';

interface Kind {
  readonly actor: Actor;
  readonly retryable: boolean;
  /** One line for docs/errors.md. */
  readonly doc: string;
}

const kinds = {
  setting_unknown: { actor: 'operator', retryable: false, doc: 'A setting of that name does not exist.' },
  setting_type: { actor: 'operator', retryable: false, doc: 'A setting has a value of the wrong type.' },
  setting_range: {
    actor: 'operator',
    retryable: false,
    doc: 'A setting is out of its range, or not one of its choices.',
  },
  setting_url: { actor: 'operator', retryable: false, doc: 'An output URL is malformed or has no application path.' },
  setting_removed: { actor: 'operator', retryable: false, doc: 'A setting that was removed from makercast.' },
  setting_locked: {
    actor: 'operator',
    retryable: false,
    doc: 'A setting that is locked against remote changes (`config.locked`).',
  },
  setting_local: {
    actor: 'operator',
    retryable: false,
    doc: 'A setting that this kind of document cannot set.',
  },
  setting_covered: {
    actor: 'operator',
    retryable: false,
    doc: 'A setting that the document of the device sets too, which takes precedence: adjusting it would change nothing.',
  },
  setting_secret: {
    actor: 'operator',
    retryable: false,
    doc: 'A document holds a secret, which others could read there.',
  },
  setting_path: {
    actor: 'operator',
    retryable: false,
    doc: 'A path that was set remotely lies outside the data folder.',
  },
  settings_unreadable: { actor: 'operator', retryable: false, doc: 'The settings file cannot be read or is not YAML.' },
  usage: { actor: 'operator', retryable: false, doc: 'The command line was not understood.' },
  under_voltage: { actor: 'operator', retryable: false, doc: 'The power supply of the board is too weak.' },
  too_hot: { actor: 'operator', retryable: false, doc: 'The processor is so hot that its clock speed is lowered.' },
  throttled: { actor: 'operator', retryable: false, doc: 'The firmware has lowered the clock speed of the processor.' },
  cma_large: {
    actor: 'operator',
    retryable: false,
    doc: 'On a board with little memory, more of it is reserved for devices (CMA) than they need.',
  },
  wifi_power_save: {
    actor: 'operator',
    retryable: false,
    doc: 'Power saving of Wi-Fi is on, which delays what is sent.',
  },
  report_unwritable: { actor: 'operator', retryable: false, doc: 'The report file cannot be written.' },
  source_not_found: {
    actor: 'operator',
    retryable: true,
    doc: 'The camera or microphone that a setting names was not found.',
  },
  source_busy: { actor: 'device', retryable: true, doc: 'Another program holds the camera or microphone.' },
  source_failed: { actor: 'device', retryable: true, doc: 'The camera, microphone or file stopped with an error.' },
  source_silent: { actor: 'device', retryable: true, doc: 'The source gives no pictures, and no error either.' },
  keyframes_sparse: {
    actor: 'operator',
    retryable: false,
    doc: 'The H.264 of a camera has its keyframes too far apart, or has none: viewers who join see nothing until the next one.',
  },
  source_ended: { actor: 'operator', retryable: false, doc: 'The last file of the playlist has been played.' },
  camera_unsupported: {
    actor: 'device',
    retryable: false,
    doc: 'A camera is connected, but the installed libcamera cannot drive it.',
  },
  firmware_setting: {
    actor: 'operator',
    retryable: false,
    doc: "The firmware's settings (gpu_mem, start_x) or the kernel make a Pi's encoder or camera unavailable.",
  },
  source_format: { actor: 'operator', retryable: false, doc: 'The camera offers no usable format.' },
  file_unreadable: { actor: 'operator', retryable: true, doc: 'A media file does not exist or may not be read.' },
  file_no_video: { actor: 'operator', retryable: false, doc: 'A media file contains no video.' },
  file_broken: { actor: 'operator', retryable: false, doc: 'GStreamer cannot read a media file.' },
  file_slow: {
    actor: 'device',
    retryable: true,
    doc: 'A media file has not been examined yet, because it is long, or its disk is slow or hangs; the slate stands in.',
  },
  slate_image: {
    actor: 'operator',
    retryable: true,
    doc: 'The picture for the slate cannot be shown; its text is shown instead.',
  },
  encoder_missing: {
    actor: 'device',
    retryable: false,
    doc: 'There is no usable H.264 encoder, or the one that a setting names does not work on this machine.',
  },
  encoder_failed: { actor: 'device', retryable: true, doc: 'The H.264 encoder stopped with an error.' },
  passthrough_unfit: {
    actor: 'operator',
    retryable: false,
    doc: 'The source cannot be passed through unchanged, although the settings require it.',
  },
  plugin_missing: { actor: 'device', retryable: false, doc: 'GStreamer or one of its plugins is not installed.' },
  binding_missing: {
    actor: 'device',
    retryable: false,
    doc: 'The native GStreamer binding is not built or does not load.',
  },
  port_in_use: { actor: 'operator', retryable: true, doc: 'The port of the demonstration server is already in use.' },
  demo_missing: {
    actor: 'device',
    retryable: false,
    doc: 'The demonstration server is not installed (device images leave it out).',
  },
  network_none: { actor: 'network', retryable: true, doc: 'This machine has no network except loopback.' },
  output_key_missing: {
    actor: 'operator',
    retryable: false,
    doc: 'No stream key was given for the new address of an output: it stays at its old address, or is left out.',
  },
  output_unresolved: { actor: 'network', retryable: true, doc: 'DNS does not know the name of the server.' },
  output_refused: { actor: 'network', retryable: true, doc: 'The server refuses the connection.' },
  output_unreachable: { actor: 'network', retryable: true, doc: 'There is no route to the server.' },
  output_timeout: { actor: 'network', retryable: true, doc: 'The server does not answer in time.' },
  output_tls: {
    actor: 'operator',
    retryable: true,
    doc: 'The secure connection cannot be made: certificate, or not a TLS port.',
  },
  output_already_published: {
    actor: 'operator',
    retryable: true,
    doc: 'Somebody is already publishing under this key.',
  },
  output_denied: {
    actor: 'operator',
    retryable: true,
    doc: 'The server refuses the application, the key or the user.',
  },
  output_closed_connecting: {
    actor: 'operator',
    retryable: true,
    doc: 'The server closed the connection before it was established: check application and key.',
  },
  output_closed: { actor: 'network', retryable: true, doc: 'The server closed the connection in mid-stream.' },
  output_stalled: {
    actor: 'network',
    retryable: true,
    doc: 'The server, or the network on the way to it, has stopped accepting data without closing the connection.',
  },
  output_slow: {
    actor: 'network',
    retryable: true,
    doc: 'The server, or the network on the way to it, accepts less than is sent.',
  },
  output_failed: {
    actor: 'network',
    retryable: true,
    doc: 'An output failed, and the server gave no reason.',
  },
  recording_full: {
    actor: 'operator',
    retryable: true,
    doc: 'There is no room for recordings: the card is full, or the quota too small.',
  },
  recording_unwritable: { actor: 'operator', retryable: true, doc: 'The folder of the recordings cannot be written.' },
  recording_slow: {
    actor: 'device',
    retryable: true,
    doc: 'The card writes recordings more slowly than they are produced.',
  },
  recording_failed: { actor: 'device', retryable: true, doc: 'The card or disk that holds the recordings is failing.' },
  child_died: { actor: 'us', retryable: true, doc: 'The capture or delivery process ended unexpectedly.' },
  child_hung: { actor: 'us', retryable: true, doc: 'The capture or delivery process does not respond.' },
  child_grown: {
    actor: 'us',
    retryable: true,
    doc: 'The capture or delivery process held more memory or open files than it should, and was replaced.',
  },
  pipeline_invalid: {
    actor: 'us',
    retryable: false,
    doc: 'GStreamer does not accept the pipeline that makercast composed.',
  },
  document_malformed: {
    actor: 'operator',
    retryable: false,
    doc: 'A remote document is not `{version, config, by?, base?}`, or is too large.',
  },
  stale: { actor: 'operator', retryable: false, doc: 'A document has a lower version than the last one decided.' },
  version_too_high: {
    actor: 'operator',
    retryable: false,
    doc: 'A document has a version so far above the last one that every later one would be stale.',
  },
  version_conflict: {
    actor: 'operator',
    retryable: false,
    doc: 'A document has the version of the last one decided, but different content.',
  },
  base_conflict: {
    actor: 'operator',
    retryable: false,
    doc: 'A document builds on a version that is not the last one decided: another controller was faster.',
  },
  change_undone: {
    actor: 'operator',
    retryable: false,
    doc: 'A remote change broke the stream or the connection to the broker, left no output, was never confirmed, or was cut off while on probation; the last good settings are back.',
  },
  command_malformed: { actor: 'operator', retryable: false, doc: 'A command is not `{id, expires?, args?}`.' },
  command_unknown: { actor: 'operator', retryable: false, doc: 'There is no command of that name.' },
  command_retained: {
    actor: 'operator',
    retryable: false,
    doc: 'A command that the broker retained is refused: it would run again and again.',
  },
  command_expired: { actor: 'operator', retryable: false, doc: 'A command arrived after it had expired.' },
  command_failed: { actor: 'operator', retryable: false, doc: 'A command could not be carried out.' },
  clock_not_set: {
    actor: 'device',
    retryable: true,
    doc: 'The clock of this machine shows a time before the program was built.',
  },
  mqtt_unreachable: { actor: 'network', retryable: true, doc: 'The MQTT broker cannot be reached.' },
  mqtt_refused: {
    actor: 'operator',
    retryable: true,
    doc: 'The MQTT broker refuses user, password or certificate, or does not let this device read a topic.',
  },
  mqtt_credentials_missing: {
    actor: 'operator',
    retryable: false,
    doc: 'User and password were given for a different MQTT broker than the one that a document names.',
  },
  mqtt_unheard: {
    actor: 'operator',
    retryable: true,
    doc: 'What this device publishes does not come back to it: the MQTT broker renames the topics, or delivers nothing.',
  },
  mqtt_too_long: {
    actor: 'operator',
    retryable: true,
    doc: 'The MQTT broker sent a packet that is too long, or that was never asked for; the connection was closed before the packet was read into memory.',
  },
  mqtt_tls: {
    actor: 'operator',
    retryable: true,
    doc: 'The secure connection to the MQTT broker cannot be made: certificates, or not a TLS port.',
  },
  duplicate_id: {
    actor: 'operator',
    retryable: true,
    doc: 'Another device uses the same id at the broker: a card was cloned, or `mqtt.id` was set twice.',
  },
  supervisor_unreachable: {
    actor: 'device',
    retryable: true,
    doc: "balena's Supervisor does not answer; everything else keeps working.",
  },
  supervisor_refused: {
    actor: 'operator',
    retryable: true,
    doc: "balena's Supervisor refuses a request: because of its key, a missing label, or locks that are held.",
  },
  update_lock_failed: {
    actor: 'device',
    retryable: true,
    doc: 'The update lock cannot be taken: an update could interrupt the broadcast.',
  },
  gpio_unavailable: {
    actor: 'operator',
    retryable: true,
    doc: 'The button or the tally light cannot be used: there is no such line, permission is denied, or a package is missing.',
  },
  state_unwritable: { actor: 'device', retryable: true, doc: 'The data folder cannot be written.' },
  state_set_aside: {
    actor: 'device',
    retryable: false,
    doc: 'A state file was torn, corrupt or from a newer release; it was set aside.',
  },
  fleet_missing: {
    actor: 'operator',
    retryable: false,
    doc: 'The fleet tool, or balena-sdk, which it needs, is not installed (device images leave out both).',
  },
  fleet_unreachable: { actor: 'network', retryable: false, doc: "balena's cloud cannot be reached." },
  fleet_denied: { actor: 'operator', retryable: false, doc: "balena's cloud does not accept the API key." },
  fleet_busy: {
    actor: 'network',
    retryable: false,
    doc: "balena's cloud has received too many requests, and asks for a longer pause than makercast waits.",
  },
  fleet_unknown: { actor: 'operator', retryable: false, doc: 'There is no such fleet, device, tag or release.' },
  fleet_refused: { actor: 'operator', retryable: false, doc: "balena's cloud refuses a change." },
  internal: { actor: 'us', retryable: false, doc: 'An error that should not happen: a bug in makercast.' },
} as const satisfies Record<string, Kind>;

export type FaultCode = keyof typeof kinds;

export const faults: Readonly<Record<FaultCode, Kind>> = kinds;

export function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(kinds, code);
}

/** A fault as it travels between processes and into the status document. Never holds a secret. */
export interface FaultReport {
  readonly code: FaultCode;
  /** What happened, where. */
  readonly what: string;
  /** What to do. */
  readonly remedy: string;
  /** The same, by its name in 0.1, which 0.3 no longer has. */
  readonly mend: string;
}

/** The first line of what GStreamer or another program printed, with the full stop that only some of their messages have. */
export const sentence = (text: string): string => {
  const line = text.split('\n')[0]!.trim();
  return /[.!?…]["')]*$/.test(line) ? line : `${line}.`;
};

/** The one error class: `what` happened (and where), and what to do (`remedy`). Its message is one line. */
export class Fault extends Error {
  readonly actor: Actor;

  constructor(
    readonly code: FaultCode,
    readonly what: string,
    readonly remedy = '',
  ) {
    super(remedy ? `${what} ${remedy}` : what);
    this.name = 'Fault';
    this.actor = kinds[code].actor;
  }

  /** The fault without its stack, for IPC, the log and the status document. */
  report(): FaultReport {
    const { code, what, remedy } = this;
    return { code, what, remedy, mend: remedy };
  }

  /** Anything thrown as a Fault; what is not one becomes `internal`. */
  static from(thrown: unknown): Fault {
    if (thrown instanceof Fault) return thrown;
    return new Fault('internal', thrown instanceof Error ? thrown.message : String(thrown));
  }
}
