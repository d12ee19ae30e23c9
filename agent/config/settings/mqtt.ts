/** The broker over which a device is controlled. */
import type { Row } from '../row.js';

export interface MqttSettings {
  /** Empty: no broker. */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** Paths of PEM files; empty where there is none. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  readonly baseTopic: string;
  /** Empty: derived from the machine. */
  readonly id: string;
  /** Later ones win. */
  readonly groups: readonly string[];
  readonly allowPlainSecrets: boolean;
  readonly telemetrySeconds: number;
  readonly discovery: boolean;
  readonly discoveryPrefix: string;
}

/** A port is a number from 1 to 65535, in a pattern that JSON schema has too. */
const port = '([1-9]\\d{0,3}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d{2}|655[0-2]\\d|6553[0-5])';
const host = '(\\[[0-9A-Fa-f:.]+\\]|[^\\s/@?#:\\[\\]]+)';
const brokerUrl = new RegExp(`^$|^(mqtts?|wss?)://${host}(:${port})?(/[^\\s@?#]*)?$`);

/** Schemes as other programs call them. */
const schemes: Readonly<Record<string, string>> = {
  tcp: 'mqtt',
  ssl: 'mqtts',
  tls: 'mqtts',
  'mqtt+ssl': 'mqtts',
  http: 'ws',
  https: 'wss',
};

function meantBroker(given: string): string | undefined {
  const [, scheme = 'mqtt', rest = ''] = /^(?:([A-Za-z+]+):\/\/)?(.*)$/s.exec(given.trim()) ?? [];
  const name = scheme.toLowerCase();
  // User and password stand in settings of their own, and are not repeated.
  const place = rest
    .slice(rest.lastIndexOf('@') + 1)
    .replace(/[?#].*$/s, '')
    .replace(/:\d{6,}|:(6553[6-9]|655[4-9]\d|65[6-9]\d\d|6[6-9]\d{3}|[7-9]\d{4})(?=\/|$)/, '');
  const url = `${schemes[name] ?? name}://${place}`;
  return url !== given && place !== '' && brokerUrl.test(url) ? url : undefined;
}

export const mqtt: readonly Row[] = [
  {
    path: 'mqtt.url',
    env: 'MQTT_URL',
    form: {
      type: 'word',
      words: 'mqtt://host, mqtts://host, ws://host/path or wss://host/path, with a port if it is not the default',
      pattern: brokerUrl,
    },
    default: '',
    meant: meantBroker,
    cost: 'live',
    doc: 'The MQTT broker (docs/mqtt.md). Without one MQTT is off; everything else works.',
  },
  {
    path: 'mqtt.username',
    env: 'MQTT_USERNAME',
    form: { type: 'word', words: 'text', pattern: /^[^\p{Cc}\p{Cs}]*$/u },
    default: '',
    boundTo: 'broker',
    cost: 'live',
    doc: 'User name at the broker.',
  },
  {
    path: 'mqtt.password',
    env: 'MQTT_PASSWORD',
    form: { type: 'key' },
    default: '',
    secret: true,
    boundTo: 'broker',
    cost: 'live',
    doc: 'Password at the broker; it is sent only to the broker that it was given for.',
  },
  {
    path: 'mqtt.ca',
    env: 'MQTT_CA',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: "Certificate of the authority that signed the broker's certificate; without it, the authorities that the machine trusts.",
  },
  {
    path: 'mqtt.cert',
    env: 'MQTT_CERT',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: 'Client certificate of this device.',
  },
  {
    path: 'mqtt.key',
    env: 'MQTT_KEY',
    form: { type: 'text', words: 'path of a file (PEM)', lines: true },
    default: '',
    file: true,
    cost: 'live',
    doc: 'Private key of the client certificate.',
  },
  {
    path: 'mqtt.baseTopic',
    env: 'MQTT_BASE_TOPIC',
    form: {
      type: 'word',
      words: 'levels of letters, digits, ., _ and -, separated by /',
      pattern: /^[A-Za-z0-9._-]{1,64}(\/[A-Za-z0-9._-]{1,64}){0,7}$/,
    },
    default: 'makercast',
    remote: 'never',
    cost: 'live',
    doc: 'Beginning of all topics.',
  },
  {
    path: 'mqtt.id',
    env: 'MQTT_ID',
    form: {
      type: 'word',
      words: 'a letter or digit, then at most 63 letters, digits, _ and -',
      pattern: /^$|^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    },
    default: '',
    remote: 'never',
    cost: 'live',
    doc: "Name of this device in topics; without it BALENA_DEVICE_UUID, else a name derived from the board's serial number.",
  },
  {
    path: 'mqtt.groups',
    env: 'MQTT_GROUPS',
    form: {
      type: 'words',
      words: 'names of letters, digits, _ and - (in a variable: separated by commas)',
      pattern: /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/,
    },
    default: [],
    remote: 'device',
    cost: 'live',
    doc: 'Groups whose settings this device follows; later ones win over earlier ones.',
  },
  {
    path: 'mqtt.allowPlainSecrets',
    env: 'MQTT_ALLOW_PLAIN_SECRETS',
    form: { type: 'boolean' },
    default: false,
    remote: 'never',
    cost: 'live',
    doc: 'Accept secrets (`set-secret`) over a connection without TLS too.',
  },
  {
    path: 'mqtt.telemetrySeconds',
    env: 'MQTT_TELEMETRY_SECONDS',
    form: { type: 'integer', min: 1, max: 3600 },
    default: 10,
    unit: 's',
    cost: 'live',
    doc: 'How often telemetry is published.',
  },
  {
    path: 'mqtt.discovery',
    env: 'MQTT_DISCOVERY',
    form: { type: 'boolean' },
    default: false,
    cost: 'live',
    doc: 'Announce this device to Home Assistant.',
  },
  {
    path: 'mqtt.discoveryPrefix',
    env: 'MQTT_DISCOVERY_PREFIX',
    form: {
      type: 'word',
      words: 'levels of letters, digits, ., _ and -, separated by /',
      pattern: /^[A-Za-z0-9._-]{1,64}(\/[A-Za-z0-9._-]{1,64}){0,7}$/,
    },
    default: 'homeassistant',
    cost: 'live',
    doc: "Home Assistant's discovery prefix.",
  },
];
