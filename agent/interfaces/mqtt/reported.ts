/** The document `config/reported`: what became of what was wanted, in its form on the broker. */
import type { SteeringReport } from '../../steering/steering.js';
import type { Payload } from './topics.js';

type Layer = Payload<'reported'>['groups'][string];

/** What of each list is left where all would be longer than a broker takes. */
const briefly = 20;

/** The whole, or without what is not a decision where that would be longer than `maxBytes`: a document that a broker drops says nothing. */
export function reported(report: SteeringReport, maxBytes: number): Payload<'reported'> {
  const whole = all(report);
  if (Buffer.byteLength(JSON.stringify(whole)) <= maxBytes) return whole;
  const decisions = Object.entries(report.decisions).map(([name, decision]) => [
    name,
    { ...decision, errors: decision.errors.slice(0, briefly) },
  ]);
  const short: SteeringReport = {
    ...report,
    decisions: Object.fromEntries(decisions) as SteeringReport['decisions'],
    ignored: report.ignored.slice(0, briefly),
  };
  return decisionsOf(short);
}

const all = (report: SteeringReport): Payload<'reported'> => ({
  ...decisionsOf(report),
  config: { ...report.settings },
  origin: report.origin,
});

function decisionsOf(report: SteeringReport): Payload<'reported'> {
  const names = [...new Set([...Object.keys(report.decisions), ...Object.keys(report.refusals)])];
  const groups = names.filter((name) => name.startsWith('group '));
  return {
    ...layer(report, 'device'),
    groups: Object.fromEntries(groups.map((name) => [name.slice('group '.length), layer(report, name)])),
    ...(names.includes('page') ? { page: layer(report, 'page') } : {}),
    ...(names.includes('secrets') ? { secrets: layer(report, 'secrets') } : {}),
    ignored: report.ignored,
    ...(report.deletes ? { deletes: report.deletes } : {}),
    held: report.held,
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
