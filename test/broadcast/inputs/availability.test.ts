/** What is left out when a device goes or a plan fails again and again, and what of it is said. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plan } from '../../../pipelines/choose/best.js';
import type { Machine } from '../../../pipelines/machine.js';
import type { Plan } from '../../../pipelines/plan.js';
import type { Wanted } from '../../../pipelines/wanted.js';
import { Redactor } from '../../../agent/config/redactor.js';
import { Fault } from '../../../agent/errors.js';
import { Log } from '../../../agent/log.js';
import { Availability } from '../../../agent/broadcast/inputs/availability.js';
import { c270, c920, c920Microphone, pc, usbAudio, want } from '../../pipelines/machines.js';

const machine: Machine = { ...pc, cameras: [c920], microphones: [c920Microphone] };
const crash = new Fault(
  'child_died',
  'The capture process ended unexpectedly (SIGSEGV).',
  'It is restarted automatically.',
);

function setup(wanted: Wanted = want()) {
  const clock = { now: () => 1000, random: () => 0 };
  const availability = new Availability(new Log({ level: 'error', format: 'json' }, new Redactor(), clock), clock);
  let on: Plan | undefined;
  return {
    availability,
    /** Puts on the air what can be made of `found`. */
    play(found: Machine): Plan {
      const usable = availability.usable(found);
      const made = plan(wanted, usable, availability.onAir(found, usable));
      availability.planned(made, found, on);
      availability.playing(made);
      return (on = made);
    },
  };
}

test('a microphone that is unplugged counts as lost, as a camera does: once, and it is silence until it is back', () => {
  const { availability, play } = setup();
  const first = play(machine);
  assert.ok(!availability.unplugged(first, machine));
  const without = { ...machine, microphones: [] };
  assert.ok(availability.unplugged(first, without));
  assert.ok(!availability.unplugged(first, without), 'it has been counted');
  assert.deepEqual(
    availability.problems.map(({ code, what }) => [code, what]),
    [['source_not_found', `${first.audio.source} was unplugged.`]],
  );
  const next = play(without);
  assert.deepEqual([next.video.source, next.audio.source], [first.video.source, 'silence']);
  assert.ok(availability.nextMs! > 0);
  assert.equal(play(machine).audio.source, 'silence', 'it has only just gone');
});

test('an encoder that is insisted on crashes again and again: the slate takes over, by another one', () => {
  const { availability, play } = setup(want({ encoder: 'x264enc' }));
  const raw = { ...machine, cameras: [c270] };
  const first = play(raw);
  assert.equal(first.video.encoder, 'x264enc');
  const tries = [1, 2, 3].map(() => availability.failedAgain(first, crash, true));
  assert.deepEqual(tries, [false, false, true]);
  const slate = play(raw);
  assert.deepEqual([slate.video.source, slate.video.encoder], ['slate', 'openh264enc']);
  assert.ok(availability.nextMs! > 0, 'it is tried again');
});

test('another source is wanted, and it is the camera that is on: when that goes, the slate has its place and its sound', () => {
  const { availability, play } = setup();
  const first = play({ ...machine, microphones: [usbAudio, c920Microphone] });
  availability.forgetInputs({ video: false, sound: true }, first);
  const { video, audio } = play({ ...machine, cameras: [], microphones: [usbAudio] });
  assert.deepEqual([video.source, audio.source], ['slate', 'silence']);
});
