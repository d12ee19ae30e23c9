/** The first hour on a real Pi, as docs/hardware.md has it: the shell takes its lines, GStreamer their pipelines, and makercast its words. */
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { settingOf } from '../../agent/config/environment.js';
import { levelOf } from '../../pipelines/encoders/level.js';
import { high } from '../../pipelines/encoders/v4l2h264enc.js';
import { Pipeline } from '../../agent/media/gstreamer.js';
import { run, temporaryFolder } from '../helpers/command.js';
import { root } from '../helpers/root.js';
import { installedElements, propertiesOf } from '../pipelines/gst.js';

const page = await readFile(path.join(root, 'docs/hardware.md'), 'utf8');
const hour = page.split(/^## /m).find((part) => part.startsWith('The first hour on a real Pi\n'))!;

/** Blocks of commands, without the indent of their step. */
const blocks = [...hour.matchAll(/^( *)```sh\n([^]*?)^ *```$/gm)].map(([, indent, text]) =>
  text!.replace(new RegExp(`^${indent}`, 'gm'), ''),
);

/** What only a Pi has, or only libcamera: what it takes, and an element that has the same pads everywhere. */
const stands: Readonly<Record<string, { properties: readonly string[]; instead: string }>> = {
  v4l2h264enc: { properties: ['extra-controls', 'output-io-mode'], instead: 'videoconvert ! x264enc' },
  v4l2jpegdec: { properties: [], instead: 'jpegdec' },
  libcamerasrc: { properties: [], instead: 'videotestsrc' },
};

/** Controls of bcm2835-codec by the names that its driver gives them (golden pi3-c270-mjpeg-v4l2h264enc has them all). */
const controls = ['video_bitrate', 'h264_i_frame_period', 'repeat_sequence_header', 'h264_profile', 'h264_level'];
const ioModes = ['auto', 'rw', 'mmap', 'userptr', 'dmabuf', 'dmabuf-import'];

/** The arguments of each `gst-launch-1.0` that the block comes to, variables filled in. */
async function launches(block: string): Promise<string[][]> {
  const { folder, remove } = await temporaryFolder();
  try {
    const programs = path.join(folder, 'bin');
    await mkdir(programs);
    const said = path.join(folder, 'said');
    const program = `#!/bin/sh\nprintf '%s\\n' "$@" '' >>"${said}"\n`;
    await writeFile(path.join(programs, 'gst-launch-1.0'), program, { mode: 0o755 });
    await run('sh', ['-u', '-c', block.replaceAll('cd /tmp', `cd ${folder}`)], {
      env: { PATH: `${programs}:/usr/bin:/bin` },
      mayFail: true, // What is written by a pipeline that does not run cannot be read.
    });
    const text = await readFile(said, 'utf8');
    return text
      .trimEnd()
      .split('\n\n')
      .map((each) => each.split('\n'));
  } finally {
    await remove();
  }
}

test('every block is a script of the shell', async () => {
  assert.ok(blocks.length >= 5, `${blocks.length} blocks`);
  for (const block of blocks) await run('sh', ['-n', '-c', block]);
});

/** The Pi's encoder does not start with a level that the pictures do not fit into, nor with one in the caps that is not that of its control. */
function fits(line: string): void {
  const number = (name: string): number => Number(new RegExp(`\\b${name}=(\\d+)`).exec(line)?.[1]);
  const format = { width: number('width'), height: number('height'), fps: number('framerate') };
  const { name, v4l2 } = levelOf({ ...format, bitrateKbps: number('video_bitrate') / 1000 });
  assert.equal(number('h264_level'), v4l2, line);
  assert.match(line, new RegExp(`,level=\\(string\\)${name.replace('.', '\\.')} `));
  assert.equal(number('h264_profile'), high);
}

test('every pipeline parses, with properties and controls that there are', async () => {
  const installed = installedElements();
  const all = (await Promise.all(blocks.filter((block) => block.includes('gst-launch-1.0')).map(launches))).flat();
  assert.equal(all.length, 6 + 5 + 3 + 4);
  const seen = new Set<string>();
  for (const args of all) {
    const steps = args
      .filter((word) => word !== '-q')
      .join('\u0000')
      .split('\u0000!\u0000')
      .map((step) => step.split('\u0000'));
    const text = steps.map(([element = '', ...properties]) => {
      // Caps.
      if (element.includes('/')) return element;
      seen.add(element);
      const stand = stands[element];
      assert.ok(stand ?? installed.includes(element), `${element} in ${args.join(' ')}`);
      const known = stand?.properties ?? propertiesOf(element);
      for (const each of properties) {
        const [, name = '', value = ''] = /^([a-z-]+)=(.*)$/.exec(each) ?? [];
        assert.ok(known.includes(name), `${each} of ${element}`);
        if (name.endsWith('io-mode')) assert.ok(ioModes.includes(value), each);
        if (name === 'extra-controls')
          for (const control of value.split(',').slice(1))
            assert.match(control, new RegExp(`^(${controls.join('|')})=\\d+$`));
      }
      return stand ? stand.instead : [element, ...properties].join(' ');
    });
    if (args.includes('v4l2h264enc')) fits(args.join(' '));
    new Pipeline({ text: text.join(' ! '), properties: [] }, () => undefined).destroy();
  }
  for (const element of Object.keys(stands)) assert.ok(seen.has(element), `${element} is tried by none`);
});

test('every setting, and every word behind makercast, is one', () => {
  const variables = [...hour.matchAll(/`[^`]*`/g)].flatMap(([code]) =>
    [...code.matchAll(/\b([A-Z][A-Z]+(?:_[A-Z]+)+)\b/g)].map(([, name]) => name!),
  );
  assert.ok(new Set(variables).size > 4);
  for (const name of variables) assert.ok(settingOf(name), name);
  const words = [...hour.matchAll(/makercast (probe|plan|report|[a-z]+)(?=[ `])/g)].map(([, word]) => word!);
  for (const word of ['probe', 'plan', 'report']) assert.ok(words.includes(word), word);
});
