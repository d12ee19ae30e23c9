/** Pictures for the slate: real ones, made by ffmpeg, and what is none. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { Stills } from '../../../agent/machine/files/still.js';

const stills = new Stills();
const folder = mkdtempSync(path.join(tmpdir(), 'makercast-stills-'));
const at = (name: string): string => path.join(folder, name);
after(() => rmSync(folder, { recursive: true }));

/** One picture of this size, in the format that the name ends on. */
function draw(name: string, size: string): void {
  const made = ['-f', 'lavfi', '-i', `color=red:size=${size}`, '-frames:v', '1', at(name)];
  execFileSync('ffmpeg', ['-nostdin', '-loglevel', 'error', '-y', ...made]);
}

const why = async (name: string): Promise<string> => {
  const { unfit } = await stills.at(at(name));
  assert.equal(unfit?.code, 'slate_image', `${name} should be none`);
  return unfit.what;
};

for (const name of ['a.png', 'a.jpg']) {
  test(`${name} will do, and is another one once it has changed`, async () => {
    draw(name, '640x360');
    const { unfit, version } = await stills.at(at(name));
    assert.equal(unfit, undefined);
    assert.equal((await stills.at(at(name))).version, version);
    appendFileSync(at(name), 'more');
    assert.notEqual((await stills.at(at(name))).version, version);
  });
}

test('a JPEG whose frame header comes late, after a camera’s own long segments', async () => {
  draw('plain.jpg', '640x360');
  const bytes = execFileSync('cat', [at('plain.jpg')]);
  const segment = Buffer.concat([Buffer.from([0xff, 0xe1, 0xff, 0xff]), Buffer.alloc(65_533)]);
  writeFileSync(at('long.jpg'), Buffer.concat([bytes.subarray(0, 2), segment, segment, segment, bytes.subarray(2)]));
  assert.equal((await stills.at(at('long.jpg'))).unfit, undefined);
});

test('what is not there, no picture, not whole, or no file is said to be so', async () => {
  assert.match(await why('missing.png'), /does not exist/);
  writeFileSync(at('text.png'), 'This is not a picture, whatever its name says.');
  assert.match(await why('text.png'), /neither PNG nor JPEG/);
  writeFileSync(at('empty.jpg'), '');
  assert.match(await why('empty.jpg'), /neither PNG nor JPEG/);
  draw('cut.jpg', '640x360');
  truncateSync(at('cut.jpg'), 30);
  assert.match(await why('cut.jpg'), /incomplete/);
  assert.match(await why('.'), /not a regular file/);
  execFileSync('mkfifo', [at('pipe.png')]);
  assert.match(await why('pipe.png'), /not a regular file/);
});

test('too many pixels, or too many bytes', async () => {
  draw('wide.png', '8000x4000');
  assert.match(await why('wide.png'), /too large: 8000x4000 pixels, more than 16 million/);
  draw('heavy.png', '640x360');
  copyFileSync(at('heavy.png'), at('heavier.png'));
  truncateSync(at('heavier.png'), 21_500_000);
  assert.match(await why('heavier.png'), /too large: 21 MB, more than 20/);
});
