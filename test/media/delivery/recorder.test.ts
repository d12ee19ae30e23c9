/** The recorder on real file systems: limits, jumping clocks, cards that are full, away, slow or lose power. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { formatTag } from '../../../agent/formats/flv/metadata.js';
import { TagCutter, type Tag } from '../../../agent/formats/flv/tag.js';
import { Hub } from '../../../agent/media/delivery/hub.js';
import { RecordingFile } from '../../../agent/media/delivery/recording/file.js';
import { Recorder } from '../../../agent/media/delivery/recording/recorder.js';
import { excessIn, RecordingStore } from '../../../agent/media/delivery/recording/store.js';
import type { RecordingStatus, WantedRecording } from '../../../agent/media/messages.js';
import { Muxer } from '../../../agent/formats/mp4/muxer.js';
import { folderFor, run } from '../../helpers/command.js';
import { cuttableDisk, noCuttableDisk, noDisks, smallDisk } from '../../helpers/disk.js';
import { until } from '../../helpers/feed.js';
import { sample } from '../../helpers/content/media.js';
import { completeBytes } from '../../helpers/content/mp4.js';
import { analyse } from '../../helpers/content/stream.js';

/** 6 s of a stream with a keyframe every 2 s: 1.2 MB. */
const roundMs = 6000;
const roundFrames = 180;
let kept: Tag[] | undefined;

async function streamTags(t: TestContext): Promise<Tag[]> {
  if (kept) return kept;
  const folder = await folderFor(t);
  const file = path.join(folder, 'sample.flv');
  const source = await sample('h264-bframes.mp4');
  await run('ffmpeg', ['-nostdin', '-v', 'error', '-i', source, '-c', 'copy', '-f', 'flv', file]);
  const pieces = [...new TagCutter().push(await readFile(file))];
  kept = pieces.flatMap((piece) => (piece.begin || piece.tag[0] === 18 ? [] : [piece.tag]));
  return kept;
}

const generous = { maxFileMs: 600_000, quotaBytes: 1e12, minFreeBytes: 0 };

/** A hub that is fed with rounds of the stream, and what is recorded of it. */
class Studio {
  readonly clock = { now: 1000, wall: Date.UTC(2026, 4, 3, 2, 1, 0) };
  readonly hub = new Hub(() => this.clock.now);
  readonly recorder: Recorder;
  readonly states: RecordingStatus[] = [];

  private constructor(
    private readonly tags: readonly Tag[],
    wanted: WantedRecording,
  ) {
    const clock = { now: () => this.clock.now, random: () => 0.5, wallMs: () => this.clock.wall };
    this.recorder = new Recorder(wanted, this.hub, clock, {
      status: () => this.states.push(this.recorder.status()),
      keyframe: () => undefined,
    });
    const format = { width: 640, height: 360, fps: 30, audioRate: 48_000, audioChannels: 2 };
    this.hub.accept([{ begin: false, tag: formatTag(format) }]);
    this.recorder.start();
  }

  static async open(t: TestContext, wanted: Partial<WantedRecording> & { folder: string }): Promise<Studio> {
    return new Studio(await streamTags(t), { ...generous, ...wanted });
  }

  /** Another round of the stream; returns at once. Copies, since the hub may write into what it gets. */
  offer(): void {
    this.hub.accept([{ begin: true }, ...this.tags.map((tag) => ({ begin: false as const, tag: Buffer.from(tag) }))]);
    this.clock.now += roundMs;
    this.clock.wall += roundMs;
  }

  /** So many rounds, each on the card before the next comes. */
  async record(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round += 1) {
      this.offer();
      await this.written();
    }
  }

  async written(): Promise<void> {
    await until(() => this.recorder.status().waitingBytes === 0, 30_000, 'an empty queue');
  }

  get status(): RecordingStatus {
    return this.recorder.status();
  }
}

const recordings = async (folder: string): Promise<string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.mp4')).sort();
const sizeOf = async (folder: string, names: readonly string[]): Promise<number> =>
  (await Promise.all(names.map((name) => stat(path.join(folder, name))))).reduce((sum, { size }) => sum + size, 0);

