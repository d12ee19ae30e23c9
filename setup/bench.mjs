/** `npm run bench`: installs what the benchmark needs, compiles, and runs it in this process. */
import { ready } from './ready.mjs';

await ready({ packages: ['runtime', 'bench'], native: true, build: 'all' });
await import('../dist/bench/overhead.js');
