import { deflateSync } from "fflate";

/** Values of a slice as a DICOM file has them; `undefined` leaves an element out. */
export interface SliceToWrite {
  readonly rows: number;
  readonly columns: number;
  readonly pixels: readonly number[];
  readonly position: readonly number[];
  readonly orientation?: readonly number[];
  readonly pixelSpacing?: readonly number[];
  readonly thickness?: number | undefined;
  readonly spacingBetween?: number;
  readonly series?: string;
  readonly description?: string;
  readonly instance?: number;
  readonly acquisition?: number;
  readonly tilt?: number;
  readonly slope?: number;
  readonly intercept?: number;
  readonly bits?: number;
  readonly stored?: number;
  readonly signed?: boolean;
  readonly samples?: number;
  readonly frames?: number;
  /** Adds sequences of undefined length, one within the other, and one of known length. */
  readonly sequences?: boolean;
}

export const syntaxes = {
  implicit: "1.2.840.10008.1.2",
  explicit: "1.2.840.10008.1.2.1",
  deflated: "1.2.840.10008.1.2.1.99",
  big: "1.2.840.10008.1.2.2",
} as const;

const join = (parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]));
const ascii = (text: string, fill = " "): Uint8Array => Uint8Array.from(Buffer.from(text.length % 2 === 0 ? text : text + fill, "latin1"));

/** Elements in one way of writing them. */
class Writer {
  constructor(private readonly explicit: boolean, private readonly little: boolean) {}

  private number(width: 2 | 4, value: number): Uint8Array {
    const bytes = new Uint8Array(width);
    const view = new DataView(bytes.buffer);
    if (width === 2) view.setUint16(0, value, this.little);
    else view.setUint32(0, value, this.little);
    return bytes;
  }
  private tag(tag: string): Uint8Array {
    return join([this.number(2, parseInt(tag.slice(0, 4), 16)), this.number(2, parseInt(tag.slice(4), 16))]);
  }
  element(tag: string, vr: string, bytes: Uint8Array, length = bytes.length): Uint8Array {
    if (!this.explicit) return join([this.tag(tag), this.number(4, length), bytes]);
    const wide = ["OB", "OW", "SQ", "UN"].includes(vr);
    return join([this.tag(tag), ascii(vr), ...(wide ? [this.number(2, 0), this.number(4, length)] : [this.number(2, length)]), bytes]);
  }
  text(tag: string, vr: string, text: string): Uint8Array {
    return this.element(tag, vr, ascii(text, vr === "UI" ? "\0" : " "));
  }
  short(tag: string, value: number): Uint8Array {
    return this.element(tag, "US", this.number(2, value));
  }
  /** A delimiter or item: no type in either way of writing. */
  mark(tag: string, length: number): Uint8Array {
    return join([this.tag(tag), this.number(4, length)]);
  }
  pixels(values: readonly number[], bits: number): Uint8Array {
    const bytes = new Uint8Array((values.length * bits) / 8);
    const view = new DataView(bytes.buffer);
    values.forEach((v, n) => (bits === 8 ? view.setUint8(n, v & 255) : bits === 16 ? view.setUint16(2 * n, v & 65535, this.little) : view.setUint32(4 * n, v >>> 0, this.little)));
    return bytes;
  }
}

/** A DICOM file of one slice. Only what a reader of volumes needs: a writer for tests. */
export const writeDicom = (slice: SliceToWrite, syntax: string = syntaxes.explicit): Uint8Array => {
  const { rows, columns, pixels, position, orientation = [1, 0, 0, 0, 1, 0], pixelSpacing = [1, 1], bits = 16, stored = bits, signed = false } = slice;
  const meta = new Writer(true, true);
  const w = new Writer(syntax !== syntaxes.implicit, syntax !== syntaxes.big);
  const decimal = (values: readonly number[]): string => values.map((v) => String(Number(v.toPrecision(12)))).join("\\");
  const optional = (tag: string, vr: string, value: number | string | undefined): Uint8Array[] => (value === undefined ? [] : [w.text(tag, vr, String(value))]);
  const undefinedLength = 0xffffffff;
  const sequences = slice.sequences
    ? [
        w.element("00081140", "SQ", join([w.mark("fffee000", undefinedLength), w.text("00081150", "UI", "1.2.3"), w.element("00081199", "SQ", join([w.mark("fffee000", 0), w.mark("fffee0dd", 0)]), undefinedLength), w.mark("fffee00d", 0), w.mark("fffee0dd", 0)]), undefinedLength),
        w.element("00081250", "SQ", join([w.mark("fffee000", w.text("00080060", "CS", "XX").length), w.text("00080060", "CS", "XX")])),
      ]
    : [];
  const body = join([
    w.text("00080016", "UI", "1.2.840.10008.5.1.4.1.1.2"),
    w.text("00080060", "CS", "CT"),
    ...optional("0008103e", "LO", slice.description),
    ...sequences,
    ...optional("00180050", "DS", slice.thickness),
    ...optional("00180088", "DS", slice.spacingBetween),
    ...optional("00181120", "DS", slice.tilt),
    w.text("0020000e", "UI", slice.series ?? "1.2.3.4"),
    ...optional("00200012", "IS", slice.acquisition),
    ...optional("00200013", "IS", slice.instance),
    w.text("00200032", "DS", decimal(position)),
    w.text("00200037", "DS", decimal(orientation)),
    w.short("00280002", slice.samples ?? 1),
    ...optional("00280008", "IS", slice.frames),
    w.short("00280010", rows),
    w.short("00280011", columns),
    w.text("00280030", "DS", decimal(pixelSpacing)),
    w.short("00280100", bits),
    w.short("00280101", stored),
    w.short("00280102", stored - 1),
    w.short("00280103", signed ? 1 : 0),
    ...optional("00281052", "DS", slice.intercept),
    ...optional("00281053", "DS", slice.slope),
    w.element("7fe00010", "OW", w.pixels(pixels, bits)),
  ]);
  const group = join([meta.element("00020001", "OB", Uint8Array.of(0, 1)), meta.text("00020010", "UI", syntax)]);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, group.length, true);
  return join([new Uint8Array(128), ascii("DICM"), meta.element("00020000", "UL", length), group, syntax === syntaxes.deflated ? deflateSync(body) : body]);
};
