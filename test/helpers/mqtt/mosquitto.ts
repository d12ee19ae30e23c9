/** A real Mosquitto on free loopback ports. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker, type Program } from './broker.js';
import { freePorts, temporaryFolder } from '../command.js';
import { root } from '../root.js';
import type { Authority } from '../network/tls.js';

const program = (folder: string): Program => ({
  command: 'mosquitto',
  args: ['-v', '-c', path.join(folder, 'mosquitto.conf')],
  env: { PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` },
  isUp: / running$/m,
});

/** Starts Mosquitto with the example of docs/, moved to a folder and ports of its own, and nothing else changed. `authority`: of its own certificate and those of devices; `operators`: of theirs. */
export async function startExampleMosquitto(authority: Authority, operators: Authority): Promise<Broker> {
  const { folder, remove } = await temporaryFolder();
  const [port, operatorsPort] = (await freePorts(2)) as [number, number];
  const example = (name: string): Promise<string> => readFile(path.join(root, 'docs/mosquitto', name), 'utf8');
  const server = await authority.sign('localhost');
  const conf = (await example('mosquitto.conf'))
    .replace('listener 8883', `user root\nlistener ${port} 127.0.0.1`)
    .replace('listener 8884', `listener ${operatorsPort} 127.0.0.1`)
    .replace('/etc/mosquitto/certs/ca.pem', authority.ca)
    .replace('/etc/mosquitto/certs/operators.pem', operators.ca)
    .replaceAll('/etc/mosquitto/certs/server.pem', server.cert)
    .replaceAll('/etc/mosquitto/certs/server.key', server.key)
    .replace('/etc/mosquitto/acl', path.join(folder, 'acl'))
    .replace('/var/lib/mosquitto/', `${folder}/`);
  await writeFile(path.join(folder, 'mosquitto.conf'), conf);
  await writeFile(path.join(folder, 'acl'), await example('acl'), { mode: 0o600 });
  const broker = new Broker(program(folder), { port, host: 'mqtts://localhost', operatorsPort }, remove);
  await broker.start();
  return broker;
}

/** Starts Mosquitto with `lines` after `listener` on a free port; anonymous clients may do everything unless `lines` says otherwise. */
export async function startMosquitto(lines: readonly string[] = ['allow_anonymous true']): Promise<Broker> {
  const { folder, remove } = await temporaryFolder();
  const [port] = (await freePorts(1)) as [number];
  // Started by root it becomes the user mosquitto, unless told otherwise, and could then not read what is in here.
  await writeFile(
    path.join(folder, 'mosquitto.conf'),
    [`user root`, 'set_tcp_nodelay true', `listener ${port} 127.0.0.1`, ...lines, ''].join('\n'),
  );
  const broker = new Broker(program(folder), { port }, remove);
  await broker.start();
  return broker;
}
