/** A line by the real onoff, over a fixture tree in the place of /sys/class, in a mount namespace of its own. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { folderFor, run } from '../../helpers/command.js';
import { root } from '../../helpers/root.js';
import { tree } from '../../machine/tree.js';

const module = fileURLToPath(new URL('../../../agent/interfaces/gpio/line.js', import.meta.url));
const skip = process.getuid?.() !== 0 && 'only root has mount namespaces';

/** What `script` prints, which finds `openLine`, on a Pi 3 whose lines are numbered from 512 and of which 27 is exported already. */
async function onPi(script: string): Promise<{ said: string; file: (name: string) => string }> {
  using board = tree('gpio-pi3-6.6');
  const folder = path.join(board.root, 'sys/class/gpio');
  const line = path.join(folder, 'gpio539');
  mkdirSync(line);
  for (const file of ['value', 'direction', 'active_low']) writeFileSync(path.join(line, file), '0\n');
  for (const file of ['export', 'unexport']) writeFileSync(path.join(folder, file), '');
  const program = `import { openLine } from ${JSON.stringify(module)}; ${script}`;
  const words = ['-m', 'sh', '-c', 'mount --bind "$0" /sys/class && exec "$1" --input-type=module -e "$2"'];
  const { stdout } = await run('unshare', [...words, path.join(board.root, 'sys/class'), process.execPath, program], {
    cwd: root,
  });
  const files = new Map(
    ['value', 'direction', 'active_low', '../unexport'].map((name) => [
      name,
      readFileSync(path.join(line, name), 'utf8'),
    ]),
  );
  return { said: stdout.toString().trim(), file: (name) => files.get(name)?.trim() ?? '' };
}

const read = "const { readFileSync } = await import('node:fs');";
const value = "readFileSync('/sys/class/gpio/gpio539/value', 'utf8').trim()";

test('an output is dark at first, lit, and dark and given back at the end', { skip }, async () => {
  const { said, file } = await onPi(`${read}
    const line = await openLine({ line: 27, direction: 'out', activeLow: true });
    const seen = [readFileSync('/sys/class/gpio/gpio539/direction', 'utf8').trim()];
    line.write(1); seen.push(${value}); line.write(0); seen.push(${value});
    line.write(1); line.close(); seen.push(${value}); console.log(seen.join());`);
  // The kernel takes the direction as a level, and the value as what active_low makes of it.
  assert.equal(said, 'high,1,0,0');
  assert.equal(file('active_low'), '1');
  assert.equal(file('../unexport'), '539');
});

const refused: [name: string, script: string, want: RegExp][] = [
  [
    'a line that the kernel does not export',
    "await openLine({ line: 26, direction: 'out', activeLow: false })",
    /^gpio_unavailable GPIO 26 cannot be used: the kernel has no such line, or/,
  ],
  [
    'an input without interrupts',
    "await openLine({ line: 27, direction: 'in', activeLow: false })",
    /^gpio_unavailable GPIO 27 cannot be used: the kernel has no such line, or/,
  ],
  [
    'a line that the board does not have',
    "await openLine({ line: 54, direction: 'out', activeLow: false })",
    /^gpio_unavailable There is no GPIO 54: pinctrl-bcm2835 has 0 to 53\./,
  ],
];

for (const [name, script, want] of refused) {
  test(`${name} is refused`, { skip }, async () => {
    const { said } = await onPi(`try { ${script}; console.log('opened'); }
      catch (error) { console.log(error.code, error.message); } process.exit(0);`);
    assert.match(said, want);
  });
}

/** Prints whether onoff or its addon is loaded, before and after a line is asked for. */
const loading = (folder: string): string => `
  const { createRequire } = await import('node:module');
  const loaded = () => Object.keys(createRequire(${JSON.stringify(module)}).cache).some((file) => /onoff|epoll/.test(file));
  await import(${JSON.stringify(path.join(folder, 'agent/interfaces/gpio/gpio.js'))});
  const { openLine } = await import(${JSON.stringify(path.join(folder, 'agent/interfaces/gpio/line.js'))});
  const before = loaded();
  const said = await openLine({ line: 4711, direction: 'out', activeLow: false }).catch(({ code, message }) => code + ' ' + message);
  console.log(JSON.stringify({ before, after: loaded(), said }));`;

async function loads(folder: string): Promise<{ before: boolean; after: boolean; said: string }> {
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', loading(folder)], { cwd: folder });
  return JSON.parse(stdout.toString()) as { before: boolean; after: boolean; said: string };
}

const dist = fileURLToPath(new URL('../../..', import.meta.url));

test('onoff is loaded only when a line is wanted', async () => {
  const { before, after } = await loads(dist);
  assert.deepEqual([before, after], [false, true]);
});

test('where onoff is not installed, that is the fault of the line, and nothing else', async (t) => {
  const folder = await folderFor(t);
  for (const room of ['agent', 'pipelines'])
    cpSync(path.join(dist, room), path.join(folder, room), { recursive: true });
  writeFileSync(path.join(folder, 'package.json'), '{"type":"module"}');
  assert.match((await loads(folder)).said, /^gpio_unavailable GPIO needs the package onoff, which does not load: /);
});
