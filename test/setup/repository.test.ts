/** What the repository asks of those who come to it: the workflow, the forms, and decisions that speak of files which are there. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parse } from 'yaml';
import { root } from '../helpers/root.js';

const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

interface Workflow {
  readonly on: Readonly<Record<string, unknown>>;
  readonly permissions: Readonly<Record<string, string>>;
  readonly jobs: Readonly<
    Record<
      string,
      {
        readonly container: { readonly image: string; readonly options?: string };
        readonly steps: readonly { readonly run?: string; readonly uses?: string }[];
      }
    >
  >;
}

interface Form {
  readonly name: string;
  readonly description: string;
  readonly body: readonly {
    readonly type: string;
    readonly id?: string;
    readonly attributes: { readonly label?: string; readonly description?: string; readonly value?: string };
    readonly validations?: { readonly required?: boolean };
  }[];
}

describe('the workflow', () => {
  const { on, permissions, jobs } = parse(read('.github/workflows/ci.yml')) as Workflow;
  const { container, steps } = jobs['run']!;

  test('runs .ci/run for each pull request, as root on a Debian that it is for, and may write nothing', () => {
    assert.ok('pull_request' in on);
    assert.deepEqual(permissions, { contents: 'read' });
    assert.match(container.image, /^debian:(bookworm|trixie)$/);
    assert.match(container.options ?? '', /--privileged/);
    assert.equal(steps.at(-1)!.run, '.ci/run');
    assert.ok(statSync(path.join(root, '.ci/run')).mode & 0o100);
  });

  test('pins each action by its major version', () => {
    const actions = steps.flatMap(({ uses }) => uses ?? []);
    assert.ok(actions.length > 0);
    for (const action of actions) assert.match(action, /^actions\/[\w-]+@v\d+$/);
  });
});

test('the form of an issue asks for the report, the board, the camera and what was expected', () => {
  const { name, description, body } = parse(read('.github/ISSUE_TEMPLATE/problem.yml')) as Form;
  assert.ok(name && description);
  const asked = body.filter(({ id }) => id !== undefined);
  assert.deepEqual(asked.map(({ id }) => id).sort(), ['board', 'camera', 'expected', 'report']);
  for (const { id, attributes, validations } of asked) {
    assert.ok(attributes.label, id);
    assert.equal(validations?.required, true, id);
  }
  assert.match(asked.find(({ id }) => id === 'report')!.attributes.description!, /npx makercast report/);
  for (const { type, attributes } of body) if (type === 'markdown') assert.ok(attributes.value);
});

test('a hole in the security has a private way', () => {
  const { contact_links: links } = parse(read('.github/ISSUE_TEMPLATE/config.yml')) as {
    contact_links: readonly { name: string; url: string; about: string }[];
  };
  for (const { name, url, about } of links) {
    assert.ok(name && about);
    assert.equal(new URL(url).host, 'github.com');
  }
  assert.ok(read('SECURITY.md').includes(links.find(({ url }) => url.includes('/security/'))!.url));
});

describe('decisions', () => {
  const files = readdirSync(path.join(root, 'docs/adr')).filter((name) => /^\d{4}-/.test(name));

  test('are numbered from 1 on, and all of them stand in the index', () => {
    assert.deepEqual(
      files.map((name) => Number(name.slice(0, 4))),
      files.map((_, index) => index + 1),
    );
    const index = read('docs/adr/README.md');
    for (const name of files) assert.ok(index.includes(`(${name})`), name);
  });

  for (const name of files) {
    test(`${name} has its parts, and each file that it cites is there`, () => {
      const text = read(`docs/adr/${name}`);
      assert.deepEqual(text.match(/^## .*$/gm), ['## Context', '## Decision', '## Consequences']);
      assert.match(text, /^Status: /m);
      const cited = [...text.matchAll(/`((?:agent|pipelines|patches|test|docs|setup)\/[^`\s]+)`/g)].map(
        ([, file]) => file!,
      );
      assert.ok(cited.length > 0);
      const gone = cited.filter((file) => !existsSync(path.join(root, file)));
      assert.deepEqual(gone, []);
    });
  }
});
