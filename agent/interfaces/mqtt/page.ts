/** What docs/mqtt.md says besides its tables. */

export const beforeTopics = `# Steered over MQTT

<!-- Generated from agent/interfaces/mqtt/ by "npm run build". -->

With \`MQTT_URL\` set, a device says how it is, takes its settings from a broker, and says what became of them. Any broker does that speaks
MQTT 5 or 3.1.1; without one everything else works. A first look, with a broker that lets anyone do anything:

\`\`\`sh
MQTT_URL=mqtt://broker.example.org MQTT_ID=kitchen npm start
mosquitto_sub -h broker.example.org -t 'makercast/v1/kitchen/#' -v
mosquitto_pub -h broker.example.org -t makercast/v1/kitchen/config/desired -r -q 1 \\
  -m '{"version": 1, "config": {"video": {"bitrateKbps": 1800}}, "by": "me"}'
mosquitto_pub -h broker.example.org -t makercast/v1/kitchen/cmd/force-keyframe -q 1 -m '{"id": "1"}'
\`\`\`

## What is wanted, and what becomes of it

- \`config/desired\` is the **whole** layer of this device and replaces the one before; \`"config": {}\` clears it. Publish it retained, with
  a \`version\` above the last. What it does not name, the layers below give: defaults < settings file < environment < groups, in the
  order of \`mqtt.groups\` < page < device. \`config/reported\` says for each setting which layer gave it.
- A document that is wrong in any setting is **rejected** whole, with every problem by its path, and nothing changes.
- One that is right is on the card as **pending** before it is applied, at the cost that [settings.md](settings.md) names, and **applied** once the
  media processes have confirmed it.
- It is then on probation for \`config.probationSeconds\`. If the stream was live and is not live again, or a broker that was changed is
  not reached or refuses to let the device read its \`config/desired\` and \`cmd\` (Mosquitto's access list refuses without a word), it is **rolled_back**: the last good settings are back, with the
  \`reason\`. Else it is \`proved\`. That goes for a document that leaves no output, too: the way off the air is \`cmd/stop\`. A stream
  that was live for a while after the change, and is away just at the end, may take up to 10 s more to come back (as long again as a shorter probation), and so may media processes to
  confirm it. A document that comes while the stream is just starting waits until it is there or ails, at most as long as a probation. What was changed while nothing was on
  the air is proved when it is next live. A newer change takes the place of one on probation. One that is found on probation
  after a crash or a power cut is rolled back.
- The decision is kept over restarts, so a document that was rejected or rolled back is not tried again at every connection; a new release
  decides a rejected one once more. Not decided at all, and listed under \`refused\`: a lower version (\`stale\`), the same version with
  other content (\`version_conflict\`), one that is more than 1,000,000 above the last and more than a day ahead as milliseconds since 1970 (\`version_too_high\`: it would make every later one stale; \`"resetVersion": true\`, or \`cmd/reset-version\`), a \`base\` that is not the last version (\`base_conflict\`), and what is malformed.
- Layers are kept on the card: without a network the device comes up as it was steered last.
- In a group of several releases, names that one of them does not know are set aside by it and listed under \`ignored\`. In the document of
  a device they are errors. After a downgrade nothing is lost: what the older release does not know waits for the newer one.

## What cannot be set from afar

- What \`config.locked\` names, and settings that settings.md marks "not from afar". What is locked is taken out of documents that are in
  force already: \`CONFIG_LOCKED=mqtt\` brings a device back that was moved to a broker that is gone for good.
- Secrets stand in no document, since everyone who may read the topic could read them: a stream key, a password, a URL with either in it.
  \`cmd/set-secret\` sets them, over TLS only. They never appear on any topic that the device writes. Publish it with QoS 1, as the device
  subscribes: with QoS 0 it may be lost without an answer.
- Where a secret goes: see below.
- Files outside of the data folder (\`MAKERCAST_DATA\`). Relative paths start there.
`;

