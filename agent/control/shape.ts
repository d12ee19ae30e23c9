/** The shapes of payloads: one description gives the type, the JSON schema and the check of what comes in. */

export type JsonSchema = Readonly<Record<string, unknown>>;

/** `T` is what fits; the schema says the same to others. */
export interface Shape<T> {
  readonly schema: JsonSchema;
  /** Only for the compiler. */
  readonly fits?: T;
}

export type Of<S> = S extends Shape<infer T> ? T : never;

interface Optional<T> extends Shape<T> {
  readonly optional: true;
}

type Fields = Readonly<Record<string, Shape<unknown>>>;
type OptionalNames<F extends Fields> = { [K in keyof F]: F[K] extends Optional<unknown> ? K : never }[keyof F];

export type ObjectOf<F extends Fields> = {
  readonly [K in Exclude<keyof F, OptionalNames<F>>]: Of<F[K]>;
} & { readonly [K in OptionalNames<F>]?: Of<F[K]> };

const described = (schema: JsonSchema, doc?: string): JsonSchema =>
  doc === undefined ? schema : { description: doc, ...schema };

export const text = (doc?: string, rules: JsonSchema = {}): Shape<string> => ({
  schema: described({ type: 'string', ...rules }, doc),
});
export const whole = (doc?: string, minimum = 0): Shape<number> => ({
  schema: described({ type: 'integer', minimum, maximum: Number.MAX_SAFE_INTEGER }, doc),
});
export const number = (doc?: string): Shape<number> => ({ schema: described({ type: 'number' }, doc) });
export const flag = (doc?: string): Shape<boolean> => ({ schema: described({ type: 'boolean' }, doc) });
export const oneOf = <const T extends string>(words: readonly T[], doc?: string): Shape<T> => ({
  schema: described({ enum: words }, doc),
});
export const list = <T>(item: Shape<T>, doc?: string): Shape<readonly T[]> => ({
  schema: described({ type: 'array', items: item.schema }, doc),
});
/** A map with names of any kind. */
export const map = <T>(item: Shape<T>, doc?: string): Shape<Readonly<Record<string, T>>> => ({
  schema: described({ type: 'object', additionalProperties: item.schema }, doc),
});
export const anything = (doc?: string): Shape<unknown> => ({ schema: described({}, doc) });
/** Any map: what is in it is described elsewhere. */
export const any = (doc: string): Shape<Readonly<Record<string, unknown>>> => ({
  schema: { description: doc, type: 'object' },
});
export const optional = <T>(shape: Shape<T>): Optional<T> => ({ ...shape, optional: true });
export const object = <F extends Fields>(fields: F, doc?: string): Shape<ObjectOf<F>> => ({
  schema: described(
    {
      type: 'object',
      additionalProperties: false,
      required: Object.keys(fields).filter((name) => !('optional' in (fields[name] ?? {}))),
      properties: Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema])),
    },
    doc,
  ),
});

/** The first thing that does not fit, as a clause with its path; undefined where everything fits. Knows the keywords that are used above. */
export function misfit(schema: JsonSchema, value: unknown, path = ''): string | undefined {
  const at = path === '' ? 'the payload' : path;
  const {
    type,
    enum: words,
    pattern,
    maxLength,
    minimum,
    maximum,
  } = schema as {
    type?: string;
    enum?: readonly unknown[];
    pattern?: string;
    maxLength?: number;
    minimum?: number;
    maximum?: number;
  };
  if (words) return words.includes(value) ? undefined : `${at} must be one of ${words.join(', ')}`;
  if (type !== undefined && !isOf(type, value)) return `${at} must be of type ${type}`;
  if (typeof value === 'string') {
    if (value.length > (maxLength ?? Infinity)) return `${at} is longer than ${maxLength} characters`;
    if (pattern !== undefined && !new RegExp(pattern, 'u').test(value)) return `${at} must match ${pattern}`;
  }
  if (typeof value === 'number' && (value < (minimum ?? -Infinity) || value > (maximum ?? Infinity)))
    return `${at} must be from ${minimum} to ${maximum}`;
  return type === 'object' ? misfitIn(schema, value as Record<string, unknown>, path) : undefined;
}

function misfitIn(schema: JsonSchema, value: Record<string, unknown>, path: string): string | undefined {
  const {
    properties = {},
    required = [],
    additionalProperties = true,
  } = schema as {
    properties?: Record<string, JsonSchema>;
    required?: readonly string[];
    additionalProperties?: boolean | JsonSchema;
  };
  const below = (name: string): string => (path === '' ? name : `${path}.${name}`);
  const missing = required.find((name) => !Object.hasOwn(value, name));
  if (missing !== undefined) return `${below(missing)} is missing`;
  for (const [name, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, name)) {
      const wrong = misfit(properties[name]!, item, below(name));
      if (wrong !== undefined) return wrong;
    } else if (additionalProperties === false) {
      return `${path === '' ? 'it' : path} holds an unknown name; known names: ${Object.keys(properties).join(', ')}`;
    }
  }
  return undefined;
}

function isOf(type: string, value: unknown): boolean {
  if (type === 'array') return Array.isArray(value);
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'object') return typeof value === 'object' && value !== null && !Array.isArray(value);
  return typeof value === type;
}
