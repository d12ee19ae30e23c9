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
  MAKERCAST_CONFIG: 'Path of the settings file, instead of `makercast.yml` in the working folder.',
  MAKERCAST_SUPERVISED: '`1`: invalid settings never end the program, as on balena devices.',
  MAKERCAST_DATA: 'Folder for state.',
};

/** docs/settings.md. */
export function settingsPage(): string {
  const sections = [...new Set(rows.map((row) => row.path.split('.')[0] ?? ''))];
  return `# Settings

<!-- Generated from agent/config/settings.ts by "npm run build". -->

Every setting has a default, which may depend on the machine. Settings come in layers; a later layer wins:
defaults, the settings file, environment variables (on balena: device and fleet variables), and what is set over MQTT
([mqtt.md](mqtt.md)): the documents of MQTT groups, in the order of \`mqtt.groups\`, and the document for this device.

- **The file** is \`makercast.yml\` in the working folder, or the file that \`MAKERCAST_CONFIG\` names: YAML, one map for each section. Its
  JSON schema is [settings.schema.json](settings.schema.json), with which an editor can complete and check names.
- Maps are merged field by field. \`null\` removes what lower layers say: \`outputs: {club: null}\` removes one output.
- **Variables**: an empty variable counts as unset. Booleans are written true/false, 1/0, yes/no or on/off.
- **Invalid settings**: on a terminal they end the program with exit code 2. Under a supervisor (balena, or
  \`MAKERCAST_SUPERVISED=1\`) the setting falls back to its last good or default value, and the status says so.
- **A file that is emptied or removed** while the program runs changes nothing, and the status says so. Under a supervisor the last
  good settings also apply if the file is empty at the start. \`{}\` in it means that nothing is set on purpose.
- \`npx makercast check\` prints everything that is wrong at once.
- **What a change takes**: *live*, viewers notice nothing; *rebuild*, a new pipeline while the stream goes on;
  *restart*, a new broadcast.

\`\`\`yaml
${EXAMPLE}\`\`\`

${sections.map(sectionTable).join('\n')}
## URL and key

\`rtmp://host/application\` with the key set separately, or \`rtmp://host/application/key\`. Also \`rtmps://\`, a port
(by default 1935, for rtmps 443), an IPv6 address in brackets, and \`user:password@\` before the host.

- A key that is set separately is sent exactly as it is written, whatever characters it contains. The whole path of the URL is
  then the application, including its query.
- Without a separate key, the last \`/\` before any \`?\` divides application and key, and the query belongs to the key. So a key
  that contains a \`/\` must be set separately.
- Nothing in path and query is decoded, and \`#\` is an ordinary character. User and password are percent-decoded: write
  \`/\` as \`%2F\`, \`@\` as \`%40\`, \`%\` as \`%25\`.
- Keys, passwords, queries and the last path segment never appear in a log, a message or the status.

## Variables that are read before the settings

| Variable | Meaning |
|---|---|
${BOOTSTRAP.map((name) => `| \`${name}\` | ${BOOTSTRAP_DOC[name]} |`).join('\n')}

## Old names

They still work, with a warning. If both are set, the current name wins.

| Old name | Current name |
|---|---|
${rows.flatMap(oldNames).join('\n')}
`;
}

function sectionTable(section: string): string {
  const own = rows.filter((row) => row.path.startsWith(`${section}.`));
  const intro =
    section === 'outputs'
      ? `One map for each destination, at most ${OUTPUTS_MAX}. \`<name>\` begins with a lower-case letter, and holds lower-case
letters, digits and \`_\`, at most 32; in a variable it is in capitals, as in \`OUTPUT_YOUTUBE_KEY\`. The short
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
    row.doc + (row.secret ? ' **Secret.**' : '') + (row.remote === 'never' ? ' Not remotely.' : ''),
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
