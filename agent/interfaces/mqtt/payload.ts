/** Bytes from the broker as a value, or why they are not one. */
import type { Refusal } from '../../steering/decision.js';

/** Settings with 1000 file names are longer than anything that is meant; a broker may pass on 256 MB. */
export const maxBytes = 256 * 1024;
/** Settings are three maps deep. */
const maxDepth = 16;

export function parse(payload: Buffer): { readonly value: unknown } | Refusal {
  const malformed = (message: string): Refusal => ({ path: '', code: 'document_malformed', message });
  if (payload.length > maxBytes) return malformed(`The payload is longer than ${maxBytes} bytes.`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(payload);
  } catch {
    return malformed('The payload is not UTF-8.');
  }
  if (isDeep(text)) return malformed(`The payload is nested deeper than ${maxDepth} levels.`);
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return malformed('The payload is not JSON.');
  }
}

/** Before it is parsed, since whatever walks through the value would run out of stack. */
function isDeep(text: string): boolean {
  let depth = 0;
  let inText = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (inText) {
      if (character === '\\') i += 1;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === '[' || character === '{') depth += 1;
    else if (character === ']' || character === '}') depth -= 1;
    if (depth > maxDepth) return true;
  }
  return false;
}
