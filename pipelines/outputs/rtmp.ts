/** One RTMP or RTMPS destination: FLV tags in at `appsrc name=tags`, `rtmp2sink name=sink` out. */
import { caps, element, type ElementProperty, pipelineText } from '../graph.js';

export interface RtmpDestination {
  readonly scheme: 'rtmp' | 'rtmps';
  readonly host: string;
  readonly port: number;
  /** Application path, such as `live` or `live2`, without slashes at its ends. */
  readonly application: string;
  /** Stream name: the key, exactly as the operator gave it. */
  readonly stream: string;
  readonly username?: string;
  readonly password?: string;
  /** False accepts any certificate. */
  readonly tlsVerify: boolean;
}

/** The same for the same destination: what a server tells one session from another by, and how it is reached. Holds the key. */
export const sessionOf = (destination: RtmpDestination): string => JSON.stringify(destination);

/**
 * A tag a buffer, without FLV's file header. The tags carry their own times and are already paced: nothing here syncs. Chunks
 * of 4096 bytes (128 by default) are what OBS sends and so what every server knows. Some servers want to see the name of
 * Adobe's encoder before they let anybody publish. The last sample is not kept: it may be a whole keyframe.
 */
export const rtmpOutput = (): { readonly text: string } =>
  pipelineText([
    [
      element('appsrc', { name: 'tags', 'is-live': true, format: 'time', caps: caps('video/x-flv') }),
      element('rtmp2sink', {
        name: 'sink',
        sync: false,
        'async-connect': true,
        'chunk-size': 4096,
        'enable-last-sample': false,
        'flash-version': 'FMLE/3.0 (compatible; makercast)',
      }),
    ],
  ]);

/**
 * What `rtmp2sink` is told after parsing. `location` is left alone: it splits a key that holds a slash. `peakKbps`: what its socket
 * is paced to.
 */
export function rtmpProperties(destination: RtmpDestination, peakKbps: number): ElementProperty[] {
  const set = (property: string, value: string | number): ElementProperty => ({ element: 'sink', property, value });
  return [
    set('scheme', destination.scheme),
    set('host', destination.host),
    set('port', destination.port),
    set('peak-kbps', peakKbps),
    set('application', destination.application),
    set('stream', destination.stream),
    ...(destination.username === undefined ? [] : [set('username', destination.username)]),
    ...(destination.password === undefined ? [] : [set('password', destination.password)]),
    set('tls-validation-flags', destination.tlsVerify ? 'validate-all' : 'no-flags'),
  ];
}
