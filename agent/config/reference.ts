/** The page that documents every setting, made from the rows. */
import { BOOTSTRAP } from './environment.js';
import { allowed, type Row } from './row.js';
import { isOutputRow, OUTPUTS_MAX, rows } from './settings.js';

/** A settings file that shows the form; a test resolves it. */
export const EXAMPLE = `video:
  source: auto
  bitrateKbps: 2500
camera:
  powerLineHz: 50
audio:
  gainDb: 3
outputs:
  youtube:
    url: rtmps://a.rtmps.youtube.com/live2
    key: your-stream-key
  club:
    url: rtmp://media.example.org/live
    key: another-key
    enabled: false
`;

const BOOTSTRAP_DOC: Readonly<Record<(typeof BOOTSTRAP)[number], string>> = {
  MAKERCAST_CONFIG: 'Path of the settings file, in place of `makercast.yml` in the working folder.',
  MAKERCAST_SUPERVISED: '`1`: invalid settings never end the program, as on balena devices.',
  MAKERCAST_DATA: 'Folder in which state is kept.',
};

/** docs/settings.md. */
export function settingsPage(): string {
  const sections = [...new Set(rows.map((row) => row.path.split('.')[0] ?? ''))];
  return `# Settings

<!-- Generated from agent/config/settings.ts by "npm run build". -->

Every setting has a default that is found by looking at the machine. Settings come in layers, the later one wins:
defaults, the settings file, environment variables (on balena: device and fleet variables), and what comes from afar
([mqtt.md](mqtt.md)): the documents of MQTT groups, in the order of \`mqtt.groups\`, and the document for this device.

- **The file** is \`makercast.yml\` in the working folder, or what \`MAKERCAST_CONFIG\` names: YAML, one map a section. Its
  JSON schema is [settings.schema.json](settings.schema.json); an editor that knows it completes and checks names.
- Maps are merged field by field. \`null\` removes what lower layers say: \`outputs: {club: null}\` removes one output.
- **Variables**: an empty one counts as unset. Yes and no may be written true/false, 1/0, yes/no or on/off.
- **Invalid settings**: on a terminal they end the program with exit code 2. Under a supervisor (balena, or
  \`MAKERCAST_SUPERVISED=1\`) the setting falls back to its last good or default value, and status says so.
- **A file that is emptied or taken away** while the program runs changes nothing, and status says so. Under a supervisor the last
  good settings also hold where the file is empty at the start. \`{}\` in it means that nothing is to be set.
- \`npx makercast check\` prints everything that is wrong, at once.
- **What a change takes**: *live*, nothing is seen on the air; *rebuild*, a new pipeline, the stream goes on;
  *restart*, a new broadcast.

\`\`\`yaml
${EXAMPLE}\`\`\`

${sections.map(sectionTable).join('\n')}
## URL and key

\`rtmp://host/application\` with the key apart, or \`rtmp://host/application/key\`. Also \`rtmps://\`, a port
(1935, or 443 for rtmps, where none is given), an IPv6 address in brackets, and \`user:password@\` before the host.

- A key that is given apart is sent exactly as it is written, whatever characters it holds. The whole path of the URL is
  then the application, its query too.
- Without a key, the last \`/\` before any \`?\` divides application and key, and the query stays with the key. So a key
  that holds a \`/\` has to be given apart.
- Nothing in path and query is decoded, and \`#\` is an ordinary character. User and password are percent-decoded: write
  \`/\` as \`%2F\`, \`@\` as \`%40\`, \`%\` as \`%25\`.
- Keys, passwords, queries and the last path segment never appear in a log, a message or the status.

## Variables that are read before the settings

| Variable | Meaning |
|---|---|
${BOOTSTRAP.map((name) => `| \`${name}\` | ${BOOTSTRAP_DOC[name]} |`).join('\n')}

## Old names

They work, with a warning. The name of today wins where both are set.

| Old name | Today |
|---|---|
${rows.flatMap(oldNames).join('\n')}
`;
}

function sectionTable(section: string): string {
  const own = rows.filter((row) => row.path.startsWith(`${section}.`));
  const intro =
    section === 'outputs'
      ? `One map for each destination, at most ${OUTPUTS_MAX}. \`<name>\` begins with a lower-case letter, and holds lower-case
letters, digits and \`_\`, at most 32; in a variable it stands in capitals, as in \`OUTPUT_YOUTUBE_KEY\`. The short
variables mean \`outputs.main\`.\n\n`
      : '';
  return `## ${section}

${intro}| Setting | Variable | Values | Default | A change takes | |
|---|---|---|---|---|---|
${own.map(tableRow).join('\n')}
`;
}

function tableRow(row: Row): string {
  const variables = [...(row.alias ? [row.alias.env] : []), row.env.replace('*', '<NAME>')];
  const cells = [
    `\`${row.path.replace('*', '<name>')}\``,
    variables.map((name) => `\`${name}\``).join(', '),
    allowed(row),
    row.default === '' || (Array.isArray(row.default) && row.default.length === 0)
      ? 'none'
      : `\`${Array.isArray(row.default) ? row.default.join(', ') : String(row.default)}\``,
    row.cost,
    row.doc + (row.secret ? ' **Secret.**' : '') + (row.remote === 'never' ? ' Not from afar.' : ''),
  ];
  return `| ${cells.join(' | ')} |`;
}

function oldNames(row: Row): string[] {
  return (row.renamed ?? []).map(({ env, path, output }) => {
    const today = isOutputRow(row) ? row.path.replace('*', output ?? '<name>') : row.path;
    const variable = row.alias && row.alias.output === output ? row.alias.env : row.env;
    return `| \`${env ?? path ?? ''}\` | \`${today}\`, \`${variable}\` |`;
  });
}
