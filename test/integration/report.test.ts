/** `makercast report`, as a maker runs it: what is in the file, and that no secret is, whichever way it came in. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { mainFile, runAgent, small, startAgent } from '../helpers/agent/agent.js';
import { ended, mortal, temporaryFolder } from '../helpers/command.js';
import { until } from '../helpers/feed.js';
import { startMosquitto } from '../helpers/mqtt/mosquitto.js';
import { startNginx } from '../helpers/rtmp/nginx.js';

const sections = [
  ...['Versions', 'Settings', 'What was found', 'Plan', 'Picture'],
  ...['Processes', 'Memory, heat and power', "The kernel's log"],
];

/** The lines of a section. */
function section(text: string, title: string): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${title}\n`));
  assert.ok(found, `no section ${title} in ${text}`);
  return found;
}

/** As it is, and as others would write it. */
const spellings = (secret: string): string[] => [
  secret,
  encodeURIComponent(secret),
  Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  Buffer.from(secret).toString('hex'),
];

function mustLack(text: string, secrets: Readonly<Record<string, string>>): void {
  for (const [name, secret] of Object.entries(secrets))
    for (const spelling of spellings(secret))
      assert.ok(!text.toLowerCase().includes(spelling.toLowerCase()), `${name} is in the report:\n${text}`);
}

test('a report of a machine full of secrets: every section, and none of them', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const secrets = {
    key: 'geheim-4711-key',
    userInfo: 'nutzer-wort-0815',
    token: 'zeichen-token-2342',
    fileKey: 'schluessel-der-datei-77',
    brokerUser: 'mqtt-nutzer-5566',
    brokerPassword: 'mqtt-passwort-9981',
    api: 'balena-api-key-7766554433',
    foreign: 'fremdes-passwort-3141',
    network: 'Familie Mustermann WLAN',
    proxy: 'stellvertreter-wort-2718',
    argument: 'argument-wort-1618',
    misspelt: 'falsch-geschrieben-1414',
  };
  const yaml = [
    'outputs:',
    `  studio: {url: 'rtmp://media.example.com/app', key: '${secrets.fileKey}'}`,
    `  club: {url: 'rtmp://user:${secrets.userInfo}@127.0.0.1:1/live/stream?token=${secrets.token}'}`,
    `  third: {kye: '${secrets.misspelt}', url: 'rtmp://media.example.com/app2', key: '${secrets.fileKey}'}`,
    'mqtt:',
    `  username: '${secrets.brokerUser}'`,
    `  password: '${secrets.brokerPassword}'`,
  ].join('\n');
  await writeFile(path.join(folder, 'makercast.yml'), yaml);
  // Somebody else's process, whose command line and name hold one, is among those that are listed.
  const script = `process.title = 'zeuge ${secrets.argument}'; setInterval(() => { const end = Date.now() + 8; while (Date.now() < end); }, 10)`;
  const witness = spawn(...mortal(process.execPath, ['-e', script, secrets.argument]), { stdio: 'ignore' });
  try {
    const { code, stdout, stderr } = await runAgent(
      ['report', 'mine.md', '--seconds', '3'],
      {
        ...small,
        ...{ STREAM_URL: 'rtmp://127.0.0.1:1/live', STREAM_KEY: secrets.key, MQTT_URL: 'mqtts://broker.example.com' },
        ...{ BALENA_API_KEY: secrets.api, SOME_PASSWORD: secrets.foreign, WIFI_SSID: secrets.network },
        ...{ HTTPS_PROXY: `http://someone:${secrets.proxy}@proxy:3128`, GST_DEBUG: '*:2' },
      },
      { cwd: folder, deadlineMs: 180_000 },
    );
    assert.equal(code, 0, stdout + stderr);
    const file = path.join(folder, 'mine.md');
    assert.match(stdout, new RegExp(`^Written to ${file}\\.`, 'm'));
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const text = await readFile(file, 'utf8');
    mustLack(text + stdout + stderr, secrets);

    assert.deepEqual(
      [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title).filter((title) => title !== 'Warnings'),
      sections,
    );
    assert.match(
      section(text, 'Versions'),
      /\| makercast \| \d+\.\d+\.\d+.*\n\| Node\.js \| v\d+.*\n\| GStreamer \| 1\./,
    );
    const settings = section(text, 'Settings');
    assert.match(settings, /^outputs\.studio\.url: "rtmp:\/\/media\.example\.com\/app" {2}\(file\)$/m);
    assert.match(settings, /^outputs\.main\.key: "\*\*\*" {2}\(environment\)$/m);
    assert.match(settings, /^mqtt\.username: "\*\*\*" {2}\(file\)$/m);
    assert.match(settings, /^problem \[setting_unknown\] .*third\.kye/m, 'what is wrong is said, and the rest goes on');
    const found = JSON.parse(/```json\n([^]*?)\n```/.exec(section(text, 'What was found'))![1]!) as {
      encoders: { element: string; works: boolean }[];
      memory: { totalMb: number };
    };
    assert.equal(found.encoders.find(({ element }) => element === 'x264enc')?.works, true);
    assert.ok(found.memory.totalMb > 0);
    assert.match(section(text, 'Plan'), /^# taken +test picture[^]*^videotestsrc[^]*flvmux/m);
    const picture = section(text, 'Picture');
    const counted = JSON.parse(/```json\n([^]*?)\n```/.exec(picture)![1]!) as {
      pictures: number;
      fps: number;
      h264: string;
      distances: { pictures: number; seconds: number }[];
    };
    assert.ok(counted.pictures > 30 && Math.abs(counted.fps - 30) < 1, picture);
    assert.match(counted.h264, /^Constrained Baseline \d/);
    assert.ok(counted.distances.length > 0, picture);
    for (const { pictures, seconds } of counted.distances)
      assert.ok(pictures === 60 && Math.abs(seconds - 2) < 0.05, picture);
    const listed = section(text, 'Processes');
    assert.match(listed, /^\| zeuge \| /m);
    assert.match(listed, /^\| makercast-captu/m, 'what it costs is part of the picture');
    assert.match(section(text, 'Memory, heat and power'), /^\| Memory \| \d+ MB, \d+ MB available \| \d+ MB/m);
  } finally {
    witness.kill('SIGKILL');
    await ended(witness);
  }
});

