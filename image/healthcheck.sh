#!/bin/sh
# Is the agent alive? It looks for new devices every second, so the count of its main thread's own pauses must grow. One
# that is stopped, dead, stuck in a driver or in a loop of its own stands still. Whether the stream is on the air is
# another question, which the status document answers. A shell and no Node: on a Zero W that would cost seconds each time.
#
# makercast-health             what HEALTHCHECK asks: within 10 s
# makercast-health watch 60    a look every 60 s: an agent that has not paused between four of them is killed, which ends the
#                              container. No engine does that for a container that it calls unhealthy, balenaOS's neither.
set -eu

# $value: field $2 of the status of process folder $1. Read by the shell itself: a program each time would cost a Zero W
# more than the look.
field() {
  value=
  while read -r name value; do
    if [ "$name" = "$2:" ]; then return 0; fi
  done 2>/dev/null <"$1/status" || true
  value=
  return 1
}

# $agent: its folder. Its own process title; a child of the init, as no other process of that name is.
find_agent() {
  for agent in /proc/[0-9]*; do
    name=
    read -r name 2>/dev/null <"$agent/comm" || true
    if [ "$name" = makercast ] && field "$agent" PPid && [ "$value" = 1 ]; then return 0; fi
  done
  agent=
  return 1
}

pauses() { field "$agent" voluntary_ctxt_switches; }

check() {
  find_agent || { echo 'the agent is not running'; exit 1; }
  pauses || true
  first=$value
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    sleep 1
    pauses || true
    if [ "$value" != "$first" ]; then exit 0; fi
  done
  echo 'the agent has not run for 10 s'
  exit 1
}

say() { echo "watchdog: $*" >&2; }

# One that is merely busy pauses now and then, however long it waits for a processor: the count is compared over the whole
# time between two looks. Where there is no agent, the container ends by itself, or has just begun.
watch() {
  every=$1
  agent='' last='' still=0
  while sleep "$every"; do
    if [ -z "$agent" ] || ! pauses; then
      find_agent && pauses || continue
    fi
    if [ "$value" != "$last" ]; then
      [ "$still" -eq 0 ] || say 'the agent runs again'
      last=$value still=0
      continue
    fi
    still=$((still + 1))
    field "$agent" State || true
    about="the agent has been stuck for $((still * every)) s (state $value)"
    if [ "$still" -lt 3 ]; then
      say "$about"
    else
      say "$about: killing it, so that the container is restarted"
      kill -KILL "${agent##*/}" 2>/dev/null || true
    fi
  done
}

case ${1:-} in
  watch) watch "$2" ;;
  *) check ;;
esac
