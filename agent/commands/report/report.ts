/** `makercast report`: everything that somebody else needs to know about a machine to help with it, in one file without secrets. */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plan } from '../../../pipelines/plan.js';
import { Redactor } from '../../config/redactor.js';
import { Fault } from '../../errors.js';
import { leave } from '../../leave.js';
import { holderOf } from '../../machine/host/busy.js';
import { machineFor } from '../../machine/machine.js';
import { kernelLog } from '../../machine/host/kernel-log.js';
import { withDeadline } from '../../machine/files/reads.js';
import { busiest, processes, type ProcessShare, type Processes } from '../../machine/host/processes.js';
import { childEnvironment, run } from '../../machine/host/run.js';
import { dataFolder, Storage } from '../../machine/storage/storage.js';
import { faultOf, Planner } from '../../broadcast/planner.js';
import { formatProblems } from '../check.js';
import { explained, written } from '../plan.js';
import { forPrograms, lookAround } from '../probe.js';
import { asked, usualName } from './asked.js';
import { ReportFile } from './file.js';
import { concerning } from './kernel.js';
import { anonymous, block, cell, json, table } from './markdown.js';
import { outcome } from './outcome.js';
import { rehearse, type Rehearsal } from './rehearsal.js';
import { shown, stateOf, suspects, type State } from './state.js';
import { vitalRows, vitals, type Vitals } from './vitals.js';

const issues = 'https://github.com/makercast/makercast/issues';
const install = fileURLToPath(new URL('../../../../', import.meta.url));
const { version } = JSON.parse(readFileSync(path.join(install, 'package.json'), 'utf8')) as { version: string };

/** Six keyframes of the usual distance. */
const usualSeconds = 12;
/** A webcam that encodes has its keyframes up to 10 s apart, as UVC's own default is: two distances. */
const webcamSeconds = 25;
/** Of processes, those that take most of the processor and those that hold most memory. */
const mostProcesses = 12;
/** Over which processes are measured where no picture runs. */
const idleSeconds = 3;

/** How long each section waits for a program, a disk or a driver that hangs; the picture has its own deadlines. */
const deadlineMs = { settings: 20_000, probe: 240_000, plan: 120_000, other: 30_000 } as const;

/** Writes the report, and says so; returns the exit code. Throws `usage` and `report_unwritable`. */
export async function report(
  words: readonly string[],
  env: NodeJS.ProcessEnv,
  folder: string,
  print: (line: string) => void,
): Promise<number> {
  const { file: name, seconds } = asked(words);
  const isPrinted = name === '-';
  const say = isPrinted ? (line: string): void => void process.stderr.write(`${line}\n`) : print;
  const file = isPrinted ? undefined : await ReportFile.make(path.resolve(folder, name ?? usualName(new Date())));
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => leave(1));
  say('Examining this machine: half a minute on a PC, some minutes on a Zero W.');
  const text = await new Report(env, folder, seconds, say).text();
  if (file) {
    await file.write(text);
    say(
      `Written to ${file.name}. It contains no keys, passwords or Wi-Fi names. Read it through, then send it: ${issues}`,
    );
  } else {
    print(text.trimEnd());
  }
  return 0;
}

class Report {
  readonly #redactor = new Redactor();
  readonly #warnings: string[] = [];
  readonly #storage: Storage;
  #state: State | undefined;
  #plan: Plan | undefined;
  #rest: Vitals | undefined;
  #busy: Vitals | undefined;
  #shares: { readonly shares: readonly ProcessShare[]; readonly seconds: number } | undefined;

  constructor(
    private readonly env: NodeJS.ProcessEnv,
    private readonly folder: string,
    private readonly seconds: number | undefined,
    private readonly say: (line: string) => void,
  ) {
    // Before anything is read that may fail.
    this.#redactor.add(suspects(env));
    this.#storage = new Storage(dataFolder(env), (fault) => this.#warnings.push(fault.message), false);
  }

