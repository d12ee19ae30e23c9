#!/bin/sh
# The system of the images that are made of Debian: what a run needs of it, and no more. $@: packages of one image alone.
# Of purpose `runtime` in setup/packages.mjs, and: gstreamer1.0-libcamera, libcamera-tools and libcamera-ipa (cameras of the
# libcamera stack; the last one drives the sensors, and is only recommended by the others), udev (names by id,
# permissions) with the least of systemd that satisfies it (else all of it comes, and is protected from being taken out
# again), kmod (the PiCam's module), tini (reaps processes, passes signals on).
set -eu

# First, before a package takes one of the numbers for a group of its own.
groupadd --gid 10001 makercast
groupadd --gid 997 gpio
useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin makercast

dpkg-query -W -f '${Package}\n' >/tmp/before
apt-get update
apt-get install -y --no-install-recommends "$@" \
  alsa-utils ca-certificates glib-networking gstreamer1.0-alsa gstreamer1.0-libav gstreamer1.0-libcamera \
  gstreamer1.0-plugins-bad gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly \
  gstreamer1.0-tools gstreamer1.0-x kmod libcamera-ipa libcamera-tools systemd-standalone-sysusers tini \
  udev v4l-utils
sh "${0%/*}/lean-system.sh" /tmp/before
