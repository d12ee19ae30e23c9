/** `npm run bench [-- NAME]`: installs what the benchmarks need, compiles, and runs one in this process; `overhead` unless named. */
import { ready } from './ready.mjs';

const names = ['overhead', 'footprint', 'pictures', 'recovery', 'control', 'soak'];

const named = process.argv[2]?.startsWith('-') ? undefined : process.argv[2];
const name = named ?? names[0];
if (!names.includes(name)) {
  console.error(`There is no benchmark ${JSON.stringify(name)}; choose one of ${names.join(', ')}.`);
  process.exit(2);
}
if (named) process.argv.splice(2, 1);
await ready({ packages: ['runtime', 'bench'], native: true, build: 'all' });
await import(`../dist/bench/${name}.js`);
