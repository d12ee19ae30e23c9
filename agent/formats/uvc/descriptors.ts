/** USB descriptors of a camera: which extension units it has (USB 2.0, clause 9.6; USB Video Class 1.5, clause 3.7.2.7). */

/** Numbers of descriptor types, classes and subtypes: USB 2.0, table 9-5; USB Video Class 1.5, appendix A. */
const configurationType = 0x02;
const interfaceType = 0x04;
const classInterfaceType = 0x24;
const extensionUnit = 0x06;
const video = 0x0e;
const videoControl = 0x01;
const interfaceBytes = 9;

/** One extension unit of a camera. */
export interface ExtensionUnit {
  /** By which its controls are addressed. */
  readonly id: number;
  /** The numbers (selectors) of the controls that it says it has, from 1 on. */
  readonly selectors: readonly number[];
}

/** Which of a device's interfaces is meant, as sysfs has it in `1-1.2:1.0`: its configuration, and its number there. */
export interface UsbInterface {
  readonly configuration: number;
  readonly number: number;
}

/**
 * The extension unit with this GUID (16 bytes as they stand in descriptors) of the camera whose video control interface is `at`;
 * undefined where it has none. `descriptors`: the device's, followed by those of each configuration, as in the file `descriptors` of sysfs. Bytes
 * that make no sense end the search.
 */
export function findUnit(descriptors: Uint8Array, guid: Uint8Array, at: UsbInterface): ExtensionUnit | undefined {
  let configuration = -1;
  let isHere = false;
  for (const bytes of cut(descriptors)) {
    const type = bytes[1];
    if (type === configurationType) {
      configuration = bytes[5] ?? -1;
      isHere = false;
    }
    if (type === interfaceType) {
      const [, , number, , , kind, subclass] = bytes;
      isHere =
        bytes.length >= interfaceBytes &&
        configuration === at.configuration &&
        number === at.number &&
        kind === video &&
        subclass === videoControl;
    }
    if (!isHere || type !== classInterfaceType || bytes[2] !== extensionUnit) continue;
    if (guid.every((byte, index) => bytes[4 + index] === byte)) return unit(bytes);
  }
  return undefined;
}

/** bUnitID at 3, guidExtensionCode at 4, bNrInPins (p) at 21 and baSourceID behind it, then bControlSize (n) and bmControls: bit 0 is selector 1. */
function unit(bytes: Uint8Array): ExtensionUnit | undefined {
  const pins = bytes[21] ?? 0;
  const size = bytes[22 + pins] ?? 0;
  const bits = bytes.subarray(23 + pins, 23 + pins + size);
  const id = bytes[3]!;
  if (id === 0 || bits.length < size) return undefined;
  const selectors = [...bits].flatMap((byte, index) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * index + bit + 1),
  );
  return { id, selectors };
}

/** Each descriptor begins with its length and its type. */
function* cut(bytes: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at + 2 <= bytes.length;) {
    const length = bytes[at]!;
    if (length < 2 || at + length > bytes.length) return;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}