test('what was set over MQTT is in force in it too, and what was handed over is not shown', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const secrets = { first: 'erster-schluessel-1', later: 'spaeterer-schluessel-2' };
  const data = path.join(folder, 'data');
  await using broker = await startMosquitto();
  await using nginx = await startNginx();
  await using operator = await broker.operator('kitchen');
  const env = {
    ...{ ...small, STREAM_URL: nginx.url(), STREAM_KEY: secrets.first, MQTT_URL: broker.url, MQTT_ID: 'kitchen' },
    ...{ MQTT_ALLOW_PLAIN_SECRETS: 'yes', CONFIG_PROBATION_SECONDS: '2' },
  };
  {
    await using agent = await startAgent(env, { dataFolder: data });
    await agent.status(({ actual }) => actual === 'live');
    assert.equal((await operator.desire(1, { video: { bitrateKbps: 654 } }))['status'], 'applied');
    await operator.on('config/reported', ({ proved }) => proved === true);
    assert.equal(
      (await operator.command('set-secret', { path: 'outputs.main.key', value: secrets.later }))['ok'],
      true,
    );
    await nginx.waitForCall('publish', { name: secrets.later });
    // What is still on probation would be undone by the stop.
    await operator.on('config/reported', (report) => (report['secrets'] as { proved?: boolean })?.proved === true);
    await agent.stop();
  }
  const steering = path.join(data, 'steering.json');
  const before = await readFile(steering, 'utf8');
  assert.ok(before.includes(secrets.later));
  const { code, stdout, stderr } = await runAgent(
    ['report', '-', '--seconds', '1'],
    { ...env, MAKERCAST_DATA: data },
    { deadlineMs: 180_000 },
  );
  assert.equal(code, 0, stderr);
  mustLack(stdout + stderr, secrets);
  assert.match(stdout, /^# makercast report/, 'only the report is on standard output');
  assert.match(section(stdout, 'Settings'), /^video\.bitrateKbps: 654 {2}\(MQTT device\)$/m);
  assert.match(section(stdout, 'Plan'), /bitrate=654/);
  assert.equal(await readFile(steering, 'utf8'), before, 'a report only reads');
});

