import { add, extentOf, floorDivide, indexOf, integer, minimum, negate, remainder, scale, shift, variable, type Affine, type Variable } from "../../../../dsl/index.js";
import { atLeast } from "../../../conditions.js";
import type { Source, Value } from "../../../ir.js";
import { mapParts, read } from "../../../values.js";
import { Env } from "../../text/keys.js";
import { digits } from "../map.js";
import { digitsOf, positionOf, product } from "../region.js";
import type { Section, Shader } from "../shader.js";
import type { Writer } from "../writer.js";
import type { Contraction, Family } from "./recognise.js";
import { heightOf, strideIn, threadsOf, walkOf, widthOf, type Tile, type Walk } from "./tiles.js";

type Images = readonly (readonly [Variable, Affine])[];

/** For each family and each of its right operands, the packed tensor to read instead. */
export type Packed = readonly (readonly (Source | undefined)[])[];

const parts = "xyzw";

/** A contraction, a block of M x N a workgroup. */
export const contractSection = (c: Contraction, tile: Tile, packed: Packed): Section => ({
  groups: product(c.batch) * Math.ceil(product(c.m) / heightOf(tile)) * Math.ceil(product(c.n) / widthOf(tile)),
  write: (shader, group) => new Contract(c, tile, packed, shader).write(group),
});

/** What K is in a step: a block of the inner loops at one point of the outer ones, whose variables are defined. */
interface Step {
  /** Where the outer loops without a variable of the shader are. */
  readonly outer: Images;
  /** Number of the block. */
  readonly block: Affine;
}

class Contract {
  private readonly writer: Writer;
  private readonly high: number;
  private readonly wide: number;
  private readonly threads: number;
  private readonly thread: Affine;
  private readonly row: Affine;
  private readonly column: Affine;
  private readonly decoded = new Map<string, Images>();
  private batch: Images = [];
  private rows: Affine = integer(0);
  private columns: Affine = integer(0);

  constructor(
    private readonly c: Contraction,
    private readonly tile: Tile,
    private readonly packed: Packed,
    private readonly shader: Shader,
  ) {
    this.writer = shader.writer;
    this.high = heightOf(tile);
    this.wide = widthOf(tile);
    this.threads = threadsOf(tile);
    this.thread = this.named("thread", this.threads, "i32(thread)");
    this.row = this.named("row", tile.across, `i32(thread % ${tile.across}u)`);
    this.column = this.named("column", tile.down, `i32(thread / ${tile.across}u)`);
  }

  /** A variable of the shader. */
  private named(name: string, extent: number, text: string): Affine {
    const v = variable(name, extent);
    this.writer.define(v, this.writer.named(text, name));
    return extent === 1 ? integer(0) : indexOf(v);
  }

  write(group: string): void {
    const { c, writer } = this;
    const [m, n] = [variable("m", Math.ceil(product(c.m) / this.high)), variable("n", Math.ceil(product(c.n) / this.wide))];
    const env = digits(this.shader, group, [...c.batch, m, n]);
    const at = (v: Variable): Affine => env.images.get(v) ?? indexOf(v);
    this.batch = c.batch.map((v) => [v, at(v)] as const);
    this.rows = scale(at(m), this.high);
    this.columns = scale(at(n), this.wide);
    c.families.forEach((family, f) =>
      family.sums.forEach((_, s) => this.forBlock((g, h) => writer.line(`var ${accumulator(f, s, g, h)} = vec4f();`))),
    );
    c.families.forEach((_, f) => this.family(f));
    this.epilogue();
  }

  /** All vectors that a thread sums up: four rows of one column each. */
  private forBlock(visit: (rows: number, column: number) => void): void {
    for (let g = 0; g < this.tile.rows / 4; g++) for (let h = 0; h < this.tile.columns; h++) visit(g, h);
  }

  // ---- the sums

