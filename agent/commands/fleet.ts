/** The door to the fleet tool (fleet/): a package of its own, which is loaded only here, and which device images leave out. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Fault } from '../errors.js';

/** The command `args`, with what `env` says of key and broker; resolves to the exit code. */
type Fleet = (args: readonly string[], env: NodeJS.ProcessEnv) => Promise<number>;

/** No literal in the import: the agent is compiled without the package too. */
const file = new URL('../../fleet/command.js', import.meta.url);

/** @throws Fault `fleet_missing` where the package is not compiled beside the agent. */
export async function loadFleet(): Promise<Fleet> {
  if (!existsSync(fileURLToPath(file)))
    throw new Fault(
      'fleet_missing',
      'The fleet tool is not installed (device images leave it out).',
      'In a clone of the repository "npx makercast fleet help" compiles it; it is not meant to run on a device.',
    );
  const { fleet } = (await import(file.href)) as { fleet: Fleet };
  return fleet;
}
