/** A pipeline as data: elements, caps and pads in chains. The text that GStreamer parses is written here, and nowhere else. */

export type Value = string | number | boolean;

/** By name, in the order in which they are written. */
export type Fields = Readonly<Record<string, Value>>;

export interface Element {
  readonly element: string;
  /** What stands in the text; several {@link Caps} are alternatives. */
  readonly set: Readonly<Record<string, Value | Caps | readonly Caps[]>>;
  /** What must never stand in the text (paths, free text): it is set once the text is parsed, by the name in `set`. */
  readonly apart: Fields;
}

export interface Caps {
  readonly media: string;
  readonly fields: Fields;
}

/** A pad of a named element. Two in a row are no link: the chain enters the element by one and leaves it by the other. */
export interface Pad {
  readonly of: string;
  /** Empty for whichever pad fits. */
  readonly pad: string;
}

export type Step = Element | Caps | Pad;

/** Each step linked to the next. */
export type Chain = readonly Step[];

export const element = (name: string, set: Element['set'] = {}, apart: Fields = {}): Element => ({
  element: name,
  set,
  apart,
});
export const caps = (media: string, fields: Fields = {}): Caps => ({ media, fields });
export const pad = (of: string, name = ''): Pad => ({ of, pad: name });

/** A property of an element by that name. */
export interface ElementProperty {
  readonly element: string;
  readonly property: string;
  readonly value: Value;
}

/** One pipeline that ends in `appsink name=tags` and gives FLV. */
export interface PipelineText {
  /** Text for gst_parse_launch. Names nothing that an operator typed freely. */
  readonly text: string;
  readonly properties: readonly ElementProperty[];
}

/** What GStreamer is given. */
export const pipelineText = (chains: readonly Chain[]): PipelineText => ({
  text: chains.map(chainText).join('\n'),
  properties: elementsOf(chains).flatMap(({ set, apart }) =>
    Object.entries(apart).map(([property, value]) => ({ element: String(set['name']), property, value })),
  ),
});

/** The same for `gst-launch-1.0`, in one line: nothing is set apart. */
export const launchText = (...chains: readonly Chain[]): string => chains.map(chainText).join(' ');

export const elementsOf = (chains: readonly Chain[]): Element[] => chains.flat().filter((step) => 'element' in step);

const chainText = (chain: Chain): string =>
  chain.reduce((text, step, index) => {
    const before = chain[index - 1];
    if (!before) return stepText(step);
    return `${text}${'pad' in before && 'pad' in step ? ' ' : ' ! '}${stepText(step)}`;
  }, '');

function stepText(step: Step): string {
  if ('media' in step) return capsText(step);
  if ('pad' in step) return `${step.of}.${step.pad}`;
  return [step.element, ...Object.entries(step.set).map(([name, value]) => `${name}=${valueText(value)}`)].join(' ');
}

const capsText = ({ media, fields }: Caps): string =>
  [media, ...Object.entries(fields).map(([name, value]) => `${name}=${value}`)].join(',');

/** Nothing that stands in a text holds a quotation mark. */
function valueText(value: Element['set'][string]): string {
  if (typeof value !== 'object') return /^[\w@./-]+$/.test(String(value)) ? String(value) : `"${value}"`;
  return 'media' in value ? capsText(value) : `"${value.map(capsText).join(';')}"`;
}
