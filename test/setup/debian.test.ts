/** Which release this machine runs, and from where packages of another one come. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { root } from '../helpers/root.js';

interface DebianModule {
  hostRelease(text: string): string | undefined;
  suiteOf(number: string): string;
  sourcesFor(suite: string, files: readonly { readonly name: string; readonly text: string }[]): string;
}

const { hostRelease, suiteOf, sourcesFor } = (await import(
  pathToFileURL(path.join(root, 'setup/debian.mjs')).href
)) as DebianModule;

const stanza = (suites: string, more = ''): string =>
  `Types: deb\nURIs: http://mirror.example.org/bookworm/debian\nSuites: ${suites}\nComponents: main\n${more}`;
const keyed = 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n';

test('the releases that there are, and no others', () => {
  assert.deepEqual([suiteOf('12'), suiteOf('13')], ['bookworm', 'trixie']);
  for (const number of ['11', '14', 'trixie', 'constructor'])
    assert.throws(() => suiteOf(number), /there are 12 and 13/);
});

test('a machine is of one of those releases, or of none', () => {
  assert.equal(hostRelease('ID=debian\nVERSION_ID="13"\n'), '13');
  assert.equal(hostRelease('PRETTY_NAME="x"\nVERSION_ID="12"\nID=debian\n'), '12');
  for (const text of ['', 'ID=ubuntu\nVERSION_ID="12"\n', 'ID=debian\n', 'ID=debian\nVERSION_ID="11"\n'])
    assert.equal(hostRelease(text), undefined);
});

test('sources of the suite itself are taken as they are', () => {
  const text = `${stanza('bookworm bookworm-updates', keyed)}\n${stanza('bookworm-security', keyed)}\n${stanza('trixie')}`;
  const found = sourcesFor('bookworm', [{ name: 'debian.sources', text }]);
  assert.equal(found, `${stanza('bookworm bookworm-updates', keyed)}\n${stanza('bookworm-security', keyed)}`);
});

test('those of another release are rewritten, words of the suite only', () => {
  const text = `${stanza('bookworm bookworm-updates', keyed)}\n${stanza('bookworm-security', keyed)}`;
  assert.equal(
    sourcesFor('trixie', [{ name: 'debian.sources', text }]),
    `${stanza('trixie trixie-updates', keyed)}\n${stanza('trixie-security', keyed)}`,
  );
  const list = [
    'deb [arch=amd64] http://mirror.example.org/trixie/ trixie main non-free-firmware',
    '# deb http://mirror.example.org/trixie/ trixie contrib',
    'deb http://security.example.org/ trixie-security main',
    'deb-src http://mirror.example.org/trixie/ trixie main',
  ].join('\n');
  assert.equal(
    sourcesFor('bookworm', [{ name: 'sources.list', text: list }]),
    'deb [arch=amd64] http://mirror.example.org/trixie/ bookworm main non-free-firmware\n' +
      'deb http://security.example.org/ bookworm-security main\n',
  );
});

test("who signs with a key of his own, or has suites of other names, has no other release of Debian's", () => {
  const files = [
    { name: 'tools.list', text: 'deb https://tools.example.org/apt cloud-sdk-bookworm main\n' },
    { name: 'vendor.sources', text: stanza('bookworm', 'Signed-By: /usr/share/keyrings/vendor.gpg\n') },
    {
      name: 'vendor.list',
      text: 'deb [signed-by=/usr/share/keyrings/vendor.gpg] https://vendor.example.org/ bookworm main\n',
    },
  ];
  assert.equal(sourcesFor('trixie', files), '');
});
