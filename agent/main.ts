/** makercast: the command line. Without a command it runs; the others print something and end. */
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { systemClock } from './clock.js';
import { check, INVALID, oddFiles, toDelete } from './commands/check.js';
import { showPlan } from './commands/plan.js';
import { Redactor } from './config/redactor.js';
import { environmentSecrets } from './config/detection.js';
import { Fault } from './errors.js';
import { leave } from './leave.js';
import { dataFolder, Storage } from './machine/storage/storage.js';
import { isSupervised, SettingsSource } from './steering/source.js';

const usage = `Usage: makercast [command]

  (none)            go on the air with makercast.yml and the environment
  check             validate the settings and print every problem
  probe [--json]    print the cameras, microphones and encoders of this machine
  plan [--explain]  print the GStreamer pipeline that would run (--explain: and why no other)
  report [file]     write a file without secrets that lets others help you (-: print it; --seconds N: how long the picture runs)
  service <command> run whenever this machine starts, under systemd (sudo npx makercast service install)
  fleet <command>   look after many devices through balena's cloud (makercast fleet help)
  help              print this

Settings: docs/settings.md`;

/** What a command takes besides its name. */
const options: Readonly<Record<string, string>> = { probe: '--json', plan: '--explain' };

/**
 * The command `words`, with the settings of `env` and of makercast.yml in `folder`; resolves to the exit code. `redactor` learns every
 * secret as it is read.
 */
async function main(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  folder: string,
  redactor: Redactor,
): Promise<number> {
  const print = (line: string): void => void process.stdout.write(`${line}\n`);
  const [command, ...rest] = words;
  if (command === 'fleet') {
    const { loadFleet } = await import('./commands/fleet.js');
    const fleet = await loadFleet();
    return fleet(rest, env);
  }
  if (command === 'report') {
    const { report } = await import('./commands/report/report.js');
    return report(rest, env, folder, print);
  }
  const option = command === undefined ? undefined : options[command];
  const strange = rest.find((word) => word !== option);
  if (strange !== undefined) throw misused(strange);
  switch (command) {
    case undefined: {
      // V8 lets the space for young objects grow to 16 MB with the rate of allocation, and gives nothing back: the agent
      // held 66 MB after 200 changes of settings in a row, and holds 38 MB so. It has time for collecting more often.
      setFlagsFromString('--semi-space-growth-factor=1');
      // Loaded only here: the log alone is 10 MB.
      const { run } = await import('./run.js');
      return run(env, folder, redactor);
    }
    case 'check':
    case 'plan': {
      const storage = new Storage(dataFolder(env), (fault) => complain(fault.message, redactor));
      const source = new SettingsSource(env, folder, storage, redactor);
      const loaded = await source.load(isSupervised(env) ? await source.lastGood() : undefined);
      if (command === 'plan') return showPlan(loaded, folder, storage, redactor, rest.length > 0, print);
      const recordings = path.join(dataFolder(env), 'recordings');
      const odd = [
        ...(await oddFiles(loaded.settings, folder)),
        ...(await toDelete(loaded.settings, folder, recordings)),
      ];
      const warnings = [...loaded.warnings, ...odd];
      return check({ ...loaded, warnings }, print, source.told);
    }
    case 'probe': {
      const { probe } = await import('./commands/probe.js');
      return probe(rest.length > 0, print);
    }
    case 'help':
    case '--help':
    case '-h':
      print(usage);
      return 0;
    case 'service':
      // The set-up does it, before anything is compiled (setup/service/).
      throw new Fault('usage', 'makercast service works only in a clone of the repository.', 'See docs/debian.md.');
    default:
      throw misused(command);
  }
}

const misused = (word: string): Fault =>
  new Fault('usage', `makercast does not know ${JSON.stringify(word)}.`, 'makercast help lists the commands.');

/** One line on stderr, without the secrets that are known by now. */
function complain(text: string, redactor: Redactor): void {
  process.stderr.write(`${redactor.redact(text).replaceAll(/[\r\n]+/g, ' ')}\n`);
}

function begin(): void {
  // What ends the program may do so before the settings are read, and quote what stands in the environment.
  const redactor = new Redactor(systemClock.now);
  redactor.add(environmentSecrets(process.env));
  /** One line, and no stack: what is not a Fault is a bug, and is still said in one line. */
  const giveUp = (error: unknown): void => {
    const fault = Fault.from(error);
    complain(`[${fault.code}] ${fault.message}`, redactor);
    leave(fault.actor === 'operator' ? INVALID : 1);
  };
  process.on('uncaughtException', giveUp);
  process.stdout.on('error', () => {
    // `makercast probe | head`: the reader has read enough. A broadcast goes on when nobody reads its log any more.
    if (process.argv.length > 2) process.exit(0);
  });
  process.stderr.on('error', () => undefined);
  main(process.argv.slice(2), process.env, process.cwd(), redactor).then(leave, giveUp);
}

process.title = 'makercast';
begin();
