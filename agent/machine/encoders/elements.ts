/** Which GStreamer elements are installed, and which Debian package brings one that is not. */
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { packageOf } from '../../../pipelines/elements.js';
import { Fault } from '../../errors.js';
import { run as runProgram, type Runner } from '../host/run.js';
import { namesIn } from '../host/sysfs.js';

/** The first call after an installation scans all plugins, which takes a Zero W most of a minute. */
const deadlineMs = 90_000;

export interface Elements {
  readonly names: readonly string[];
  /** Such as `1.22.0`; empty where GStreamer is missing. */
  readonly version: string;
  /** Properties of libcamerasrc; empty where it was not asked, or is not there. */
  readonly libcamera: readonly string[];
  readonly faults: readonly Fault[];
}

/**
 * Names of all elements by one `gst-inspect-1.0` (some 50 ms on a PC), and GStreamer's version; with `sensor` also what libcamerasrc
 * can set, for which all of libcamera is loaded.
 */
export async function elements(run: Runner = runProgram, sensor = false): Promise<Elements> {
  const [listed, told] = await Promise.all([
    run('gst-inspect-1.0', [], { deadlineMs }),
    run('gst-inspect-1.0', ['--version'], { deadlineMs }),
  ]);
  if (listed.missing) {
    const what = 'GStreamer is not installed (gst-inspect-1.0 is missing).';
    const remedy = 'apt-get install gstreamer1.0-tools gstreamer1.0-plugins-good gstreamer1.0-plugins-bad';
    return { names: [], version: '', libcamera: [], faults: [new Fault('plugin_missing', what, remedy)] };
  }
  // `coreelements:  tee: Tee`; type finders have one blank behind the plugin's name, device providers no second colon.
  const names = [...listed.stdout.matchAll(/^\S+: {2}([A-Za-z0-9][\w.-]*): /gm)].map(([, name]) => name!);
  const version = /^GStreamer ([\d.]+)/m.exec(told.stdout)?.[1] ?? '';
  const faults = listed.late
    ? [new Fault('plugin_missing', 'gst-inspect-1.0 does not respond.', 'Reinstall gstreamer1.0-tools.')]
    : [];
  const inspected =
    sensor && names.includes('libcamerasrc')
      ? await run('gst-inspect-1.0', ['libcamerasrc'], { deadlineMs })
      : undefined;
  // `  exposure-time       : Exposure time for the frame applied in the sensor device. …`
  const properties =
    inspected?.stdout.split(/^Element Properties:$/m)[1]?.matchAll(/^ {2}([a-z][a-z0-9-]*) *: /gm) ?? [];
  return { names, version, libcamera: [...properties].map(([, name]) => name!), faults };
}

/**
 * What the list depends on: when plugins were last installed or removed, which changes the time of their folder, and the codecs of this
 * machine (`codecNodes`), for which GStreamer makes elements. Undefined where no folder of plugins is found.
 */
export async function registration(root: string, codecNodes: string, env = process.env): Promise<string | undefined> {
  const named = ['GST_PLUGIN_PATH', 'GST_PLUGIN_SYSTEM_PATH'].flatMap((name) =>
    [env[`${name}_1_0`], env[name]].flatMap((value) => value?.split(':').filter((folder) => folder !== '') ?? []),
  );
  const usual = (await libraries(root)).map((folder) => path.join(folder, 'gstreamer-1.0'));
  const own = path.join(env['HOME'] ?? '/', '.local/share/gstreamer-1.0/plugins');
  const folders = [...named, ...usual, own];
  const times = await Promise.all(
    folders.map((folder) =>
      stat(folder).then(
        ({ mtimeMs, ino }) => `${folder} ${ino} ${mtimeMs}`,
        () => [],
      ),
    ),
  );
  const found = times.flat();
  return found.length > 0 ? `elements ${found.join(' ')} ${codecNodes}` : undefined;
}

/** One fault for each Debian package that has to be installed before the elements `needed` can run. */
export function missing(needed: Iterable<string>, installed: Iterable<string>): Fault[] {
  const have = new Set(installed);
  const lacking = [...new Set(needed)].filter((element) => !have.has(element));
  return [...new Set(lacking.map(packageOf))].map((debian) => {
    const names = lacking.filter((element) => packageOf(element) === debian);
    const what = `GStreamer's ${names.join(', ')} ${names.length > 1 ? 'are' : 'is'} missing.`;
    return new Fault('plugin_missing', what, `apt-get install ${debian}`);
  });
}

/** GStreamer's RTMPS goes through GLib, which finds TLS in a module of its own. Undefined where that is installed. */
export async function tlsMissing(root = '/'): Promise<Fault | undefined> {
  const modules = await Promise.all((await libraries(root)).map((folder) => namesIn(path.join(folder, 'gio/modules'))));
  if (modules.flat().some((name) => /^libgio(gnutls|openssl)\.so$/.test(name))) return undefined;
  return new Fault('plugin_missing', 'TLS, which rtmps:// needs, is not installed.', 'apt-get install glib-networking');
}

/** `/usr/lib` as on Alpine, and `/usr/lib/<machine>-linux-gnu*` as on Debian. */
async function libraries(root: string): Promise<string[]> {
  const all = path.join(root, 'usr/lib');
  const machines = (await namesIn(all)).filter((name) => name.includes('-linux-')).sort();
  return [all, ...machines.map((name) => path.join(all, name))];
}