  /**
   * The steps of a family. While one is computed, the next one is on its way from storage to registers, and goes to the
   * other copy in workgroup memory; the first turn computes nothing.
   */
  private family(f: number): void {
    const { writer } = this;
    const family = this.c.families[f]!;
    const walk = walkOf(family);
    const count = product(walk.outer) * walk.steps;
    const [left, right] = [(walk.depth * this.high) / 4, (walk.depth * this.wide) / 4];
    const copies = count > 1 ? 2 : 1;
    const a = this.shader.shared("leftTile", "vec4f", copies * left * family.lefts.length);
    const b = this.shader.shared("rightTile", "vec4f", copies * right * family.rights.length);
    const tiles = { a, b, left, right, copies };
    const block = variable("block", walk.steps);
    const at = (v: Variable): Affine => (extentOf(v) === 1 ? integer(0) : indexOf(v));
    const step: Step = { outer: walk.outer.filter((v) => extentOf(v) === 1).map((v) => [v, integer(0)] as const), block: at(block) };
    if (count === 1) {
      for (const store of this.load(f, walk, step)) store(tiles, "");
      writer.line("workgroupBarrier();");
      this.compute(f, walk, tiles, "");
      writer.line("workgroupBarrier();");
      return;
    }
    const turn = writer.fresh("turn");
    writer.line(`var ${turn} = 0u;`);
    const loops = [...walk.outer, block].filter((v) => extentOf(v) > 1);
    const nest = (k: number): void => {
      if (k < loops.length) return writer.loop(loops[k]!, () => nest(k + 1));
      const stores = this.load(f, walk, step);
      // Unsigned remainders: of those, WGSL compilers know that no bounds check is needed.
      writer.branch(`${turn} > 0u`, () => this.compute(f, walk, tiles, writer.named(`i32((${turn} + 1u) % 2u)`, "from")));
      const into = writer.named(`i32(${turn} % 2u)`, "into");
      for (const store of stores) store(tiles, into);
      writer.line(`${turn}++;`);
      writer.line("workgroupBarrier();");
    };
    nest(0);
    this.compute(f, walk, tiles, `${(count - 1) & 1}`);
    writer.line("workgroupBarrier();");
  }

  /** Reads what a thread brings for a step; the stores are written later. */
  private load(f: number, walk: Walk, step: Step): Store[] {
    const family = this.c.families[f]!;
    return [
      ...family.lefts.flatMap((_, l) => this.loadNumbers(family, walk, step, l, true)),
      ...family.rights.flatMap((_, r) => {
        const source = this.packed[f]![r];
        return source ? this.loadVectors(source, walk, step, r) : this.loadNumbers(family, walk, step, r, false);
      }),
    ];
  }

  /** Numbers of an operand, evaluated where they are needed: four neighbouring rows (or columns) a time, at one position of K. */
  private loadNumbers(family: Family, walk: Walk, step: Step, operand: number, isLeft: boolean): Store[] {
    const { c, writer } = this;
    const side = (isLeft ? this.high : this.wide) / 4;
    const variables = isLeft ? c.m : c.n;
    const value = (isLeft ? family.lefts : family.rights)[operand]!;
    const [extent, total] = [product(walk.inner), side * walk.depth];
    const full = walk.steps * walk.depth === extent;
    // Neighbouring threads read neighbours in memory.
    const alongK = walk.inner.length === 1 && Math.abs(strideIn(value, walk.inner[0]!)) === 1 && !(variables.length > 0 && Math.abs(strideIn(value, variables.at(-1)!)) === 1 && extentOf(variables.at(-1)!) >= 8);
    return this.share(total, (flat, store) => {
      const [at, k] = alongK ? [floorDivide(flat, walk.depth), remainder(flat, walk.depth)] : [remainder(flat, side), floorDivide(flat, side)];
      const e = add(scale(step.block, walk.depth), k);
      const images = digitsOf(full ? e : minimum(e, integer(extent - 1)), walk.inner);
      const env = (d: number): Env => new Env([...this.batch, ...step.outer, ...images, ...this.decode(add(isLeft ? this.rows : this.columns, shift(scale(at, 4), d)), variables)]);
      const texts: string[] = [];
      writer.values([0, 1, 2, 3].map((d) => ({ value, env: env(d) })), (text) => texts.push(text));
      let text = `vec4f(${texts.join(", ")})`;
      if (!full) {
        const inside = writer.condition(atLeast(shift(negate(e), extent - 1)), env(0));
        if (inside !== true) text = `select(vec4f(), ${text}, ${inside})`;
      }
      const kept = writer.keep(text);
      return (tiles, copy) => {
        const [name, size] = isLeft ? [tiles.a, tiles.left] : [tiles.b, tiles.right];
        const address = writer.index(shift(add(scale(k, side), at), operand * tiles.copies * size));
        store(() => writer.line(`${name}[${offset(copy, size)}${address}] = ${kept};`));
      };
    });
  }

