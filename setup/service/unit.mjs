/** The systemd unit of makercast, as text: how it is started, kept alive, and what it may touch. Nothing here looks at a machine. */

/** Who it runs as; the same word names the unit and its folders under /etc, /var/lib and /var/cache. */
export const name = 'makercast';

/** Those that exist are given to its user: cameras and codecs, sound cards, and a Pi's pins. */
export const groups = ['video', 'audio', 'gpio'];

/** What the unit hides from the service, so that neither the program nor Node.js may lie there: ProtectHome and PrivateTmp. */
export const hidden = ['/home', '/root', '/run/user', '/tmp', '/var/tmp'];

/**
 * A path as one word of a command line: systemd.service(5) expands $ and systemd.unit(5) % even within quotes.
 * @param {string} path
 */
const word = (path) => `"${path.replaceAll(/[\\"]/g, '\\$&').replaceAll('%', '%%').replaceAll('$', '$$$$')}"`;

/**
 * `node`: path of the Node.js that the program was built for, `root`: of the checkout.
 * @param {{node: string, root: string}} paths
 */
export function unitText({ node, root }) {
  return `# Written by \`npx makercast service install\`, which overwrites it. For your own changes: systemctl edit ${name}
[Unit]
Description=makercast live-stream encoder
Documentation=https://github.com/makercast/makercast/blob/main/docs/debian.md
# Not network-online.target: a recording needs no network, and an output waits for its own.
After=network.target sound.target
# For ever: no number of ends within any time is too many.
StartLimitIntervalSec=0

[Service]
Type=exec
# The board's own LED, by which one device is found among many, is root's. As root (+); a machine without one is no fault (-).
ExecStartPre=-+/bin/sh -c 'for led in ACT led0; do file=/sys/class/leds/$$led/trigger; [ ! -e $$file ] || { chgrp ${name} $$file; chmod g+w $$file; }; done'
# The program itself and not npm, whose set-up might want to install something.
ExecStart=${word(node)} --enable-source-maps ${word(`${root}/dist/agent/main.js`)}
# Where it looks for makercast.yml.
WorkingDirectory=/etc/${name}
# An invalid setting falls back to its last good value instead of ending the program, and no demonstration server is started.
Environment=MAKERCAST_SUPERVISED=1 MAKERCAST_DATA=/var/lib/${name} XDG_CACHE_HOME=/var/cache/${name}
# Variables such as STREAM_KEY, for those who like them better. systemctl show tells the file's name and not what is in it.
EnvironmentFile=-/etc/${name}/environment
SyslogIdentifier=${name}

Restart=always
RestartSec=1
# The agent ends its children in order, and all that is left in 7 s (agent/ending.ts).
KillMode=mixed
TimeoutStopSec=10
# With the default (stop) a child that the kernel kills for want of memory ends the whole service, and not even Restart=always
# brings it back (systemd issues 36529, 39187). The agent replaces its children itself.
OOMPolicy=continue

User=${name}
Group=${name}
# For whoever is in its group: may read settings and recordings.
StateDirectory=${name}
StateDirectoryMode=0750
CacheDirectory=${name}
UMask=0027

NoNewPrivileges=yes
CapabilityBoundingSet=
# Everything is read-only but its own folders, and homes cannot be seen.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
# /sys is read-only with it, but for pins and LEDs, whose files lie under /sys/devices.
ProtectKernelTunables=yes
ReadWritePaths=-/sys/class/gpio -/sys/devices
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectProc=invisible
RestrictNamespaces=yes
RestrictSUIDSGID=yes
RestrictRealtime=yes
LockPersonality=yes
RemoveIPC=yes
# Netlink tells which addresses there are, and udev's news of cameras.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
# A refusal, not a SIGSYS: GStreamer's plugins try what they may do without.
SystemCallErrorNumber=EPERM

# Left out, each for a reason:
# DeviceAllow=char-video4linux and the like: systemd looks up in /proc/devices at the start which devices that means (systemd pull
#   request 14504). A webcam that loads its driver when it is plugged in later would be refused until the next start. The groups of
#   its user say which devices it may open.
# ProtectClock=: before systemd 253 it allows char-rtc, and thereby no other device (systemd issue 18142). Without capabilities, and
#   with this filter of system calls, nothing can set the clock.
# PrivateDevices=, PrivateUsers=: no cameras; no group that may open them.
# MemoryDenyWriteExecute=: V8 and Orc (GStreamer) compile to machine code.
# WatchdogSec=: the agent watches over its children, and does nothing itself that could hang in a driver.

[Install]
WantedBy=multi-user.target
`;
}
