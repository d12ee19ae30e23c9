/** The page and the AsyncAPI document that describe every topic, made from the table. */
import { commands, commandNames } from '../../control/commands.js';
import type { JsonSchema } from '../../control/shape.js';
import { afterTopics, beforeTopics } from './page.js';
import { topics, type Topic } from './topics.js';

const entries = Object.entries(topics) as [string, Topic][];

const address = ({ topic }: Topic): string =>
  topic.startsWith('_group/') ? `{base}/v1/${topic}` : `{base}/v1/{id}/${topic}`;

const parameters: Readonly<Record<string, object>> = {
  base: { description: 'mqtt.baseTopic, which may be several levels.', default: 'makercast' },
  id: { description: 'The device: mqtt.id, or its default. `_group` is reserved.' },
  group: { description: 'One of mqtt.groups.' },
  command: { description: 'Name of a command.', enum: commandNames },
};

/** AsyncAPI 3.0. Seen from the device: it receives what is for it, and sends the rest. */
export function asyncApi(): object {
  const channels = entries.map(([name, topic]) => {
    const names = [...address(topic).matchAll(/\{(\w+)\}/g)].map(([, parameter = '']) => parameter);
    const channel = {
      address: address(topic),
      description: topic.doc,
      parameters: Object.fromEntries(names.map((parameter) => [parameter, parameters[parameter]])),
      messages: { [name]: { contentType: 'application/json', payload: topic.payload.schema } },
    };
    return [name, channel];
  });
  const operations = entries.map(([name, { direction, qos, retain }]) => {
    const action = direction === 'in' ? 'receive' : 'send';
    const operation = {
      action,
      channel: { $ref: `#/channels/${name}` },
      messages: [{ $ref: `#/channels/${name}/messages/${name}` }],
      bindings: { mqtt: { qos, retain, bindingVersion: '0.2.0' } },
    };
    return [`${action}${name[0]?.toUpperCase()}${name.slice(1)}`, operation];
  });
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'makercast over MQTT',
      version: '1.0.0',
      description: 'Topics that a device reads and writes; explained in docs/mqtt.md.',
    },
    defaultContentType: 'application/json',
    channels: Object.fromEntries(channels) as object,
    operations: Object.fromEntries(operations) as object,
  };
}

/** docs/mqtt.md. */
export function mqttPage(): string {
  return `${beforeTopics}
## Topics

Below \`<base>/v1/<id>/\`: \`<base>\` is \`mqtt.baseTopic\` (\`makercast\`), \`<id>\` is \`mqtt.id\`, else BALENA_DEVICE_UUID, else derived
from the serial number of the board. Topics of groups are below \`<base>/v1/\`. As AsyncAPI: [mqtt.asyncapi.json](mqtt.asyncapi.json).

| Topic | Written by | QoS | Retained | |
|---|---|---|---|---|
${entries.map(([, topic]) => topicRow(topic)).join('\n')}

## Commands

\`{id, expires?, args?}\` on \`cmd/<name>\`, and the answer on \`cmd/<name>/ack\`. The same \`id\` sent twice runs once and is answered twice; with another command it is refused.
The \`id\` comes back unchanged, except for secrets of this device, which are \`***\` there too: use random ids or numbers, not words.
A command that is retained, has expired or is not known is refused with an answer that says why. A broker of MQTT 3.1.1 does not tell connected clients
that a command was retained: it runs once, and is refused from the next connection on. Clear it with an empty retained payload. If the clock of the device shows a time
before the day on which the program was built, a command with \`expires\` is refused: \`clock_not_set\`.

| Command | Arguments | |
|---|---|---|
${commandNames.map(commandRow).join('\n')}

## Payloads

JSON, UTF-8, at most 256 KB. \`?\`: optional.

${entries.map(([, topic]) => section(topic)).join('\n')}
${afterTopics}`;
}

function topicRow({ topic, direction, qos, retain, doc }: Topic): string {
  const writer = direction === 'in' ? 'operators' : 'the device';
  return `| \`${topic}\` | ${writer} | ${qos} | ${retain ? 'yes' : 'no'} | ${doc} |`;
}

function commandRow(name: (typeof commandNames)[number]): string {
  const { args, doc } = commands[name];
  const { properties = {}, required = [] } = args.schema as Field;
  const names = Object.keys(properties).map((field) => `\`${field}${required.includes(field) ? '' : '?'}\``);
  return `| \`${name}\` | ${names.join(', ')} | ${doc} |`;
}

const section = ({ topic, payload }: Topic): string => `### ${topic}

| Field | Type | |
|---|---|---|
${fields(payload.schema as Field).join('\n')}
`;

interface Field extends JsonSchema {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Field>>;
  readonly required?: readonly string[];
  readonly items?: Field;
  readonly additionalProperties?: Field | boolean;
}

function fields(schema: Field, prefix = ''): string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    const may = schema.required?.includes(name) ? '' : '?';
    const row = `| \`${path}${may}\` | ${kind(field)} | ${field.description ?? ''} |`;
    const { additionalProperties: each } = field;
    const below = typeof each === 'object' ? fields(each, `${path}.<name>.`) : fields(field.items ?? field, `${path}.`);
    return [row, ...below];
  });
}

function kind(field: Field): string {
  if (field.enum) return field.enum.map((word) => `\`${String(word)}\``).join(', ');
  if (!field.items) return field.type ?? '';
  if (field.items.enum) return `list of ${kind(field.items)}`;
  return `list of ${field.items.type === 'object' ? 'maps' : `${field.items.type}s`}`;
}
