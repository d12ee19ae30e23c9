/** Detects what may be a secret before the settings are resolved: in the environment, and in a layer as it was read. */
import { correct } from './correct.js';
import { readEnvironment, settingOf, type Environment } from './environment.js';
import { readTree, type Layer } from './layer.js';
import { entrySecrets } from './merge.js';
import type { Reading } from './reading.js';

/** Names of variables, of whatever program, that hold a secret. */
const secretName = /key|token|secret|passw|passphrase|psk|credential|cookie/i;
/** So a name ends that says where a secret lies. */
const placeName = /_(FILE|PATH|DIR|DIRECTORY|SOCK)$/i;
/** Shorter ones are words and numbers. */
const shortest = 6;
/** Keys that balena puts into the environment. */
const ofBalena: ReadonlySet<string> = new Set([
  'BALENA_SUPERVISOR_API_KEY',
  'BALENA_API_KEY',
  'RESIN_SUPERVISOR_API_KEY',
  'RESIN_API_KEY',
]);

/**
 * What is secret in the environment, whatever the settings are: of our own variables, valid or not; of balena's; of other programs' by
 * the names of their variables; and passwords in URLs. Never throws.
 */
export function environmentSecrets(env: Environment): string[] {
  const others = Object.entries(env).flatMap(([name, value = '']) => {
    if (ofBalena.has(name)) return [value];
    // Whether one of ours is secret is known.
    if (settingOf(name)) return [];
    const [, user = '', password = ''] = /^[a-z][a-z0-9+.-]*:\/\/([^\s/@:]*):?([^\s/@]*)@/i.exec(value) ?? [];
    const isSecret = secretName.test(name) && !placeName.test(name);
    // A user without a password is a token.
    return [...(isSecret ? [value] : []), password === '' ? user : password].filter((each) => each.length >= shortest);
  });
  return unique([...secretsIn(readEnvironment(env), true), ...others]);
}

/** Every secret that `layer` gives, used or not, and what stands under wrong names and may be one. Never throws. */
export function layerSecrets(layer: Layer): string[] {
  return unique(secretsIn(readTree(layer), false));
}

/** As they were given, and as they will be used. */
const secretsIn = (reading: Reading, isText: boolean): string[] => [
  ...reading.secrets,
  ...[reading, correct(reading, isText)].flatMap((each) => entrySecrets([each])),
];

const unique = (secrets: readonly string[]): string[] => [...new Set(secrets)].filter((each) => each !== '');
