import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaults } from '../../agent/config/resolve.js';
import { Controls } from '../../agent/control/control.js';
import type { Interface } from '../../agent/control/interface.js';
import type { StrainStatus } from '../../agent/control/strain.js';
import type { Status } from '../../agent/control/status.js';
import type { Steering } from '../../agent/steering/steering.js';
import { Stand } from '../helpers/mqtt/device.js';

const saying = (more: (status: Status) => Partial<Status>): Interface => ({
  start: () => undefined,
  stop: () => Promise.resolve(),
  tells: more,
});

function made(strain?: StrainStatus) {
  const stand = new Stand();
  const settings = defaults();
  const steering = { resolved: { settings } } as unknown as Steering;
  return { stand, settings, control: new Controls(stand, steering, { status: strain }) };
}

test('the status is that of the broadcast, with what the board and each interface have to add, one after the other', () => {
  const { stand, control } = made({ hot: 'earlier' });
  assert.deepEqual(control.status(), { ...stand.status(), strain: { hot: 'earlier' } });
  const mute: Interface = { start: () => undefined, stop: () => Promise.resolve() };
  control.attach([
    saying(() => ({ actual: 'updating' })),
    mute,
    saying(({ actual }) => ({ version: `${actual} too` })),
  ]);
  const { actual, version } = control.status();
  assert.deepEqual([actual, version], ['updating', 'updating too']);
  assert.ok(!('strain' in made().control.status()));
});

test('what is asked for is the broadcast to do; the settings are those in force', async () => {
  const { stand, settings, control } = made();
  await control.stopBroadcast();
  await control.startBroadcast();
  control.retry();
  assert.deepEqual(stand.asked, ['stop', 'start', 'retry all']);
  assert.equal(control.settings(), settings);
});