async function assertPlays(file: string, pictures?: number): Promise<void> {
  const { video, audio, decodeErrors } = await analyse(file);
  assert.deepEqual(decodeErrors, [], file);
  assert.ok(video?.startsWithKeyframe && video.monotonic && audio?.monotonic, file);
  if (pictures !== undefined) assert.equal(video.packets, pictures, file);
}

describe('files', () => {
  test('what comes is in the file, and a file is begun every so often', async (t) => {
    const folder = path.join(await folderFor(t), 'made/when/needed');
    const studio = await Studio.open(t, { folder, maxFileMs: 7000 });
    await studio.record(4);
    await studio.recorder.close();
    const names = await recordings(folder);
    // 7 s is passed at the keyframe after 8 s: 8, 8 and 8 s.
    assert.deepEqual(names, [
      'makercast-000001-20260503T020100Z.mp4',
      'makercast-000002-20260503T020106Z.mp4',
      'makercast-000003-20260503T020112Z.mp4',
    ]);
    for (const name of names) await assertPlays(path.join(folder, name), 240);
    assert.equal(studio.status.frames, 4 * roundFrames);
    assert.equal(studio.status.droppedFrames, 0);
    assert.equal(studio.status.bytes, await sizeOf(folder, names));
  });

  test('a clock that jumps changes names, never what is kept or its order', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder, maxFileMs: 6000, quotaBytes: 5_500_000 });
    const jumps = [Date.UTC(2026, 4, 3), Date.UTC(1970, 0, 1), Date.UTC(2038, 0, 19), Date.UTC(1970, 0, 1)];
    for (const wall of jumps) {
      studio.clock.wall = wall;
      await studio.record(1);
    }
    await studio.recorder.close();
    assert.deepEqual(await recordings(folder), [
      'makercast-000001-20260503T000000Z.mp4',
      'makercast-000002-19700101T000000Z.mp4',
      'makercast-000003-20380119T000000Z.mp4',
      'makercast-000004-19700101T000000Z.mp4',
    ]);
    // The next run has the time of the first once more. Its order is that of the numbers: the oldest goes, not the earliest.
    const again = await Studio.open(t, { folder, maxFileMs: 6000, quotaBytes: 5_500_000 });
    again.clock.wall = Date.UTC(1970, 0, 1);
    await again.record(1);
    await again.recorder.close();
    const names = await recordings(folder);
    assert.equal(names[0], 'makercast-000002-19700101T000000Z.mp4');
    assert.equal(names.at(-1), 'makercast-000005-19700101T000000Z.mp4');
    for (const name of names) await assertPlays(path.join(folder, name), roundFrames);
  });

  test('two that record into one folder do not touch what the other has', async (t) => {
    const folder = await folderFor(t);
    const [one, other] = [await Studio.open(t, { folder }), await Studio.open(t, { folder })];
    one.offer();
    other.offer();
    await Promise.all([one.written(), other.written()]);
    await Promise.all([one.recorder.close(), other.recorder.close()]);
    const names = await recordings(folder);
    assert.equal(names.length, 2);
    for (const name of names) await assertPlays(path.join(folder, name), roundFrames);
    await assert.rejects(RecordingFile.create(path.join(folder, names[0]!)), { code: 'EEXIST' });
  });
});

