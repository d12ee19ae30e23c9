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
  other content (\`version_conflict\`), a \`base\` that is not the last version (\`base_conflict\`), and what is malformed.
- Layers are kept on the card: without a network the device comes up as it was steered last.
- In a group of several releases, names that one of them does not know are set aside by it and listed under \`ignored\`. In the document of
  a device they are errors. After a downgrade nothing is lost: what the older release does not know waits for the newer one.

## What cannot be set from afar

- What \`config.locked\` names, and settings that settings.md marks "not from afar". What is locked is taken out of documents that are in
  force already: \`CONFIG_LOCKED=mqtt\` brings a device back that was moved to a broker that is gone for good.
- Secrets stand in no document, since everyone who may read the topic could read them: a stream key, a password, a URL with either in it.
  \`cmd/set-secret\` sets them, over TLS only. They never appear on any topic that the device writes. Publish it with QoS 1, as the device
  subscribes: with QoS 0 it may be lost without an answer.
- Files outside of the data folder (\`MAKERCAST_DATA\`). Relative paths start there.
`;

export const afterTopics = `## Who may do what

[mosquitto/](mosquitto/) holds a configuration for Mosquitto with TLS and an access list, which the tests run as it is: a device
writes its own topics but \`desired\` and \`cmd\`, and reads its own \`desired\`, \`cmd\` and \`state\` and the documents of its groups; operators
write \`desired\` and \`cmd\` and read everything. The user of a device is its id. Operators have a listener and an authority of their own:
at that of devices the user is the client id too, so that none can be given the place of another. Two traps:

- \`pattern readwrite makercast/v1/%u/#\` alone is wrong: a device could then write its own \`desired\`, and a group subscription is granted but
  delivers nothing.
- A user named \`_group\` would own the documents of every group: the name is reserved.

Which device reads which group is written user by user, since Mosquitto's access list knows no groups of users.

## Large fleets

The topics need nothing but retained messages and wills, so they run unchanged on a clustered broker (EMQX, HiveMQ, VerneMQ) with its own
means for users and rules: the same rules, with \`\${username}\` in place of \`%u\`. A device holds one connection, with a keepalive of 30 s,
and publishes its figures every \`mqtt.telemetrySeconds\`. After the loss of a broker devices come back over ten
seconds, not at once. What is longer than the broker takes (\`Maximum Packet Size\` of MQTT 5; 3.1.1 does not tell) is not sent: such an answer
is an error that says so, and \`config/reported\` is without \`config\`. A snapshot may come to 1 MB.

## Home Assistant

With \`mqtt.discovery\` the device announces itself below \`mqtt.discoveryPrefix\`: a switch for being on the air, a number for the bitrate,
and sensors for state, frame rate, media rate and temperature. Switched off, or called otherwise, it takes its announcement away again; at a broker
that it has left for another the announcement stays, and says that the device is not available. The number shows what the encoder is asked for
at the moment, which may be less than what was set, while the network takes no more.
`;
