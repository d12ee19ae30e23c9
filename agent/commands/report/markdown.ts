/** Text from anywhere, made safe for a Markdown file that strangers read: bounded, without control characters, and without what identifies a person. */

/** Characters of a line (a pipeline's text is one), and lines of a block: what is beyond is counted. */
const widest = 4000;
const longest = 1500;

/** Control characters could hide what is there from who reads it in a terminal. */
const visible = (line: string): string => {
  const clean = line.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '\u00b7');
  return clean.length <= widest ? clean : `${clean.slice(0, widest)} (and ${clean.length - widest} more characters)`;
};

/** A block of lines as they are, whatever stands in them. */
export function block(lines: readonly string[], language = ''): string[] {
  const shown = lines.slice(0, longest).map(visible);
  const left = lines.length - shown.length;
  const runs = shown.flatMap((line) => line.match(/`+/g) ?? []).map((run) => run.length);
  const fence = '`'.repeat(Math.max(3, ...runs.map((run) => run + 1)));
  return [`${fence}${language}`, ...shown, ...(left > 0 ? [`(${left} more lines were left out)`] : []), fence];
}

/** An object of this length can be read at a glance. */
const glance = 160;

/** JSON for people: each list of numbers or words on one line, each small object too. */
export function json(value: unknown): string[] {
  const inLine = (text: string): string => text.replace(/\s*\n\s*/g, ' ');
  const text = JSON.stringify(value, null, 1)
    .replace(/\[\s+([^[\]{}]*?)\s+\]/g, (_, inner: string) => `[${inLine(inner)}]`)
    .replace(/\{\s+([^{}]*?)\s+\}/g, (whole, inner: string) => {
      const short = inLine(inner);
      return short.length <= glance ? `{ ${short} }` : whole;
    });
  return block(text.split('\n'), 'json');
}

/** Two columns. */
export const table = (rows: readonly (readonly [string, string | undefined])[]): string[] => [
  '| | |',
  '|---|---|',
  ...rows.flatMap(([name, value]) => (value === undefined ? [] : [`| ${name} | ${cell(value)} |`])),
];

export const cell = (text: string): string => visible(text.replace(/\s+/g, ' ')).replace(/[|`<>\\]/g, '\\$&');

/**
 * What is nobody's secret and still nobody's business: hardware addresses, which tell where somebody lives (Wi-Fi is mapped), serial numbers,
 * and user and password before a host, in whatever URL.
 */
export const anonymous = (text: string): string =>
  text
    .replace(/\b[0-9a-f]{2}(?:[:-][0-9a-f]{2}){5}\b/gi, '**:**:**:**:**:**')
    .replace(/\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/@"'<>|]{1,2048}@/gi, '$1***@');
