/** The hub's last keyframe, decoded by GStreamer. */
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { TagCutter } from '../../../agent/formats/flv/tag.js';
import { jpegOf } from '../../../agent/machine/files/snapshot.js';
import { Hub } from '../../../agent/media/delivery/hub.js';
import { run, temporaryFolder } from '../../helpers/command.js';
import { noDisks, smallDisk } from '../../helpers/disk.js';
import { colour } from '../../helpers/content/stream.js';

test('the last keyframe of the hub as a JPEG; what is none is a fault, and no file is left', async () => {
  const { folder, remove } = await temporaryFolder();
  const file = path.join(folder, 'red.flv');
  const source = ['-f', 'lavfi', '-i', 'color=red:s=320x180:r=10:d=2'];
  await run('ffmpeg', ['-v', 'error', ...source, '-c:v', 'libx264', '-g', '10', '-pix_fmt', 'yuv420p', file]);
  const hub = new Hub(() => 0);
  assert.equal(hub.picture(), undefined);
  hub.accept(new TagCutter().push(await readFile(file)));
  const jpeg = await jpegOf(hub.picture()!, folder);
  const picture = path.join(folder, 'picture.jpg');
  await writeFile(picture, jpeg);
  const [red, green, blue] = await colour(picture, { x: 0.2, y: 0.2, width: 0.5, height: 0.5 });
  assert.ok(red > 200 && green < 60 && blue < 60, `${red} ${green} ${blue}`);
  await assert.rejects(jpegOf(Buffer.from('nothing'), folder), { code: 'command_failed' });
  assert.deepEqual((await readdir(folder)).sort(), ['picture.jpg', 'red.flv']);
  await remove();
});

test('a disk that is full keeps nothing of it', { skip: noDisks }, async () => {
  await using disk = await smallDisk(65_536);
  await assert.rejects(jpegOf(Buffer.alloc(1_000_000), disk.folder), { code: 'command_failed' });
  assert.deepEqual(await readdir(disk.folder), []);
});
