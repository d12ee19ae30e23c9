/** A TLS server with a certificate of its own in front of a plain port: what turns an RTMP server into an RTMPS one. */
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { createServer } from 'node:tls';
import { run, temporaryFolder } from './command.js';

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
