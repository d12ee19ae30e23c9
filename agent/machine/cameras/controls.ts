/** What `v4l2-ctl --list-ctrls-menus` (v4l-utils 1.12 to 1.30) says about a camera's controls. Pure. */
import type { CameraControl } from '../../../pipelines/machine.js';

/** `   brightness 0x00980900 (int)    : min=0 max=255 step=1 default=128 value=128 flags=slider`; of old without the number. */
const row = /^\s*(\w+) (?:0x[0-9a-f]{8} )?\(([\w-]+)\s*\)\s*: ?(.*)$/;

/** `				1: 50 Hz`; of an intmenu `1: -3667 (0xfffffffffffff1ad)`. */
const choice = /^\s*(\d+): (.*?)(?: \(0x[0-9a-f]+\))?$/;

/**
 * Every control that one number sets: int, bool, menu, intmenu. Left out are those that nobody can set: read-only, disabled,
 * arrays, or with one value only. What is `inactive` stays: an automatic mode holds it, and lets go when it is switched off.
 */
export function parseControls(text: string): CameraControl[] {
  const controls: CameraControl[] = [];
  let choices: Record<string, string> | undefined;
  for (const line of text.split('\n')) {
    const [, name, type, says] = row.exec(line) ?? [];
    if (name !== undefined && type !== undefined && says !== undefined) {
      const control = settable(name, type, says);
      choices = type.endsWith('menu') ? {} : undefined;
      if (control) controls.push(choices ? { ...control, choices } : control);
      continue;
    }
    const [, value, label] = choice.exec(line) ?? [];
    if (choices && value !== undefined && label !== undefined) choices[value] = label;
    else if (line.trim() !== '') choices = undefined;
  }
  return controls.filter((control) => !control.choices || Object.keys(control.choices).length > 1);
}

/** Whether there is a button of that name: a control that has no value, and does something each time it is set. */
export const hasButton = (text: string, name: string): boolean =>
  text.split('\n').some((line) => {
    const [, found, type, says = ''] = row.exec(line) ?? [];
    return found === name && type === 'button' && !/\bflags=.*\b(disabled|read-only)\b/.test(says);
  });

function settable(name: string, type: string, says: string): CameraControl | undefined {
  if (!['int', 'bool', 'menu', 'intmenu'].includes(type) || / dims=/.test(says)) return undefined;
  const flags = /flags=(.*)$/.exec(says)?.[1]?.split(', ') ?? [];
  if (flags.includes('read-only') || flags.includes('disabled')) return undefined;
  const number = (field: string): number | undefined => {
    const found = new RegExp(`(?:^| )${field}=(-?\\d+)`).exec(says)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const [min, max] = type === 'bool' ? [0, 1] : [number('min'), number('max')];
  const initial = number('default');
  if (min === undefined || max === undefined || initial === undefined || min >= max) return undefined;
  return { name, min, max, step: number('step') || 1, default: initial };
}
