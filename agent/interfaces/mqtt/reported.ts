/** The document `config/reported`: what became of what was wanted, in its form on the broker. */
import type { SteeringReport } from '../../supervisor/steering.js';
import type { Payload } from './topics.js';

type Layer = Payload<'reported'>['groups'][string];

export function reported(report: SteeringReport): Payload<'reported'> {
  const names = [...new Set([...Object.keys(report.decisions), ...Object.keys(report.refusals)])];
  const groups = names.filter((name) => name.startsWith('group '));
  return {
    ...layer(report, 'device'),
    groups: Object.fromEntries(groups.map((name) => [name.slice('group '.length), layer(report, name)])),
    ...(names.includes('page') ? { page: layer(report, 'page') } : {}),
    config: { ...report.settings },
    origin: report.origin,
    ignored: report.ignored,
  };
}

function layer({ decisions, refusals }: SteeringReport, name: string): Layer {
  const decision = decisions[name];
  const refused = refusals[name];
  return {
    ...(decision ?? { version: 0, status: 'none', proved: false, errors: [] }),
    ...(refused ? { refused } : {}),
  };
}
