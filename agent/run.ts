/** The agent at work: what starts, from top to bottom, and what stops, from bottom to top. */
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Machine } from '../pipelines/machine.js';
import type { Wish } from '../pipelines/wanted.js';
import { systemClock } from './clock.js';
import { INVALID, formatProblems } from './commands/check.js';
import { Redactor } from './config/redactor.js';
import type { Settings } from './config/settings.js';
import type { Fault, FaultReport } from './errors.js';
import { leave } from './leave.js';
import { excessIn } from './media/delivery/recording/shelf.js';
import { Log } from './log.js';
import { Balena } from './interfaces/balena/balena.js';
import { balenaSecrets } from './interfaces/balena/supervisor.js';
import { Gpio } from './interfaces/gpio/gpio.js';
import type { Control, Interface } from './interfaces/interface.js';
import { Mqtt } from './interfaces/mqtt/mqtt.js';
import { Answers } from './machine/answers.js';
import { givesPicture } from './machine/audition.js';
import { holderOf } from './machine/busy.js';
import { watchDevices } from './machine/devices.js';
import { model, temperature } from './machine/health.js';
import { identity } from './machine/identity.js';
import { Led } from './machine/led.js';
import { networkFault, watchNetwork } from './machine/network.js';
import { strain } from './machine/power.js';
import { childEnvironment } from './machine/run.js';
import { dataFolder, Storage } from './machine/storage.js';
import { factsFor } from './machine/facts.js';
import { heldReports, isSupervised, problemReports, SettingsSource } from './settings.js';
import { Broadcast } from './supervisor/broadcast.js';
import { Desk } from './supervisor/commands.js';
import { Intent } from './supervisor/intent.js';
import { Recent } from './supervisor/recent.js';
import { runs } from './supervisor/runs.js';
import { statusLine, type Status } from './supervisor/status.js';
import { Strained } from './supervisor/strained.js';
import { Steering } from './supervisor/steering.js';
import type { Excess } from './supervisor/trial.js';
import { isWanted, wantedRecording } from './supervisor/wants.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** No true clock stands before this, ms since 1970. */
const builtAt = statSync(fileURLToPath(import.meta.url)).mtimeMs;

/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. What comes later is somebody in a hurry. */
const echoMs = 300;
/** From the signal to the end at the most, whatever hangs: balena kills 10 s after SIGTERM, and its lock must be gone by then. */
const endMs = 7000;
/** A change that is just being applied may wait for a driver. It is not waited for any longer: the next start undoes it. */
const settleMs = 1000;

