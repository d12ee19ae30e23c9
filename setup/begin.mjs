/** Makes the machine ready, then becomes makercast: the agent runs in this same process, with the same arguments. */
import { ready } from './ready.mjs';

/** Commands that only read settings or print a text: they need neither GStreamer nor the binding to it. */
const light = ['check', 'help', '--help', '-h'];

export async function begin() {
  const bare = light.includes(process.argv[2]);
  await ready({ packages: bare ? [] : ['runtime'], native: !bare, build: 'start' });
  process.title = 'makercast';
  await import('../dist/agent/main.js');
}
