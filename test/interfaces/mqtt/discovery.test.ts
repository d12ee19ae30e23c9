/** What Home Assistant is told of a device, by what the device is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { announcement } from '../../../agent/interfaces/mqtt/discovery.js';
import { topics } from '../../../agent/interfaces/mqtt/topics.js';

interface Component {
  readonly p: string;
  readonly unique_id: string;
  readonly state_topic: string;
  readonly value_template: string;
  readonly expire_after: number;
}

const of = (board?: string): Record<string, Component> => {
  const device = { id: 'kitchen', prefix: 'makercast/v1/kitchen/', release: '1', board };
  const value = announcement({ ...device, bitrate: { min: 100, max: 8000 }, telemetrySeconds: 30 });
  return (value as { cmps: Record<string, Component> }).cmps;
};

test('a Raspberry Pi has sensors for what slows it down; other machines, which do not tell, have none', () => {
  const added = Object.entries(of('Raspberry Pi 3 Model B Rev 1.2')).filter(([name]) => !(name in of()));
  assert.deepEqual(
    added.map(([name]) => name),
    ['under_voltage', 'too_hot', 'throttled'],
  );
  assert.deepEqual(Object.keys(of('ROCKPro64')), Object.keys(of()));
  const { properties } = topics.telemetry.payload.schema as { properties: Record<string, { properties?: object }> };
  const fields = Object.keys(properties['strain']?.properties ?? {});
  assert.equal(fields.length, 3);
  for (const [, part] of added) {
    assert.equal(part.p, 'binary_sensor');
    assert.equal(part.state_topic, 'makercast/v1/kitchen/telemetry');
    assert.match(part.unique_id, /^makercast_kitchen_[a-z_]+$/);
    assert.equal(part.expire_after, 90);
    assert.equal(fields.filter((field) => part.value_template.includes(`.${field} `)).length, 1, part.value_template);
  }
});
