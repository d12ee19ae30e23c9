/** The slate, which replaces a picture that is missing. */
import type { Row } from '../row.js';

export interface SlateSettings {
  readonly text: string;
  readonly image: string;
}

export const slate: readonly Row[] = [
  {
    path: 'slate.text',
    env: 'SLATE_TEXT',
    form: { type: 'text', words: 'text', lines: true },
    default: 'We will be right back.',
    cost: 'rebuild',
    doc: 'Text of the slate, which is shown while the picture is missing. A change shows the next time that the slate appears.',
  },
  {
    path: 'slate.image',
    env: 'SLATE_IMAGE',
    form: { type: 'text', words: 'path of a picture (PNG or JPEG)', lines: true },
    default: '',
    cost: 'rebuild',
    file: true,
    doc: 'Picture to show instead of the text.',
  },
];
