/** What is said before the settings are in force, or as the program dies, holds no secret either: of the environment, or of the file. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { runAgent, startAgent, type Agent, type Environment } from '../helpers/agent/agent.js';
import { folderFor } from '../helpers/command.js';
import { root } from '../helpers/root.js';

const secrets = {
  ofEnvironment: 'geheim-der-umgebung-4711',
  ofOthers: 'fremdes-wort-0815',
  ofFile: 'geheim-der-datei-2342',
};
const env: Environment = { STREAM_URL: 'rtmp://127.0.0.1:1/live', SOME_TOKEN: secrets.ofOthers, LOG_LEVEL: 'debug' };
const all = Object.values(secrets).join(' and ');

/** A folder with a settings file and a key in it; `sabotage` runs inside of the program, before it does. */
async function sabotaged(t: TestContext, sabotage: string): Promise<{ cwd: string; more: Environment }> {
  const cwd = await folderFor(t);
  await writeFile(
    path.join(cwd, 'makercast.yml'),
    `outputs:\n  club: { url: "rtmp://127.0.0.1:1/live", key: ${secrets.ofFile} }\n`,
  );
  const file = path.join(cwd, 'sabotage.mjs');
  const head = `import { createRequire } from 'node:module';\nconst text = ${JSON.stringify(all)};\n`;
  await writeFile(file, `${head}const fail = () => { throw new Error('This went wrong: ' + text); };\n${sabotage}\n`);
  const key = { STREAM_KEY: secrets.ofEnvironment };
  return { cwd, more: { ...env, ...key, NODE_OPTIONS: `--import ${pathToFileURL(file).href}` } };
}

function assertClean(output: string): void {
  for (const [name, secret] of Object.entries(secrets)) assert.ok(!output.includes(secret), `${name}:\n${output}`);
}

/** It has ended by what was made to go wrong, and says so in one line. */
async function assertDied(agent: Agent, hides: number): Promise<void> {
  assert.equal((await agent.end()).code, 1);
  assertClean(agent.output);
  assert.match(agent.stderr, /^\[internal\] This went wrong: .*\n$/m);
  assert.equal(agent.stderr.split('***').length - 1, hides, agent.stderr);
}

test('while the settings are loaded: what ends the program quotes them', async (t) => {
  const winston = JSON.stringify(path.join(root, 'package.json'));
  const { cwd, more } = await sabotaged(t, `createRequire(${winston})('winston').createLogger = fail;`);
  await using agent = await startAgent(more, { cwd });
  await assertDied(agent, 3);
});

test('before they are: what ends the program quotes the environment', async (t) => {
  const sabotage = "process.on('newListener', (name) => name === 'uncaughtException' && process.nextTick(fail));";
  const { cwd, more } = await sabotaged(t, sabotage);
  // Nobody knows what is in the file, who has not read it.
  await using agent = await startAgent({ ...more, OTHER_KEY: secrets.ofFile }, { cwd });
  await assertDied(agent, 3);
});

test('while it runs: an exception that nobody catches', async (t) => {
  const { cwd, more } = await sabotaged(t, "process.on('SIGUSR2', fail);");
  await using agent = await startAgent(more, { cwd });
  await agent.status();
  agent.child.kill('SIGUSR2');
  await assertDied(agent, 3);
});

for (const args of [['check'], ['plan'], []])
  test(`faults from before there is a log: makercast ${args.join('')}`, async () => {
    // No folder of the data can be made there, and the path quotes a key.
    const early = { MAKERCAST_DATA: `/dev/null/${secrets.ofEnvironment}`, MAKERCAST_SUPERVISED: '1' };
    const given = { ...env, STREAM_KEY: secrets.ofEnvironment, ...early, VIDEO_SOURCE: 'test', AUDIO_SOURCE: 'test' };
    const isFault = (text: string): boolean => /data folder \/dev\/null\/\*\*\* cannot be read \(ENOTDIR\)/.test(text);
    if (args.length > 0) {
      const { stdout, stderr } = await runAgent(args, given);
      assert.ok(isFault(stderr), stderr);
      return assertClean(stdout + stderr);
    }
    await using agent = await startAgent(given);
    await agent.waitFor(({ event, message }) => event === 'state_unwritable' && isFault(message));
    await agent.stop();
    assertClean(agent.output);
  });
