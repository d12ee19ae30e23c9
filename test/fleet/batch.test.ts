/** A bar, an age, a table, and which devices are meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressBar } from '../../fleet/batch.js';
import type { CloudDevice } from '../../fleet/sdk.js';
import { age, table } from '../../fleet/table.js';
import { select } from '../../fleet/targets.js';

test('a bar is empty, half or full', () => {
  assert.equal(progressBar(0, 8, 0), `[${'.'.repeat(30)}] 0 of 8`);
  assert.equal(progressBar(4, 8, 1), `[${'#'.repeat(15)}${'.'.repeat(15)}] 4 of 8, 1 failed`);
  assert.equal(progressBar(8, 8, 0), `[${'#'.repeat(30)}] 8 of 8`);
  assert.equal(progressBar(0, 0, 0), `[${'.'.repeat(30)}] 0 of 0`);
});

test('an age has one unit', () => {
  const minute = 60_000;
  const ages = [-5, 0, 99_000, 100_000, 90 * minute, 100 * minute, 47 * 60 * minute, 48 * 60 * minute].map(age);
  assert.deepEqual(ages, ['0 s', '0 s', '99 s', '2 min', '90 min', '2 h', '47 h', '2 d']);
});

test('columns line up, whatever is in them', () => {
  assert.deepEqual(
    table([
      ['A', 'B', 'C'],
      ['ü', 'long', 'x'],
      ['zz', '', ''],
    ]),
    ['A   B     C', 'ü   long  x', 'zz'],
  );
  assert.deepEqual(table([]), []);
});

const device = (uuid: string, device_name: string, tags: Record<string, string> = {}): CloudDevice => ({
  id: 1,
  uuid,
  device_name,
  is_online: true,
  is_running__release: [],
  is_pinned_on__release: [],
  device_tag: Object.entries(tags).map(([tag_key, value]) => ({ tag_key, value })),
});

test('devices by name, uuid, the beginning of one, or a tag', () => {
  const a = device('abcd1111', 'hall', { site: 'a=b' });
  const b = device('abcd2222', 'abcd', { site: '' });
  const c = device('cafe3333', 'door');
  const d = device('dddd4444', 'door');
  const all = [a, b, c, d];
  const find = (devices: string[], tag?: string): CloudDevice[] => select(all, { devices, tag });
  assert.deepEqual(find([]), all);
  assert.deepEqual(find(['hall', 'ABCD1', 'abcd1111']), [a], 'once each');
  assert.deepEqual(find(['abcd']), [b], 'a name that is a beginning of a uuid too');
  assert.deepEqual(find([], 'site'), [a, b]);
  assert.deepEqual(find([], 'site=a=b'), [a]);
  assert.deepEqual(find([], 'site='), [b]);
  for (const wanted of ['door', 'caf', 'nobody', '']) {
    assert.throws(() => find([wanted]), { code: 'fleet_unknown' }, wanted);
  }
  assert.throws(() => find([], 'stage'), { code: 'fleet_unknown' });
});
