/** `makercast fleet` with the real balena-sdk against a server that knows only the calls of the facts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cp, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { mainFile } from '../helpers/agent/agent.js';
import { ended, mortal, run, temporaryFolder } from '../helpers/command.js';
import { Feed, until, within } from '../helpers/feed.js';
import { bench, broken, device, fleetOf, key, mustBeWell, young } from '../helpers/balena/fleet.js';
import { root } from '../helpers/root.js';

describe('list', () => {
  test('one question for the whole fleet; state, release and temperature with their age', async (t) => {
    const now = Date.now();
    const tags = {
      'makercast.state': 'live',
      'makercast.temperature': '61.4',
      'makercast.problems': 'source_silent, output_slow',
      'makercast.since': new Date(now - 12 * 60_000).toISOString(),
    };
    const devices = [
      device(1, { tags, running: 2, pinned: 2 }),
      device(2, {
        name: 'kafé\u001b[2J',
        online: false,
        tags: { 'makercast.since': 'never', 'makercast.temperature': 'hot' },
      }),
    ];
    const { api, fleet } = await bench(t, [fleetOf(devices)]);
    const { out } = mustBeWell(await fleet(['list', '--fleet', 'club/cameras']));
    assert.deepEqual(out.split('\n'), [
      'DEVICE   NAME      ONLINE  STATE  RELEASE                  CPU    SINCE   PROBLEMS',
      '0001000  cam-001   yes     live   1.1.0 (2b2b2b2), pinned  61 °C  12 min  source_silent, output_slow',
      '0002000  kafé [2J  no      -      1.0.0 (1a1a1a1)          -      -       -',
      '',
    ]);
    assert.equal(api.calls.length, 3, 'who am I, the fleet, its devices');
    const json = JSON.parse(
      mustBeWell(await fleet(['list', '--json', '--tag', 'makercast.state=live'])).out,
    ) as object[];
    const [only, ...further] = json as Record<string, unknown>[];
    assert.equal(further.length, 0);
    const { ageSeconds, ...rest } = only!;
    assert.ok(Number(ageSeconds) >= 12 * 60);
    assert.deepEqual(rest, {
      uuid: devices[0]!.uuid,
      name: 'cam-001',
      online: true,
      release: '1.1.0 (2b2b2b2)',
      pinned: '1.1.0 (2b2b2b2)',
      state: 'live',
      temperature: 61.4,
      problems: ['source_silent', 'output_slow'],
    });
    assert.deepEqual(api.writes, []);
  });

  test('a key that opens several fleets needs a name, and the names are said', async (t) => {
    const { fleet } = await bench(t, [fleetOf([device(1)]), fleetOf([device(2)], 'club/doors', 8)]);
    const said = await fleet(['list']);
    assert.equal(said.code, 2);
    assert.match(said.stderr, /\[fleet_unknown\] This key gives access to 2 fleets: club\/cameras, club\/doors\./);
    const wrong = await fleet(['list', '--fleet', 'club/cellars']);
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /Application not found: club\/cellars/);
    assert.match(mustBeWell(await fleet(['list', '--fleet', 'club/doors'])).out, /cam-002/);
  });
});

describe('the API key', () => {
  test('from the environment or a file; a wrong one is refused; none is an error; never in a command line', async (t) => {
    const { api, home, fleet } = await bench(t, [fleetOf([device(1)])]);
    const file = path.join(home, 'key');
    await writeFile(file, `${key}\n`, { mode: 0o600 });
    const { stderr } = mustBeWell(await fleet(['list', '--key-file', file], {}));
    assert.equal(stderr, '');
    await writeFile(file, key, { mode: 0o600 });
    mustBeWell(await fleet(['list'], { BALENA_API_KEY: key }));

    const wrong = await fleet(['list'], { BALENA_API_KEY: 'SECRETBUTWRONG' });
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /\[fleet_denied\] 127\.0\.0\.1:\d+ does not accept this API key\./);
    assert.match((await fleet(['list'], {})).stderr, /There is no API key\. Give --key-file/);
    const before = api.calls.length;
    for (const words of [['--key=SECRET'], ['--token', 'SECRET'], ['--api-key', 'SECRET'], ['--key', 'SECRET']]) {
      const { code, stderr: said } = await fleet(['list', ...words]);
      assert.equal(code, 2);
      assert.match(said, /API keys are not accepted on the command line/);
    }
    // Pasted into the wrong place.
    for (const words of [
      ['list', '--key-file', 'SECRET'],
      ['SECRET'],
      ['set', 'SECRETkey', '--all'],
      ['list', '--SECRET'],
    ]) {
      assert.equal((await fleet(words)).code, 2);
    }
    assert.equal(api.calls.length, before);
    assert.ok(
      api.calls.every(({ path: asked }) => !asked.includes('SECRET')),
      'no key in a URL',
    );
    assert.deepEqual(await readdir(home), ['key'], 'nothing is kept');
  });

  test('from a prompt, where it is not shown', async (t) => {
    const { home, terminal } = await bench(t, [fleetOf([device(1)])]);
    const said = mustBeWell(
      await terminal(['list'], [[/balena API key.*: $/, `SECRETX\u007f\u007f\u007f\u007f\u007f\u007f\u007f${key}\r`]]),
    );
    assert.match(said.out, /cam-001/);
    const given = await terminal(['list'], [[/balena API key.*: $/, '\u0003']]);
    assert.equal(given.code, 2);
    assert.match(given.out, /Cancelled/);
    assert.deepEqual(await readdir(home), []);
  });

  test('does not travel unencrypted to another machine', async (t) => {
    const { fleet } = await bench(t, [fleetOf([device(1)])]);
    const said = await fleet(['list'], { BALENA_API_KEY: key, BALENA_API_URL: 'http://balena.example.org/' });
    assert.equal(said.code, 2);
    assert.match(said.stderr, /BALENA_API_URL is not an https/);
  });
});

describe('set', () => {
  test('a variable for each device that is named, made or changed; nothing for the others', async (t) => {
    const devices = [1, 2, 3].map((number) => device(number));
    devices[1]!.variables['VIDEO_FPS'] = '30';
    const { api, fleet } = await bench(t, [fleetOf(devices)]);
    const words = [
      'set',
      'video.fps=25',
      'AUDIO_MUTE=true',
      '--device',
      'cam-001',
      '--device',
      devices[1]!.uuid.slice(0, 7),
    ];
    const dry = mustBeWell(await fleet([...words, '--dry-run']));
    assert.match(
      dry.out,
      /^Would set VIDEO_FPS = 25, AUDIO_MUTE = true on 2 devices of club\/cameras:\n +0001000 cam-001\n +0002000 cam-002\n$/,
    );
    assert.deepEqual(api.writes, []);
    assert.match(mustBeWell(await fleet(words)).out, /^2 of 2 done\.$/m);
    assert.deepEqual(
      devices.map(({ variables }) => variables),
      [{ VIDEO_FPS: '25', AUDIO_MUTE: 'true' }, { VIDEO_FPS: '25', AUDIO_MUTE: 'true' }, {}],
    );
  });

  test('--all is one variable of the fleet, not one of each device; devices with their own are named', async (t) => {
    const devices = Array.from({ length: 40 }, (_, index) => device(index + 1));
    devices[3]!.variables['VIDEO_FPS'] = '15';
    devices[4]!.deviceVariables['VIDEO_FPS'] = '10';
    devices[5]!.variables['AUDIO_RATE'] = '48000';
    const other = fleetOf([device(99, { variables: { VIDEO_FPS: '5' } })], 'club/doors', 8);
    const { api, fleet } = await bench(t, [fleetOf(devices), other]);
    const words = ['set', 'VIDEO_FPS=25', '--all', '--fleet', 'club/cameras'];
    mustBeWell(await fleet([...words, '--dry-run']));
    assert.deepEqual(api.writes, []);
    const said = mustBeWell(await fleet(words));
    assert.match(said.out, /Set VIDEO_FPS = 25 for all 40 devices of club\/cameras/);
    assert.match(said.stderr, /cam-004 keeps its own VIDEO_FPS\.\n.*cam-005 keeps its own VIDEO_FPS\./);
    assert.doesNotMatch(said.stderr, /cam-006|cam-099/);
    assert.deepEqual(
      api.writes.map(({ method, path: written }) => `${method} ${written}`),
      ['POST /v7/service_environment_variable'],
    );
    assert.deepEqual(api.fleets[0]!.variables, { VIDEO_FPS: '25' });
    mustBeWell(await fleet(['set', 'VIDEO_FPS=30', '--all', '--fleet', 'club/cameras']));
    assert.deepEqual(api.fleets[0]!.variables, { VIDEO_FPS: '30' });
    assert.deepEqual(other.variables, {});
  });

  test('what is not valid is refused before anybody is asked', async (t) => {
    const { api, fleet } = await bench(t, [fleetOf([device(1)])]);
    const said = await fleet(['set', 'VIDEO_FPS=600', 'VIDEO_FSP=25', 'AUDIO_MUTE=true', '--all']);
    assert.equal(said.code, 2);
    assert.match(said.stderr, /problem: VIDEO_FSP is not a setting\. Did you mean VIDEO_FPS\?/);
    assert.match(said.stderr, /problem: VIDEO_FPS \(video\.fps\): out of range/);
    for (const words of [
      ['set', 'VIDEO_FPS=25'],
      ['set', '--all'],
      ['set', 'VIDEO_FPS=25', '--all', '--device', 'cam-001'],
      ['set', 'MQTT_ID=kitchen', '--all'],
      ['set', 'MQTT_ID=kitchen', '--tag', 'site=hall'],
      ['set', 'MQTT_ID=kitchen', '--device', 'cam-001', '--device', 'cam-002'],
    ]) {
      assert.equal((await fleet(words)).code, 2, words.join(' '));
    }
    assert.deepEqual(api.calls, []);
    // Devices that do not exist, or are not the only ones, are found out before anything is written.
    for (const where of [
      ['--device', 'cam-9'],
      ['--device', 'cam-001', '--device', '00'],
      ['--tag', 'stage=left'],
    ]) {
      const wrong = await fleet(['set', 'VIDEO_FPS=25', ...where]);
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, /\[fleet_unknown\]/);
    }
    assert.deepEqual(api.writes, []);
  });

  test('secrets come from the environment, a file or a prompt, and are said nowhere', async (t) => {
    const devices = [1, 2, 3].map((number) => device(number));
    const { api, home, fleet, terminal } = await bench(t, [fleetOf(devices)]);
    const refused = await fleet(['set', 'STREAM_KEY=SECRETSTREAM', '--all']);
    assert.equal(refused.code, 2);
    assert.deepEqual(api.calls, []);

    const env = { BALENA_API_KEY: key, STREAM_KEY: 'SECRET one' };
    mustBeWell(await fleet(['set', 'STREAM_KEY', '--device', 'cam-001'], env));
    const file = path.join(home, 'values');
    await writeFile(
      file,
      '# for the second\nSTREAM_KEY=SECRET=two\r\n\nSTREAM_URL=rtmp://example.org/live/SECRETinURL\n',
      { mode: 0o600 },
    );
    const dry = mustBeWell(await fleet(['set', '--values', file, '--device', 'cam-002', '--dry-run', '--json']));
    assert.match(dry.out, /"name":"STREAM_KEY".*"value":"\(hidden\)"/);
    mustBeWell(await fleet(['set', '--values', file, '--device', 'cam-002']));
    const asked = await terminal(
      ['set', 'STREAM_KEY', '--device', 'cam-003'],
      [[/STREAM_KEY \(not shown\): $/, 'SECRETthree\r']],
      {
        BALENA_API_KEY: key,
      },
    );
    mustBeWell(asked);
    assert.deepEqual(
      devices.map(({ variables }) => variables),
      [
        { STREAM_KEY: 'SECRET one' },
        { STREAM_KEY: 'SECRET=two', STREAM_URL: 'rtmp://example.org/live/SECRETinURL' },
        { STREAM_KEY: 'SECRETthree' },
      ],
    );
  });
});

describe('many devices', () => {
  test('a few at a time; those that fail are named, with the command that does only those again', async (t) => {
    const devices = Array.from({ length: 60 }, (_, index) =>
      device(index + 1, { tags: { site: index < 50 ? 'hall' : 'yard' } }),
    );
    devices[6]!.refused = 400;
    devices[17]!.refused = 503;
    devices[29] = device(30, { tags: { site: 'hall' }, bare: true });
    const { api, home, fleet } = await bench(t, [fleetOf(devices)]);
    api.gate = 6;
    const said = await fleet(['set', "SLATE_TEXT=It's over", '--tag', 'site=hall']);
    assert.equal(said.code, 1);
    assert.equal(api.atOnce, 6);
    assert.match(said.out, /^47 of 50 done\.$/m);
    assert.match(said.stderr, /cam-007: failed: .* answered with 400: .*It is not to be\.$/m);
    assert.match(said.stderr, /cam-018: failed: .* answered with 503/);
    assert.match(
      said.stderr,
      /cam-030: failed: .*Service not found: makercast\. A device gets it with its first release\./,
    );
    assert.ok(!said.stderr.includes('\u001b') && !said.stderr.includes('[#'), 'no bar where nobody looks');
    assert.equal(devices.filter(({ variables }) => variables['SLATE_TEXT'] === "It's over").length, 47);

    for (const each of devices) delete each.refused;
    devices[29] = device(30);
    api.calls.length = 0;
    const [again = ''] = /npx makercast fleet .*$/m.exec(said.stderr) ?? [];
    const command = again.replace('npx makercast', `'${process.execPath}' '${mainFile}'`);
    const repeated = await run('sh', ['-c', command], {
      env: { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, BALENA_API_KEY: key },
    });
    assert.match(repeated.stdout.toString(), /^3 of 3 done\.$/m);
    assert.equal(api.writes.length, 3);
    assert.equal(devices.filter(({ variables }) => variables['SLATE_TEXT'] === "It's over").length, 50);
  });

  test('a cloud that wants a long pause is left alone: a thousand devices are not tried one after the other', async (t) => {
    const devices = Array.from({ length: 1000 }, (_, i) => device(i + 1));
    const { api, fleet } = await bench(t, [fleetOf(devices)]);
    api.busy = Infinity;
    api.pause = '300';
    const said = await fleet(['set', 'VIDEO_FPS=25', '--device', 'cam-001']);
    assert.equal(said.code, 1);
    assert.match(
      said.stderr,
      /failed: 127\.0\.0\.1:\d+ accepts no further requests for 300 s \(429\)\. Try again later\./,
    );
    for (const each of devices) each.tags['canary'] = '1';
    api.calls.length = 0;
    const all = await fleet(['set', 'VIDEO_FPS=25', '--tag', 'canary', '--json']);
    assert.equal(all.code, 1);
    const { devices: told } = JSON.parse(all.out) as { devices: { status: string }[] };
    const count = (status: string): number => told.filter((each) => each.status === status).length;
    assert.ok(count('failed') <= 6 && count('failed') + count('not tried') === 1000, `${count('failed')} failed`);
    assert.ok(api.calls.length < 50, `${api.calls.length} calls`);
  });

  test('as JSON too; a cloud that says "too many requests" is asked again', async (t) => {
    const devices = [device(1), device(2, { refused: 400 })];
    const { api, fleet } = await bench(t, [fleetOf(devices)]);
    api.busy = 2;
    const said = await fleet(['set', 'VIDEO_FPS=25', '--device', 'cam-001', '--device', 'cam-002', '--json']);
    assert.equal(said.code, 1);
    const { devices: told, repeat, ...rest } = JSON.parse(said.out) as { devices: object[]; repeat: string };
    assert.deepEqual(rest, {
      fleet: 'club/cameras',
      dryRun: false,
      variables: [{ name: 'VIDEO_FPS', path: 'video.fps', value: '25' }],
    });
    assert.match(
      repeat,
      new RegExp(`^npx makercast fleet set VIDEO_FPS=25 --fleet club/cameras --json --device ${devices[1]!.uuid}$`),
    );
    const status = (told as { name: string; status: string }[]).map(({ name, status: what }) => [name, what]);
    assert.deepEqual(status, [
      ['cam-001', 'done'],
      ['cam-002', 'failed'],
    ]);
    assert.equal(devices[0]!.variables['VIDEO_FPS'], '25');
  });

  test('Ctrl-C: what is under way is finished, the rest is said to be left', async (t) => {
    const devices = Array.from({ length: 20 }, (_, index) => device(index + 1, { tags: { site: 'hall' } }));
    const { api, home } = await bench(t, [fleetOf(devices)]);
    const child = spawn(...mortal(process.execPath, [mainFile, 'fleet', 'set', 'VIDEO_FPS=25', '--tag', 'site']), {
      env: { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, BALENA_API_KEY: key },
    });
    t.after(() => child.kill('SIGKILL'));
    const told = new Feed<string>('standard error');
    child.stderr.setEncoding('utf8').on('data', (text: string) => told.push(text));
    api.gate = 6;
    api.onGate = async () => {
      child.kill('SIGINT');
      // It says that it has heard before the writes that are under way come back.
      await told.waitFor((text) => text.includes('Stopping'), 20_000);
    };
    const { code } = await within(ended(child), 30_000, 'the end');
    const stderr = told.items.join('');
    assert.equal(code, 1);
    assert.equal(devices.filter(({ variables }) => variables['VIDEO_FPS'] === '25').length, 6);
    assert.equal(stderr.match(/: not tried$/gm)?.length, 14);
    assert.equal(stderr.match(/--device/g)?.length, 14);
  });

  test('Ctrl-C ends the pause that a busy cloud wants', async (t) => {
    const { api, home } = await bench(t, [fleetOf([device(1), device(2)])]);
    const words = ['fleet', 'set', 'VIDEO_FPS=25', '--device', 'cam-001'];
    const child = spawn(...mortal(process.execPath, [mainFile, ...words]), {
      env: { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, BALENA_API_KEY: key },
    });
    t.after(() => child.kill('SIGKILL'));
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
    api.busy = Infinity;
    api.pause = '60';
    const end = ended(child);
    await until(() => api.writes.length > 0, 20_000, 'the first try');
    child.kill('SIGINT');
    assert.equal((await within(end, 20_000, 'the end')).code, 1);
    assert.match(stderr, /cam-001: failed: .*\(429\)/);
    assert.equal(api.writes.length, 1);
  });

  test('a bar, on a terminal', async (t) => {
    const devices = Array.from({ length: 12 }, (_, index) => device(index + 1, { tags: { site: 'hall' } }));
    const { terminal } = await bench(t, [fleetOf(devices)]);
    const { out } = mustBeWell(await terminal(['set', 'VIDEO_FPS=25', '--tag', 'site'], [], { BALENA_API_KEY: key }));
    assert.ok(out.includes('[..............................] 0 of 12'), JSON.stringify(out.slice(0, 400)));
    assert.ok(out.includes('[###############...............] 6 of 12'), JSON.stringify(out.slice(0, 400)));
    assert.match(out, /12 of 12 done\./);
  });
});

describe('release', () => {
  test('canaries first, then the fleet, and back', async (t) => {
    const devices = [device(1, { tags: { canary: '' } }), device(2), device(3, { tags: { canary: 'yes' } })];
    const all = fleetOf(devices);
    const { api, fleet } = await bench(t, [all]);
    const dry = mustBeWell(await fleet(['release', 'pin', '1.1.0', '--canary', 'canary', '--dry-run']));
    assert.match(dry.out, /Would pin 2 devices of club\/cameras to 1\.1\.0 \(2b2b2b2\):/);
    assert.deepEqual(api.writes, []);
    mustBeWell(await fleet(['release', 'pin', young.slice(0, 7), '--canary', 'canary']));
    assert.deepEqual(
      devices.map(({ pinned }) => pinned),
      [2, undefined, 2],
    );
    assert.equal(all.target, 1);

    const said = mustBeWell(await fleet(['release', 'pin', 'v1.1.0']));
    assert.match(said.out, /club\/cameras is to run 1\.1\.0 \(2b2b2b2\); before: 1\.0\.0 \(1a1a1a1\)\./);
    assert.match(said.stderr, /cam-001 stays on 1\.1\.0 \(2b2b2b2\): it is pinned individually\./);
    assert.deepEqual([all.target, all.tracks], [2, false]);

    mustBeWell(await fleet(['release', 'track', '--canary', 'canary']));
    assert.deepEqual(
      devices.map(({ pinned }) => pinned),
      [null, undefined, null],
    );
    all.target = 1;
    mustBeWell(await fleet(['release', 'track', '--dry-run']));
    assert.deepEqual([all.target, all.tracks], [1, false]);
    mustBeWell(await fleet(['release', 'track']));
    assert.deepEqual([all.target, all.tracks], [2, true]);
  });

  test('a release that failed, or that nobody knows, is not pinned; a canary that cannot be pinned is named', async (t) => {
    const devices = [1, 2].map((number) => device(number, { tags: { canary: '' } }));
    devices[1]!.refused = 400;
    const { api, fleet } = await bench(t, [fleetOf(devices)]);
    for (const release of ['1.2.0', broken.slice(0, 7), 'abcdef0', '9.9.9']) {
      const said = await fleet(['release', 'pin', release, '--canary', 'canary']);
      assert.equal(said.code, 2);
      assert.match(said.stderr, /\[fleet_unknown\] .*Release not found/);
    }
    assert.deepEqual(api.writes, []);
    const said = await fleet(['release', 'pin', '1.1.0', '--canary', 'canary']);
    assert.equal(said.code, 1);
    assert.match(
      said.stderr,
      new RegExp(`fleet release pin ${young} --fleet club/cameras --device ${devices[1]!.uuid}$`, 'm'),
    );
    assert.deepEqual([devices[0]!.pinned, devices[1]!.pinned], [2, undefined]);
  });
});

describe('logs', () => {
  test('the last lines, of one device or of several; nothing that moves a cursor', async (t) => {
    const { fleet } = await bench(t, [fleetOf([device(1), device(2)])]);
    const one = mustBeWell(await fleet(['logs', '--device', 'cam-001', '--lines', '2']));
    assert.deepEqual(one.out.split('\n'), [
      '2023-11-14T22:13:20.002Z line 2 of 0001000 [2J',
      '2023-11-14T22:13:20.003Z line 3 of 0001000 [2J',
      '',
    ]);
    const two = mustBeWell(await fleet(['logs', '--device', 'cam-001', '--device', 'cam-002', '--lines', '1']));
    assert.match(two.out, /Z cam-001: line 3.*\n.*Z cam-002: line 3/);
    const json = mustBeWell(await fleet(['logs', '--device', 'cam-001', '--lines', '1', '--json']));
    assert.equal((JSON.parse(json.out) as { message: string }).message, 'line 3 of 0001000\u001b[2J');
    assert.equal((await fleet(['logs'])).code, 2);
    assert.equal((await fleet(['logs', '--device', 'cam-001', '--lines', 'many'])).code, 2);
  });

  test('a device whose log cannot be had is named, and the others are shown', async (t) => {
    const devices = [1, 2, 3].map((number) => device(number));
    devices[1]!.refused = 400;
    const { fleet } = await bench(t, [fleetOf(devices)]);
    const named = devices.flatMap(({ uuid }) => ['--device', uuid]);
    const said = await fleet(['logs', ...named, '--lines', '1']);
    assert.equal(said.code, 1);
    assert.match(said.out, /Z cam-001: line 3.*\n.*Z cam-003: line 3/);
    assert.match(said.stderr, /cam-002: failed: .*No log of this device/);
  });

  test('of many devices: a few at a time are asked for, and shown in their order', async (t) => {
    const devices = Array.from({ length: 20 }, (_, index) => device(index + 1, { tags: { site: 'hall' } }));
    const { api, home, fleet } = await bench(t, [fleetOf(devices)]);
    api.gate = 6;
    const { out } = mustBeWell(await fleet(['logs', '--tag', 'site', '--lines', '1']));
    assert.equal(api.atOnce, 6);
    assert.deepEqual(
      [...out.matchAll(/Z (cam-\d+): line 3/g)].map(([, name]) => name),
      devices.map(({ name }) => name),
    );
    api.atOnce = 0;
    api.gate = 6;
    const child = spawn(...mortal(process.execPath, [mainFile, 'fleet', 'logs', '--tag', 'site', '--follow']), {
      env: { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, BALENA_API_KEY: key },
    });
    t.after(() => child.kill('SIGKILL'));
    let said = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said += text));
    const end = ended(child);
    await until(() => said.match(/: line 3 of/g)?.length === 20, 20_000, 'every log');
    assert.equal(api.atOnce, 6);
    child.kill('SIGINT');
    assert.deepEqual(await within(end, 20_000, 'the end'), { code: 0, signal: null });
  });

  for (const [how, code] of [
    ['Ctrl-C', 0],
    ['a broken line', 1],
  ] as const) {
    test(`--follow goes on until ${how}`, async (t) => {
      const { api, home } = await bench(t, [fleetOf([device(1)])]);
      const child = spawn(...mortal(process.execPath, [mainFile, 'fleet', 'logs', '--device', 'cam-001', '--follow']), {
        env: { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, BALENA_API_KEY: key },
      });
      t.after(() => child.kill('SIGKILL'));
      const said = new Feed<string>('the log');
      let stderr = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => said.push(text));
      child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
      const end = ended(child);
      await said.waitFor((text) => text.includes('line 3 of'), 20_000);
      api.say('the show begins');
      await said.waitFor((text) => text.includes('the show begins'), 20_000);
      if (how === 'Ctrl-C') child.kill('SIGINT');
      else api.hangUp();
      assert.deepEqual(await within(end, 20_000, 'the end'), { code, signal: null });
      if (code === 1) assert.match(stderr, /The log of cam-001 ended unexpectedly/);
    });
  }
});

test('where it is not installed, as on a device, or balena-sdk is not: what to do; what needs none of that works', async (t) => {
  const { folder, remove } = await temporaryFolder();
  t.after(remove);
  const compiled = path.join(path.dirname(mainFile), '..');
  const copy = (room: string): Promise<void> =>
    cp(path.join(compiled, room), path.join(folder, 'dist', room), { recursive: true });
  await Promise.all(['agent', 'pipelines'].map(copy));
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}');
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const main = path.join(folder, 'dist/agent/main.js');
  const env = { PATH: process.env['PATH'], HOME: folder, BALENA_API_KEY: key };
  const onDevice = await run(process.execPath, [main, 'fleet', 'help'], { env, mayFail: true });
  assert.equal(onDevice.code, 2);
  assert.match(
    onDevice.stderr,
    /^\[fleet_missing\] The fleet tool is not installed .* it is not meant to run on a device\.\n$/,
  );
  assert.match((await run(process.execPath, [main, 'help'], { env })).stdout.toString(), /^Usage: makercast/);
  await copy('fleet');
  const said = await run(process.execPath, [main, 'fleet', 'list'], { env, mayFail: true });
  assert.equal(said.code, 2);
  assert.match(said.stderr, /^\[fleet_missing\] balena-sdk is not installed .* "npx makercast fleet list" installs it/);
  assert.match(
    (await run(process.execPath, [main, 'fleet', 'help'], { env })).stdout.toString(),
    /^Usage: makercast fleet/,
  );
});

test('a cloud that is not there: one line, exit code 1', async (t) => {
  const { fleet } = await bench(t, [fleetOf([device(1)])]);
  const said = await fleet(['list'], { BALENA_API_KEY: key, BALENA_API_URL: 'http://127.0.0.1:9/' });
  assert.equal(said.code, 1);
  assert.match(said.stderr, /^\[fleet_unreachable\] 127\.0\.0\.1:9 cannot be reached: .*\n$/);
});
