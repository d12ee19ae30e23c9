/** What tests of a whole installation need beside it: a server outside, a viewer, and deadlines. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';

/** @typedef {{codec_name: string, width?: number, height?: number, nb_read_packets?: string, duration?: string}} Stream As ffprobe has it. */

/**
 * Resolves as `promise` does; rejects after `ms`, naming what did not come.
 * @template T
 * @param {Promise<T>} promise
 * @param {number} ms
 * @param {string} what
 * @returns {Promise<T>}
 */
export function within(promise, ms, what) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  /** @type {Promise<never>} */
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${ms / 1000} s`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/**
 * An nginx-rtmp of this machine on a free port of 127.0.0.1, with its files in `folder`.
 * @param {string} folder
 */
export async function startServer(folder) {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = /** @type {import('node:net').AddressInfo} */ (probe.address());
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

/** How long the viewer looks. */
export const seconds = 5;

/**
 * Records some seconds of `url` into `file` as a viewer; resolves to the picture's stream as ffprobe has it, and what has arrived in
 * words. Throws where nothing comes within `ms`, or fewer packets than `least` says.
 * @param {string} url
 * @param {string} file
 * @param {number} ms
 * @param {{h264: number, aac: number}} least
 * @returns {Promise<{video: Stream, arrived: string}>}
 */
export async function view(url, file, ms, least) {
  const args = ['-v', 'error', '-y', '-i', url, '-t', String(seconds), '-c', 'copy', file];
  const ffmpeg = spawn('ffmpeg', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const [code] = await within(once(ffmpeg, 'close'), ms, `media at ${url}`).finally(() => ffmpeg.kill('SIGKILL'));
  if (code !== 0) throw new Error(`ffmpeg could not play ${url} (see above)`);
  const probe = ['-v', 'error', '-count_packets', '-show_streams', '-of', 'json', file];
  /** @type {{streams: Stream[]}} */
  const { streams } = JSON.parse(execFileSync('ffprobe', probe, { encoding: 'utf8' }));
  const [video, audio] = ['h264', 'aac'].map((codec) => streams.find((stream) => stream.codec_name === codec));
  /** @param {Stream | undefined} stream */
  const packets = (stream) => Number(stream?.nb_read_packets ?? 0);
  if (!video || packets(video) < least.h264 || packets(audio) < least.aac) {
    const seen = streams.map(
      (one) => `${one.codec_name} ${one.width ?? ''} ${one.nb_read_packets} packets, ${one.duration ?? '?'} s`,
    );
    throw new Error(`what arrived at ${url} is not a stream of ${seconds} s: ${seen.join('; ')}`);
  }
  return {
    video,
    arrived: `${video.width}x${video.height} H.264, ${packets(video)} pictures, ${packets(audio)} AAC packets in ${seconds} s`,
  };
}