describe('limits', () => {
  test('the oldest go when the quota is used up, and nothing that is not a recording', async (t) => {
    const folder = await folderFor(t);
    const strange = ['makercast-000000-notes.txt', 'makercast-000000-20260503T020100Z.mp4.part', 'holiday.mp4'];
    for (const name of strange) await writeFile(path.join(folder, name), 'precious');
    await mkdir(path.join(folder, 'makercast-000000-20260503T020100Z.mp4'));
    await symlink('holiday.mp4', path.join(folder, 'makercast-000000-20260503T020101Z.mp4'));
    const quotaBytes = 6_000_000;
    const studio = await Studio.open(t, { folder, maxFileMs: 6000, quotaBytes });
    const mine = async (): Promise<string[]> =>
      (await recordings(folder)).filter((name) => /^makercast-0*[1-9]/.test(name));
    for (let round = 1; round <= 8; round += 1) {
      await studio.record(1);
      const size = await sizeOf(folder, await mine());
      assert.ok(size <= quotaBytes, `${size} bytes after round ${round}`);
    }
    await studio.recorder.close();
    const left = await mine();
    assert.match(left.at(-1)!, /^makercast-000008-/);
    assert.ok(left.length >= 3 && left.length <= 5, left.join(', '));
    for (const name of left) await assertPlays(path.join(folder, name), roundFrames);
    assert.equal(studio.status.droppedFrames, 0);
    for (const name of strange) assert.equal(await readFile(path.join(folder, name), 'utf8'), 'precious');
    assert.ok((await readdir(folder)).includes('makercast-000000-20260503T020101Z.mp4'));
  });

  test('a quota that is smaller than the length of a file is kept too', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder, quotaBytes: 6_000_000 });
    for (let round = 0; round < 8; round += 1) {
      await studio.record(1);
      assert.ok((await sizeOf(folder, await recordings(folder))) <= 6_000_000);
    }
    assert.equal(studio.status.droppedFrames, 0);
    await studio.recorder.close();
  });

  for (const [name, limit] of Object.entries({
    'a minimum of free room that is larger than the card': { minFreeBytes: 1e18 },
    'a quota that is smaller than any recording': { quotaBytes: 1000 },
  })) {
    test(`${name} costs no recording: it is said, and nothing is deleted`, async (t) => {
      const folder = await folderFor(t);
      const studio = await Studio.open(t, { folder, maxFileMs: 6000 });
      await studio.record(3);
      const before = await recordings(folder);
      assert.equal(before.length, 3);
      studio.recorder.adjust({ ...studio.recorder.wanted, ...limit });
      await studio.record(1);
      assert.deepEqual([studio.status.state, studio.status.fault?.code], ['waiting', 'recording_full']);
      assert.deepEqual(await recordings(folder), before);
      studio.recorder.adjust({ ...generous, folder });
      await studio.record(4);
      assert.equal(studio.status.state, 'recording');
      await studio.recorder.close();
      for (const file of before) await assertPlays(path.join(folder, file));
    });
  }

  test('room stays free; where others take it, recording waits, says so, and goes on', { skip: noDisks }, async (t) => {
    await using disk = await smallDisk(16_000_000);
    const folder = path.join(disk.folder, 'recordings');
    const studio = await Studio.open(t, { folder, maxFileMs: 6000, minFreeBytes: 6_000_000 });
    const free = async (): Promise<number> => {
      const { stdout } = await run('stat', ['-f', '-c', '%a %S', disk.folder]);
      const [blocks, size] = stdout.toString().split(' ').map(Number) as [number, number];
      return blocks * size;
    };
    for (let round = 0; round < 12; round += 1) {
      await studio.record(1);
      assert.ok((await free()) >= 6_000_000 - 8192, `${await free()} bytes free after round ${round}`);
    }
    assert.equal(studio.status.droppedFrames, 0);
    assert.ok((await recordings(folder)).length >= 4);

    // Somebody takes room twice: at first there are older recordings to delete, then there are none.
    await writeFile(path.join(disk.folder, 'others'), Buffer.alloc(5_500_000));
    await studio.record(1);
    assert.equal(studio.status.state, 'recording');
    await writeFile(path.join(disk.folder, 'more'), Buffer.alloc(5_500_000));
    await studio.record(1);
    assert.equal(studio.status.state, 'waiting');
    assert.equal(studio.status.fault?.code, 'recording_full');
    const dropped = studio.status.droppedFrames;
    assert.ok(dropped > 0);
    await rm(path.join(disk.folder, 'others'));
    await rm(path.join(disk.folder, 'more'));
    // What comes before it is tried again is left out, and counted.
    await studio.record(4);
    assert.equal(studio.status.state, 'recording');
    assert.equal(studio.status.fault, undefined);
    assert.ok(studio.status.droppedFrames > dropped);
    await studio.recorder.close();
    for (const name of await recordings(folder)) await assertPlays(path.join(folder, name));
  });

  test('a write that ends in the middle leaves a file that plays', { skip: noDisks }, async (t) => {
    await using disk = await smallDisk(1_000_000);
    const tags = await streamTags(t);
    const muxer = new Muxer(1e12, () => 0);
    const fragments = tags.flatMap((tag) => muxer.add(tag, tag.readUIntBE(4, 3)));
    const file = await RecordingFile.create(path.join(disk.folder, 'one.mp4'));
    await file.append(fragments[0]!);
    await writeFile(path.join(disk.folder, 'others'), Buffer.alloc(550_000));
    await assert.rejects(file.append(fragments[1]!), { code: 'ENOSPC' });
    await file.close();
    assert.equal((await stat(file.path)).size, fragments[0]!.bytes.length);
    await assertPlays(file.path, 60);
  });
});

