#!/bin/sh
# Right after `apt-get install` (image/system.sh): leaves of GStreamer's plugins those below, and of the packages that came with them those that
# something still needs. Debian's plugins-bad alone brings LLVM, GTK, Perl and graphics drivers:
# without this the image is twice as large. $1: file with the packages' names from before, one a line.
#
# Whole packages go, so that `dpkg -l` tells the truth for whoever looks for security updates. The last step loads every
# plugin that is left: one that lacks a library fails the build.
set -eu
before=$1

# By what they are for. test/setup/images.test.ts finds any element of makercast's pipelines that is not in here.
plugins='
  coreelements app typefindfunctions playback autodetect debug debugutilsbad rawparse gio tcp
  videotestsrc audiotestsrc imagefreeze multifile
  video4linux2 alsa libcamera
  videoconvertscale videorate videofilter videobox videocrop videomixer compositor deinterlace pango overlaycomposition
  audioconvert audioresample audiorate audiomixer audioparsers volume level interleave
  x264 openh264 voaacenc fdkaac libav jpeg jpegformat png vpx opus opusparse vorbis theora ogg flac mpg123 wavparse
  flv isomp4 matroska avi mpegtsdemux mpegtsmux mpegpsdemux subparse id3demux icydemux apetag
  videoparsersbad codectimestamper timecode rtmp2
'
# Read or loaded by name, not linked: fonts, configuration of ALSA, the image processing of libcamera, udev's kmod. A build without one of them would make an
# image in which something fails only on a device.
data='fonts-dejavu-core fontconfig-config libasound2-data libcamera-ipa libkmod2 glib-networking-common glib-networking-services'
# The same for Debian's own Node.js, which keeps parts of itself in packages: fetch, and how it reads modules.
node='node-acorn node-balanced-match node-brace-expansion node-cjs-module-lexer node-minimatch node-undici'

system=$(dirname "$(find /usr/lib -name 'libgstreamer-1.0.so.0' | head -n 1)")
keep=" $(echo $plugins) "
for file in "$system"/gstreamer-1.0/libgst*.so; do
  name=${file##*/libgst}
  case $keep in *" ${name%.so} "*) ;; *) rm "$file" ;; esac
done

# Of GLib's modules only TLS: those that look for a proxy in a desktop's settings end the program where there are none.
find "$system/gio/modules" -name '*.so' ! -name 'libgiognutls.so' -delete
"$system/glib-2.0/gio-querymodules" "$system/gio/modules"

# libcamera-tools is here for `cam`; these two would keep Qt.
rm -f /usr/bin/qcam /usr/bin/lc-compliance

work=$(mktemp -d)
dpkg-query -W -f '${binary:Package}\n' | sed 's/:.*//' | sort -u >"$work/now"
sort -u "$before" >"$work/before"
comm -13 "$work/before" "$work/now" >"$work/new"
if grep -qx nodejs "$work/new"; then data="$data $node"; fi
for package in $data; do
  grep -qx "$package" "$work/now" || { echo "lean-system: $package is not installed" >&2; exit 1; }
done
{ apt-mark showmanual | sed 's/:.*//'; printf '%s\n' $data; } | sort -u >"$work/named"

# What is run or loaded by itself: all of GStreamer's and GLib's modules, and the programs of the packages that were asked
# for. One ldd and one awk for all of them: a process each would take many minutes in an emulated build.
info=/var/lib/dpkg/info
comm -12 "$work/new" "$work/named" | while read -r package; do
  cat "$info/$package.list" "$info/$package":*.list 2>/dev/null || true
done | grep -E '/s?bin/|/lib/.*(\.so|/systemd-udevd$)' >"$work/files"
find "$system/gstreamer-1.0" "$system/gstreamer1.0" "$system/gio" -type f >>"$work/files"
xargs ldd <"$work/files" 2>/dev/null | sed -n 's|.* => .*/\([^/ ]*\) (.*|\1|p' | sort -u >"$work/used"

# A package stays if it was asked for, or if one of its files is used.
(cd "$info" && ls ./*.list) | awk -v work="$work" '
  BEGIN {
    while ((getline line <(work "/used")) > 0) used[line] = 1
    while ((getline line <(work "/named")) > 0) named[line] = 1
    while ((getline line <(work "/new")) > 0) fresh[line] = 1
  }
  {
    package = $0
    gsub(/^\.\/|\.list$|:.*/, "", package)
    if (!(package in fresh) || package in named) next
    stays = 0
    while ((getline line <("/var/lib/dpkg/info/" $0)) > 0) {
      sub(/.*\//, "", line)
      if (line in used) stays = 1
    }
    if (!stays) print package
  }' >"$work/drop"
[ -s "$work/used" ] && [ -s "$work/drop" ]
xargs dpkg --purge --force-depends <"$work/drop" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }

# Texts that nothing reads, udev's list of every keyboard, descriptions for other languages' bindings.
rm -rf /usr/share/doc /usr/share/man /usr/share/info /usr/share/locale /usr/share/bash-completion /usr/share/gtk-doc \
  /usr/share/sounds /usr/lib/udev/hwdb.d /usr/lib/udev/hwdb.bin /etc/udev/hwdb.bin "$system/girepository-1.0" \
  /var/cache/debconf/*-old /var/lib/apt/lists/* /var/cache/apt/* /var/log/*

broken=$(GST_REGISTRY=$work/registry gst-inspect-1.0 -b | sed -n 's/.*Total count: \([0-9]*\).*/\1/p')
[ "$broken" = 0 ] || { GST_REGISTRY=$work/registry gst-inspect-1.0 -b; exit 1; }
echo "lean-system: $(wc -l <"$work/drop") of $(wc -l <"$work/new") packages taken out again"
rm -rf "$work" "$before"
