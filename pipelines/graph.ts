/** A pipeline as GStreamer is given it: text, and what must not stand in it. */

/** A value that must never be part of pipeline text (paths, free text): it is set as a property once the text is parsed. */
export interface ElementProperty {
  readonly element: string;
  readonly property: string;
  readonly value: string | number | boolean;
}

/** One pipeline that ends in `appsink name=tags` and gives FLV. */
export interface Piece {
  /** Text for gst_parse_launch. Names nothing that an operator typed freely. */
  readonly text: string;
  readonly properties: readonly ElementProperty[];
}