  /** Vectors of a packed operand. */
  private loadVectors(source: Source, walk: Walk, step: Step, operand: number): Store[] {
    const { c, writer, wide } = this;
    const across = Math.ceil(product(c.n) / wide) * (wide / 4);
    const batch = positionOf(c.batch, (v) => this.batch.find(([w]) => w === v)![1]);
    const outer = positionOf(walk.outer, (v) => (extentOf(v) === 1 ? integer(0) : indexOf(v)));
    const number = add(scale(add(scale(batch, product(walk.outer)), outer), walk.steps), step.block);
    return this.share((walk.depth * wide) / 4, (flat, store) => {
      const line = add(scale(number, walk.depth), floorDivide(flat, wide / 4));
      const address = add(add(scale(line, across), floorDivide(this.columns, 4)), remainder(flat, wide / 4));
      const kept = writer.keep(this.shader.vector(source, writer.index(address)));
      return (tiles, copy) => store(() => writer.line(`${tiles.b}[${offset(copy, tiles.right)}${writer.index(shift(flat, operand * tiles.copies * tiles.right))}] = ${kept};`));
    });
  }

  /** Divides `total` vectors among the threads; those that are left over in the last turn load one again, and store none. */
  private share(total: number, load: (flat: Affine, store: (write: () => void) => void) => Store): Store[] {
    const { writer, threads } = this;
    return Array.from({ length: Math.ceil(total / threads) }, (_, j) => {
      const flat = shift(this.thread, j * threads);
      if ((j + 1) * threads <= total) return load(flat, (write) => write());
      return load(minimum(flat, integer(total - 1)), (write) => writer.branch(`${writer.index(flat)} < ${total}`, write));
    });
  }

  /** Variables at a row or a column, as names; beyond the last one they stay at the last. */
  private decode(flat: Affine, variables: readonly Variable[]): Images {
    const key = `${flat.key} ${variables.map((v) => v.id).join()}`;
    let images = this.decoded.get(key);
    if (!images) {
      const { writer } = this;
      const home = writer.home(writer.keys.variablesOf(flat), true);
      images = writer.within(home, () => {
        const last = product(variables) - 1;
        const clamped = this.named("at", last + 1, writer.index(minimum(flat, integer(last))));
        return digitsOf(clamped, variables).map(([v, a]): readonly [Variable, Affine] => [v, a.terms.length === 0 ? a : this.named(v.name, extentOf(v), writer.index(a))]);
      });
      this.decoded.set(key, images);
    }
    return images;
  }

  /** All products of a step that is in memory. */
  private compute(f: number, walk: Walk, tiles: Tiles, copy: string): void {
    const { writer, tile } = this;
    const family = this.c.families[f]!;
    const k = writer.fresh("k");
    const begin = (size: number): string => offset(copy, size);
    const [row, column] = [writer.index(this.row), writer.index(this.column)];
    const at = (size: number, fixed: number, own: string): string => `${begin(size)}${[...(fixed > 0 ? [fixed] : []), own].join(" + ")}`;
    writer.nest("loop", `for (var ${k} = 0; ${k} < ${walk.depth}; ${k}++)`, () => {
      family.lefts.forEach((_, l) => {
        for (let g = 0; g < tile.rows / 4; g++) writer.line(`let a${l}_${g} = ${tiles.a}[${at(tiles.left, l * tiles.copies * tiles.left + g * tile.across, `${row} + ${k} * ${this.high / 4}`)}];`);
      });
      family.rights.forEach((_, r) => {
        for (let h = 0; h < tile.columns / 4; h++) writer.line(`let b${r}_${h} = ${tiles.b}[${at(tiles.right, r * tiles.copies * tiles.right + h * tile.down, `${column} + ${k} * ${this.wide / 4}`)}];`);
      });
      family.sums.forEach(({ products }, s) =>
        products.forEach(({ left: l, right: r }) =>
          this.forBlock((g, h) => writer.line(`${accumulator(f, s, g, h)} = fma(a${l}_${g}, vec4f(b${r}_${h >> 2}.${parts[h & 3]}), ${accumulator(f, s, g, h)});`)),
        ),
      );
    });
  }

