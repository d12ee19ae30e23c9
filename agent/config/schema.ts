/** The JSON schema of the settings file, made from the rows. */
import { HOURS, ZONE } from './hours.js';
import { TEXT_MAX, URL_MAX, WORDS_MAX, type Row } from './row.js';
import { isOutputRow, OUTPUT_NAME, OUTPUTS_MAX, rows } from './settings.js';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** JSON schema, draft 2020-12. Anything may be `null`, which removes what a lower layer says. */
export function jsonSchema(): JsonSchema {
  const sections = new Map<string, Record<string, JsonSchema>>();
  const output: Record<string, JsonSchema> = {};
  for (const row of rows) {
    const [section = '', field = '', outputField = ''] = row.path.split('.');
    if (isOutputRow(row)) output[outputField] = property(row);
    else sections.set(section, { ...sections.get(section), [field]: property(row) });
  }
  const outputs = {
    type: ['object', 'null'],
    description: 'Destinations by name.',
    propertyNames: { pattern: OUTPUT_NAME.source, not: { const: 'constructor' } },
    maxProperties: OUTPUTS_MAX,
    additionalProperties: section(output),
  };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Settings of makercast',
    ...section({ ...Object.fromEntries([...sections].map(([name, fields]) => [name, section(fields)])), outputs }),
  };
}

function section(properties: Readonly<Record<string, unknown>>): JsonSchema {
  return { type: ['object', 'null'], additionalProperties: false, properties };
}

function property(row: Row): JsonSchema {
  const unit = row.unit === undefined ? '' : ` Unit: ${row.unit}.`;
  const description = `${row.doc}${unit} A change takes: ${row.cost}.`;
  return { description, default: row.default, ...(row.secret ? { writeOnly: true } : {}), ...values(row) };
}

function values({ form }: Row): JsonSchema {
  switch (form.type) {
    case 'integer':
    case 'number': {
      const even = form.even ? { multipleOf: 2 } : {};
      const range = { minimum: form.min, maximum: form.max, ...even };
      if (!form.words) return { type: [form.type, 'null'], ...range };
      return { anyOf: [{ type: form.type, ...range }, { enum: [...form.words, null] }] };
    }
    case 'boolean':
      return { type: ['boolean', 'null'] };
    case 'choice':
      return { enum: [...form.choices, null] };
    case 'text':
      return { type: ['string', 'null'], minLength: form.lines ? 0 : 1, maxLength: TEXT_MAX };
    case 'word':
      return { type: ['string', 'null'], pattern: form.pattern.source, maxLength: TEXT_MAX };
    case 'words': {
      const item = { type: 'string', pattern: form.pattern.source, maxLength: TEXT_MAX };
      return { anyOf: [item, { type: 'array', items: item, maxItems: WORDS_MAX }, { type: 'null' }] };
    }
    case 'hours':
      // That they must not end as they begin is beyond a schema of readable size.
      return { type: ['string', 'null'], pattern: HOURS.source };
    case 'zone':
      return { type: ['string', 'null'], pattern: ZONE.source };
    case 'paths':
      return { type: ['string', 'array', 'null'], minLength: 1, items: { type: 'string', minLength: 1 } };
    case 'url':
      return { type: ['string', 'null'], maxLength: URL_MAX, pattern: '^([Rr][Tt][Mm][Pp][Ss]?://[^\\s]+)?$' };
    case 'key':
      return { type: ['string', 'null'], maxLength: TEXT_MAX };
  }
}
