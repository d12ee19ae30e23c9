/** The card that stands in for a picture that is away. */
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
    doc: 'What the card says that stands in for a picture that is away. A change shows the next time that the card does.',
  },
  {
    path: 'slate.image',
    env: 'SLATE_IMAGE',
    form: { type: 'text', words: 'path of a picture (PNG or JPEG)', lines: true },
    default: '',
    cost: 'rebuild',
    file: true,
    doc: 'Picture in place of the text.',
  },
];
