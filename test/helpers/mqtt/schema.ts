/** A JSON schema as others would apply it: whether a value fits, independently of what the program itself checks. */
import assert from 'node:assert/strict';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** The keywords of JSON schema that ours uses; any other one fails the test. */
export function accepts(schema: Record<string, unknown>, value: Json): boolean {
  const type = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  const object = type === 'object' ? (value as Record<string, Json>) : undefined;
  return Object.entries(schema).every(([keyword, rule]) => {
    switch (keyword) {
      case '$schema':
      case 'title':
      case 'description':
      case 'default':
      case 'writeOnly':
        return true;
      case 'required':
        return !object || (rule as string[]).every((name) => Object.hasOwn(object, name));
      case 'type':
        return [rule as string | string[]]
          .flat()
          .some((one) => one === type || (one === 'integer' && Number.isInteger(value)));
      case 'enum':
        return (rule as Json[]).includes(value);
      case 'const':
        return value === rule;
      case 'anyOf':
        return (rule as Record<string, unknown>[]).some((one) => accepts(one, value));
      case 'not':
        return !accepts(rule as Record<string, unknown>, value);
      case 'minimum':
        return typeof value !== 'number' || value >= (rule as number);
      case 'maximum':
        return typeof value !== 'number' || value <= (rule as number);
      case 'multipleOf':
        return typeof value !== 'number' || value % (rule as number) === 0;
      case 'minLength':
        return typeof value !== 'string' || value.length >= (rule as number);
      case 'maxLength':
        return typeof value !== 'string' || value.length <= (rule as number);
      case 'pattern':
        return typeof value !== 'string' || new RegExp(rule as string, 'u').test(value);
      case 'maxItems':
        return !Array.isArray(value) || value.length <= (rule as number);
      case 'items':
        return !Array.isArray(value) || value.every((item) => accepts(rule as Record<string, unknown>, item));
      case 'maxProperties':
        return !object || Object.keys(object).length <= (rule as number);
      case 'propertyNames':
        return Object.keys(object ?? {}).every((name) => accepts(rule as Record<string, unknown>, name));
      case 'properties':
        return Object.entries(rule as Record<string, Record<string, unknown>>).every(
          ([name, sub]) => !object || !Object.hasOwn(object, name) || accepts(sub, object[name] ?? null),
        );
      case 'additionalProperties': {
        const known = Object.keys((schema['properties'] as object | undefined) ?? {});
        const more = Object.entries(object ?? {}).filter(([name]) => !known.includes(name));
        return rule === false
          ? more.length === 0
          : more.every(([, item]) => accepts(rule as Record<string, unknown>, item));
      }
      default:
        return assert.fail(`keyword ${keyword} is not known here`);
    }
  });
}

/** What of the messages that a device wrote does not fit the schema of its topic; `prefix` as in `makercast/v1/kitchen`. */
export function misfits(
  heard: readonly { readonly topic: string; readonly text: string }[],
  table: Readonly<
    Record<
      string,
      { readonly topic: string; readonly direction: string; readonly payload: { readonly schema: object } }
    >
  >,
  prefix: string,
): string[] {
  const out = Object.values(table).filter(({ direction }) => direction === 'out');
  return heard.flatMap(({ topic, text }) => {
    const name = topic.slice(prefix.length + 1).replace(/^cmd\/[^/]+\/ack$/, 'cmd/{command}/ack');
    const entry = topic.startsWith(`${prefix}/`) ? out.find((each) => each.topic === name) : undefined;
    if (!entry || accepts(entry.payload.schema as Record<string, unknown>, JSON.parse(text) as Json)) return [];
    return [`${topic}: ${text.slice(0, 500)}`];
  });
}
