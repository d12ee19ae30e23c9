/** A small DNS server for one name, which answers, says that it is at a loss, or says nothing. */
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { Feed } from '../feed.js';

/** What it does with a question: an IPv4 address to answer with, an error of its own, `no such name`, or nothing at all. */
export type DnsAnswer = string | 'servfail' | 'nxdomain' | 'silence';

/** RFC 1035, 4.1.1: that this is an answer, that recursion was wanted and is had, and how it went. */
const answered = 0x8180;
const codes: Readonly<Record<string, number>> = { servfail: 2, nxdomain: 3 };
const headerBytes = 12;
/** Type A, class IN. */
const typeA = 1;

export class DnsServer implements AsyncDisposable {
  /** How many questions have come so far, whatever became of them. */
  readonly questions = new Feed<number>('questions to the DNS server');

  constructor(
    private readonly socket: Socket,
    /** May be replaced at any time. */
    public answer: DnsAnswer,
  ) {
    socket.on('message', (question, from) => {
      this.questions.push(question.length);
      if (this.answer !== 'silence') socket.send(reply(question, this.answer), from.port, from.address);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.close();
    await once(this.socket, 'close');
  }
}

/** The question again, with an answer where it asks for an IPv4 address. */
function reply(question: Buffer, answer: string): Buffer {
  // The name ends with a byte 0; type and class follow, and then what does not concern us (EDNS).
  const end = question.indexOf(0, headerBytes) + 5;
  const asked = question.subarray(headerBytes, end);
  const code = codes[answer];
  const withAddress = code === undefined && question.readUInt16BE(end - 4) === typeA;
  const header = Buffer.alloc(headerBytes);
  question.copy(header, 0, 0, 2);
  header.writeUInt16BE(answered | (code ?? 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(withAddress ? 1 : 0, 6);
  if (!withAddress) return Buffer.concat([header, asked]);
  // The name of the question, by a pointer to it; type A, class IN, to be kept for 0 s, 4 bytes.
  const record = Buffer.from([0xc0, headerBytes, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4]);
  return Buffer.concat([header, asked, record, Buffer.from(answer.split('.').map(Number))]);
}

/** Listens on port 53 of `host`, which a resolver always asks. */
export async function startDns(host: string, answer: DnsAnswer): Promise<DnsServer> {
  const socket = createSocket('udp4');
  socket.bind(53, host);
  await once(socket, 'listening');
  return new DnsServer(socket, answer);
}
