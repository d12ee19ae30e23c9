/** What trials of a whole installation need beside it: a server outside, and deadlines. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

/** Resolves as `promise` does; rejects after `ms`, naming what did not come. */
export function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** An nginx-rtmp of this machine on a free port of 127.0.0.1, with its files in `folder`. */
export async function startServer(folder) {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  const conf = path.join(folder, 'nginx.conf');
  writeFileSync(
    conf,
    `load_module /usr/lib/nginx/modules/ngx_rtmp_module.so; daemon off; master_process off; pid ${folder}/nginx.pid;
     error_log stderr; events {} rtmp { server { listen 127.0.0.1:${port}; application live { live on; } } }`,
  );
  // It dies with this process, however that ends.
  const mortal = ['--pdeathsig', 'KILL', '--', 'nginx', '-p', folder, '-e', 'stderr', '-c', conf];
  const nginx = spawn('setpriv', mortal, { stdio: ['ignore', 'inherit', 'inherit'] });
  return { url: `rtmp://127.0.0.1:${port}/live`, stop: () => nginx.kill('SIGTERM') };
}
