import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Redactor } from '../agent/config/redactor.js';
import { Log } from '../agent/log.js';
import { run } from './helpers/command.js';

/** A log whose lines are kept, on a clock that stands until it is set. */
function logged(t: TestContext, secrets: string[] = []) {
  const lines: { event: string; message: string; level: string; [field: string]: unknown }[] = [];
  t.mock.method(process.stdout, 'write', (text: string) => {
    // The test runner writes to the same place.
    if (text.startsWith('{"time"')) lines.push(JSON.parse(text) as (typeof lines)[number]);
    return true;
  });
  const clock = { at: 0, now: () => clock.at, random: () => 0.5 };
  const redactor = new Redactor();
  redactor.add(secrets);
  const log = new Log({ level: 'info', format: 'json' }, redactor, clock);
  return { log, lines, clock };
}

test('at most 20 lines a minute, and it is said how many were left out', (t) => {
  const { log, lines, clock } = logged(t);
  for (let i = 0; i < 100; i += 1) log.warn('fault', `fault ${i}`);
  assert.equal(lines.length, 19);
  clock.at = 61_000;
  log.info('calm', 'calm again');
  const [last, before] = [lines.at(-1)!, lines.at(-2)!];
  assert.equal(last.event, 'calm');
  assert.match(before.message, /^81 lines were left out/);
  for (let minute = 2; minute < 10; minute += 1) {
    clock.at = minute * 60_000 + 2000;
    const from = lines.length;
    for (let i = 0; i < 100; i += 1) log.error('fault', 'again');
    assert.ok(lines.length - from <= 20);
  }
});

test('what must be seen is never left out', (t) => {
  const { log, lines } = logged(t);
  for (let i = 0; i < 50; i += 1) log.info('chatter', 'x');
  log.always('info', 'stopping', 'bye');
  assert.equal(lines.at(-1)!.event, 'stopping');
});

test('no secret in a message or in a field, however deep; names of fields stay', (t) => {
  const { log, lines } = logged(t, ['s3cr3t/key"with\nall']);
  const secret = 's3cr3t/key"with\nall';
  log.error('fault', `it says ${secret} and ${encodeURIComponent(secret)}`, {
    deep: [{ url: `rtmp://u:p@h/live/${secret}` }],
  });
  const text = JSON.stringify(lines);
  for (const part of ['s3cr3t', 'u:p']) assert.ok(!text.includes(part), text);
  assert.deepEqual(Object.keys(lines[0]!), ['time', 'level', 'event', 'message', 'deep']);
});

test('lines below the level are not written, until the level changes', (t) => {
  const { log, lines } = logged(t);
  log.debug('detail', 'x');
  log.level = 'debug';
  log.debug('detail', 'y');
  assert.deepEqual(
    lines.map(({ message }) => message),
    ['y'],
  );
});

test('in the journal it is text with a priority; a journal that is named but is not its output changes nothing', async () => {
  const script = `
    const { Log } = await import(${JSON.stringify(new URL('../agent/log.js', import.meta.url).href)});
    const { Redactor } = await import(${JSON.stringify(new URL('../agent/config/redactor.js', import.meta.url).href)});
    const log = new Log({ level: 'info', format: 'auto' }, new Redactor(), { now: () => 0, random: () => 0 });
    log.warn('fault', 'one\\ntwo');`;
  // The pipe that it writes to stands for the journal's socket: device and inode are all that tells it.
  const named = 'exec 3>&1; JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/3) exec "$@"';
  const printed = async (shell: string): Promise<string> => {
    const args = ['-c', shell, 'sh', process.execPath, '--input-type=module', '--eval', script];
    return (await run('sh', args)).stdout.toString();
  };
  assert.equal(await printed(named), '<4>one two\n');
  assert.match(await printed('JOURNAL_STREAM=8:1 exec "$@"'), /^\{"time"/);
});
