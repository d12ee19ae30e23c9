/** `makercast fleet`: looks after many devices by balena's cloud, from an admin's machine. */
import type { MqttSettings } from '../agent/config/settings.js';
import { Fault } from '../agent/errors.js';
import { INVALID } from '../agent/commands/check.js';
import { readAssignments } from './assignments.js';
import { Cloud } from './cloud.js';
import { Console } from './console.js';
import { readBroker, readGiven, readKey } from './input.js';
import { list } from './list.js';
import { live, type Live } from './live.js';
import { followLogs, lastLogs } from './logs.js';
import { readRequest, usage, type Request } from './options.js';
import { releaseOfDevices, releaseOfFleet } from './release.js';
import { loadSdk, type CloudDevice } from './sdk.js';
import { setOnDevices, setOnFleet } from './set.js';
import { select } from './targets.js';

const BALENA_CLOUD = 'https://api.balena-cloud.com/';

/** The command `args`; resolves to the exit code: 0, 1 where some devices failed, 2 where what was asked for is wrong. */
export async function fleet(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const request = readRequest(args);
  const console = new Console(process.stdin, process.stdout, process.stderr);
  if (request.command === 'help') {
    console.print(usage);
    return 0;
  }
  const assignments = request.command === 'set' ? await assignmentsOf(request, env, console) : [];
  if (!assignments) return INVALID;
  try {
    return await run(request, assignments, env, console);
  } catch (error) {
    const { code, what, remedy } = Fault.from(error);
    throw new Fault(code, console.redact(what), remedy);
  }
}

/** What is to be set, or undefined where something is wrong with it, which is then said. */
async function assignmentsOf(request: Request & { command: 'set' }, env: NodeJS.ProcessEnv, console: Console) {
  const given = await readGiven(request.words, request.valuesFile, env, console);
  const { assignments, problems, warnings, secrets } = readAssignments(given, request.devices.length === 1);
  console.hide(secrets);
  for (const warning of warnings) console.note(`warning: ${warning}`);
  for (const problem of problems) console.note(`problem: ${problem}`);
  if (problems.length > 0) console.note('Nothing was set.');
  return problems.length > 0 ? undefined : assignments;
}

async function run(
  request: Exclude<Request, { command: 'help' }>,
  assignments: NonNullable<Awaited<ReturnType<typeof assignmentsOf>>>,
  env: NodeJS.ProcessEnv,
  console: Console,
): Promise<number> {
  const broker = request.command === 'list' ? await readBroker(request.brokerFile, env, console) : undefined;
  const apiUrl = apiUrlOf(env);
  const sdk = loadSdk(apiUrl);
  const cloud = new Cloud(sdk, apiUrl);
  await cloud.enter(await readKey(request.keyFile, env, console));
  const fleet = await cloud.fleet(request.fleet);
  const all = await cloud.devices(fleet);
  const devices = select(all, request);
  const some = request.devices.length > 0 || request.tag !== undefined;
  const { json, dryRun } = request;

  const again = (...words: string[]): string[] => [
    'npx',
    'makercast',
    'fleet',
    ...words,
    ...repeated(request, fleet.slug),
  ];

  switch (request.command) {
    case 'list': {
      const heard = broker && (await listened(broker, devices, request.waitSeconds * 1000, console));
      return list(devices, heard, Date.now(), json, console);
    }
    case 'set': {
      const setting = { fleet, assignments, dryRun, json, again: again('set', ...request.words) };
      return request.all
        ? setOnFleet(setting, all, cloud, console)
        : setOnDevices(setting, devices, cloud, console, untilInterrupt(console, cloud));
    }
    case 'pin':
    case 'track': {
      const release = request.command === 'pin' ? await cloud.release(fleet, request.release) : null;
      const words = release ? ['release', 'pin', release.commit] : ['release', 'track'];
      const target = { fleet, release, dryRun, json, again: again(...words) };
      return some
        ? releaseOfDevices(target, devices, cloud, console, untilInterrupt(console, cloud))
        : releaseOfFleet(target, all, cloud, console);
    }
    case 'logs':
      return request.follow
        ? followLogs(devices, request, cloud, console, untilInterrupt(console, cloud))
        : lastLogs(devices, request, cloud, console);
  }
}

/** What `devices` say at the broker. If the broker cannot be reached the list is shown without it: the result is undefined, with a warning. */
async function listened(
  broker: MqttSettings,
  devices: readonly CloudDevice[],
  waitMs: number,
  console: Console,
): Promise<Map<string, Live> | undefined> {
  const ids = devices.map(({ uuid }) => uuid);
  if (ids.length === 0) return undefined;
  try {
    const heard = await live(broker, ids, waitMs, (count) =>
      console.draw(`live figures: ${count} of ${ids.length} devices`),
    );
    if (heard.size === 0) {
      const topics = `${broker.baseTopic}/v1/+/state`;
      console.note(
        `warning: ${broker.url} has nothing about these devices: this user may not be allowed to read ${topics}, or they have other names there (mqtt.id).`,
      );
      return undefined;
    }
    return heard;
  } catch (error) {
    const { what, remedy } = Fault.from(error);
    console.note(`warning: there are no live figures. ${what} ${remedy}`.trimEnd());
    return undefined;
  } finally {
    console.draw('');
  }
}

/** Aborts at the first Ctrl-C: what is under way is finished and accounted for. A second one ends the program. */
function untilInterrupt(console: Console, cloud: Cloud): AbortSignal {
  const stopped = new AbortController();
  cloud.stopWaitingAt(stopped.signal);
  process.once('SIGINT', () => {
    console.note('Stopping.');
    stopped.abort();
  });
  return stopped.signal;
}

/** The options with which the same is tried again. */
function repeated(request: Request, slug: string): string[] {
  return [
    '--fleet',
    slug,
    ...(request.keyFile === undefined ? [] : ['--key-file', request.keyFile]),
    ...(request.command === 'set' && request.valuesFile !== undefined ? ['--values', request.valuesFile] : []),
    ...(request.json ? ['--json'] : []),
  ];
}

/** Where the API is: BALENA_API_URL of one's own openBalena, or balena's. A key travels encrypted, or stays on this machine. */
function apiUrlOf(env: NodeJS.ProcessEnv): string {
  const given = env['BALENA_API_URL'] || BALENA_CLOUD;
  const url = URL.canParse(given) ? new URL(given) : undefined;
  const local = url !== undefined && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
  if (url && (url.protocol === 'https:' || (url.protocol === 'http:' && local))) return url.href;
  throw new Fault('usage', 'BALENA_API_URL is not an https:// address.', 'Without it balena-cloud.com is used.');
}
