/** The agent at work: what starts, from top to bottom, and what stops, from bottom to top. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from './clock.js';
import { INVALID } from './commands/check.js';
import type { Redactor } from './config/redactor.js';
import type { Resolved } from './config/resolve.js';
import type { Settings } from './config/settings.js';
import { Controls } from './control/control.js';
import { Ending } from './ending.js';
import { FaultLog } from './faultlog.js';
import { Balena } from './interfaces/balena/balena.js';
import { Gpio } from './interfaces/gpio/gpio.js';
import type { Interface } from './control/interface.js';
import { Mqtt } from './interfaces/mqtt/mqtt.js';
import { leave } from './leave.js';
import { Log } from './log.js';
import { givesPicture } from './machine/cameras/audition.js';
import { holderOf } from './machine/host/busy.js';
import { watchDevices } from './machine/host/devices.js';
import { model, temperature } from './machine/host/health.js';
import { identity } from './machine/host/identity.js';
import { Led } from './machine/host/led.js';
import { networkFault, watchNetwork } from './machine/host/network.js';
import { strain } from './machine/host/power.js';
import { childEnvironment } from './machine/host/run.js';
import { dataFolder, Storage } from './machine/storage/storage.js';
import { Survey } from './machine/survey.js';
import { excessIn } from './media/delivery/recording/store.js';
import { Reload } from './reload.js';
import { heldReports, isSupervised, problemReports, SettingsSource } from './steering/source.js';
import { Broadcast } from './broadcast/broadcast.js';
import { Dispatcher } from './control/commands.js';
import { Intent } from './broadcast/intent.js';
import { Recent } from './control/recent.js';
import { runs } from './control/runs.js';
import { StatusLog } from './control/statuslog.js';
import { Steering } from './steering/steering.js';
import { BoardStrain } from './control/strain.js';
import type { Excess } from './steering/trial.js';
import { isWanted, wantedRecording } from './broadcast/wants.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** No correct clock shows an earlier time than this, ms since 1970. */
const builtAt = statSync(fileURLToPath(import.meta.url)).mtimeMs;

/** A change that is being applied may hang in a driver. It gets this long to finish; otherwise the next start undoes it. */
const closeMs = 1000;

/**
 * Runs until it is told to stop; resolves to the exit code. `redactor` knows the secrets of `env`, and learns those of the settings
 * before there is a log. Throws the fault of a machine on which nothing can be played.
 */
export async function run(env: NodeJS.ProcessEnv, folder: string, redactor: Redactor): Promise<number> {
  const supervised = isSupervised(env);
  const faults = new FaultLog();
  const storage = new Storage(dataFolder(env), faults.report);
  const source = new SettingsSource(env, folder, storage, redactor);
  const lastGood = supervised ? await source.lastGood() : undefined;
  const steering = new Steering(reading(source, lastGood), storage, redactor, version, wallMs);
  const { resolved, own, inForce } = await steering.open();
  const log = new Log(resolved.settings.log, redactor, systemClock);
  const recent = new Recent(log, Date.now);
  faults.attach(log);
  sayProblems(resolved, log);
  const hasNowhereToGo = resolved.held.length > 0 && !isWanted(resolved.settings);
  if (!supervised && (own.length > 0 || hasNowhereToGo)) return INVALID;
  if (supervised && resolved.problems.length === 0) await source.keep(resolved.settings);

  const ending = new Ending(process, systemClock, leave);
  const survey = new Survey(storage, faults.report);
  const recordings = path.join(storage.folder, 'recordings');
  const broadcast = new Broadcast(inForce, {
    ...{ log, version, folder, recordings, holderOf, givesPicture, networkFault },
    clock: systemClock,
    environment: childEnvironment(env),
    gather: (wish, failed) => survey.gather(wish, failed),
    filesChanged: (paths) => survey.filesChanged(paths),
    data: storage.folder,
    intent: new Intent(storage),
    demo: !supervised,
    // A supervisor would restart the program, which would play the files again and again.
    ended: () => (supervised ? undefined : ending.ask(0)),
  });
  steering.attach({ log, broadcast, excess: (settings) => excessOf(settings, folder, recordings) });
  const board = new BoardStrain();
  const control = new Controls(broadcast, steering, board);
  const status = (): ReturnType<Controls['status']> => control.status();
  const balena = new Balena(control, {
    ...{ env, log, storage },
    clock: systemClock,
    wall: () => Date.now(),
    probation: () => steering.isOnProbation,
    pause: () => broadcast.pause(),
    resume: () => broadcast.resume(),
  });
  const led = new Led();
  const restart = supervised ? (): void => ending.ask(0) : undefined;
  const able = runs({ broadcast, steering, status, version, led, caretaker: balena, recent, restart });
  const dispatcher = new Dispatcher(able, storage, { wallMs: Date.now, builtAt });
  await dispatcher.open();
  const interfaces: readonly Interface[] = [
    balena,
    new Gpio(control, { log, clock: systemClock }),
    new Mqtt({
      ...{ log, clock: systemClock, wallMs: Date.now, storage, steering, control, dispatcher, version },
      identity: () => identity(env),
      board: model,
    }),
  ];
  control.attach(interfaces);
  const reload = new Reload({ log, source, steering, broadcast, keepsGood: supervised });
  const statusLog = new StatusLog({ log, steering, status, board, strain, temperature, report: faults.report });

  const stopped = new AbortController();
  const { signal } = stopped;
  ending.start();
  reload.start(signal);
  watchNetwork(() => broadcast.networkChanged(), signal);
  watchDevices(() => void broadcast.devicesChanged(), signal);
  statusLog.start(signal);
  for (const each of interfaces) await each.start(signal);
  const started = broadcast.start();
  // A first start looks at the whole machine, which takes a Zero W longer than it may take to end.
  const code = await Promise.race([ending.code, started.then(() => ending.code)]);

  await Promise.race([steering.close(), new Promise((done) => setTimeout(done, closeMs).unref())]);
  const closed = broadcast.stop();
  // For whoever watches the fleet; a terminal has just shown it.
  if (supervised) statusLog.say();
  statusLog.stop();
  stopped.abort();
  await closed;
  await led.stop();
  for (const each of [...interfaces].reverse()) await each.stop();
  // The signals stay ours until the process is gone: npm may still pass one on, and the deadline is for what is left.
  return code;
}

/** ms since 1970; undefined where the clock of the machine is not set. */
const wallMs = (): number | undefined => (Date.now() >= builtAt ? Date.now() : undefined);

/** File and environment. Invalid settings at the start fall back to `lastGood`; an invalid edit changes nothing, and needs no fallback. */
function reading(source: SettingsSource, lastGood: Settings | undefined): () => ReturnType<SettingsSource['layers']> {
  let fallBack = lastGood;
  return () => {
    const once = fallBack;
    fallBack = undefined;
    return source.layers(once);
  };
}

/** Logs everything that is wrong with the initial settings, and every warning. */
function sayProblems(resolved: Resolved, log: Log): void {
  for (const { code, what, remedy } of [...problemReports(resolved), ...heldReports(resolved)])
    log.error(code, `[${code}] ${what} ${remedy}`.trimEnd(), { code });
  for (const warning of resolved.warnings) log.warn('settings_warning', warning);
}

/** The recordings for which these settings leave no room. */
async function excessOf(settings: Settings, folder: string, usual: string): Promise<Excess> {
  const wanted = wantedRecording(settings, folder, usual);
  return wanted ? excessIn(wanted.folder, wanted) : { files: 0, bytes: 0 };
}
