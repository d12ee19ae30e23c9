/** AMF0 (Adobe, 2007): the values that RTMP commands and FLV script tags are made of. */

export type Amf = number | boolean | string | null | undefined | Amf[] | { [name: string]: Amf };

function name(text: string): Buffer {
  const bytes = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

export function encodeAmf(...values: readonly Amf[]): Buffer {
  return Buffer.concat(values.map(one));
}

function one(value: Amf): Buffer {
  if (typeof value === 'number') {
    const bytes = Buffer.alloc(9);
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (typeof value === 'boolean') return Buffer.from([1, value ? 1 : 0]);
  if (typeof value === 'string') return Buffer.concat([Buffer.from([2]), name(value)]);
  if (value === null) return Buffer.from([5]);
  if (value === undefined) return Buffer.from([6]);
  if (Array.isArray(value)) {
    const head = Buffer.from([10, 0, 0, 0, 0]);
    head.writeUInt32BE(value.length, 1);
    return Buffer.concat([head, ...value.map(one)]);
  }
  const fields = Object.entries(value).flatMap(([key, field]) => [name(key), one(field)]);
  return Buffer.concat([Buffer.from([3]), ...fields, Buffer.from([0, 0, 9])]);
}

/** All values in `bytes`. Throws at a type that RTMP does not use, or where the bytes end too early. */
export function decodeAmf(bytes: Buffer): Amf[] {
  let at = 0;

  function take(count: number): Buffer {
    if (at + count > bytes.length) throw new RangeError('AMF0 ends too early');
    at += count;
    return bytes.subarray(at - count, at);
  }
  const short = (): string => take(take(2).readUInt16BE()).toString();

  function fields(): { [name: string]: Amf } {
    const object: { [name: string]: Amf } = {};
    for (;;) {
      const key = short();
      if (key === '' && bytes[at] === 9) {
        at += 1;
        return object;
      }
      object[key] = value();
    }
  }

  function value(): Amf {
    const type = take(1)[0]!;
    switch (type) {
      case 0:
        return take(8).readDoubleBE();
      case 1:
        return take(1)[0] !== 0;
      case 2:
        return short();
      case 3:
        return fields();
      case 5:
        return null;
      case 6:
        return undefined;
      case 8:
        take(4);
        return fields();
      case 10:
        return Array.from({ length: take(4).readUInt32BE() }, value);
      case 11:
        return take(10).readDoubleBE();
      case 12:
        return take(take(4).readUInt32BE()).toString();
      default:
        throw new RangeError(`AMF0 type ${type} at ${at - 1}`);
    }
  }

  const values: Amf[] = [];
  while (at < bytes.length) values.push(value());
  return values;
}
