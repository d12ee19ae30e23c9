/** GStreamer caps as `gst-launch-1.0 -v` prints them: `video/x-h264, width=(int)320, framerate=(fraction)30/1, ...`. Pure. */

export interface Caps {
  /** Media type, such as `video/x-h264`. */
  readonly type: string;
  /** A field's value as it is printed, without quotes; undefined where the caps have no such field. */
  text(field: string): string | undefined;
  /** A field as a number; fractions are divided, and 30/0 or text is undefined. */
  number(field: string): number | undefined;
}

export function parseCaps(text: string): Caps {
  const fields = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/, ([\w-]+)=\([\w:]+\)("(?:[^"\\]|\\.)*"|[^,;]*)/g)) {
    fields.set(name!, value!.replace(/^"(.*)"$/, '$1'));
  }
  return {
    type: /^[^,;(\s]+/.exec(text)?.[0] ?? '',
    text: (field) => fields.get(field),
    number: (field) => {
      const [top, bottom = '1'] = (fields.get(field) ?? '').split('/');
      const value = top === '' ? NaN : Number(top) / Number(bottom);
      return Number.isFinite(value) ? value : undefined;
    },
  };
}
