import { add, extentOf, floorDivide, indexOf, integer, minimum, negate, remainder, scale, shift, variable, type Affine, type Variable } from "../../../../dsl/index.js";
import { atLeast } from "../../../conditions.js";
import type { Source, Value } from "../../../ir.js";
import { mapParts, read } from "../../../values.js";
import { Env } from "../../gpujs/keys.js";
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

/** What K is in a step: a block of the inner loops at one point of the outer ones. */
interface Step {
  readonly outer: Images;
  /** Number of the block. */
  readonly block: Affine;
  /** Number of the step, counted through the outer loops. */
  readonly number: Affine;
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
    this.row = this.named("row", tile.across, this.writer.index(remainder(this.thread, tile.across)));
    this.column = this.named("column", tile.down, this.writer.index(floorDivide(this.thread, tile.across)));
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
      family.sums.forEach((_, s) => this.forBlock((i, h) => writer.line(`var ${accumulator(f, s, i, h)} = vec4f();`))),
    );
    c.families.forEach((_, f) => this.family(f));
    this.epilogue();
  }

  private forBlock(visit: (row: number, vector: number) => void): void {
    for (let i = 0; i < this.tile.rows; i++) for (let h = 0; h < this.tile.columns / 4; h++) visit(i, h);
  }

  // ---- the sums

  private family(f: number): void {
    const { writer } = this;
    const family = this.c.families[f]!;
    const walk = walkOf(family);
    const count = product(walk.outer) * walk.steps;
    // Two steps are in memory: one is computed while the next one comes.
    const [left, right] = [(walk.depth * this.high) / 4, (walk.depth * this.wide) / 4];
    const copies = count > 1 ? 2 : 1;
    const a = this.shader.shared("leftTile", "vec4f", copies * left * family.lefts.length);
    const b = this.shader.shared("rightTile", "vec4f", copies * right * family.rights.length);
    const tiles = { a, b, left, right, copies };
    const first: Step = { outer: walk.outer.map((v) => [v, integer(0)] as const), block: integer(0), number: integer(0) };
    for (const store of this.load(f, walk, first)) store(tiles, "");
    writer.line("workgroupBarrier();");
    if (count === 1) {
      this.compute(f, walk, tiles, "");
      writer.line("workgroupBarrier();");
      return;
    }
    const t = writer.fresh("step");
    writer.nest("loop", `for (var ${t} = 0; ${t} < ${count}; ${t}++)`, () => {
      const stores = this.load(f, walk, this.step(walk, count, `min(${t} + 1, ${count - 1})`));
      this.compute(f, walk, tiles, `(${t} & 1)`);
      for (const store of stores) store(tiles, `((${t} + 1) & 1)`);
      writer.line("workgroupBarrier();");
    });
  }

  /** The step of a number, taken apart. */
  private step(walk: Walk, count: number, text: string): Step {
    const number = this.named("next", count, text);
    const block = this.named("block", walk.steps, this.writer.index(remainder(number, walk.steps)));
    const outer = digitsOf(floorDivide(number, walk.steps), walk.outer).map(([v, a]): readonly [Variable, Affine] => [v, a.terms.length === 0 ? a : this.named(v.name, extentOf(v), this.writer.index(a))]);
    return { outer, block, number };
  }

  /** Reads what a thread brings for a step; the stores are written later. */
  private load(f: number, walk: Walk, step: Step): ((tiles: Tiles, copy: string) => void)[] {
    const family = this.c.families[f]!;
    return [
      ...family.lefts.flatMap((_, l) => this.loadNumbers(family, walk, step, l, true)),
      ...family.rights.flatMap((_, r) => {
        const source = this.packed[f]![r];
        return source ? this.loadVectors(source, walk, step, r) : this.loadNumbers(family, walk, step, r, false);
      }),
    ];
  }

  /** Numbers of an operand, evaluated where they are needed. */
  private loadNumbers(family: Family, walk: Walk, step: Step, operand: number, isLeft: boolean): ((tiles: Tiles, copy: string) => void)[] {
    const { c, writer } = this;
    const side = isLeft ? this.high : this.wide;
    const variables = isLeft ? c.m : c.n;
    const value = (isLeft ? family.lefts : family.rights)[operand]!;
    const [extent, total] = [product(walk.inner), side * walk.depth];
    // Neighbouring threads read neighbours in memory.
    const alongK = walk.inner.length === 1 && Math.abs(strideIn(value, walk.inner[0]!)) === 1 && !(variables.length > 0 && Math.abs(strideIn(value, variables.at(-1)!)) === 1 && extentOf(variables.at(-1)!) >= 8);
    const stores: ((tiles: Tiles, copy: string) => void)[] = [];
    for (let j = 0; j * this.threads < total; j++) {
      const flat = shift(this.thread, j * this.threads);
      const whole = (j + 1) * this.threads <= total;
      const clamped = whole ? flat : minimum(flat, integer(total - 1));
      const [at, k] = alongK ? [floorDivide(clamped, walk.depth), remainder(clamped, walk.depth)] : [remainder(clamped, side), floorDivide(clamped, side)];
      const e = add(scale(step.block, walk.depth), k);
      const full = walk.steps * walk.depth === extent;
      const images = digitsOf(full ? e : minimum(e, integer(extent - 1)), walk.inner);
      const env = new Env([...this.batch, ...step.outer, ...images, ...this.decode(add(isLeft ? this.rows : this.columns, at), variables)]);
      let text = writer.value(value, env);
      if (!full) {
        const inside = writer.condition(atLeast(shift(negate(e), extent - 1)), env);
        if (inside !== true) text = `select(0f, ${text}, ${inside})`;
      }
      const kept = writer.keep(text);
      stores.push((tiles, copy) => {
        const [name, size] = isLeft ? [tiles.a, tiles.left] : [tiles.b, tiles.right];
        const address = writer.index(add(add(scale(k, side / 4), floorDivide(at, 4)), integer(operand * tiles.copies * size)));
        const store = (): void => writer.line(`${name}[${copy === "" ? "" : `${copy} * ${size} + `}${address}][${writer.index(remainder(at, 4))}] = ${kept};`);
        if (whole) store();
        else writer.branch(`${writer.index(flat)} < ${total}`, store);
      });
    }
    return stores;
  }

  /** Vectors of a packed operand. */
  private loadVectors(source: Source, walk: Walk, step: Step, operand: number): ((tiles: Tiles, copy: string) => void)[] {
    const { c, writer, wide } = this;
    const total = (walk.depth * wide) / 4;
    const across = Math.ceil(product(c.n) / wide) * (wide / 4);
    const batch = positionOf(c.batch, (v) => this.batch.find(([w]) => w === v)![1]);
    const stores: ((tiles: Tiles, copy: string) => void)[] = [];
    for (let j = 0; j * this.threads < total; j++) {
      const flat = shift(this.thread, j * this.threads);
      const whole = (j + 1) * this.threads <= total;
      const at = whole ? flat : minimum(flat, integer(total - 1));
      const k = floorDivide(at, wide / 4);
      const line = add(scale(add(scale(batch, product(walk.outer) * walk.steps), step.number), walk.depth), k);
      const address = add(add(scale(line, across), floorDivide(this.columns, 4)), remainder(at, wide / 4));
      const kept = writer.keep(this.shader.vector(source, writer.index(address)));
      stores.push((tiles, copy) => {
        const store = (): void => writer.line(`${tiles.b}[${copy === "" ? "" : `${copy} * ${tiles.right} + `}${writer.index(shift(flat, operand * tiles.copies * tiles.right))}] = ${kept};`);
        if (whole) store();
        else writer.branch(`${writer.index(flat)} < ${total}`, store);
      });
    }
    return stores;
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
    const begin = (of: string, size: number): string => (copy === "" ? "0" : writer.named(`${copy} * ${size}`, of));
    const [left, right] = [begin("left", tiles.left), begin("right", tiles.right)];
    const [row, column] = [writer.index(this.row), writer.index(this.column)];
    const at = (from: string, offset: number, own: string): string => [...(from === "0" ? [] : [from]), ...(offset > 0 ? [offset] : []), own].join(" + ");
    writer.nest("loop", `for (var ${k} = 0; ${k} < ${walk.depth}; ${k}++)`, () => {
      family.lefts.forEach((_, l) => {
        for (let g = 0; g < tile.rows / 4; g++) writer.line(`let a${l}_${g} = ${tiles.a}[${at(left, l * tiles.copies * tiles.left + g * tile.across, `${row} + ${k} * ${this.high / 4}`)}];`);
      });
      family.rights.forEach((_, r) => {
        for (let h = 0; h < tile.columns / 4; h++) writer.line(`let b${r}_${h} = ${tiles.b}[${at(right, r * tiles.copies * tiles.right + h * tile.down, `${column} + ${k} * ${this.wide / 4}`)}];`);
      });
      family.sums.forEach(({ products }, s) =>
        products.forEach(({ left: l, right: r }) =>
          this.forBlock((i, h) => writer.line(`${accumulator(f, s, i, h)} = fma(vec4f(a${l}_${i >> 2}.${parts[i & 3]}), b${r}_${h}, ${accumulator(f, s, i, h)});`)),
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
        this.shader.standIn(source, (at) => `${accumulator(f, s, Math.floor(Number(at) / tile.columns), Math.floor((Number(at) % tile.columns) / 4))}.${parts[Number(at) % 4]}`);
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
    const columnAt = (h: number, d: number): Affine => add(this.columns, add(scale(this.column, 4), integer(h * 4 * tile.down + d)));
    const within = (flat: Affine, end: number, write: () => void): void => {
      const test = writer.condition(atLeast(shift(negate(flat), end - 1)), new Env());
      if (test === true) write();
      else if (test !== false) writer.branch(test, write);
    };
    for (let h = 0; h < tile.columns / 4; h++)
      for (let d = 0; d < 4; d++)
        within(columnAt(h, d), n, () => {
          const columns = this.decode(columnAt(h, d), c.n);
          for (let i = 0; i < tile.rows; i++)
            within(rowAt(i), m, () => {
              const env = new Env([...this.batch, ...this.decode(rowAt(i), c.m), ...columns, [slot, integer(i * tile.columns + 4 * h + d)]]);
              writer.values([{ value: body, env }], (text) => shader.store(stage, writer.index(writer.keys.apply(place, env)), text));
            });
        });
  }
}

interface Tiles {
  /** Arrays of left and right operands, and vectors of one step of one operand. */
  readonly a: string;
  readonly b: string;
  readonly left: number;
  readonly right: number;
  /** Steps in memory. */
  readonly copies: number;
}

const accumulator = (f: number, s: number, row: number, vector: number): string => `sum${f}${s}_${row}_${vector}`;