describe('faults', () => {
  test('a folder that cannot be written is said, and tried again', async (t) => {
    const parent = await folderFor(t);
    const folder = path.join(parent, 'file/recordings');
    await writeFile(path.join(parent, 'file'), '');
    const studio = await Studio.open(t, { folder });
    await studio.record(1);
    assert.equal(studio.status.fault?.code, 'recording_unwritable');
    assert.match(studio.status.fault.what, /ENOTDIR/);
    assert.equal(studio.status.frames, 0);
    await rm(path.join(parent, 'file'));
    await studio.record(4);
    assert.equal(studio.status.state, 'recording');
    await studio.recorder.close();
    const [name, ...more] = await recordings(folder);
    assert.deepEqual(more, []);
    await assertPlays(path.join(folder, name!), studio.status.frames);
  });

  test('a recording that somebody deletes in the meantime does no harm', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder, maxFileMs: 6000, quotaBytes: 6_000_000 });
    await studio.record(3);
    for (const name of await recordings(folder)) await rm(path.join(folder, name));
    await studio.record(6);
    assert.deepEqual([studio.status.state, studio.status.droppedFrames], ['recording', 0]);
    await studio.recorder.close();
  });

  test('one that is deleted while it is being written is followed by another at once', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder });
    await studio.record(2);
    await rm(folder, { recursive: true });
    await mkdir(folder);
    await studio.record(4);
    await studio.recorder.close();
    const [name, ...more] = await recordings(folder);
    assert.deepEqual(more, []);
    await assertPlays(path.join(folder, name!));
  });

  test('so is one whose folder goes with it', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder });
    await studio.record(2);
    await rm(folder, { recursive: true });
    await studio.record(4);
    assert.equal(studio.status.state, 'recording');
    const { droppedFrames } = studio.status;
    assert.ok(droppedFrames < 2 * roundFrames, `${droppedFrames} pictures left out`);
    await studio.recorder.close();
    await assertPlays(path.join(folder, (await recordings(folder))[0]!));
  });

  test(
    'a card that hangs: the hub goes on, what waits is bounded and whole groups are left out',
    { skip: noCuttableDisk },
    async (t) => {
      await using disk = await cuttableDisk();
      const studio = await Studio.open(t, { folder: disk.folder });
      await studio.record(1);
      await disk.freeze();
      for (let round = 0; round < 30; round += 1) {
        studio.offer();
        assert.ok(studio.status.waitingBytes <= 16_000_000);
      }
      assert.deepEqual([studio.status.state, studio.status.fault?.code], ['waiting', 'recording_slow']);
      const dropped = studio.status.droppedFrames;
      assert.ok(dropped > 0 && dropped % 60 === 0, `${dropped} frames dropped`);
      // Before it has thawed it cannot be closed either: that must not hold up the end.
      await disk.thaw();
      await studio.written();
      await studio.record(2);
      assert.deepEqual([studio.status.state, studio.status.fault], ['recording', undefined]);
      await studio.recorder.close();
      const names = await recordings(disk.folder);
      assert.equal(names.length, 2, 'after the gap another file is begun');
      for (const name of names) await assertPlays(path.join(disk.folder, name));
      assert.equal(studio.status.frames + studio.status.droppedFrames, 33 * roundFrames);
    },
  );

  test('the end waits no longer than 2 s for a card that hangs', { skip: noCuttableDisk }, async (t) => {
    await using disk = await cuttableDisk();
    const studio = await Studio.open(t, { folder: disk.folder });
    await studio.record(1);
    await disk.freeze();
    studio.offer();
    await studio.recorder.close();
    assert.equal(studio.status.state, 'stopping');
    assert.ok(studio.status.waitingBytes > 0);
    await disk.thaw();
    await studio.written();
  });
});

