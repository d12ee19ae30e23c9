/** `makercast fleet` as an admin runs it, with the real balena-sdk, against a server that knows only the calls of the facts. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { mainFile } from '../agent/agent.js';
import { BalenaApi, type ApiDevice, type ApiFleet } from './api.js';
import { ended, mortal, run, temporaryFolder, type CommandResult } from '../command.js';
import { Feed, within } from '../feed.js';
import { root } from '../root.js';

/** What the admin's key is: found by {@link quiet}, wherever it were said. */
export const key = 'SECRETKEYOFTHEADMIN';
export const [old = '', young = '', broken = ''] = ['1a', '2b', '3c'].map((digits) => digits.repeat(20));

export function device(number: number, more: Partial<ApiDevice> = {}): ApiDevice {
  return {
    id: number,
    uuid: number.toString(16).padStart(4, '0').repeat(8),
    name: `cam-${String(number).padStart(3, '0')}`,
    online: true,
    tags: {},
    running: 1,
    variables: {},
    deviceVariables: {},
    ...more,
  };
}

export const fleetOf = (devices: ApiDevice[], slug = 'club/cameras', id = 7): ApiFleet => ({
  id,
  slug,
  service: id + 100,
  variables: {},
  devices,
  releases: [
    { id: 1, commit: old, raw_version: '1.0.0', status: 'success' },
    { id: 2, commit: young, raw_version: '1.1.0', status: 'success' },
    { id: 3, commit: broken, raw_version: '1.2.0', status: 'failed' },
  ],
  target: 1,
  tracks: false,
});

export interface Said extends CommandResult {
  readonly out: string;
}

export interface Bench {
  readonly api: BalenaApi;
  readonly home: string;
  fleet(words: readonly string[], env?: Record<string, string>): Promise<Said>;
  /** In a terminal, typing each answer when its question is there; `out` is all that the terminal shows. */
  terminal(words: readonly string[], answers: readonly [RegExp, string][], env?: Record<string, string>): Promise<Said>;
}

export async function bench(t: TestContext, fleets: ApiFleet[]): Promise<Bench> {
  const api = await BalenaApi.start(key, fleets);
  t.after(() => api[Symbol.asyncDispose]());
  const { folder: home, remove } = await temporaryFolder();
  t.after(remove);
  const compiled = path.join(root, '.cache/home/compiled');
  const bare = { PATH: process.env['PATH'], HOME: home, BALENA_API_URL: api.url, NODE_COMPILE_CACHE: compiled };
  return {
    api,
    home,
    async fleet(words, env = { BALENA_API_KEY: key }) {
      const options = { env: { ...bare, ...env }, mayFail: true };
      const result = await run(process.execPath, [mainFile, 'fleet', ...words], options);
      return quiet({ ...result, out: result.stdout.toString() });
    },
    async terminal(words, answers, env = {}) {
      const line = [process.execPath, mainFile, 'fleet', ...words].map((word) => `'${word}'`).join(' ');
      const child = spawn(...mortal('script', ['-qefc', line, '/dev/null']), { env: { ...bare, ...env } });
      const screen = new Feed<string>('the terminal');
      let out = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => screen.push((out += text)));
      const end = ended(child);
      try {
        for (const [question, answer] of answers) {
          await screen.waitFor((text) => question.test(text), 20_000);
          child.stdin.write(answer);
        }
        const { code, signal } = await within(end, 20_000, 'the end');
        return quiet({ code, signal, out, stdout: Buffer.from(out), stderr: '' });
      } finally {
        child.kill('SIGKILL');
      }
    },
  };
}

/** No key of balena's, and no secret of a setting, is ever said. */
function quiet(said: Said): Said {
  assert.doesNotMatch(said.out + said.stderr, /SECRET/);
  return said;
}

export const mustBeWell = (said: Said): Said => {
  assert.equal(said.code, 0, said.stderr + said.out);
  return said;
};