/** Runs until it is told to stop; resolves to the exit code. */
export async function run(env: NodeJS.ProcessEnv, folder: string): Promise<number> {
  const supervised = isSupervised(env);
  const redactor = new Redactor(() => systemClock.now());
  const early: Fault[] = [];
  let report = (fault: Fault): void => void early.push(fault);
  const storage = new Storage(dataFolder(env), (fault) => report(fault));
  const source = new SettingsSource(env, folder, storage);

  const lastGood = supervised ? await source.lastGood() : undefined;
  // An edit that is not valid changes nothing, so later ones need nothing to fall back to.
  let reads = 0;
  const wallMs = (): number | undefined => (Date.now() >= builtAt ? Date.now() : undefined);
  const steering = new Steering(() => source.layers(reads++ === 0 ? lastGood : undefined), storage, version, wallMs);
  const { resolved: loaded, own, inForce } = await steering.open();
  redactor.add(balenaSecrets(env));
  redactor.inForce(loaded.secrets);
  const log = new Log(loaded.settings.log, redactor, systemClock);
  const recent = new Recent(log, Date.now);
  report = (fault) => log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  early.forEach(report);

  const wrong = problemReports(loaded);
  const held = heldReports(loaded);
  for (const { code, what, mend } of [...wrong, ...held])
    log.error(code, `[${code}] ${what} ${mend}`.trimEnd(), { code });
  for (const warning of loaded.warnings) log.warn('settings_warning', warning);
  const hasNowhereToGo = held.length > 0 && !isWanted(loaded.settings);
  if (!supervised && (own.length > 0 || hasNowhereToGo)) return INVALID;
  if (wrong.length === 0 && supervised) await source.keep(loaded.settings);

  /** What the last look at the machine could not find out: said once, however often it is looked at. */
  let unknown: readonly string[] = [];
  const answers = new Answers();
  const gather = async (wanted: Wish, failed: Iterable<string>): Promise<Machine> => {
    const faults: Fault[] = [];
    for (const node of failed) answers.doubt(node);
    const machine = await factsFor(wanted, storage, (fault) => faults.push(fault), { answers });
    for (const fault of faults) if (!unknown.includes(fault.message)) report(fault);
    unknown = faults.map(({ message }) => message);
    return machine;
  };

  const recordings = path.join(storage.folder, 'recordings');
  const stopped = new AbortController();
  let end: (code: number) => void = () => undefined;
  const ending = new Promise<number>((resolve) => (end = resolve));
  const broadcast = new Broadcast(inForce, {
    log,
    clock: systemClock,
    version,
    environment: childEnvironment(env),
    folder,
    gather,
    holderOf,
    givesPicture,
    networkFault,
    data: storage.folder,
    recordings,
    intent: new Intent(storage),
    demo: !supervised,
    // Whoever restarts what ends would play the files again and again.
    ended: () => (supervised ? undefined : end(0)),
  });
  broadcast.settingsProblems([...wrong, ...held]);
  const excess = async (settings: Settings): Promise<Excess> => {
    const wanted = wantedRecording(settings, folder, recordings);
    return wanted ? excessIn(wanted.folder, wanted) : { files: 0, bytes: 0 };
  };
  steering.attach({ log, broadcast, excess });
  const board = new Strained();
  const control: Control = {
    // What the broadcast and the board say, and what each interface has to add.
    status: () => {
      const { status: strained } = board;
      const own: Status = { ...broadcast.status(), ...(strained ? { strain: strained } : {}) };
      return interfaces.reduce<Status>((status, each) => ({ ...status, ...each.tells?.(status) }), own);
    },
    settings: () => steering.resolved.settings,
    startBroadcast: () => broadcast.startBroadcast(),
    stopBroadcast: () => broadcast.stopBroadcast(),
    retry: () => broadcast.retry(),
  };
  const balena = new Balena(control, {
    env,
    log,
    clock: systemClock,
    wall: () => Date.now(),
    storage,
    probation: () => steering.isOnProbation,
    pause: () => broadcast.pause(),
    resume: () => broadcast.resume(),
  });
  const led = new Led();
  const restart = supervised ? (): void => end(0) : undefined;
  const status = (): Status => control.status();
  const able = runs({ broadcast, steering, status, version, led, caretaker: balena, recent, restart });
  const desk = new Desk(able, storage, { wallMs: Date.now, builtAt });
  await desk.open();
  const interfaces: readonly Interface[] = [
    balena,
    new Gpio(control, { log, clock: systemClock }),
    new Mqtt({
      ...{ log, clock: systemClock, wallMs: Date.now, storage, steering, control, desk, version },
      identity: () => identity(env),
      board: model,
    }),
  ];

  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = systemClock.now();
      if (askedAt === undefined) setTimeout(() => leave(1), endMs).unref();
      askedAt ??= now;
      // The children die with us: the kernel sees to that.
      if (now - askedAt > echoMs) leave(1);
      end(0);
    });
  }

  const lookAtBoard = async (): Promise<void> => {
    for (const fault of board.look(await strain()))
      log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  };
  /** The page of truth into the log, at the pace that the settings say. */
  const sayStatus = (degrees?: number): void => {
    const status = { ...control.status(), ...(degrees === undefined ? {} : { temperature: degrees }) };
    if (log.enabled('info')) log.always('info', 'status', statusLine(status), { status });
  };
  let ticker: NodeJS.Timeout | undefined;
  const tell = (): void => {
    ticker = setTimeout(() => {
      void lookAtBoard()
        .then(() => temperature())
        .then(sayStatus);
      tell();
    }, steering.resolved.settings.log.statusSeconds * 1000);
  };

  /** What is wrong with the last edit of the file, which was not taken over. */
  let rejected: FaultReport[] = [];
  let heldBefore = held;
  const tellProblems = (): void => {
    const heldNow = heldReports(steering.resolved);
    for (const { code, what } of heldNow)
      if (!heldBefore.some((each) => each.what === what)) log.warn(code, `[${code}] ${what}`, { code });
    heldBefore = heldNow;
    broadcast.settingsProblems([...problemReports(steering.resolved), ...heldNow, ...rejected]);
  };
  const reload = async (): Promise<void> => {
    const known = steering.resolved.warnings;
    const { changed, ...found } = await steering.reload();
    for (const line of formatProblems({ ...found, held: [], warnings: [] })) log.error('settings_rejected', line);
    for (const warning of found.warnings) if (!known.includes(warning)) log.warn('settings_warning', warning);
    rejected = problemReports(found);
    tellProblems();
    if (rejected.length > 0) {
      return log.error('settings_rejected', 'The edited settings are not valid; nothing has changed.');
    }
    const list = changed.map((change) => change.path).join(', ');
    if (changed.length > 0) log.info('settings_applied', `Settings applied: ${list}.`, { changed });
  };
  steering.onChange((changed) => {
    const { resolved } = steering;
    tellProblems();
    log.level = resolved.settings.log.level;
    if (changed.some(({ path }) => path.startsWith('log.'))) {
      clearTimeout(ticker);
      tell();
    }
    const good = resolved.problems.length === 0 && !steering.isOnProbation;
    if (supervised && good) void source.keep(resolved.settings);
  });
  source.watch(() => void reload(), stopped.signal);
  watchNetwork(() => broadcast.networkChanged(), stopped.signal);
  watchDevices(() => void broadcast.devicesChanged(), stopped.signal);
  void lookAtBoard();
  tell();

  for (const each of interfaces) await each.start(stopped.signal);
  // A first start looks at the whole machine, which takes a Zero W longer than it may take to end.
  const started = broadcast.start();
  const code = await Promise.race([ending, started.then(() => ending)]);

  await Promise.race([steering.close(), new Promise((done) => setTimeout(done, settleMs).unref())]);
  const closed = broadcast.stop();
  // For whoever watches the fleet; on a terminal it has just been said.
  if (supervised) sayStatus();
  stopped.abort();
  clearTimeout(ticker);
  await closed;
  await led.stop();
  for (const each of [...interfaces].reverse()) await each.stop();
  return code;
}
