/** Runs one step of the set-up and shows on stderr what it is doing, so that stdout stays free for makercast itself. */
import { spawn } from 'node:child_process';

/** How many of the last lines are shown when a step fails. */
const tailLines = 30;
/** Off a terminal, one line of a step's output at most every so many milliseconds. */
const quietMs = 5000;

/** @type {NodeJS.Signals[]} */
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** @param {string} line */
export const say = (line) => process.stderr.write(`set-up: ${line}\n`);

/**
 * Open files that every program gets from descriptor 3 on: the lock of the set-up, which an orphaned npm must still hold.
 * @type {number[]}
 */
export const inherited = [];

/** The set-up cannot go on; the message says what to do. */
export class Stop extends Error {
  /** What the step that failed has printed. @type {string | undefined} */
  output;
}

/** Shows the line that a step is at: on a terminal in place, elsewhere now and then. */
function progress() {
  const { isTTY, columns = 80 } = process.stderr;
  let last = Date.now();
  return {
    /** @param {string} text */
    line(text) {
      if (isTTY) process.stderr.write(`\r\x1b[K  ${text.slice(0, columns - 3)}`);
      else if (Date.now() - last >= quietMs) {
        last = Date.now();
        process.stderr.write(`  ${text}\n`);
      }
    },
    end() {
      if (isTTY) process.stderr.write('\r\x1b[K');
    },
  };
}

/**
 * Runs a program to its end with no input; resolves to its exit code (-1: it does not exist, or a signal ended it) and its output.
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @param {string} command
 * @param {string[]} args
 * @param {(line: string) => void} [onLine] gets each line of it
 * @returns {Promise<{code: number, output: string}>}
 */
export function quietly(command, args, options = {}, onLine = () => {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe', ...inherited] });
    let output = '';
    let rest = '';
    /** @param {string} chunk */
    const take = (chunk) => {
      output += chunk;
      const lines = (rest + chunk).split(/[\r\n]+/);
      rest = lines.pop() ?? '';
      lines.filter((line) => line.trim()).forEach(onLine);
    };
    for (const stream of [child.stdout, child.stderr]) stream?.setEncoding('utf8').on('data', take);
    /** @param {{code: number, output: string}} result */
    const ended = (result) => {
      signals.forEach((name) => process.removeListener(name, stop));
      resolve(result);
    };
    // Whoever stops the set-up stops what it runs, and sees the end of it: an npm that goes on would spoil the next start.
    /** @param {NodeJS.Signals} name */
    const stop = (name) => {
      child.kill(name);
      child.removeAllListeners('close').once('close', () => process.exit(130));
    };
    signals.forEach((name) => process.on(name, stop));
    child.on('error', (error) => ended({ code: -1, output: error.message }));
    child.on('close', (code) => ended({ code: code === null ? -1 : code, output }));
  });
}

/** What programs print when they find no network. */
export const offline =
  /EAI_AGAIN|ENOTFOUND|ENETUNREACH|EHOSTUNREACH|ECONNREFUSED|ETIMEDOUT|getaddrinfo|Temporary failure resolving|Could not resolve|Cannot initiate the connection|Could not connect|Unable to connect|Network is unreachable/;

/** @param {string} title */
export const needsNetwork = (title) =>
  `${title} needs the network, which this machine cannot reach. Connect it, then start again.`;

/**
 * Runs one step and says how long it took. Throws Stop with the end of its output if it fails.
 * @param {string} title
 * @param {string} command
 * @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 */
export async function step(title, command, args, options = {}) {
  say(`${title} …`);
  const began = Date.now();
  const shown = progress();
  const { code, output } = await quietly(command, args, options, shown.line);
  shown.end();
  if (code !== 0) {
    const tail = output.trimEnd().split('\n').slice(-tailLines);
    process.stderr.write(tail.map((line) => `  ${line}\n`).join(''));
    const stop = new Stop(
      offline.test(output)
        ? needsNetwork(title)
        : `${title} failed (see above). Fix that, then start again: finished steps are kept.`,
    );
    throw Object.assign(stop, { output });
  }
  say(`${title}: done in ${((Date.now() - began) / 1000).toFixed(1)} s`);
}
