#!/bin/sh
# Takes out of the built application in folder $1 what a running one never reads. Licences stay.
set -eu
cd "$1/node_modules"

# Of the addons only what was linked: not their objects, nor the sources that they were compiled from.
for folder in */build; do
  [ -d "$folder/Release" ] || continue
  find "$folder" -type f ! -path '*/Release/*.node' -delete
  find "$folder/Release" -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +
  strip "$folder"/Release/*.node
done
rm -rf gstreamer-superficial/src gstreamer-superficial/examples epoll/src nan .package-lock.json .makercast.json

find . -type f \( -name '*.map' -o -name '*.ts' -o -name '*.md' -o -name '*.markdown' -o -name 'tsconfig*.json' \) \
  ! -iname 'licen[cs]e*' -delete
find . -type d \( -name test -o -name tests -o -name docs -o -name .github \) -prune -exec rm -rf {} +
find "$1/dist" -type f \( -name '*.map' -o -name '*.d.ts' \) -delete
find . "$1/dist" -type d -empty -delete
