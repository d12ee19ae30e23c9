/** What balena's builders and Supervisor take of a Compose file, and what of it they refuse or ignore. */
import { parse } from 'yaml';

/** Fields of a service (balena's reference of docker-compose.yml, 2026-08), without `expose`, which does nothing. */
const serviceFields = new Set(
  (
    'build cap_add cap_drop cgroup_parent command cpu_quota cpu_shares cpus cpuset depends_on devices dns dns_opt dns_search ' +
    'domainname entrypoint environment extra_hosts group_add healthcheck hostname image init ipc labels mac_address mem_limit ' +
    'mem_reservation network_mode networks oom_score_adj pid pids_limit ports privileged read_only restart security_opt ' +
    'shm_size stop_grace_period stop_signal sysctls tmpfs ulimits user userns_mode volumes working_dir'
  ).split(' '),
);

const buildFields = new Set('context dockerfile args cache_from extra_hosts labels shm_size target'.split(' '));

const labels =
  /^io\.balena\.(features\.(balena-socket|dbus|sysfs|procfs|kernel-modules|firmware|journal-logs|supervisor-api|balena-api|gpu|optional|requires\.(sw\.(supervisor|l4t|balena-os|linux)|hw\.device-type|arch\.sw))|update\.(strategy|handover-timeout))$/;

interface Service {
  readonly build?: string | Record<string, unknown>;
  readonly volumes?: readonly unknown[];
  readonly labels?: Record<string, unknown>;
}

/** What balena would refuse or silently leave out of the Compose file `text`, one sentence each. */
export function balenaProblems(text: string): string[] {
  const problems: string[] = [];
  const file = parse(text) as {
    version?: string;
    services?: Record<string, Service>;
    volumes?: Record<string, unknown>;
  };
  const live = text.replaceAll(/^\s*#.*$/gm, '');
  for (const [variable] of live.matchAll(/\$\{?\w+\}?/g)) problems.push(`The variable ${variable} is not substituted.`);
  if (!/^2(\.[0-4])?$/.test(file.version ?? '')) problems.push(`The version ${file.version} is not one of 2 to 2.4.`);
  for (const key of Object.keys(file)) {
    if (!['version', 'services', 'volumes', 'networks'].includes(key)) problems.push(`${key} is not known.`);
  }
  for (const [name, service] of Object.entries(file.services ?? {})) {
    for (const field of Object.keys(service)) {
      if (!serviceFields.has(field)) problems.push(`${name}: ${field} is not taken.`);
    }
    if (typeof service.build === 'object') {
      for (const field of Object.keys(service.build)) {
        if (!buildFields.has(field)) problems.push(`${name}: build.${field} is not taken.`);
      }
    }
    for (const volume of service.volumes ?? []) {
      // Short syntax and named volumes only; what is no name here is a bind mount.
      const source = typeof volume === 'string' ? volume.split(':')[0]! : undefined;
      if (source === undefined || !(source in (file.volumes ?? {}))) {
        problems.push(`${name}: ${JSON.stringify(volume)} is no declared, named volume.`);
      }
    }
    for (const label of Object.keys(service.labels ?? {})) {
      if (label.startsWith('io.balena.') && !labels.test(label))
        problems.push(`${name}: the label ${label} is not known.`);
    }
  }
  return problems;
}
