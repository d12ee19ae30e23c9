/** Text drawn over a picture. Without the package that draws it the picture goes without. */
import { type Chain, element } from '../graph.js';

/** `textoverlay` reads Pango markup, whose signs a text may hold as letters. */
const escaped = (text: string): string => text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');

/** `text` in the middle, nothing where it is empty. `name`: by which the element is found. */
export function textOverlay(name: string, text: string, installed: ReadonlySet<string>): Chain {
  if (text === '' || !installed.has('textoverlay')) return [];
  const set = { name, 'font-desc': 'Sans Bold 28', valignment: 'center', halignment: 'center' };
  return [element('textoverlay', set, { text: escaped(text) })];
}

/** Date and time in the middle, in whole seconds: a finer clock (`timeoverlay`) draws its text again for each frame, which is as much work as encoding it. */
export function clockOverlay(installed: ReadonlySet<string>): Chain {
  if (!installed.has('clockoverlay')) return [];
  return [
    element('clockoverlay', {
      'time-format': '%Y-%m-%d  %H:%M:%S',
      halignment: 'center',
      valignment: 'center',
      'shaded-background': true,
    }),
  ];
}
