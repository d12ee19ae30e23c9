/** A process that may open no further file: prints what becomes of a child and of a program that it starts. */
import { openSync } from 'node:fs';
import { run } from '../../../agent/machine/host/run.js';
import { Child } from '../../../agent/media/child.js';

const died = new Promise<string>((resolve) => {
  const heard = {
    message: () => undefined,
    said: () => undefined,
    died: ({ message }: Error) => resolve(message),
  };
  const child = new Child(
    'crowded',
    '../../test/helpers/children/growing.js',
    { beatMs: 100, hungMs: 2000 },
    { PATH: process.env['PATH'] },
    heard,
  );
  // A first look loads what is needed later.
  void run('true', [], { deadlineMs: 10_000 }).then(() => {
    const held: number[] = [];
    try {
      for (;;) held.push(openSync('/dev/null', 'r'));
    } catch {
      child.start();
    }
  });
});
const message = await died;
const { code, missing } = await run('true', [], { deadlineMs: 10_000 });
process.stdout.write(JSON.stringify({ message, ran: code !== undefined, missing }));
// What is written must leave first.
process.stdout.end(() => process.exit(0));
