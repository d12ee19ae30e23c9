/** That a change of the network is seen: of what is read here, and on a real machine in a namespace. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { watchNetwork } from '../../../agent/machine/host/network.js';
import { run } from '../../helpers/command.js';
import { until } from '../../helpers/feed.js';
import { noNamespaces, makeNamespace } from '../../helpers/network/namespace.js';

const skip = noNamespaces();

test('each change is told once, and none after the end', async () => {
  const stop = new AbortController();
  let print = 'a';
  let told = 0;
  let looks = 0;
  const look = (): string => {
    looks += 1;
    return print;
  };
  watchNetwork(() => (told += 1), stop.signal, look);
  print = 'b';
  await until(() => looks > 2, 10_000, 'two looks');
  assert.equal(told, 1);
  stop.abort();
});

test('a link that goes, one that comes, and another way out are changes; traffic is none', { skip }, async () => {
  await using namespace = await makeNamespace(1);
  const module = fileURLToPath(new URL('../../../agent/machine/host/network.js', import.meta.url));
  const script = `import(${JSON.stringify(module)}).then(({ networkPrint }) => console.log(networkPrint()))`;
  const inside = async (...words: string[]): Promise<string> => {
    const [command, ...args] = [...namespace.prefix, ...words];
    return (await run(command!, args)).stdout.toString();
  };
  const print = (): Promise<string> => inside(process.execPath, '-e', script);
  // An address of IPv6 is tentative for a second.
  await until(async () => (await print()) === (await print()), 10_000, 'a network at rest');
  const before = await print();
  const device = namespace.links[0]!.insideDevice;
  assert.match(before, /mi\d/);
  await namespace.cut();
  const cut = await print();
  assert.notEqual(cut, before);
  await namespace.restore();
  await until(async () => (await print()) === before, 10_000, 'the network as it was');
  await inside('ip', 'route', 'add', 'default', 'via', namespace.links[0]!.host);
  const routed = await print();
  assert.notEqual(routed, before);
  // The same of IPv6, where the address is kept.
  const outside = 'fd00:6d63::1';
  await inside('ip', 'addr', 'add', 'fd00:6d63::2/64', 'dev', device, 'nodad');
  const addressed = await print();
  assert.notEqual(addressed, routed);
  await inside('ip', '-6', 'route', 'add', 'default', 'via', outside);
  assert.notEqual(await print(), addressed);
  await inside('ip', '-6', 'route', 'del', 'default', 'via', outside);
  assert.equal(await print(), addressed);
  // What every link has by itself is no way to a server: containers come and go with theirs.
  await inside('ip', 'link', 'add', 'mc0', 'type', 'veth', 'peer', 'name', 'mc1');
  for (const each of ['mc0', 'mc1']) await inside('ip', 'link', 'set', each, 'up');
  await until(async () => /mc0/.test(await inside('ip', '-6', 'route')), 10_000, 'an address of that link');
  assert.equal(await print(), addressed);
});
