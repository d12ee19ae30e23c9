/** What a tally light shows of a state. Pure. */
import type { ActualState } from '../../broadcast/status.js';

const lights: Readonly<Record<ActualState, 'off' | 'blinking' | 'on'>> = {
  idle: 'off',
  ended: 'off',
  stopping: 'off',
  updating: 'off',
  starting: 'blinking',
  degraded: 'blinking',
  live: 'on',
};

/** Whether it is lit at tick `tick`: one that blinks changes with each. */
export function isLit(state: ActualState, tick: number): boolean {
  const light = lights[state];
  return light === 'on' || (light === 'blinking' && tick % 2 === 0);
}