describe('what is in the way', () => {
  test('a file that is there already, or cannot be made: said at once, in one line, and nothing is touched', async (t) => {
    const { folder, remove } = await temporaryFolder();
    t.after(remove);
    await writeFile(path.join(folder, 'there.md'), 'mine');
    await mkdir(path.join(folder, 'folder.md'));
    for (const [name, why] of [
      ['there.md', /there\.md" already exists\. Remove it/],
      ['folder.md', /folder\.md" already exists/],
      ['none/report.md', /its folder does not exist/],
      ['there.md/report.md', /what should be its folder is a file/],
      ['/proc/report.md', /\/proc\/report\.md" (?:cannot|may not) be /],
      [`${'x'.repeat(300)}.md`, /name is too long/],
    ] as const) {
      const { code, stdout, stderr } = await runAgent(['report', name], small, { cwd: folder });
      assert.equal(code, 2, stdout + stderr);
      assert.equal(stdout, '');
      assert.match(stderr, /^\[report_unwritable\] [^\n]*\n$/);
      assert.match(stderr, why);
    }
    assert.equal(await readFile(path.join(folder, 'there.md'), 'utf8'), 'mine');
    assert.deepEqual(
      (await readdir(folder)).filter((name) => name.startsWith('makercast-report')),
      [],
    );
  });

  test('without any program on the machine each section says why, and those that need none are there', async (t) => {
    const { folder, remove } = await temporaryFolder();
    t.after(remove);
    const prefix = ['env', `PATH=${folder}`];
    const { code, stdout, stderr } = await runAgent(['report', '-'], small, { prefix, deadlineMs: 120_000 });
    assert.equal(code, 0, stderr);
    assert.match(section(stdout, 'Versions'), /\| GStreamer \| not installed \|/);
    assert.match(section(stdout, 'What was found'), /^- \[plugin_missing\] .*gstreamer1\.0-tools/m);
    assert.match(section(stdout, 'Plan'), /^This could not be determined: \[plugin_missing\] /m);
    assert.match(section(stdout, 'Picture'), /^This could not be determined: \[command_failed\] There is no plan/m);
    assert.match(section(stdout, "The kernel's log"), /^This could not be determined: .*the program dmesg is missing/m);
    assert.match(section(stdout, 'Settings'), /^video\.width: 320 {2}\(environment\)$/m);
    assert.match(section(stdout, 'Processes'), /while no picture ran[^]*^\| makercast \| /m);
    assert.match(section(stdout, 'Memory, heat and power'), /^\| Memory \| \d+ MB/m);
  });

  test('one that is cut off leaves no half of a file', async (t) => {
    const { folder, remove } = await temporaryFolder();
    t.after(remove);
    const child = spawn(...mortal(process.execPath, [mainFile, 'report', 'half.md', '--seconds', '3600']), {
      cwd: folder,
      env: { PATH: process.env['PATH'], HOME: folder, MAKERCAST_DATA: path.join(folder, 'data'), ...small },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (said += text));
    try {
      await until(() => said.includes('  Picture\n'), 60_000, 'the picture');
      assert.ok((await readdir(folder)).includes('half.md'));
      child.kill('SIGINT');
      assert.equal((await ended(child)).code, 1);
      assert.ok(!(await readdir(folder)).includes('half.md'));
    } finally {
      child.kill('SIGKILL');
    }
  });
});
