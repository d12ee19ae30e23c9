/** Settings that change while the agent runs: edits of the file are applied or refused, and each problem is logged once. */
import { formatProblems } from './commands/check.js';
import type { FaultReport } from './errors.js';
import type { Log } from './log.js';
import { heldReports, problemReports, type SettingsSource } from './steering/source.js';
import type { Broadcast } from './broadcast/broadcast.js';
import type { Steering } from './steering/steering.js';

/** What the reload needs of the program around it. */
export interface ReloadDependencies {
  readonly log: Pick<Log, 'error' | 'warn' | 'info' | 'level'>;
  readonly source: Pick<SettingsSource, 'watch' | 'keep'>;
  readonly steering: Pick<Steering, 'resolved' | 'isOnProbation' | 'reload' | 'onChange'>;
  /** Shows the problems in the status document. */
  readonly broadcast: Pick<Broadcast, 'settingsProblems'>;
  /** Whether the last good settings are kept for the next start. */
  readonly keepsGood: boolean;
}

export class Reload {
  /** The problems of the last edit of the file, if it was refused. */
  #rejected: readonly FaultReport[] = [];
  /** Outputs without a stream key that have been logged. */
  #held: readonly FaultReport[] = [];

  constructor(private readonly dependencies: ReloadDependencies) {}

  /** The problems of the initial settings must have been logged before. */
  start(signal: AbortSignal): void {
    const { source, steering } = this.dependencies;
    this.#held = heldReports(steering.resolved);
    this.#show();
    steering.onChange(() => this.#changed(), signal);
    source.watch(() => void this.#edited(), signal);
  }

  async #edited(): Promise<void> {
    const { log, steering } = this.dependencies;
    const known = steering.resolved.warnings;
    const { changed, ...found } = await steering.reload();
    for (const line of formatProblems({ ...found, held: [], warnings: [] })) log.error('settings_rejected', line);
    for (const warning of found.warnings) if (!known.includes(warning)) log.warn('settings_warning', warning);
    this.#rejected = problemReports(found);
    this.#tell();
    if (this.#rejected.length > 0)
      return log.error('settings_rejected', 'The edited settings are not valid; nothing has changed.');
    const list = changed.map(({ path }) => path).join(', ');
    if (changed.length > 0) log.info('settings_applied', `Settings applied: ${list}.`, { changed });
  }

  /** The settings have changed, by the file or remotely. */
  #changed(): void {
    const { log, source, steering, keepsGood } = this.dependencies;
    const { settings, problems } = steering.resolved;
    this.#tell();
    log.level = settings.log.level;
    if (keepsGood && problems.length === 0 && !steering.isOnProbation) void source.keep(settings);
  }

  #tell(): void {
    const { log, steering } = this.dependencies;
    const held = heldReports(steering.resolved);
    for (const { code, what } of held)
      if (!this.#held.some((each) => each.what === what)) log.warn(code, `[${code}] ${what}`, { code });
    this.#held = held;
    this.#show();
  }

  #show(): void {
    const { broadcast, steering } = this.dependencies;
    broadcast.settingsProblems([...problemReports(steering.resolved), ...this.#held, ...this.#rejected]);
  }
}