describe('the power goes', () => {
  test('the disk of this test loses what was not flushed', { skip: noCuttableDisk }, async () => {
    await using disk = await cuttableDisk();
    await writeFile(path.join(disk.folder, 'held-back'), Buffer.alloc(500_000, 1));
    await using found = await disk.afterPowerCut();
    const size = await stat(path.join(found.folder, 'held-back')).then(
      (file) => file.size,
      () => 0,
    );
    assert.equal(size, 0);
  });

  test('every fragment that counts as written plays after it', { skip: noCuttableDisk }, async (t) => {
    await using disk = await cuttableDisk();
    const studio = await Studio.open(t, { folder: disk.folder, maxFileMs: 8000 });
    for (let round = 0; round < 4; round += 1) {
      await studio.record(1);
      const { frames } = studio.status;
      await using found = await disk.afterPowerCut();
      let seen = 0;
      for (const name of await recordings(found.folder)) {
        const file = path.join(found.folder, name);
        await assertPlays(file);
        seen += (await analyse(file)).video!.packets;
      }
      assert.equal(seen, frames);
      assert.ok(frames >= roundFrames * round + 120);
    }
    await studio.recorder.close();
  });

  test('a file that was torn is left as it is, and its number is not used again', async (t) => {
    const folder = await folderFor(t);
    const studio = await Studio.open(t, { folder });
    await studio.record(1);
    const [name] = await recordings(folder);
    const torn = path.join(folder, name!);
    await truncate(torn, (await stat(torn)).size - 1000);
    const before = await readFile(torn);
    assert.ok(completeBytes(before) > 0);
    const store = new RecordingStore(folder, generous, () => 0);
    const next = await store.open(0);
    assert.match(next.path, /makercast-000002-19700101T000000Z\.mp4$/);
    await next.close();
    assert.deepEqual(await readdir(folder), [name], 'one that nothing was written into does not stay');
    assert.ok(before.equals(await readFile(torn)));
    await studio.recorder.close();
  });

  test('a limit that was narrowed takes one recording a second, oldest first, until it is raised again', async (t) => {
    const folder = await folderFor(t);
    const name = (i: number): string => `makercast-${String(i).padStart(6, '0')}-20260101T000000Z.mp4`;
    for (let i = 1; i <= 6; i++) await writeFile(path.join(folder, name(i)), Buffer.alloc(1_000_000));
    const left = async (): Promise<number[]> =>
      (await recordings(folder)).map((each) => Number(each.slice(10, 16))).filter((i) => i <= 6);
    let now = 0;
    const limits = { quotaBytes: 2_000_000, minFreeBytes: 0 };
    assert.deepEqual(await excessIn(folder, limits), { files: 4, bytes: 4_000_000 });
    const store = new RecordingStore(folder, limits, () => now);
    const file = await store.open(0);
    for (const [at, expected] of [
      [0, [2, 3, 4, 5, 6]],
      [500, [2, 3, 4, 5, 6]],
      [999, [2, 3, 4, 5, 6]],
      [1000, [3, 4, 5, 6]],
    ] as const) {
      now = at;
      await store.makeRoom(1000);
      assert.deepEqual(await left(), expected, `after ${at} ms`);
    }
    store.adjust({ quotaBytes: 10_000_000, minFreeBytes: 0 });
    now = 60_000;
    await store.makeRoom(1000);
    assert.deepEqual(await left(), [3, 4, 5, 6]);
    // What grows over a limit that holds is made room for at once, however fast it grows.
    store.adjust({ quotaBytes: 4_000_000, minFreeBytes: 0 });
    await store.makeRoom(1000);
    await store.makeRoom(1_500_000);
    assert.deepEqual(await left(), [5, 6]);
    assert.deepEqual(await excessIn(folder, { quotaBytes: 1000, minFreeBytes: 1e18 }), { files: 0, bytes: 0 });
    assert.deepEqual(await excessIn(path.join(folder, 'none'), limits), { files: 0, bytes: 0 });
    await file.close();
  });
});
