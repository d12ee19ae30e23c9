/** What docs/mqtt.md says besides its tables. */

export const beforeTopics = `# Control over MQTT

<!-- Generated from agent/interfaces/mqtt/ by "npm run build". -->

With \`MQTT_URL\` set, a device publishes its state, takes its settings from a broker, and reports what became of them. Any broker that speaks
MQTT 5 or 3.1.1 will do; without one everything else works. A quick start, with a broker that lets anyone do anything:

\`\`\`sh
MQTT_URL=mqtt://broker.example.org MQTT_ID=kitchen npm start
mosquitto_sub -h broker.example.org -t 'makercast/v1/kitchen/#' -v
mosquitto_pub -h broker.example.org -t makercast/v1/kitchen/config/desired -r -q 1 \\
  -m '{"version": 1, "config": {"video": {"bitrateKbps": 1800}}, "by": "me"}'
mosquitto_pub -h broker.example.org -t makercast/v1/kitchen/cmd/force-keyframe -q 1 -m '{"id": "1"}'
\`\`\`

## Desired and reported settings

- \`config/desired\` is the **whole** layer of this device and replaces the one before; \`"config": {}\` clears it. Publish it retained, with
  a \`version\` above the last. Settings that it does not name come from the layers below: defaults < settings file < environment < groups, in the
  order of \`mqtt.groups\` < page < device. \`config/reported\` says for each setting which layer it comes from.
- A document with any invalid setting is **rejected** as a whole, with every problem by its path, and nothing changes.
- A valid document is stored as **pending** before it is applied, at the cost that [settings.md](settings.md) names, and **applied** once the
  media processes have confirmed it.
- It is then on probation for \`config.probationSeconds\`. If the stream was live and is not live again, or a broker that was changed is
  not reached or does not let the device read its \`config/desired\` and \`cmd\` (Mosquitto's access list refuses silently), it is **rolled_back**: the last good settings are restored, with the
  \`reason\`. Otherwise it is \`proved\`. This applies to a document that leaves no output, too: to go off the air, use \`cmd/stop\`. A stream
  that was live for a while after the change, and is down just at the end, may take up to 10 s more to come back (with a shorter probation, as long again), and so may media processes to
  confirm it. A document that arrives while the stream is just starting waits until it is live or degraded, at most as long as a probation. What was changed while nothing was on
  the air is proved when the stream is next live. A newer change replaces one on probation. A change that is found on probation
  after a crash or a power cut is rolled back.
- The decision survives restarts, so a document that was rejected or rolled back is not tried again at every connection; a new release
  decides a rejected one again. Not decided at all, and listed under \`refused\`: a lower version (\`stale\`), the same version with
  other content (\`version_conflict\`), one that is more than 1,000,000 above the last and more than a day ahead as milliseconds since 1970 (\`version_too_high\`: it would make every later one stale; \`"resetVersion": true\`, or \`cmd/reset-version\`), a \`base\` that is not the last version (\`base_conflict\`), and what is malformed.
- Layers are stored on the card: without a network the device starts with its last settings.
- In a group with several releases, each release ignores settings that it does not know and lists them under \`ignored\`. In the document of
  a device they are errors. After a downgrade nothing is lost: what the older release does not know waits for the newer one.

## What cannot be set remotely

- What \`config.locked\` names, and settings that settings.md marks "not remotely". What is locked is removed from documents that are in
  force already: \`CONFIG_LOCKED=mqtt\` brings a device back that was moved to a broker that no longer exists.
- Secrets (a stream key, a password, a URL with either in it): a document must not contain them, since everyone who may read the topic could read them.
  \`cmd/set-secret\` sets them, over TLS only. They never appear on any topic that the device writes. Publish it with QoS 1, as the device
  subscribes: with QoS 0 it may be lost without an answer.
- Where a secret is sent: see below.
- Files outside the data folder (\`MAKERCAST_DATA\`). Relative paths start there.
`;

