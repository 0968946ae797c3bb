import { DEFAULT_MAX_BYTES, inflate, type Limits } from "./inflate.js";
import { refuse } from "./ndarray.js";

/** A data element: its tag as `ggggeeee` in hexadecimal, its type ("" where the file does not say), its bytes. */
export interface DicomElement {
  readonly vr: string;
  readonly bytes: Uint8Array;
}

export interface DicomDataSet {
  /** Elements of the outermost level; sequences are skipped. */
  readonly elements: ReadonlyMap<string, DicomElement>;
  readonly littleEndian: boolean;
  /** How it is written, by UID. */
  readonly transferSyntax: string;
}

const bad = (what: string): never => refuse("format-dicom", `the DICOM file is malformed: ${what}`, "Fetch it again.");

const IMPLICIT = "1.2.840.10008.1.2";
const DEFLATED = "1.2.840.10008.1.2.1.99";
const BIG = "1.2.840.10008.1.2.2";
const readable = new Set([IMPLICIT, "1.2.840.10008.1.2.1", DEFLATED, BIG]);

/** Transfer syntaxes that are not read, by what they are called. */
const compressed: Readonly<Record<string, string>> = {
  "1.2.840.10008.1.2.4.50": "JPEG baseline",
  "1.2.840.10008.1.2.4.51": "JPEG extended",
  "1.2.840.10008.1.2.4.57": "JPEG lossless",
  "1.2.840.10008.1.2.4.70": "JPEG lossless, first-order prediction",
  "1.2.840.10008.1.2.4.80": "JPEG-LS lossless",
  "1.2.840.10008.1.2.4.81": "JPEG-LS near-lossless",
  "1.2.840.10008.1.2.4.90": "JPEG 2000 lossless",
  "1.2.840.10008.1.2.4.91": "JPEG 2000",
  "1.2.840.10008.1.2.4.201": "High-Throughput JPEG 2000 lossless",
  "1.2.840.10008.1.2.4.202": "High-Throughput JPEG 2000 RPCL",
  "1.2.840.10008.1.2.4.203": "High-Throughput JPEG 2000",
  "1.2.840.10008.1.2.5": "RLE",
};

/** Whether these bytes are a DICOM file with its preamble. */
export const isDicom = (bytes: Uint8Array): boolean => bytes.length >= 132 && bytes[128] === 0x44 && bytes[129] === 0x49 && bytes[130] === 0x43 && bytes[131] === 0x4d;

/** Types whose length takes four bytes after two that are reserved. */
const long = new Set(["OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"]);
const UNDEFINED = 0xffffffff;
const DEPTH_LIMIT = 64;

/**
 * Reads the elements of a DICOM file (part 10 of the standard): implicit and explicit types, little and big endian, deflated. Nothing is decoded, pixels stay where they are.
 * @see https://dicom.nema.org/medical/dicom/current/output/html/part10.html
 * @throws `format-dicom`, `format-dicom-compressed` naming the compression, `format-truncated`, and what inflating throws
 */
export const readDicomElements = (bytes: Uint8Array, { maxBytes = DEFAULT_MAX_BYTES }: Limits = {}): DicomDataSet => {
  if (!isDicom(bytes)) refuse("format-dicom", "not a DICOM file: there is no DICM after a preamble of 128 bytes");
  // The meta information, group 2, is always explicit and little endian.
  const meta = new Reader(bytes, 132, true, true);
  const header = meta.meta();
  const syntax = textOf(header.get("00020010")) || bad("it names no transfer syntax");
  if (!readable.has(syntax)) {
    const name = compressed[syntax] ?? (syntax.startsWith("1.2.840.10008.1.2.4.10") ? "MPEG" : undefined);
    refuse("format-dicom-compressed", `the pixels of the DICOM file are compressed: ${name ? `${name}, ` : ""}transfer syntax ${syntax.slice(0, 64)}`, "Decompress it first, for example: gdcmconv --raw in.dcm out.dcm, or dcmdjpeg of DCMTK.");
  }
  const body = syntax === DEFLATED ? inflate(bytes, meta.at, 0, { maxBytes }).data : bytes;
  const reader = new Reader(body, syntax === DEFLATED ? 0 : meta.at, syntax !== IMPLICIT, syntax !== BIG);
  return { elements: reader.elements(), littleEndian: syntax !== BIG, transferSyntax: syntax };
};

