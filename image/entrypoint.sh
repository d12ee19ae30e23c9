#!/bin/sh
# makercast in its container: as the first process it prepares the devices as root; then, and in every later `exec`, it
# drops root for good and becomes the agent. Without root (`docker run --user`) it prepares nothing.
set -eu

# Fixed, so that files in /data keep their owner over updates. Not 65534: balena's Supervisor takes lock files of that
# user for its own and removes them.
uid=10001
gid=10001
agent=/app/dist/agent/main.js

say() { echo "entrypoint: $*" >&2; }

# Every program that follows is found here, whatever the fleet's variables say.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# A container sees the device nodes of the moment that it was made in. The kernel's own devtmpfs also shows those that
# come later: a camera that is plugged in, a node whose module is loaded. What the engine put into /dev moves along.
all_devices() {
  mkdir -p /run/dev
  mount -t devtmpfs devtmpfs /run/dev || return 1
  for name in pts shm mqueue console; do
    mountpoint -q "/dev/$name" || continue
    [ -e "/run/dev/$name" ] || mkdir "/run/dev/$name"
    mount --move "/dev/$name" "/run/dev/$name" || say "/dev/$name could not be moved"
  done
  umount -l /dev 2>/dev/null || true
  mount --move /run/dev /dev
}

# Names such as /dev/v4l/by-id, and who may open what (image/99-makercast.rules). Only these subsystems are gone through
# again: the rest of the machine is none of our business.
start_udev() {
  udevd=
  for file in /usr/lib/systemd/systemd-udevd /lib/systemd/systemd-udevd /sbin/udevd /usr/sbin/udevd; do
    if [ -x "$file" ]; then udevd=$file; break; fi
  done
  if [ -z "$udevd" ]; then say 'no udevd here: cameras have no names by id'; return; fi
  "$udevd" --daemon >/dev/null || { say 'udevd does not start: cameras have no names by id'; return; }
  for subsystem in video4linux media sound dma_heap gpio vchiq bcm2708_vcio; do
    set -- "$@" "--subsystem-match=$subsystem"
  done
  udevadm trigger --type=devices --action=add "$@" || true
  udevadm settle --timeout=10 || say 'udev did not settle within 10 s'
}

# The PiCam of the legacy stack is a module that nothing loads by itself. Where the firmware has no camera (start_x=0,
# gpu_mem below 128) it finds none, which the agent then says. A 64-bit kernel that has the camera port for itself
# (unicam) drives the sensor: the camera is libcamera's there, and the legacy stack is not stirred.
legacy_camera() {
  model=$(tr -d '\0' </proc/device-tree/model 2>/dev/null || true)
  case $model in
    *'Raspberry Pi 5'*) return ;;
    *'Raspberry Pi'*) ;;
    *) return ;;
  esac
  if [ "$(uname -m)" = aarch64 ] && grep -qs '^unicam' /sys/class/video4linux/video*/name; then return; fi
  [ -e /sys/module/bcm2835_v4l2 ] || modprobe -q bcm2835-v4l2 ||
    say 'bcm2835-v4l2 cannot be loaded: no PiCam of the legacy stack (label io.balena.features.kernel-modules?)'
}

# The old interface to the pins has no device node; lines that are exported later are opened up by the udev rule. Nor has
# the board's own LED, by which a device is found among others (agent/machine/host/led.ts).
open_pins() {
  for file in /sys/class/gpio/export /sys/class/gpio/unexport /sys/class/leds/ACT/trigger /sys/class/leds/led0/trigger; do
    if [ -e "$file" ]; then chgrp gpio "$file" && chmod g+w "$file"; fi
  done
}

prepare() {
  # In a container that is not privileged /sys is read-only, and /dev is what it was given.
  if [ -w /sys ]; then
    all_devices || say 'no devtmpfs: devices that are plugged in later are not seen'
    legacy_camera
    start_udev
    open_pins
  else
    say 'not privileged: only the devices that the container was given'
  fi

  # The folder of the update lock, which the agent makes and removes.
  mkdir -p /tmp/balena
  chown "$uid:$gid" /tmp/balena

  # State, settings and caches outlive the container here. A volume is root's when it is new.
  mkdir -p /data/cache
  if [ "$(stat -c %u:%g /data)" != "$uid:$gid" ] || [ "$(stat -c %u:%g /data/cache)" != "$uid:$gid" ]; then
    chown -Rh "$uid:$gid" /data
  fi

  # Left by a run that was killed. The agent has the same pid each time, so it cannot tell them from its own.
  rm -rf /tmp/makercast-run-*
}

# The groups of cameras and sound cards: as this image numbers them, and as balenaOS does (29 audio, 44 video), whose udev
# sets the owner of the same nodes.
groups() {
  numbers=29,44
  for name in audio video gpio; do
    number=$(sed -n "s/^$name:[^:]*:\([0-9]*\):.*/\1/p" /etc/group)
    case ,$numbers, in *",$number,"*) ;; *) numbers=$numbers${number:+,$number} ;; esac
  done
  echo "$numbers"
}

# Starts the watchdog beside what this process becomes; with the words in front of it that drop root. It is of the agent's
# user, whom it may kill, and ends with the container. MAKERCAST_WATCHDOG_SECONDS: between two looks; 0: no watchdog.
watchdog() {
  case $seconds in
    *[!0-9]*) say "MAKERCAST_WATCHDOG_SECONDS is '$seconds', which is not a number of seconds: 60 is used"; seconds=60 ;;
  esac
  if [ "$seconds" -gt 0 ]; then "$@" makercast-health watch "$seconds" & fi
}

init=
if [ $$ -eq 1 ]; then
  # Reaps what other processes leave behind, which Node does not, and passes signals on to the agent.
  init='tini --'
  [ "$(id -u)" -ne 0 ] || prepare
fi

# No setting of the agent, which would warn of it.
seconds=${MAKERCAST_WATCHDOG_SECONDS:-60}
unset MAKERCAST_WATCHDOG_SECONDS

cd /data
export HOME=/data XDG_CACHE_HOME=/data/cache
drop=
if [ "$(id -u)" -eq 0 ]; then
  drop="setpriv --reuid=$uid --regid=$gid --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs"
fi
# Only what is to run for ever is watched, and not a `makercast probe`.
# shellcheck disable=SC2086 # Words on purpose, here and below.
if [ -n "$init" ] && [ $# -eq 0 ]; then watchdog $drop ${drop:+--clear-groups --}; fi
exec $drop ${drop:+--groups="$(groups)" --} $init node "$agent" "$@"