export const afterTopics = `## A secret is sent only to the place it was given for

The place is scheme, host and port, and for an output the application: another application on a shared platform is another tenant. Whichever
layer names an address, only a secret that was given for it is sent there.

- In the settings file and in the environment a secret is for the address beside it, or for that in the other of the two. Where neither names one (a
  \`STREAM_KEY\` for each device, and the URL in the document of a group) it follows the address in force until it has been live there, and is for
  that one from then on.
- \`cmd/set-secret\` takes \`for\`, an address or a pattern: \`{"path": "outputs.main.key", "value": "…", "for": "rtmps://*.rtmps.youtube.com/live2"}\`.
  \`*\` is one label, the first of the host. Without \`for\` the secret is for the address in force, and for an output that does not exist yet for the
  first address that it gets: better name one with \`for\`. The answer says what it is \`for\`, and whether it is \`used\` now. Several may be kept for one
  path, one for each place (16 at most); without \`value\` that for \`for\` is forgotten, or all of them.
- An output whose new address has no key stays where it was, with \`output_key_missing\` under \`held\` in \`config/reported\`; a new output is left out; the others and
  the broadcast go on. So an output can be moved by setting its key first and its address after, or the other way round, and never goes dark.
- A document that names another broker is rejected (\`mqtt_credentials_missing\`) while there are a user and a password, but none for that
  broker: \`set-secret\` with \`mqtt.password\` and \`for\` first, then a document with \`mqtt.url\` and \`mqtt.username\`.
- Never over a weaker connection: what was given for \`rtmps\` is not sent over \`rtmp\`, what was given for \`mqtts\` or \`wss\` not without TLS, nor to a
  server whose certificate is no longer verified (\`tlsVerify\`; \`"insecure": true\` of \`set-secret\` allows it), nor with another \`mqtt.ca\`.

## Access control

What write access to a topic is worth to an attacker, and how to restrict it:

| topic | what can be done with it | what cannot | how to lock it |
|---|---|---|---|
| \`_group/{group}/config/desired\` | change every setting of every device of the group that is not local to a device; take them off the air for as long as a probation; move an output to a server that its key was given for, or be the first address at which a key without one is live | learn a key, a password or a file; move a device to a broker without credentials for it; change what is locked | \`CONFIG_LOCKED=outputs,mqtt\` on devices that have their address from file or environment; write access for few users, over a separate connection |
| \`{id}/config/desired\` | the same for this device, and its groups | the same | the same |
| \`{id}/cmd/set-secret\` | put the wrong key in place (rolled back when the stream goes), or a key of the attacker's own for an address that the attacker can also set: the pictures go there | read any secret | \`CONFIG_LOCKED=outputs.*.key,mqtt.password\` |
| other \`{id}/cmd/+\` | stop, restart, reboot, hold updates back, take a picture of what is on the air | change a setting for good, except with \`adjust\`, which is like \`config/desired\` | access rules of the broker |
| \`{id}/state\` and the other topics that the device writes | make it look lost, or like a clone, so that it disconnects for some minutes | control it | a user for each device, and \`docs/mosquitto/acl\` |

[mosquitto/](mosquitto/) holds a configuration for Mosquitto with TLS and an access list, which the tests run as it is: a device
writes its own topics except \`desired\` and \`cmd\`, and reads its own \`desired\`, \`cmd\` and \`state\` and the documents of its groups; operators
write \`desired\` and \`cmd\` and read everything. The user name of a device is its id. Operators have a separate listener and certificate authority:
on the listener for devices the user name is also the client id, so that no device can take the place of another. Two pitfalls:

- \`pattern readwrite makercast/v1/%u/#\` alone is wrong: a device could then write its own \`desired\`, and a group subscription is granted but
  delivers nothing.
- A user named \`_group\` would own the documents of every group: the name is reserved.

Which device reads which group is written user by user, since Mosquitto's access list knows no groups of users.

## RabbitMQ

RabbitMQ's MQTT plugin (\`rabbitmq-plugins enable rabbitmq_mqtt\`) works: the tests run that of Debian 12, which speaks 3.1.1, and that of Debian 13,
which speaks 5, with TLS and the rules of [rabbitmq/](rabbitmq/). What is different there:

- **No dots** in \`mqtt.baseTopic\`: RabbitMQ treats \`.\` and \`/\` as the same. A device that does not receive its own messages reports it
  (\`mqtt_unheard\`).
- **Nothing retained for wildcards**: a client that subscribes to \`makercast/v1/+/state\` hears of a device only at its next change; one that
  subscribes to \`makercast/v1/kitchen/state\` hears at once. Dashboards must name their devices, as \`makercast fleet list\` does. Home
  Assistant finds devices by a wildcard, and gets the announcements again after its birth message: leave that enabled.
- **Access rules** match topics with dots for slashes, and name a device as \`{username}\`: its user name must be its id. Over 3.1.1 RabbitMQ
  closes the connection of a device that writes where it may not; a device that may not read a topic reports which (\`mqtt_refused\`), and works
  on without it.

## Large fleets

The topics need only retained messages and wills, so they work unchanged on a clustered broker (EMQX, HiveMQ, VerneMQ) with its own
users and access rules: the same rules, with \`\${username}\` in place of \`%u\`. A device holds one connection, with a keepalive of 30 s,
and publishes telemetry every \`mqtt.telemetrySeconds\`. After the loss of a broker devices reconnect spread over ten
seconds, not at once. What is longer than the broker accepts (\`Maximum Packet Size\` of MQTT 5; 3.1.1 does not tell) is not sent: such an answer
is replaced by an error that says so, and \`config/reported\` is sent without \`config\`. A snapshot may be as large as 1 MB.

## Home Assistant

With \`mqtt.discovery\` the device announces itself below \`mqtt.discoveryPrefix\`: a switch for being on the air, a number for the bitrate,
and sensors for state, frame rate, media rate and temperature (on a Raspberry Pi also for under-voltage, heat and throttling), and does so again after Home Assistant's birth message (\`online\` on \`homeassistant/status\`). When discovery is switched off, or the device gets another name, it removes its announcement; at a broker
that it has left for another the announcement stays, and says that the device is not available. The number shows the bitrate that the encoder is set to
at the moment, which may be lower than the setting while the network takes no more.
`;
