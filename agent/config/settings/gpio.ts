/** The button and the tally light. */
import type { Row } from '../row.js';

/** Lines by their number on the processor (BCM), not by the pin of the header. */
export interface GpioSettings {
  readonly button: number | 'off';
  readonly buttonPressed: 'high' | 'low';
  readonly led: number | 'off';
  readonly ledLit: 'high' | 'low';
}

export const gpio: readonly Row[] = [
  {
    path: 'gpio.button',
    env: 'GPIO_BUTTON',
    form: { type: 'integer', min: 0, max: 53, words: ['off'] },
    default: 'off',
    cost: 'live',
    doc: 'GPIO line of a button: a press starts the broadcast (on the air it retries waiting outputs at once), holding it for 2 s stops it (docs/gpio.md).',
  },
  {
    path: 'gpio.buttonPressed',
    env: 'GPIO_BUTTON_PRESSED',
    form: { type: 'choice', choices: ['high', 'low'] },
    default: 'high',
    cost: 'live',
    doc: 'Level of the line while the button is pressed: `high` if the button connects to 3.3 V, `low` if it connects to ground.',
  },
  {
    path: 'gpio.led',
    env: 'GPIO_LED',
    form: { type: 'integer', min: 0, max: 53, words: ['off'] },
    default: 'off',
    cost: 'live',
    doc: 'GPIO line of a tally light: off when idle, blinking while connecting or degraded, lit while live.',
  },
  {
    path: 'gpio.ledLit',
    env: 'GPIO_LED_LIT',
    form: { type: 'choice', choices: ['high', 'low'] },
    default: 'high',
    cost: 'live',
    doc: 'Level of the line that lights the LED.',
  },
];
