/** The agent at work: what starts, from top to bottom, and what stops, from bottom to top. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Facts } from '../pipelines/facts.js';
import type { Wish } from '../pipelines/wanted.js';
import { systemClock } from './clock.js';
import { INVALID, formatProblems } from './commands/check.js';
import { Redactor } from './config/redact.js';
import type { Fault } from './errors.js';
import { Log } from './log.js';
import { holderOf } from './machine/busy.js';
import { watchDevices } from './machine/devices.js';
import { temperature } from './machine/health.js';
import { networkFault, watchNetwork } from './machine/network.js';
import { childEnvironment } from './machine/run.js';
import { dataFolder, Storage } from './machine/storage.js';
import { factsFor } from './machine/facts.js';
import { isSupervised, problemReports, SettingsSource } from './settings.js';
import { Broadcast } from './supervisor/broadcast.js';
import { Intent } from './supervisor/intent.js';
import { statusLine } from './supervisor/status.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** Under npm one Ctrl-C comes twice: from the terminal, and passed on by npm. What comes later is somebody in a hurry. */
const echoMs = 300;

/** Runs until it is told to stop; resolves to the exit code. */
export async function run(env: NodeJS.ProcessEnv, folder: string): Promise<number> {
  const supervised = isSupervised(env);
  const redactor = new Redactor();
  const early: Fault[] = [];
  let report = (fault: Fault): void => void early.push(fault);
  const storage = new Storage(dataFolder(env), (fault) => report(fault));
  const source = new SettingsSource(env, folder, storage);

  let loaded = await source.load(supervised ? await source.lastGood() : undefined);
  redactor.add(loaded.secrets);
  const log = new Log(loaded.settings.log, redactor, systemClock);
  report = (fault) => log.warn(fault.code, `[${fault.code}] ${fault.message}`, { code: fault.code });
  early.forEach(report);

  const wrong = problemReports(loaded);
  for (const { code, what, mend } of wrong) log.error(code, `[${code}] ${what} ${mend}`.trimEnd(), { code });
  for (const warning of loaded.warnings) log.warn('settings_warning', warning);
  if (wrong.length > 0 && !supervised) return INVALID;
  if (wrong.length === 0 && supervised) await source.keep(loaded.settings);

  /** What the last look at the machine could not find out: said once, however often it is looked at. */
  let unknown: readonly string[] = [];
  const gather = async (wanted: Wish): Promise<Facts> => {
    const faults: Fault[] = [];
    const facts = await factsFor(wanted, storage, (fault) => faults.push(fault));
    for (const fault of faults) if (!unknown.includes(fault.message)) report(fault);
    unknown = faults.map(({ message }) => message);
    return facts;
  };

  const stopped = new AbortController();
  let end: (code: number) => void = () => undefined;
  const ending = new Promise<number>((resolve) => (end = resolve));
  const broadcast = new Broadcast(loaded.settings, {
    log,
    clock: systemClock,
    version,
    environment: childEnvironment(env),
    folder,
    gather,
    holderOf,
    networkFault,
    recordings: path.join(storage.folder, 'recordings'),
    intent: new Intent(storage),
    demo: !supervised,
    // Whoever restarts what ends would play the files again and again.
    ended: () => (supervised ? undefined : end(0)),
  });
  broadcast.settingsProblems(wrong);

  let askedAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      const now = systemClock.now();
      askedAt ??= now;
      // The children die with us: the kernel sees to that.
      if (now - askedAt > echoMs) process.exit(1);
      end(0);
    });
  }

  /** The page of truth into the log, at the pace that the settings say. */
  let ticker: NodeJS.Timeout | undefined;
  const tell = (): void => {
    ticker = setTimeout(() => {
      void temperature().then((degrees) => {
        const status = { ...broadcast.status(), ...(degrees === undefined ? {} : { temperature: degrees }) };
        if (log.enabled('info')) log.always('info', 'status', statusLine(status), { status });
      });
      tell();
    }, loaded.settings.log.statusSeconds * 1000);
  };

  let applying = Promise.resolve();
  const reload = async (): Promise<void> => {
    const next = await source.load();
    redactor.add(next.secrets);
    const problems = problemReports(next);
    broadcast.settingsProblems(problems);
    for (const line of formatProblems({ ...next, warnings: [] })) log.error('settings_rejected', line);
    for (const warning of next.warnings) if (!loaded.warnings.includes(warning)) log.warn('settings_warning', warning);
    if (problems.length > 0)
      return log.error('settings_rejected', 'The edited settings are not valid; nothing has changed.');
    loaded = next;
    log.level = next.settings.log.level;
    clearTimeout(ticker);
    tell();
    const changed = await broadcast.apply(next.settings);
    if (supervised) await source.keep(next.settings);
    const list = changed.map((change) => change.path).join(', ');
    if (changed.length > 0) log.info('settings_applied', `Settings applied: ${list}.`, { changed });
  };
  source.watch(() => void (applying = applying.then(reload)), stopped.signal);
  watchNetwork(() => broadcast.retry(), stopped.signal);
  watchDevices(() => void broadcast.devicesChanged(), stopped.signal);
  tell();

  await broadcast.start();
  const code = await ending;

  stopped.abort();
  clearTimeout(ticker);
  await broadcast.stop();
  return code;
}