  // ---- the epilogue

  /** What is around the sums, which are seen as the elements, at `slot`, of what a thread has summed up. */
  private around(): { readonly body: Value; readonly slot: Variable } {
    const { c, tile } = this;
    const slot = variable("slot", tile.rows * tile.columns);
    const images = new Map<Value, Value>();
    c.families.forEach((family, f) =>
      family.sums.forEach(({ reduce }, s) => {
        const source: Source = { kind: "input", name: "sums", shape: [extentOf(slot)] };
        this.shader.standIn(source, (at) => `${accumulator(f, s, Math.floor(Number(at) / 4 / tile.columns), Math.floor(Number(at) / 4) % tile.columns)}.${parts[Number(at) & 3]}`);
        images.set(reduce, read(source, [indexOf(slot)]));
      }),
    );
    const go = (v: Value): Value => images.get(v) ?? mapParts(v, go, (a) => a);
    return { body: go(c.region.body), slot };
  }

  private epilogue(): void {
    const { c, tile, writer, shader } = this;
    const { stage, place } = c.region;
    const { body, slot } = this.around();
    const [m, n] = [product(c.m), product(c.n)];
    const rowAt = (i: number): Affine => add(this.rows, add(scale(this.row, 4), integer((i >> 2) * 4 * tile.across + (i & 3))));
    const columnAt = (h: number): Affine => add(this.columns, add(scale(this.column, 4), integer((h >> 2) * 4 * tile.down + (h & 3))));
    const within = (flat: Affine, end: number, write: () => void): void => {
      const test = writer.condition(atLeast(shift(negate(flat), end - 1)), new Env());
      if (test === true) write();
      else if (test !== false) writer.branch(test, write);
    };
    const value = (i: number, h: number): { value: Value; env: Env } => ({
      value: body,
      env: new Env([...this.batch, ...this.decode(rowAt(i), c.m), ...this.decode(columnAt(h), c.n), [slot, integer(4 * ((i >> 2) * tile.columns + h) + (i & 3))]]),
    });
    const address = (env: Env): Affine => writer.keys.apply(place, env);
    for (let h = 0; h < tile.columns; h++)
      within(columnAt(h), n, () => {
        for (let g = 0; g < tile.rows / 4; g++) {
          const rows = [0, 1, 2, 3].map((d) => 4 * g + d);
          if (shader.storesVectors) {
            within(rowAt(4 * g), m, () => {
              const texts: string[] = [];
              writer.values(rows.map((i) => value(i, h)), (text) => texts.push(text));
              shader.storeVector(stage, address(value(4 * g, h).env), `vec4f(${texts.join(", ")})`);
            });
          } else for (const i of rows) within(rowAt(i), m, () => writer.values([value(i, h)], (text) => shader.store(stage, writer.index(address(value(i, h).env)), text)));
        }
      });
  }
}

/** Writes what was loaded to a copy of a tile. */
type Store = (tiles: Tiles, copy: string) => void;

interface Tiles {
  /** Arrays of left and right operands, and vectors of one step of one operand. */
  readonly a: string;
  readonly b: string;
  readonly left: number;
  readonly right: number;
  /** Steps in memory. */
  readonly copies: number;
}

const accumulator = (f: number, s: number, rows: number, column: number): string => `sum${f}${s}_${rows}_${column}`;

/** Where a copy of a tile begins, to be added to. */
const offset = (copy: string, size: number): string => (copy === "" || copy === "0" ? "" : /^\d+$/.test(copy) ? `${Number(copy) * size} + ` : `${copy} * ${size} + `);
