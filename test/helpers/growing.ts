/** A child process that answers and holds ever more memory: 20 MB with each beat. */
const kept: Buffer[] = [];
setInterval(() => {
  kept.push(Buffer.alloc(20_000_000, kept.length + 1));
  process.send?.({ type: 'beat', held: kept.length });
}, 100);
process.on('disconnect', () => process.exit(0));
process.on('message', (message) => {
  if ((message as { type: string }).type === 'halt') process.exit(0);
});
