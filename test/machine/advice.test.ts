/** What of memory and Wi-Fi is worth advice, on machines that makers have. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { cmaFault, memory } from '../../agent/machine/host/meminfo.js';
import { run, type Runner } from '../../agent/machine/host/run.js';
import { wifi, wifiFault } from '../../agent/machine/host/wifi.js';

function machine(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'makercast-advice-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
    writeFileSync(path.join(root, name), text);
  }
  return root;
}

const meminfo = (totalKb: number, cmaKb?: number): string =>
  [
    `MemTotal:        ${totalKb} kB`,
    'MemFree:           31412 kB',
    'MemAvailable:     118784 kB',
    'SwapTotal:             0 kB',
    ...(cmaKb === undefined ? [] : [`CmaTotal:         ${cmaKb} kB`, 'CmaFree:           65536 kB']),
    '',
  ].join('\n');

test('memory in MB, with what is set aside for devices where the kernel has such an area', async (t) => {
  const zero2w = machine(t, { 'proc/meminfo': meminfo(366_572, 262_144) });
  assert.deepEqual(await memory(zero2w), { totalMb: 358, availableMb: 116, cmaTotalMb: 256, cmaFreeMb: 64 });
  assert.deepEqual(await memory(machine(t, { 'proc/meminfo': meminfo(2_097_152) })), {
    totalMb: 2048,
    availableMb: 116,
  });
  assert.deepEqual(await memory(machine(t, { 'proc/meminfo': meminfo(366_572, 0) })), {
    totalMb: 358,
    availableMb: 116,
  });
  assert.equal(await memory(machine(t, {})), undefined);
  const here = await memory();
  assert.ok(here && here.availableMb <= here.totalMb, JSON.stringify(here));
});

test('256 MB set aside are too much for a Zero 2 W, not for a Pi 4, and 128 for neither', () => {
  const of = (totalMb: number, cmaTotalMb?: number) => ({
    ...{ totalMb, availableMb: 100 },
    ...(cmaTotalMb === undefined ? {} : { cmaTotalMb, cmaFreeMb: 50 }),
  });
  const fault = cmaFault({ soc: 'bcm2837' }, of(358, 256));
  assert.equal(fault?.code, 'cma_large');
  assert.match(fault.what, /Of 358 MB of memory 256 are set aside/);
  assert.match(fault.remedy, /BALENA_HOST_CONFIG_dtoverlay .* without quotes.*config\.txt/);
  for (const [why, board, found] of [
    ['1 GB', { soc: 'bcm2837' }, of(906, 256)],
    ['8 GB', { soc: 'bcm2711' }, of(7_800, 512)],
    ['what is advised', { soc: 'bcm2837' }, of(358, 96)],
    ['enough for 1080p', { soc: 'bcm2837' }, of(358, 128)],
    ['no such area', { soc: 'bcm2835' }, of(427)],
    ['no Pi', {}, of(358, 256)],
    ['unknown', { soc: 'bcm2837' }, undefined],
  ] as const)
    assert.equal(cmaFault(board, found), undefined, why);
});

const missing = { code: undefined, stdout: '', stderr: '', missing: true, late: false };
const answer = (stdout: string, code = 0) => ({ ...missing, code, stdout, missing: false });
/** Programs that are not named are not installed. */
const programs =
  (known: Readonly<Record<string, ReturnType<typeof answer>>>): Runner =>
  (program) =>
    Promise.resolve(known[program] ?? missing);

const pi = {
  'sys/class/net/wlan0/operstate': 'up\n',
  'sys/class/net/wlan0/phy80211/name': 'phy0\n',
  'sys/class/net/eth0/operstate': 'up\n',
};
const said = (state: string): string => `[   12.3] brcmfmac: brcmf_cfg80211_set_power_mgmt: power save ${state}\n`;

test('Wi-Fi that saves power: by iw in either place, else by the last word of the kernel, else unknown', async (t) => {
  const root = machine(t, pi);
  const on = answer('Power save: on\n');
  const cases: readonly [string, Runner, boolean | undefined][] = [
    ['iw', programs({ iw: on }), true],
    ['iw says off', programs({ iw: answer('Power save: off\n'), dmesg: answer(said('enabled')) }), false],
    ['iw in another folder', programs({ '/usr/sbin/iw': on }), true],
    [
      'iw that fails, and a kernel',
      programs({ iw: answer('', 1), dmesg: answer(said('enabled') + said('disabled')) }),
      false,
    ],
    ['a kernel', programs({ dmesg: answer(said('disabled') + said('enabled')) }), true],
    ['a kernel that says it shorter', programs({ dmesg: answer('[ 9.1] brcmfmac: power save disabled\n') }), false],
    ['a kernel that may not be read', programs({ dmesg: answer('', 1) }), undefined],
    ['nothing', programs({}), undefined],
  ];
  for (const [why, tell, powerSave] of cases)
    assert.deepEqual(
      await wifi(root, tell),
      [{ interface: 'wlan0', ...(powerSave === undefined ? {} : { powerSave }) }],
      why,
    );
});

test('in a container, which does not see the Wi-Fi of its host, the kernel tells; a cable is no Wi-Fi', async (t) => {
  const container = machine(t, { 'sys/class/net/eth0/operstate': 'up\n' });
  assert.deepEqual(await wifi(container, programs({ dmesg: answer(said('enabled')) })), [{ powerSave: true }]);
  assert.deepEqual(await wifi(container, programs({ dmesg: answer('[    0.0] Linux\n') })), []);
  const unused = machine(t, { ...pi, 'sys/class/net/wlan0/operstate': 'down\n' });
  assert.deepEqual(await wifi(unused, programs({ iw: answer('Power save: on\n') })), []);
  assert.ok(Array.isArray(await wifi('/', run)));
});

test('the advice names the interface, and where to set it', () => {
  assert.equal(wifiFault([]), undefined);
  assert.equal(wifiFault([{ interface: 'wlan0' }, { interface: 'wlan1', powerSave: false }]), undefined);
  const fault = wifiFault([{ interface: 'wlan0', powerSave: true }, { interface: 'wlan1' }]);
  assert.equal(fault?.code, 'wifi_power_save');
  assert.match(fault.what, /^Wi-Fi saves power \(wlan0\): /);
  assert.match(fault.remedy, /powersave=2/);
  assert.match(wifiFault([{ powerSave: true }])!.what, /^Wi-Fi saves power: /);
});
