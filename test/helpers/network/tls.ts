/** A TLS server with a certificate of its own in front of a plain port: what turns an RTMP server into an RTMPS one. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { createServer } from 'node:tls';
import { run, temporaryFolder } from '../command.js';

export interface TlsProxy extends AsyncDisposable {
  readonly port: number;
  /** PEM file of the self-signed certificate (localhost and 127.0.0.1), for clients that are to trust it. */
  readonly certificate: string;
  /** Connections whose handshake succeeded. */
  readonly handshakes: () => number;
  stop(): Promise<void>;
}

/** Makes a self-signed certificate for `host` (and 127.0.0.1) in `folder`. */
async function makeCertificate(folder: string, host = 'localhost'): Promise<{ key: string; certificate: string }> {
  const key = path.join(folder, 'key.pem');
  const certificate = path.join(folder, 'certificate.pem');
  await run('openssl', [
    ...[
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      `/CN=${host}`,
    ],
    ...['-addext', `subjectAltName=DNS:${host},IP:127.0.0.1`, '-keyout', key, '-out', certificate],
  ]);
  return { key, certificate };
}

/** A certificate authority of its own, and what it signs: PEM files. */
export interface Authority {
  readonly ca: string;
  /** Certificate and key for a name (CN), which as a server's is also good for 127.0.0.1. */
  sign(name: string, days?: number): Promise<{ readonly cert: string; readonly key: string }>;
}

export async function makeAuthority(folder: string): Promise<Authority> {
  const file = (name: string): string => path.join(folder, name);
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const request = ['req', ...newKey];
  await run('openssl', [
    ...[...request, '-x509', '-days', '2', '-subj', '/CN=authority'],
    ...['-keyout', file('ca.key'), '-out', file('ca.pem')],
  ]);
  return {
    ca: file('ca.pem'),
    async sign(name, days = 2) {
      const [key, csr, cert] = [file(`${name}.key`), file(`${name}.csr`), file(`${name}.pem`)];
      await run('openssl', [...request, '-subj', `/CN=${name}`, '-keyout', key, '-out', csr]);
      await writeFile(file(`${name}.ext`), `subjectAltName=DNS:${name},IP:127.0.0.1\n`);
      await run('openssl', [
        ...['x509', '-req', '-in', csr, '-CA', file('ca.pem'), '-CAkey', file('ca.key')],
        // Its own: two that are signed at once would share openssl's file of them.
        ...['-set_serial', `0x${randomBytes(8).toString('hex')}`],
        ...['-days', String(days), '-extfile', file(`${name}.ext`), '-out', cert],
      ]);
      return { cert, key };
    },
  };
}

/** Listens with TLS on a free port of 127.0.0.1 and passes everything on to `targetPort` there. */
export async function startTlsProxy(targetPort: number, host = 'localhost'): Promise<TlsProxy> {
  const { folder, remove } = await temporaryFolder();
  const { key, certificate } = await makeCertificate(folder, host);
  const sockets = new Set<Socket>();
  let handshakes = 0;
  const server = createServer({ key: await readFile(key), cert: await readFile(certificate) }, (secure) => {
    handshakes += 1;
    const plain = connect(targetPort, '127.0.0.1');
    for (const socket of [secure, plain]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => {
          sockets.delete(socket);
          secure.destroy();
          plain.destroy();
        });
    }
    secure.pipe(plain).pipe(secure);
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
    await remove();
  };
  return {
    port: (server.address() as { port: number }).port,
    certificate,
    handshakes: () => handshakes,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
