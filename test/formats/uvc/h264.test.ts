/** What an H.264 unit is told, byte by byte, as the specification has it (H.264 payload 1.00, table 3-5 and what follows it). */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  askedConfig,
  bitrateLayers,
  configBytes,
  h264UnitGuid,
  keyPicture,
  readConfig,
} from '../../../agent/formats/uvc/h264.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const wanted = { width: 1280, height: 720, fps: 30, bitrateKbps: 2500, keyframeSeconds: 2 };

test('the GUID in the order of descriptors: its first three numbers are little-endian', () => {
  const [a, b, c, d, e] = ['a29e7641', 'de04', '47e3', '8b2b', 'f4341aff003b'];
  const turned = (text: string): string => hex(Buffer.from(text, 'hex').reverse());
  assert.equal(hex(h264UnitGuid), `${turned(a!)}${turned(b!)}${turned(c!)}${d}${e}`);
});

test('what is asked for stands in its place, and all else stays as the camera has it', () => {
  const before = Buffer.alloc(configBytes, 0xee);
  const asked = askedConfig(before, wanted);
  const expected = [
    '15160500', // dwFrameInterval: 333333
    'a0252600', // dwBitRate: 2500000
    '01a8', // bmHints: size, frame interval, bitrate, keyframe period
    'eeee', // wConfigurationIndex
    '0005', // wWidth: 1280
    'd002', // wHeight: 720
    'eeee', // wSliceUnits
    'eeee', // wSliceMode
    'eeee', // wProfile
    'd007', // wIFramePeriod: 2000 ms
    'eeee', // wEstimatedVideoDelay
    'eeee', // wEstimatedMaxConfigDelay
    'ee', // bUsageType
    '01', // bRateControlMode: constant bitrate
    'eeeeee', // scale modes: temporal, spatial, SNR
    '00', // bStreamMuxOption: a stream of its own
    '00', // bStreamFormat: Annex B
    'ee'.repeat(9), // bEntropyCABAC to bSpatialLayerRatio
    'eeee', // wLeakyBucketSize
  ].join('');
  assert.equal(hex(asked), expected);
  assert.equal(asked.length, 46);
  assert.equal(hex(before), 'ee'.repeat(46), 'what was given is left alone');
});

test('what a camera offers is read back', () => {
  const { fps, ...rest } = readConfig(askedConfig(Buffer.alloc(configBytes), wanted));
  assert.deepEqual(rest, { width: 1280, height: 720, bitrateKbps: 2500, keyframeSeconds: 2 });
  assert.ok(Math.abs(fps - 30) < 0.001);
  assert.deepEqual(readConfig(Buffer.alloc(configBytes)), {
    ...{ width: 0, height: 0, fps: 0 },
    bitrateKbps: 0,
    keyframeSeconds: 0,
  });
});

test('a keyframe period beyond 16 bits is the longest that there is', () => {
  assert.equal(
    readConfig(askedConfig(Buffer.alloc(configBytes), { ...wanted, keyframeSeconds: 90 })).keyframeSeconds,
    65.535,
  );
});

test('another bitrate: layer 0, peak and average', () => {
  assert.equal(hex(bitrateLayers(1210)), '00009076120090761200');
});

test('a keyframe: layer 0, an IDR picture with its parameter sets', () => {
  assert.equal(hex(keyPicture()), '00000200');
});
