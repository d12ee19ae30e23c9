/** The destinations, each with fields of its own. */
import type { Row } from '../row.js';

export interface OutputSettings {
  /** Always one that `parseDestination` takes together with `key`. May hold secrets of its own. */
  readonly url: string;
  /** Empty where the URL holds the key. */
  readonly key: string;
  readonly enabled: boolean;
  readonly adaptive: boolean;
  readonly tlsVerify: boolean;
}

export const outputs: readonly Row[] = [
  {
    path: 'outputs.*.url',
    env: 'OUTPUT_*_URL',
    alias: { env: 'STREAM_URL', output: 'main' },
    form: { type: 'url' },
    default: '',
    cost: 'live',
    doc: 'Where to stream to, `rtmp://` or `rtmps://`: host and application, and the key unless it is set separately.',
    renamed: [{ env: 'AV_STREAM_URL', output: 'main' }],
  },
  {
    path: 'outputs.*.key',
    env: 'OUTPUT_*_KEY',
    alias: { env: 'STREAM_KEY', output: 'main' },
    form: { type: 'key' },
    default: '',
    secret: true,
    boundTo: 'output',
    cost: 'live',
    doc: 'Stream key, sent exactly as it is written; it may contain any character. It is sent only to the address that it was given for (docs/mqtt.md).',
    renamed: [{ env: 'AV_STREAM_KEY', output: 'main' }],
  },
  {
    path: 'outputs.*.enabled',
    env: 'OUTPUT_*_ENABLED',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Switches this output on or off; the others go on undisturbed.',
  },
  {
    path: 'outputs.*.adaptive',
    env: 'OUTPUT_*_ADAPTIVE',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Whether the bitrate follows what this output can take; all outputs get the same bitrate. If `false`, this output drops groups of pictures instead.',
  },
  {
    path: 'outputs.*.tlsVerify',
    env: 'OUTPUT_*_TLS_VERIFY',
    form: { type: 'boolean' },
    default: true,
    cost: 'live',
    doc: 'Verify the certificate of an `rtmps://` server. Switch this off only for a server of your own.',
  },
];
