/** What is and was on the air in this broadcast, as far as the next plan depends on it; empty before the first. */
import type { Format, WantedAudio } from './wanted.js';

export interface OnAir {
  /** A picture that is no slate is on the air. */
  readonly picture?: boolean;
  /** There was a camera, and it is missing or out of service: the slate stands in for it, where `auto` would else mean the test picture. */
  readonly cameraLost?: boolean;
  /** The microphone that was heard with it last, if any: the slate that stands in for the camera has that one, or silence. */
  readonly heard?: { readonly microphone?: string };
  /** The wanted files were played to their end, and are not to be played again. */
  readonly filesPlayed?: boolean;
  /** The format that files or a camera have given the broadcast by passing through; absent where something else was on the air since. */
  readonly passed?: { readonly video: Format; readonly audio: Pick<WantedAudio, 'rate' | 'channels'> };
}
