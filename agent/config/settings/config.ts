/** What may be changed remotely, and how a change is proved. */
import type { Row } from '../row.js';

export interface ConfigSettings {
  readonly locked: readonly string[];
  readonly probationSeconds: number;
}

export const config: readonly Row[] = [
  {
    path: 'config.locked',
    env: 'CONFIG_LOCKED',
    form: {
      type: 'words',
      words: 'paths of settings, such as audio.mute or outputs.* (in a variable: separated by commas)',
      pattern: /^[A-Za-z]+(\.([A-Za-z0-9_]+|\*)){0,2}$/,
    },
    default: ['web.password', 'mqtt.cert', 'mqtt.key'],
    remote: 'never',
    cost: 'live',
    doc: 'Settings that cannot be changed remotely. A path includes everything below it.',
  },
  {
    path: 'config.probationSeconds',
    env: 'CONFIG_PROBATION_SECONDS',
    form: { type: 'integer', min: 1, max: 600 },
    default: 20,
    unit: 's',
    cost: 'live',
    doc: 'A remote change that takes the stream off the air for this long is undone.',
  },
];
