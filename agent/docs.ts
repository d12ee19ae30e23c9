/**
 * Writes the documentation that is generated: settings, their JSON schema, MQTT topics, and the lists of errors and of states.
 * `node dist/agent/docs.js` writes, with `--check` it only says what is stale and ends with exit code 1.
 */
import { existsSync, mkdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { settingsPage } from './config/reference.js';
import { jsonSchema } from './config/schema.js';
import { faults } from './errors.js';
import { asyncApi, mqttPage } from './interfaces/mqtt/reference.js';
import { outputStates, states } from './media/delivery/states.js';

const ACTORS = {
  operator: 'you, by a setting',
  network: 'the network or the server',
  device: 'the device: hardware or packages',
  us: 'the authors: please report it',
} as const;

/** Every generated file, by its path from the repository's root. */
export function documents(): ReadonlyMap<string, string> {
  return new Map([
    ['docs/settings.md', settingsPage()],
    ['docs/settings.schema.json', `${JSON.stringify(jsonSchema(), undefined, 2)}\n`],
    ['docs/errors.md', errorsPage()],
    ['docs/states.md', statesPage()],
    ['docs/mqtt.md', mqttPage()],
    ['docs/mqtt.asyncapi.json', `${JSON.stringify(asyncApi(), undefined, 2)}\n`],
  ]);
}

/** Paths of the generated files that are missing or not what they should be. */
export function stale(root: string): string[] {
  return [...documents()].filter(([file, text]) => read(path.join(root, file)) !== text).map(([file]) => file);
}

function read(file: string): string | undefined {
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function errorsPage(): string {
  const lines = Object.entries(faults).map(
    ([code, { actor, retryable, doc }]) => `| \`${code}\` | ${doc} | ${ACTORS[actor]} | ${retryable ? 'yes' : 'no'} |`,
  );
  return `# Errors

<!-- Generated from agent/errors.ts by "npm run build". -->

Codes are stable: scripts may rely on them. "Tried again" tells whether makercast tries by itself, because trying can help.

| Code | What it means | Who can remedy it | Tried again |
|---|---|---|---|
${lines.join('\n')}
`;
}

function statesPage(): string {
  const lines = outputStates.map(
    (state) => `| \`${state}\` | ${states[state].doc} | ${states[state].next.join(', ')} |`,
  );
  const moves = outputStates.flatMap((state) => states[state].next.map((next) => `  ${state} --> ${next}`));
  return `# States of an output

<!-- Generated from agent/media/delivery/states.ts by "npm run build". -->

As the status document names them. What stands in no row does not happen: a move that is not in the table ends the delivery
process, which is then restarted.

| State | What it means | What may follow |
|---|---|---|
${lines.join('\n')}

\`\`\`mermaid
stateDiagram-v2
  [*] --> idle
${moves.join('\n')}
\`\`\`
`;
}

/** The folder above `from` that holds package.json. */
function rootOf(from: string): string {
  return existsSync(path.join(from, 'package.json')) ? from : rootOf(path.dirname(from));
}

function main(args: readonly string[]): number {
  const root = rootOf(path.dirname(fileURLToPath(import.meta.url)));
  const old = stale(root);
  if (args.includes('--check')) {
    for (const file of old) console.error(`${file} is stale: run "npm run build" and commit it.`);
    return old.length === 0 ? 0 : 1;
  }
  for (const file of old) {
    mkdirSync(path.join(root, path.dirname(file)), { recursive: true });
    writeFileSync(path.join(root, file), documents().get(file) ?? '');
    console.log(`wrote ${file}`);
  }
  return 0;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.exitCode = main(process.argv.slice(2));
}