export const afterTopics = `## A secret goes to the place it was given for

That is its scheme, host and port, and for an output its application: another application on a shared platform is another tenant. Whichever
layer names an address, only a secret that was given for it goes there.

- In the settings file and in the environment a secret is for the address beside it, or for that in the other of the two. Where neither names one (a
  \`STREAM_KEY\` for each device, and the URL in the document of a group) it follows the address in force until it has been live there, and is for
  that one from then on.
- \`cmd/set-secret\` takes \`for\`, an address or a pattern: \`{"path": "outputs.main.key", "value": "…", "for": "rtmps://*.rtmps.youtube.com/live2"}\`.
  \`*\` is one label, the first of the host. Without \`for\` the secret is for the address in force, and for an output that is not there yet for the
  first address that it gets: say \`for\`. The answer says what it is \`for\`, and whether it is \`used\` now. Several may be kept for one
  path, one for each place (16 at most); without \`value\` that for \`for\` is forgotten, or all of them.
- An output whose new address has no key stays where it was, with \`output_key_missing\` under \`held\` in \`config/reported\`; a new one is left out; the others and
  the broadcast go on. So an output is moved by its key first and its address after, or the other way round, and never goes dark.
- A document that names another broker is rejected (\`mqtt_credentials_missing\`) while there are a user and a password, but none for that
  broker: \`set-secret\` with \`mqtt.password\` and \`for\` first, then a document with \`mqtt.url\` and \`mqtt.username\`.
- Never in a weaker way: what was given for \`rtmps\` does not go by \`rtmp\`, what was given for \`mqtts\` or \`wss\` not without TLS, nor to a
  server whose certificate is checked no more (\`tlsVerify\`; \`"insecure": true\` of \`set-secret\` allows it), nor by another \`mqtt.ca\`.

## Who may do what

What write access to a topic is worth to an attacker, and what shuts it:

| topic | what can be done with it | what cannot | how to lock it |
|---|---|---|---|
| \`_group/{group}/config/desired\` | change every setting of every device of the group that is not local to a device; take them off the air for as long as a probation; move an output to a server that its key was given for, or be the first address at which a key without one is live | learn a key, a password or a file; move a device to a broker that has no credentials; change what is locked | \`CONFIG_LOCKED=outputs,mqtt\` on devices that get their address by themselves; write access for few, and by a connection of their own |
| \`{id}/config/desired\` | the same for this device, and its groups | the same | the same |
| \`{id}/cmd/set-secret\` | put the wrong key in place (rolled back when the stream goes), or a key of the attacker's own for an address that the attacker can also set: the pictures go there | read any secret | \`CONFIG_LOCKED=outputs.*.key,mqtt.password\` |
| other \`{id}/cmd/+\` | stop, restart, reboot, hold updates back, take a picture of what is on the air | change a setting for good, but by \`adjust\`, which is as \`config/desired\` | rules of the broker |
| \`{id}/state\` and what else the device writes | make it look gone, or like a clone, which has it step back for some minutes | steer it | a user for each device, and \`docs/mosquitto/acl\` |

[mosquitto/](mosquitto/) holds a configuration for Mosquitto with TLS and an access list, which the tests run as it is: a device
writes its own topics but \`desired\` and \`cmd\`, and reads its own \`desired\`, \`cmd\` and \`state\` and the documents of its groups; operators
write \`desired\` and \`cmd\` and read everything. The user of a device is its id. Operators have a listener and an authority of their own:
at that of devices the user is the client id too, so that none can be given the place of another. Two traps:

- \`pattern readwrite makercast/v1/%u/#\` alone is wrong: a device could then write its own \`desired\`, and a group subscription is granted but
  delivers nothing.
- A user named \`_group\` would own the documents of every group: the name is reserved.

Which device reads which group is written user by user, since Mosquitto's access list knows no groups of users.

## RabbitMQ

RabbitMQ's MQTT plugin (\`rabbitmq-plugins enable rabbitmq_mqtt\`) does: the tests run that of Debian 12, which speaks 3.1.1, and that of Debian 13,
which speaks 5, with TLS and the rules of [rabbitmq/](rabbitmq/). What is different there:

- **No dots** in \`mqtt.baseTopic\`: RabbitMQ takes \`.\` and \`/\` for the same. A device that does not hear itself says so
  (\`mqtt_unheard\`).
- **Nothing retained for wildcards**: who subscribes to \`makercast/v1/+/state\` hears of a device at its next change, and not before; who
  subscribes to \`makercast/v1/kitchen/state\` hears at once. Dashboards have to name their devices, as \`makercast fleet list\` does. Home
  Assistant finds devices by a wildcard, and is told again at its birth message: leave that on.
- **Rules** go by topics with dots for slashes, and name a device as \`{username}\`: its user has to be its id. Over 3.1.1 RabbitMQ
  closes the connection of a device that writes what it may not; one that it does not let read a topic says which (\`mqtt_refused\`), and works
  on without.

## Large fleets

The topics need nothing but retained messages and wills, so they run unchanged on a clustered broker (EMQX, HiveMQ, VerneMQ) with its own
means for users and rules: the same rules, with \`\${username}\` in place of \`%u\`. A device holds one connection, with a keepalive of 30 s,
and publishes its figures every \`mqtt.telemetrySeconds\`. After the loss of a broker devices come back over ten
seconds, not at once. What is longer than the broker takes (\`Maximum Packet Size\` of MQTT 5; 3.1.1 does not tell) is not sent: such an answer
is an error that says so, and \`config/reported\` is without \`config\`. A snapshot may come to 1 MB.

## Home Assistant

With \`mqtt.discovery\` the device announces itself below \`mqtt.discoveryPrefix\`: a switch for being on the air, a number for the bitrate,
and sensors for state, frame rate, media rate and temperature (on a Raspberry Pi for under-voltage, heat and lowered clocks, too), and says so again at its birth message (\`online\` on \`homeassistant/status\`). Switched off, or called otherwise, it takes its announcement away again; at a broker
that it has left for another the announcement stays, and says that the device is not available. The number shows what the encoder is asked for
at the moment, which may be less than what was set, while the network takes no more.
`;
