#!/bin/sh
# Is the agent alive? It looks for new devices every second, so the count of its main thread's own pauses must grow. One
# that is stopped, dead, stuck in a driver or in a loop of its own stands still. Whether the stream is on the air is
# another question, which the status document answers. A shell and no Node: on a Zero W that would cost seconds each time.
set -eu

agent=
for folder in /proc/[0-9]*; do
  # Its own process title; a child of the init, as no other process of that name is.
  [ "$(cat "$folder/comm" 2>/dev/null || true)" = makercast ] || continue
  if grep -q '^PPid:[[:space:]]*1$' "$folder/status"; then agent=$folder; fi
done
if [ -z "$agent" ]; then echo 'the agent does not run'; exit 1; fi

pauses() { sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "$agent/status"; }

first=$(pauses)
for _ in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  if [ "$(pauses)" != "$first" ]; then exit 0; fi
done
echo 'the agent has not moved for 10 s'
exit 1