  /** The whole. What cannot be found out says so in its place, and the rest goes on. */
  async text(): Promise<string> {
    const lines = [
      `# makercast report, ${new Date().toISOString()}`,
      '',
      'Keys, passwords, names of Wi-Fi networks and hardware addresses are left out.',
      ...(await this.#section('Versions', deadlineMs.other, () => this.#versions())),
      ...(await this.#section('Settings', deadlineMs.settings, () => this.#settings())),
      ...(await this.#section('What was found', deadlineMs.probe, () => this.#probe())),
      ...(await this.#section('Plan', deadlineMs.plan, () => this.#planned())),
      // It has deadlines of its own, and may be asked to run for hours.
      ...(await this.#section('Picture', undefined, () => this.#pictures())),
      ...(await this.#section('Processes', deadlineMs.other, () => this.#processes())),
      ...(await this.#section('Memory, heat and power', deadlineMs.other, () => this.#vitals())),
      ...(await this.#section("The kernel's log", deadlineMs.other, () => this.#kernel())),
      ...(this.#warnings.length > 0 ? ['', '## Warnings', '', ...this.#block(this.#warnings)] : []),
    ];
    return `${anonymous(this.#redactor.redact(lines.join('\n')))}\n`;
  }

  /** Text of other programs: redacted before it is cut and cleaned, after which a secret might no longer be recognized. */
  #block(lines: readonly string[]): string[] {
    return block(lines.map((line) => this.#redactor.redact(line)));
  }

  #cell(text: string): string {
    return cell(this.#redactor.redact(text));
  }

  async #section(title: string, ms: number | undefined, make: () => Promise<string[]>): Promise<string[]> {
    const failed = (error: unknown): string[] => {
      const { code, message } = Fault.from(error);
      return [`This could not be determined: [${code}] ${this.#cell(message)}`];
    };
    this.say(`  ${title}`);
    const work = make().catch(failed);
    const lines = await (ms === undefined ? work : withDeadline(work, ms, () => failed(tooLate(ms))));
    return ['', `## ${title}`, '', ...lines];
  }

  async #versions(): Promise<string[]> {
    const git = await run('git', ['-C', install, 'rev-parse', '--short=12', 'HEAD'], { deadlineMs: 2000 });
    const commit = /^[0-9a-f]{12,40}$/.exec(git.stdout.trim())?.[0];
    const gstreamer = await run('gst-launch-1.0', ['--version'], { deadlineMs: 20_000 });
    return table([
      ['makercast', commit === undefined ? version : `${version}, commit ${commit}`],
      ['Node.js', `${process.version}, ${process.arch}`],
      ['GStreamer', gstreamer.stdout.split('\n')[0]?.replace(/^.* version /, '') || 'not installed'],
      ['balenaOS', this.env['BALENA_HOST_OS_VERSION']],
      ['Device type', this.env['BALENA_DEVICE_TYPE']],
      ['Up for', `${Math.round(uptime() / 60)} minutes`],
    ]);
  }

  async #settings(): Promise<string[]> {
    const state = await stateOf(this.env, this.folder, this.#storage, this.#redactor);
    this.#redactor.add(state.secrets);
    this.#state = state;
    const rows = shown(state).map(([name, value, layer]) => `${name}: ${value}  (${layer})`);
    const wrong = formatProblems({ ...state.resolved, problems: [...state.problems], held: [] });
    return [
      rows.length > 0 ? 'Everything else is at its default.' : 'Everything is at its default.',
      ...(rows.length > 0 ? ['', ...this.#block(rows)] : []),
      ...(wrong.length > 0 ? ['', 'What is wrong with them:', '', ...this.#block(wrong)] : []),
    ];
  }

  async #probe(): Promise<string[]> {
    const found = await lookAround();
    const advice = found.faults.map(({ code, message }) => `- [${code}] ${this.#cell(message)}`);
    const { board = 'unknown', system = 'unknown' } = found.host;
    return [
      ...table([
        ['Board', board],
        ['System', system],
      ]),
      '',
      ...(advice.length > 0 ? advice : ['No advice.']),
      '',
      ...json(forPrograms(found)),
    ];
  }

  async #planned(): Promise<string[]> {
    if (!this.#state) throw new Fault('command_failed', 'The settings could not be read.');
    const { settings } = this.#state.resolved;
    const warn = (fault: Fault): void => void this.#warnings.push(fault.message);
    let machine: ReturnType<typeof machineFor> | undefined;
    const planner = new Planner((wish) => (machine ??= machineFor(wish, this.#storage, warn)), this.folder);
    const considered = explained(await planner.consider(settings));
    // Its reason is the fault of this section, and what was considered is the better part of it.
    const made = await planner.make(settings).catch((error: unknown) => Fault.from(error));
    if (made instanceof Fault)
      return [...this.#block(considered), '', `There is no plan: [${made.code}] ${this.#cell(made.message)}`];
    const { plan } = made;
    this.#plan = plan;
    const missed = plan.missed && faultOf(plan.missed);
    return [
      ...(missed ? [`A slate stands in: [${missed.code}] ${this.#cell(missed.message)}`, ''] : []),
      ...block([...considered, ...written(plan).flatMap((line) => line.split('\n'))]),
    ];
  }

  async #pictures(): Promise<string[]> {
    this.#rest = await vitals();
    const plan = this.#plan;
    if (!plan) throw new Fault('command_failed', 'There is no plan to run.');
    await this.#mustBeFree(plan);
    return this.#judged(plan, await this.#rehearsed(plan));
  }

  /** What the machine is like meanwhile is kept for the sections that follow. */
  async #rehearsed(plan: Plan): Promise<Rehearsal> {
    const isWebcam = plan.kind === 'camera' && plan.video.encoder === 'passthrough';
    const seconds = this.seconds ?? (isWebcam ? webcamSeconds : usualSeconds);
    let before: Processes = new Map();
    let from = 0;
    return rehearse(plan, seconds, childEnvironment(this.env), {
      begun: async () => {
        before = await processes();
        from = performance.now();
      },
      ending: async () => {
        const after = await processes();
        const measured = (performance.now() - from) / 1000;
        this.#busy = await vitals();
        this.#shares = { shares: await busiest(before, after, measured, mostProcesses), seconds: measured };
      },
    });
  }

  async #judged(plan: Plan, rehearsal: Rehearsal): Promise<string[]> {
    return [
      `${cell(plan.video.source)} by \`${plan.video.encoder}\`, with sound from ${cell(plan.audio.source)}, sent to no output.`,
      '',
      ...outcome(rehearsal),
      ...(await this.#heldBy(plan, rehearsal.fault)),
      ...(rehearsal.said.length > 0 ? ['', 'The capture process said:', '', ...this.#block(rehearsal.said)] : []),
    ];
  }

  /** A broadcast that is on the air is not disturbed: what a driver is told by one program may change what another gets. */
  async #mustBeFree({ devices: { camera } }: Plan): Promise<void> {
    if (camera === undefined) return;
    // What libcamera opens of a camera are nodes of other names.
    const holder = camera.startsWith('/dev/') ? await holderOf(camera) : await captureProcess();
    if (!holder?.startsWith('makercast')) return;
    throw new Fault(
      'source_busy',
      `${camera} is in use by ${holder}: makercast is running, and was left undisturbed.`,
      'To have this part too, stop it first (sudo systemctl stop makercast; on balena the command stop over MQTT, the button, or the variable VIDEO_SOURCE with test) and make another report.',
    );
  }

  async #heldBy({ devices: { camera } }: Plan, fault: Fault | undefined): Promise<string[]> {
    const holder = fault && camera !== undefined ? await holderOf(camera) : undefined;
    return holder === undefined ? [] : ['', `${cell(camera!)} is held open by ${cell(holder)}.`];
  }

  async #processes(): Promise<string[]> {
    const { shares, seconds } = this.#shares ?? (await atRest());
    const head = ['| Process | % of a core | RSS, MB | PSS, MB |', '|---|--:|--:|--:|'];
    const rows = shares.map(
      ({ name, percent, rssMb, pssMb }) =>
        `| ${cell(name)} | ${percent.toFixed(1)} | ${rssMb.toFixed(1)} | ${pssMb === undefined ? '' : pssMb.toFixed(1)} |`,
    );
    const when = this.#shares ? 'while the picture ran' : 'while no picture ran';
    return [`Over ${seconds.toFixed(0)} s, ${when}; in a container, only its own processes.`, '', ...head, ...rows];
  }

  async #kernel(): Promise<string[]> {
    const lines = concerning(await kernelLog());
    return lines.length > 0 ? this.#block(lines) : ['Nothing about cameras, the codec, USB, memory or power.'];
  }

  async #vitals(): Promise<string[]> {
    const rest = vitalRows(this.#rest ?? (await vitals()));
    if (!this.#busy) return table(rest);
    const busy = new Map(vitalRows(this.#busy));
    const rows = rest.flatMap(([name, value]) =>
      value === undefined && busy.get(name) === undefined
        ? []
        : [`| ${name} | ${cell(value ?? '')} | ${cell(busy.get(name) ?? '')} |`],
    );
    return ['| | before | at the end of the picture |', '|---|---|---|', ...rows];
  }
}

async function captureProcess(): Promise<string | undefined> {
  const found = [...(await processes())].find(([, { name }]) => name.startsWith('makercast-capt'));
  return found && `${found[1].name} (process ${found[0].split(' ')[0]})`;
}

async function atRest(): Promise<{ shares: readonly ProcessShare[]; seconds: number }> {
  const before = await processes();
  const from = performance.now();
  await new Promise((resolve) => setTimeout(resolve, idleSeconds * 1000));
  const after = await processes();
  const seconds = (performance.now() - from) / 1000;
  return { shares: await busiest(before, after, seconds, mostProcesses), seconds };
}

const tooLate = (ms: number): Fault => new Fault('command_failed', `There was no answer within ${ms / 1000} s.`);
