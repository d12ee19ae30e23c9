/** How fast and how many are steered over MQTT: changes on the air, and a thousand devices at one broker. `npm run bench:control [-- --part live|fleet]`. */
import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startAgent } from '../test/helpers/agent/agent.js';
import { ended, temporaryFolder } from '../test/helpers/command.js';
import { Feed, until } from '../test/helpers/feed.js';
import { isPicture, pictureGaps, wallClock } from '../test/helpers/content/flv.js';
import { type Broker, type Operator } from '../test/helpers/mqtt/broker.js';
import { startMosquitto } from '../test/helpers/mqtt/mosquitto.js';
import { startNginx } from '../test/helpers/rtmp/nginx.js';
import { subscribe } from '../test/helpers/rtmp/client.js';
import { analyse } from '../test/helpers/content/stream.js';
import { costs } from './processes.js';
import { median, table, writeResults, type Row } from './report.js';

const { values } = parseArgs({
  options: {
    part: { type: 'string', default: 'both' },
    changes: { type: 'string', default: '200' },
    devices: { type: 'string', default: '1000' },
  },
});
const changes = Number(values.changes);
const devices = Number(values.devices);
const processes = 4;

const row = (measure: string, unit: string, value: number | null, goal: number | null): Row => {
  const met = value === null || goal === null ? null : value <= goal;
  return { measure, unit, value: value === null ? null : Math.round(value * 10) / 10, goal, met, versus: {} };
};

/** Milliseconds from publishing a document to the report that it is applied. */
async function desire(operator: Operator, version: number, config: object): Promise<number> {
  const from = operator.heard.items.length;
  const begun = performance.now();
  await Promise.all([
    operator.client.publishAsync(`${operator.prefix}/config/desired`, JSON.stringify({ version, config }), { qos: 1 }),
    operator.on('config/reported', (value) => value['version'] === version && value['status'] === 'applied', from),
  ]);
  return performance.now() - begun;
}

async function live(): Promise<Row[]> {
  await using nginx = await startNginx({ record: true });
  await using broker = await startMosquitto();
  await using operator = await broker.operator('bench', {}, broker.url, ['config/reported', 'state']);
  await using agent = await startAgent({
    ...{
      VIDEO_SOURCE: 'test',
      AUDIO_SOURCE: 'test',
      VIDEO_WIDTH: '640',
      VIDEO_HEIGHT: '360',
      VIDEO_ENCODER: 'x264enc',
    },
    ...{ STREAM_URL: nginx.url(), STREAM_KEY: 'bench', MQTT_URL: broker.url, MQTT_ID: 'bench' },
  });
  await operator.on('state', ({ state }) => state === 'live');
  await using viewer = await subscribe(`${nginx.url()}/bench`);
  const begin = viewer.tags.items.indexOf(await viewer.keyframe(20_000));
  const took: number[] = [];
  for (let i = 0; i < changes; i++)
    took.push(await desire(operator, i + 1, { video: { bitrateKbps: 700 + i }, audio: { gainDb: (i % 20) - 10 } }));
  const steps = pictureGaps(viewer.tags.items.slice(begin));
  const frameMs = median(steps) ?? 0;
  const lost = steps.reduce((sum, ms) => sum + Math.max(0, Math.round(ms / frameMs) - 1), 0);
  const [cost] = costs(agent.pid, true);

  const gaps: number[] = [];
  for (let i = 0; i < 10; i++) {
    const seen = viewer.tags.items.length;
    const config = { video: { bitrateKbps: 900, testPattern: i % 2 ? 'bars' : 'ball' } };
    await desire(operator, changes + 1 + i, config);
    const end = wallClock() + 1500;
    await viewer.tags.waitFor((tag) => isPicture(tag) && tag.at > end, 10_000, seen);
    const times = viewer.tags.items
      .slice(seen)
      .filter(isPicture)
      .map(({ at }) => at);
    gaps.push(Math.max(...times.slice(1).map((at, k) => at - times[k]!)));
  }
  await agent.stop();
  await nginx.waitForCall('record_done');
  const publishes = nginx.calls.items.filter(({ call }) => call === 'publish').length;
  const { video, decodeErrors } = await analyse((await nginx.recordings())[0]!);
  return [
    row(`desired to applied, live setting, ${changes} changes: median`, 'ms', median(took), 50),
    row('the same: worst', 'ms', Math.max(...took), 200),
    row(`the same: frames lost of ${steps.length + 1}`, '', lost, 0),
    row('rebuild: gap at the server, median of 10', 'ms', median(gaps), 1000),
    row('rebuild: gap at the server, worst of 10', 'ms', Math.max(...gaps), 1000),
    row('longest wait between two pictures of the recording', 'ms', video?.largestGapMs ?? null, 1000),
    row('sessions at the server', '', publishes, 1),
    row('decode errors', '', decodeErrors.length, 0),
    row('memory (PSS), agent with MQTT', 'MB', cost?.pssMb ?? null, 60),
  ];
}

