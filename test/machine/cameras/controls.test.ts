/** The knobs of cameras, as v4l2-ctl lists them on machines that makers have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cameras } from '../../../agent/machine/cameras/cameras.js';
import { hasButton, parseControls } from '../../../agent/machine/cameras/controls.js';
import { tree } from '../tree.js';

async function controlsOn(machine: string) {
  using laid = tree(machine);
  const { found } = await cameras(laid.root, laid.run);
  return new Map(found[0]!.controls.map((control) => [control.name, control]));
}

test('C920: numbers, switches and menus; what an automatic mode holds is there too', async () => {
  const controls = await controlsOn('pi3-c920');
  assert.equal(controls.size, 17);
  assert.deepEqual(controls.get('power_line_frequency'), {
    name: 'power_line_frequency',
    min: 0,
    max: 2,
    step: 1,
    default: 2,
    choices: { 0: 'Disabled', 1: '50 Hz', 2: '60 Hz' },
  });
  assert.deepEqual(controls.get('focus_absolute'), { name: 'focus_absolute', min: 0, max: 250, step: 5, default: 0 });
  assert.deepEqual(controls.get('focus_automatic_continuous'), {
    name: 'focus_automatic_continuous',
    min: 0,
    max: 1,
    step: 1,
    default: 1,
  });
  // A menu has holes: only the values that the driver names can be set.
  assert.deepEqual(controls.get('auto_exposure')?.choices, { 1: 'Manual Mode', 3: 'Aperture Priority Mode' });
  assert.equal(controls.get('pan_absolute')?.min, -36000);
});

test('legacy PiCam: rotation, white balance, the encoder inside it, and menus of numbers', async () => {
  const controls = await controlsOn('zero-w-picam');
  assert.deepEqual(controls.get('rotate'), { name: 'rotate', min: 0, max: 360, step: 90, default: 0 });
  assert.equal(controls.get('video_bitrate')?.step, 25_000);
  assert.equal(controls.get('h264_level')?.choices?.['9'], '3.1');
  assert.deepEqual(controls.get('iso_sensitivity')?.choices, {
    0: '0',
    1: '100000',
    2: '200000',
    3: '400000',
    4: '800000',
  });
  assert.equal(controls.get('auto_exposure_bias')?.choices?.['1'], '-3667');
  assert.equal(controls.get('white_balance_auto_preset')?.choices?.['10'], 'Greyworld');
  assert.ok(controls.has('compression_quality'));
  assert.ok(!controls.has('force_key_frame'), 'a button holds no value');
});

test('which camera gives a keyframe when it is asked: one whose driver has the button, and lets it be pressed', async () => {
  for (const [machine, gives] of [
    ['zero-w-picam', true],
    ['pi3-c920', undefined],
    ['vm-vivid', undefined],
  ] as const) {
    using laid = tree(machine);
    assert.equal((await cameras(laid.root, laid.run)).found[0]!.givesKeyframes, gives, machine);
  }
  const button = '                force_key_frame 0x009909e5 (button) : flags=write-only, execute-on-write';
  assert.ok(hasButton(`brightness (int)    : min=0 max=9 step=1 default=5\n${button}`, 'force_key_frame'));
  assert.ok(!hasButton(button, 'force_key'));
  assert.ok(!hasButton(button.replace('write-only', 'disabled'), 'force_key_frame'));
  assert.ok(!hasButton(button.replace('(button)', '(bool)'), 'force_key_frame'));
});

test('vivid: buttons, texts, bit masks, arrays, 64 bits and what is read-only are no settings', async () => {
  assert.deepEqual(
    [...(await controlsOn('vm-vivid')).keys()],
    [
      ...['brightness', 'contrast', 'saturation', 'hue', 'autogain', 'gain', 'horizontal_flip', 'vertical_flip'],
      ...['alpha', 'boolean', 'integer_32_bits', 'menu', 'integer_menu', 'test_pattern'],
    ],
  );
});

test('names and lines of older and newer kernels and v4l-utils', () => {
  const text = [
    // v4l-utils 1.12: no number behind the name, no headings. uvcvideo before Linux 5.16: other names.
    '                     brightness (int)    : min=-64 max=64 step=1 default=0 value=0',
    ' white_balance_temperature_auto (bool)   : default=1 value=1',
    '                  exposure_auto 0x009a0901 (menu)   : min=0 max=3 default=3 value=1',
    '\t\t\t\t1: Manual Mode',
    '\t\t\t\t3: Aperture Priority Mode',
    '                     focus_auto 0x009a090c (bool)   : default=1 value=0',
    // v4l-utils 1.30, or one that is older than the flag.
    '                          gamma 0x00980910 (int)    : min=72 max=500 step=1 default=100 value=100 flags=has-min-max',
    '                           gain 0x00980913 (int)    : min=1 max=8 step=1 default=1 value=1 flags=0x00001000',
    '   region_of_interest_rectangle 0x00981ae1 (unknown): type=107 value=unsupported payload type flags=has-payload',
    '                        privacy 0x009a0910 (bool)   : default=0 value=0 flags=read-only',
    '      white_balance_temperature 0x0098091a (int)    : min=2800 max=6500 step=1 default=4600 value=1 flags=disabled, slider',
    // A range that is none: seen of cameras that claim what they do not have.
    '                            hue 0x00980903 (int)    : min=-256 max=-32513 step=1 default=-32640 value=128',
    '                   pan_absolute 0x009a0908 (int)    : min=0 max=0 step=0 default=0 value=0',
    'ioctl: VIDIOC_ENUM_FMT',
    "\t[0]: 'YUYV' (YUYV 4:2:2)",
  ].join('\n');
  const controls = parseControls(text);
  assert.deepEqual(
    controls.map(({ name }) => name),
    ['brightness', 'white_balance_temperature_auto', 'exposure_auto', 'focus_auto', 'gamma', 'gain'],
  );
  assert.deepEqual(controls[0], { name: 'brightness', min: -64, max: 64, step: 1, default: 0 });
  assert.deepEqual(controls[2]!.choices, { 1: 'Manual Mode', 3: 'Aperture Priority Mode' });
});
