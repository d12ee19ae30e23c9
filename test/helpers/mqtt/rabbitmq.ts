/** A real RabbitMQ with its MQTT plugin on free loopback ports, as Debian has it. */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Broker } from './broker.js';
import { freePorts, temporaryFolder } from '../command.js';
import { root } from '../root.js';
import type { Authority } from '../network/tls.js';

/** Erlang and a hundred modules, on a busy core; 3.10 alone waits 5 s for other nodes that there are not. */
const upMs = 90_000;

/** Of each user. */
export const passwordOf = (name: string): string => `password-of-${name}`;

/** As `rabbitmqctl hash_password` has it: a salt, and SHA-256 of it and the password. */
function hashOf(password: string): string {
  const salt = randomBytes(4);
  return Buffer.concat([salt, createHash('sha256').update(salt).update(password).digest()]).toString('base64');
}

export interface Others {
  /** Devices besides `kitchen`, with the same rules. */
  readonly devices: readonly string[];
  /** Devices that may write and read every topic. */
  readonly free: readonly string[];
}

/** The definitions of docs/, with the passwords of {@link passwordOf}, and for `others` too. */
async function definitions({ devices, free }: Others): Promise<string> {
  interface Rule {
    readonly user: string;
  }
  const text = await readFile(path.join(root, 'docs/rabbitmq/definitions.json'), 'utf8');
  const example = JSON.parse(text) as { users: { name: string }[] } & Record<string, object[]>;
  const copied = (rules: readonly object[], names: readonly string[]): object[] => {
    const own = rules.filter((rule) => (rule as Rule).user === 'kitchen').map((rule) => JSON.stringify(rule));
    return [
      ...rules,
      ...names.flatMap((name) => own.map((rule) => JSON.parse(rule.replaceAll('kitchen', name)) as object)),
    ];
  };
  const users = [...example.users, ...[...devices, ...free].map((name) => ({ name, tags: [] }))];
  return JSON.stringify({
    ...example,
    users: users.map((user) => ({ ...user, password_hash: hashOf(passwordOf(user.name)) })),
    permissions: copied(example['permissions'] ?? [], [...devices, ...free]),
    topic_permissions: copied(example['topic_permissions'] ?? [], devices),
  });
}

/** Starts RabbitMQ with the example of docs/, moved to a folder and ports of its own. */
export async function startRabbitMq(authority: Authority, others: Others): Promise<Broker> {
  const { folder, remove } = await temporaryFolder();
  const [port, nodes, names] = (await freePorts(3)) as [number, number, number];
  const server = await authority.sign('localhost');
  const defined = path.join(folder, 'definitions.json');
  const conf = (await readFile(path.join(root, 'docs/rabbitmq/rabbitmq.conf'), 'utf8'))
    .replace('ssl.1 = 8883', `ssl.1 = 127.0.0.1:${port}`)
    .replace('/etc/rabbitmq/server.pem', server.cert)
    .replace('/etc/rabbitmq/server.key', server.key)
    .replace('/etc/rabbitmq/definitions.json', defined);
  await Promise.all([
    mkdir(path.join(folder, 'data')),
    writeFile(path.join(folder, 'rabbitmq.conf'), conf),
    writeFile(defined, await definitions(others)),
    writeFile(path.join(folder, 'plugins'), '[rabbitmq_mqtt].\n'),
  ]);
  // Otherwise it starts one as a daemon, which would outlive the test.
  const phonebook = new Broker(
    {
      command: 'epmd',
      args: ['-d', '-port', String(names), '-address', '127.0.0.1'],
      env: { PATH: process.env['PATH'] },
      isUp: /epmd running/,
    },
    { port: names },
    () => Promise.resolve(),
  );
  await phonebook.start();
  const broker = new Broker(
    {
      command: '/usr/lib/rabbitmq/bin/rabbitmq-server',
      args: [],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        RABBITMQ_NODENAME: `makercast-${port}@localhost`,
        RABBITMQ_DIST_PORT: String(nodes),
        RABBITMQ_BASE: folder,
        RABBITMQ_MNESIA_BASE: path.join(folder, 'data'),
        RABBITMQ_LOG_BASE: folder,
        RABBITMQ_LOGS: '-',
        RABBITMQ_CONFIG_FILE: path.join(folder, 'rabbitmq.conf'),
        RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'plugins'),
        RABBITMQ_CONF_ENV_FILE: '/dev/null',
        ERL_EPMD_PORT: String(names),
        ERL_EPMD_ADDRESS: '127.0.0.1',
        // Else a shell stands before it that our signals would end alone.
        RUNNING_UNDER_SYSTEMD: 'true',
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 1:1 +A 4',
      },
      isUp: /Server startup complete/,
      upMs,
    },
    { port, host: 'mqtts://localhost' },
    async () => {
      await phonebook[Symbol.asyncDispose]();
      await remove();
    },
  );
  try {
    await broker.start();
  } catch (error) {
    await broker[Symbol.asyncDispose]();
    throw error;
  }
  return broker;
}
