/** Makes the machine ready, then becomes makercast: the agent runs in this same process, with the same arguments. */
import { ready } from './ready.mjs';

/** Commands that only read settings or print a text: they need neither GStreamer nor the binding to it. */
const light = ['check', 'fleet', 'help', '--help', '-h'];

/** No literal in the import: what tsc makes of the agent is not checked a second time as JavaScript. */
const compiled = '../dist/agent/main.js';

export async function begin() {
  const [command, ...rest] = process.argv.slice(2);
  if (command === 'service') {
    const { service } = await import('./service/command.mjs');
    return service(rest);
  }
  const bare = command !== undefined && light.includes(command);
  const isFleet = command === 'fleet';
  const fleet = isFleet && rest.length > 0 && !rest.some((word) => ['help', '--help', '-h'].includes(word));
  const build = isFleet ? 'fleet' : 'start';
  await ready({ packages: bare ? [] : ['runtime'], native: !bare, build, fleet });
  process.title = 'makercast';
  await import(compiled);
}
