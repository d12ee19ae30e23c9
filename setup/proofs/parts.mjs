/** The parts of `.ci/full`: what each runs, for how long at the most, and what its outcome depends on. */
import { emulated, guest, host, chroot } from './versions.mjs';

/**
 * @typedef {object} Part
 * @property {string} name
 * @property {string} command for sh; ends with 0 and prints `N passed, N failed, N skipped` in a line of its own, once or several times
 * @property {number} minutes the end of all patience
 * @property {string[]} paths files and folders of the repository that it depends on; `!` before what lies in one of them and does not count
 * @property {Record<string, () => string | Promise<string>>} versions what it depends on besides
 */

const agent = ['agent', 'pipelines', 'patches', 'tsconfig.json', 'tsconfig.agent.json'];
const program = [...agent, 'setup'];
const tests = [...program, 'fleet', 'bench', 'test', '!test/vm', 'bin', 'image', 'package.json'];

/** Tests of disks whose power is cut, or that hang: loop devices and FUSE, which the chroot of `npm run test:fresh` lacks. */
const disks = [
  'media/delivery/recorder',
  'machine/storage/storage',
  'integration/wanted',
  'integration/hung',
  'integration/survival',
];

/** @type {readonly Part[]} */
export const parts = [
  {
    name: 'disks',
    command: disks.map((file) => `TEST_DISKS=1 npm test -- ${file}`).join(' && '),
    minutes: 30,
    paths: [...program, 'test/helpers', ...disks.map((file) => `test/${file}.test.ts`)],
    versions: host,
  },
  {
    name: 'recovery',
    command: 'npm run bench:recovery -- --short',
    minutes: 25,
    paths: [...program, 'bench', 'test/helpers'],
    versions: host,
  },
  {
    name: 'service',
    command: 'npm run test:service',
    minutes: 45,
    paths: [...program, 'bin', 'test/helpers', 'package.json'],
    versions: host,
  },
  {
    name: 'vm',
    command: 'npm run test:vm',
    minutes: 60,
    paths: [...program, 'test/helpers', 'test/vm'],
    versions: guest,
  },
  { name: 'long', command: 'npm run test:long', minutes: 30, paths: tests, versions: host },
  { name: 'busy', command: 'npm run test:busy', minutes: 90, paths: tests, versions: host },
  {
    name: 'debian12-node20',
    command: 'npm run test:fresh -- --debian 12 --node 20',
    minutes: 60,
    paths: tests,
    versions: chroot('12', '20'),
  },
  {
    name: 'images',
    command: 'npm run test:images',
    // Under emulation; most of an hour where nothing is cached.
    minutes: 150,
    paths: [
      ...program,
      'image',
      'package.json',
      'Dockerfile.template',
      'Dockerfile.armv7hf',
      'Dockerfile.rpi',
      '.dockerignore',
    ],
    versions: emulated,
  },
];

/** Under those paths, what nothing depends on: texts for people, figures, the proofs, and what makes and shows them. */
export const irrelevant = /\.md$|^test\/proofs\/|^bench\/results\/|^setup\/proofs\//;