/** Seconds from now until `all` different devices have said what `test` looks for. */
async function allSaid(
  heard: Feed<{ readonly id: string; readonly name: string; readonly text: string }>,
  test: (name: string, text: string) => boolean,
  from: number,
  deadlineMs: number,
): Promise<number> {
  const begun = performance.now();
  const ids = new Set<string>();
  let next = from;
  await until(
    () => {
      for (; next < heard.items.length; next++) {
        const { id, name, text } = heard.items[next]!;
        if (test(name, text)) ids.add(id);
      }
      return ids.size === devices;
    },
    deadlineMs,
    `${devices} devices, ${ids.size} so far`,
  );
  return (performance.now() - begun) / 1000;
}

/** Connections that the broker has accepted since `from` in its log, in the second with most of them. */
function busiestSecond(broker: Broker, from: number): number {
  const counts = new Map<string, number>();
  for (const [, at = ''] of broker.log.slice(from).matchAll(/^(\d+): New client connected.*makercast-/gm))
    counts.set(at, (counts.get(at) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}

async function fleet(): Promise<Row[]> {
  const { folder, remove } = await temporaryFolder();
  const queue = [
    'allow_anonymous true',
    'max_queued_messages 0',
    'persistence true',
    `persistence_location ${folder}/`,
  ];
  await using broker = await startMosquitto(queue);
  await using operator = await broker.operator('bench', {}, broker.url, []);
  const heard = new Feed<{ readonly id: string; readonly name: string; readonly text: string }>('the fleet');
  operator.client.removeAllListeners('message').on('message', (topic, payload) => {
    const [, , id = '', ...rest] = topic.split('/');
    const name = rest.join('/');
    const text = payload.toString();
    // Whole reports of a thousand devices would be what is measured.
    heard.push({
      id,
      name,
      text: name === 'config/reported' ? text.slice(0, 600) + text.slice(text.indexOf('"groups"')).slice(0, 400) : text,
    });
  });
  await operator.client.subscribeAsync(['makercast/v1/+/state', 'makercast/v1/+/config/reported'], { qos: 1 });
  const children: ChildProcess[] = [];
  const each = Math.ceil(devices / processes);
  for (let i = 0; i < processes; i++) {
    const file = fileURLToPath(new URL('devices.js', import.meta.url));
    const count = Math.min(each, devices - i * each);
    children.push(fork(file, [broker.url, String(i * each), String(count), folder], { stdio: 'ignore' }));
  }
  try {
    const isLive = (name: string, text: string): boolean => name === 'state' && text.includes('"live"');
    const up = await allSaid(heard, isLive, 0, 180_000);
    const from = heard.items.length;
    const document = { version: 1, config: { audio: { mute: true } } };
    await operator.client.publishAsync('makercast/v1/_group/fleet/config/desired', JSON.stringify(document), {
      qos: 1,
      retain: true,
    });
    const applied = (name: string, text: string): boolean =>
      name === 'config/reported' && /"fleet":\{"version":1,.*?"status":"applied"/.test(text);
    const reached = await allSaid(heard, applied, from, 120_000);
    await broker.kill('SIGTERM');
    const [after, logged] = [heard.items.length, broker.log.length];
    await broker.start();
    await until(() => operator.client.connected, 10_000, 'the operator');
    const back = await allSaid(heard, isLive, after, 120_000);
    return [
      row(`${devices} devices: all connected and live`, 's', up, null),
      row('one group change: applied and reported by all', 's', reached, 10),
      row('broker restarted: all back', 's', back, 30),
      row('the same: connections in the busiest second', '', busiestSecond(broker, logged), devices / 4),
    ];
  } finally {
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(children.map((child) => ended(child)));
    await remove();
  }
}

const rows = [...(values.part === 'fleet' ? [] : await live()), ...(values.part === 'live' ? [] : await fleet())];
process.stdout.write(`${table(rows)}\n`);
if (values.part === 'both') await writeResults('control', { changes, devices, rows });
