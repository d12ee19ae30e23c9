/** How the API key, the broker and the values of settings get in without a command line: a file, the environment, or a prompt. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from '../agent/config/resolve.js';
import { rows, type MqttSettings } from '../agent/config/settings.js';
import { Fault } from '../agent/errors.js';
import { settingNamed, type Given } from './assignments.js';
import type { Console } from './console.js';

/** The API key: from the file, else from BALENA_API_KEY, else from a prompt. It is hidden from then on. */
export async function readKey(file: string | undefined, env: NodeJS.ProcessEnv, console: Console): Promise<string> {
  const key = (await keyText(file, env, console)).trim();
  // What could not stand in a header would be quoted by an error about it.
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new Fault('fleet_denied', 'What was given is not an API key.', "Create one in balena's dashboard.");
  console.hide([key]);
  return key;
}

async function keyText(file: string | undefined, env: NodeJS.ProcessEnv, console: Console): Promise<string> {
  if (file !== undefined) return readSecretFile(file, '--key-file', console);
  const given = env['BALENA_API_KEY'];
  if (given !== undefined && given !== '') return given;
  if (console.isInteractive) return console.ask('balena API key (not shown)');
  throw new Fault('usage', 'There is no API key.', 'Give --key-file FILE, or set BALENA_API_KEY in the environment.');
}

/** What `set` is to write, from its words and the file of --values. Values that are not there are taken from `env` or asked for. */
export async function readGiven(
  words: readonly string[],
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  console: Console,
): Promise<Given[]> {
  const given: Given[] = [];
  for (const word of words) {
    const equals = word.indexOf('=');
    if (equals >= 0) given.push({ name: word.slice(0, equals), text: word.slice(equals + 1), open: true });
    else given.push({ name: word, text: await valueOf(word, env, console), open: false });
  }
  if (file === undefined) return given;
  const pairs = await readPairs(file, '--values', console);
  return [...given, ...pairs.map(([name, text]) => ({ name, text, open: false }))];
}

/** Our own settings of the broker: what they are called on a device is what they are called here. */
const brokerVariables: ReadonlyMap<string, string> = new Map(
  ['url', 'username', 'password', 'ca', 'cert', 'key', 'baseTopic'].flatMap((name): [string, string][] => {
    const row = rows.find(({ path }) => path === `mqtt.${name}`);
    return row ? [[row.env, row.path]] : [];
  }),
);

/**
 * The broker of `list`: from the file (`MQTT_URL=…` and so on, one a line), else from the environment; undefined where there is none.
 * Its password is hidden from then on.
 */
export async function readBroker(
  file: string | undefined,
  env: NodeJS.ProcessEnv,
  console: Console,
): Promise<MqttSettings | undefined> {
  const pairs = file === undefined ? [] : await readPairs(file, '--broker', console);
  const names = [...brokerVariables.keys()];
  if (pairs.some(([name]) => !brokerVariables.has(name)))
    throw new Fault('usage', 'The file of --broker contains something else.', `It may contain ${names.join(', ')}.`);
  const given = pairs.length > 0 ? new Map<string, string | undefined>(pairs) : new Map(Object.entries(env));
  const { settings, problems, secrets } = resolve({
    env: Object.fromEntries(names.map((name) => [name, given.get(name)])),
  });
  console.hide(secrets);
  const wrong = problems.filter(({ path }) => path.startsWith('mqtt.'));
  if (wrong.length > 0) throw new Fault('usage', wrong.map(({ message }) => message).join(' '));
  if (settings.mqtt.url !== '') return settings.mqtt;
  if (file === undefined) return undefined;
  throw new Fault('usage', 'The file of --broker names no broker.', 'Add a line such as MQTT_URL=mqtts://host.');
}

async function valueOf(name: string, env: NodeJS.ProcessEnv, console: Console): Promise<string> {
  // Nobody is asked for the value of what does not exist; it is reported with all other problems.
  if (typeof settingNamed(name) === 'string') return '';
  const text = env[name];
  if (text !== undefined && text !== '') return text;
  if (console.isInteractive) return console.ask(`${name} (not shown)`);
  throw new Fault(
    'usage',
    `${name} has no value.`,
    `Set ${name} in the environment, or write it into a file for --values.`,
  );
}

/** `KEY=VALUE` of each line of a file. */
async function readPairs(file: string, option: string, console: Console): Promise<[name: string, text: string][]> {
  const lines = (await readSecretFile(file, option, console)).split(/\r?\n/);
  return lines
    .filter((line) => !/^\s*(#|$)/.test(line))
    .map((line) => {
      const equals = line.indexOf('=');
      // What has no name may be a key: it is not repeated.
      if (equals < 1)
        throw new Fault('usage', `A line of the file of ${option} is not KEY=VALUE.`, 'Comments begin with #.');
      return [line.slice(0, equals).trim(), line.slice(equals + 1)];
    });
}

/** What stands in place of a file's name may be the key itself: it is not repeated. */
async function readSecretFile(file: string, option: string, console: Console): Promise<string> {
  try {
    const { mode } = await stat(file);
    if ((mode & 0o077) !== 0) console.note(`warning: others can read the file of ${option}: run chmod 600 on it.`);
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new Fault('usage', `The file of ${option} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}
