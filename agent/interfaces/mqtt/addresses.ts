/** What the topics of one device and of its groups are called in full. */
import type { MqttSettings } from '../../config/settings.js';
import { topics } from './topics.js';

type Place = Pick<MqttSettings, 'baseTopic'>;

/** What the device's own topics begin with: `<base>/v1/<id>/`. */
export const prefixOf = ({ baseTopic }: Place, id: string): string => `${baseTopic}/v1/${id}/`;

const groupTopic = (baseTopic: string, group: string): string =>
  `${baseTopic}/v1/${topics.groupDesired.topic.replace('{group}', group)}`;

export const groupTopics = ({ baseTopic, groups }: Pick<MqttSettings, 'baseTopic' | 'groups'>): string[] =>
  groups.map((group) => groupTopic(baseTopic, group));

/** Where Home Assistant publishes its birth message; undefined where this device does not announce itself. */
export const birthTopic = ({
  discovery,
  discoveryPrefix,
}: Pick<MqttSettings, 'discovery' | 'discoveryPrefix'>): string | undefined =>
  discovery ? `${discoveryPrefix}/status` : undefined;

/** All topics that a device reads besides its own. */
export const followed = (settings: MqttSettings): string[] => [
  ...groupTopics(settings),
  ...[birthTopic(settings)].flatMap((topic) => topic ?? []),
];

/** The word that stands for the one in braces in `pattern` (empty where there is none); undefined where `topic` is another. */
export function wordIn(pattern: string, topic: string): string | undefined {
  const [wanted, given] = [pattern.split('/'), topic.split('/')];
  const isWord = (level: string): boolean => level.startsWith('{');
  if (wanted.length !== given.length) return undefined;
  if (!wanted.every((level, i) => isWord(level) || level === given[i])) return undefined;
  return given[wanted.findIndex(isWord)] ?? '';
}