/** The text of an element, without the padding. */
export const textOf = (element: DicomElement | undefined): string => (element ? new TextDecoder("latin1").decode(element.bytes.subarray(0, 1024)).replace(/[\0 ]+$/, "").trim() : "");

class Reader {
  private readonly view: DataView;

  constructor(private readonly bytes: Uint8Array, public at: number, private readonly explicit: boolean, private readonly little: boolean) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** The elements of group 2. They state their length; where they don't, they end at the first of another group. */
  meta(): Map<string, DicomElement> {
    const found = new Map<string, DicomElement>();
    let end = Infinity;
    while (this.at < end && this.at + 8 <= this.bytes.length && this.view.getUint16(this.at, true) === 2) {
      const { tag, vr, length } = this.head();
      const bytes = this.take(length);
      found.set(tag, { vr, bytes });
      if (tag === "00020000" && length === 4) end = this.at + this.view.getUint32(this.at - 4, true);
    }
    return found;
  }

  /** Elements of the outermost level. */
  elements(): Map<string, DicomElement> {
    const found = new Map<string, DicomElement>();
    while (this.at < this.bytes.length) {
      const { tag, vr, length } = this.head();
      if (tag === "00000000" && length === 0) break; // zeros after the last element
      if (length === UNDEFINED) {
        if (tag === "7fe00010") refuse("format-dicom-compressed", "the pixels of the DICOM file are in fragments: they are compressed, whatever its transfer syntax says", "Decompress it first.");
        this.skipItems(1);
      } else {
        const bytes = this.take(length);
        if (vr !== "SQ") found.set(tag, { vr, bytes });
      }
    }
    return found;
  }

  private need(length: number): void {
    if (!(length <= this.bytes.length - this.at)) refuse("format-truncated", `the DICOM file needs ${length} bytes at byte ${this.at}; it has ${this.bytes.length - this.at} left`, "The file is incomplete: fetch it again.");
  }
  private take(length: number): Uint8Array {
    this.need(length);
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
  private u16(): number {
    this.need(2);
    this.at += 2;
    return this.view.getUint16(this.at - 2, this.little);
  }
  private u32(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, this.little);
  }

  private head(): { tag: string; vr: string; length: number } {
    const tag = [this.u16(), this.u16()].map((n) => n.toString(16).padStart(4, "0")).join("");
    // Delimiters have no type.
    if (!this.explicit || tag.startsWith("fffe")) return { tag, vr: "", length: this.u32() };
    const vr = String.fromCharCode(...this.take(2));
    if (!/^[A-Z]{2}$/.test(vr)) bad(`element ${tag} at byte ${this.at - 6} has no type`);
    if (!long.has(vr)) return { tag, vr, length: this.u16() };
    this.at += 2;
    return { tag, vr, length: this.u32() };
  }

  /** The items of a sequence of undefined length, up to its delimiter. */
  private skipItems(depth: number): void {
    if (depth > DEPTH_LIMIT) bad(`sequences more than ${DEPTH_LIMIT} deep`);
    for (;;) {
      const { tag, length } = this.head();
      if (tag === "fffee0dd") return;
      if (tag !== "fffee000") bad(`element ${tag} where an item of a sequence should be, at byte ${this.at}`);
      if (length !== UNDEFINED) this.take(length);
      else this.skipElements(depth);
    }
  }

  /** The elements of an item of undefined length, up to its delimiter. */
  private skipElements(depth: number): void {
    for (;;) {
      const { tag, length } = this.head();
      if (tag === "fffee00d") return;
      if (length === UNDEFINED) this.skipItems(depth + 1);
      else this.take(length);
    }
  }
}
