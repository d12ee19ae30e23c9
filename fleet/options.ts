/** The words after `makercast fleet` as a request. */
import { parseArgs } from 'node:util';
import { Fault } from '../agent/errors.js';

/** Two seconds above the default of mqtt.telemetrySeconds. */
const WAIT_S = 12;
const WAIT_MAX_S = 3600;

export const usage = `Usage: makercast fleet <command> [options]

  list [--device X|--tag TAG]              state, release and temperature of every device; with a broker, live figures
  set KEY=VALUE… --device X|--tag TAG|--all
                                           set settings as balena variables; --all: one variable of the fleet
  release pin RELEASE [--canary TAG]       keep the fleet, or only its canaries, on a release (commit or version)
  release track [--canary TAG]             let the fleet take the newest release; canaries follow their fleet again
  logs --device X [--lines N] [--follow]   what devices have logged

  --device X        name, uuid or the beginning of one; may be given more than once
  --tag TAG         devices with this tag, as TAG or TAG=VALUE
  --fleet ORG/NAME  which fleet; may be omitted if the key gives access to only one
  --key-file FILE   the API key; without it BALENA_API_KEY in the environment, or it is asked for
  --values FILE     further settings for set: one KEY=VALUE a line
  --broker FILE     where list finds live figures: MQTT_URL, MQTT_USERNAME and so on, one a line; else the environment
  --wait SECONDS    how long list waits for figures (${WAIT_S}; 0: only what the broker has retained)
  --dry-run         check everything, change nothing, print what would be done
  --json            print JSON, for programs

KEY is a variable or a path of docs/settings.md. A secret never belongs on the command line: KEY alone takes its value
from the environment variable of that name, or asks for it. More: docs/fleet.md`;

interface Common {
  readonly fleet: string | undefined;
  readonly keyFile: string | undefined;
  readonly json: boolean;
  readonly dryRun: boolean;
  /** Names, uuids or beginnings of uuids. */
  readonly devices: readonly string[];
  /** `TAG` or `TAG=VALUE`. */
  readonly tag: string | undefined;
}

export type Request = Common &
  (
    | { readonly command: 'help' }
    | { readonly command: 'track' }
    | { readonly command: 'list'; readonly brokerFile: string | undefined; readonly waitSeconds: number }
    | {
        readonly command: 'set';
        readonly all: boolean;
        /** As they were written: `KEY=VALUE` or `KEY`. */
        readonly words: readonly string[];
        readonly valuesFile: string | undefined;
      }
    | { readonly command: 'pin'; readonly release: string }
    | { readonly command: 'logs'; readonly lines: number; readonly follow: boolean }
  );

const known = {
  fleet: { type: 'string' },
  'key-file': { type: 'string' },
  json: { type: 'boolean' },
  'dry-run': { type: 'boolean' },
  device: { type: 'string', multiple: true },
  tag: { type: 'string' },
  canary: { type: 'string' },
  all: { type: 'boolean' },
  values: { type: 'string' },
  broker: { type: 'string' },
  wait: { type: 'string' },
  lines: { type: 'string' },
  follow: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Option = keyof typeof known;

/** What each command takes besides --fleet, --key-file and --json. */
const own: Readonly<Record<Request['command'], readonly Option[]>> = {
  help: [],
  list: ['tag', 'device', 'broker', 'wait'],
  set: ['device', 'tag', 'all', 'values', 'dry-run'],
  pin: ['device', 'canary', 'dry-run'],
  track: ['device', 'canary', 'dry-run'],
  logs: ['device', 'tag', 'lines', 'follow'],
};

const LINES = 100;
const LINES_MAX = 10_000;

/** @throws Fault `usage`; no word of the command line is repeated that could be a key. */
export function readRequest(args: readonly string[]): Request {
  const { values, positionals } = parse(args);
  const [first, second, ...others] = positionals;
  const command = first === 'release' ? second : first;
  const rest = first === 'release' ? others : positionals.slice(1);
  if (values.help || command === 'help' || first === undefined) return { ...nobody, command: 'help' };
  if (!isCommand(command) || (command === 'pin' || command === 'track') !== (first === 'release')) {
    throw misuse(first === 'release' ? 'release takes pin or track.' : 'There is no such command.');
  }
  for (const name of Object.keys(values) as Option[]) {
    if (!['fleet', 'key-file', 'json', ...own[command]].includes(name)) {
      throw misuse(`${first === 'release' ? `release ${command}` : command} takes no --${name}.`);
    }
  }
  const common: Common = {
    fleet: values.fleet,
    keyFile: values['key-file'],
    json: values.json === true,
    dryRun: values['dry-run'] === true,
    devices: values.device ?? [],
    tag: values.tag ?? values.canary,
  };
  if (common.devices.length > 0 && common.tag !== undefined) {
    throw misuse(`Name devices or --${values.tag === undefined ? 'canary' : 'tag'}, not both.`);
  }
  if (command !== 'set' && rest.length > (command === 'pin' ? 1 : 0)) throw misuse('There are too many arguments.');
  switch (command) {
    case 'set': {
      const all = values.all === true;
      if (all === (common.devices.length > 0 || common.tag !== undefined)) {
        throw misuse('set takes one of --device, --tag and --all.');
      }
      if (rest.length === 0 && values.values === undefined) throw misuse('set takes KEY=VALUE, as in VIDEO_FPS=25.');
      return { ...common, command, all, words: rest, valuesFile: values.values };
    }
    case 'pin': {
      const [release] = rest;
      if (release === undefined) throw misuse('release pin takes a release: its commit or its version.');
      return { ...common, command, release };
    }
    case 'list': {
      const waitSeconds = whole('wait', values.wait, WAIT_S, WAIT_MAX_S);
      return { ...common, command, brokerFile: values.broker, waitSeconds };
    }
    case 'logs': {
      const lines = whole('lines', values.lines, LINES, LINES_MAX);
      if (common.devices.length === 0 && common.tag === undefined) throw misuse('logs takes --device or --tag.');
      return { ...common, command, lines, follow: values.follow === true };
    }
    default:
      return { ...common, command };
  }
}

function whole(option: Option, text: string | undefined, otherwise: number, max: number): number {
  const number = text === undefined ? otherwise : Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= max && text !== '') return number;
  throw misuse(`--${option} takes a whole number from 0 to ${max}.`);
}

const nobody: Common = {
  fleet: undefined,
  keyFile: undefined,
  json: false,
  dryRun: false,
  devices: [],
  tag: undefined,
};

const isCommand = (word: string | undefined): word is Request['command'] =>
  word !== undefined && Object.hasOwn(own, word);

function parse(args: readonly string[]) {
  const secret = args.find((word) => /^--?(api-?)?(key|token|password)(=|$)/i.test(word));
  if (secret !== undefined) {
    const why = 'Everybody on this machine can read it.';
    throw misuse(
      `API keys are not accepted on the command line. ${why} Use --key-file, BALENA_API_KEY in the environment, or the prompt.`,
    );
  }
  try {
    return parseArgs({ args: [...args], options: known, allowPositionals: true, strict: true });
  } catch (error) {
    const [option] = /(?<=')--?[a-z-]+/.exec((error as Error).message) ?? [];
    const { code } = error as NodeJS.ErrnoException;
    if (option === undefined) throw misuse('The options cannot be parsed.');
    throw misuse(
      code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION' ? `There is no option ${option}.` : `${option} is used incorrectly.`,
    );
  }
}

const misuse = (what: string): Fault => new Fault('usage', what, 'makercast fleet help says more.');
