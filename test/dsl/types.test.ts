import { describe, expect, expectTypeOf, it } from "vitest";
import {
  compile, constant, fn, pad, reshape, slice, stack, sum, tensor, transpose,
  type AnyTensor, type Compiled, type Image, type Index, type InputValue, type Kernel2d, type Kernel3d, type Matrix, type Result, type Scalar, type Tensor, type Vector, type Volume,
} from "../../src/index.js";

// The functions below are never called: `tsc -p .` is the test, and an @ts-expect-error without an error is one.
declare const x: Volume;
declare const w: Kernel2d;
declare const any: AnyTensor;

describe("tensors", () => {
  it("have the rank of their indices", () => {
    expectTypeOf<Volume>().toEqualTypeOf<Tensor<[n: number, c: number, d: number, h: number, v: number]>>();
    expectTypeOf<Image>().toEqualTypeOf<Tensor<[n: Index, c: Index, h: Index, v: Index]>>();
    expectTypeOf<Kernel3d>().toEqualTypeOf<Tensor<[o: Index, c: Index, i: Index, j: Index, k: Index]>>();
    expectTypeOf<Kernel2d>().toEqualTypeOf<Tensor<[o: Index, c: Index, i: Index, j: Index]>>();
    expectTypeOf<Matrix["rank"]>().toEqualTypeOf<2>();
    expectTypeOf<Vector["shape"]>().toEqualTypeOf<readonly [i: number]>();
    expectTypeOf<Volume["shape"]>().toEqualTypeOf<readonly [n: number, c: number, d: number, h: number, v: number]>();
    expectTypeOf<Scalar["shape"]>().toEqualTypeOf<readonly []>();
    expectTypeOf<Parameters<Volume>>().toEqualTypeOf<[n: number, c: number, d: number, h: number, v: number]>();
    expectTypeOf<ReturnType<Volume>>().toEqualTypeOf<number>();
  });

  it("are any tensor, and not each other", () => {
    expectTypeOf<Volume>().toExtend<AnyTensor>();
    expectTypeOf<Scalar>().toExtend<AnyTensor>();
    expectTypeOf<Tensor>().toExtend<AnyTensor>();
    expectTypeOf<Volume>().not.toExtend<Image>();
    expectTypeOf<Image>().not.toExtend<Volume>();
    expectTypeOf<number>().not.toExtend<AnyTensor>();
  });

  it("refuse a wrong number of indices, and what is no number", () => {
    const wrong = () => {
      // @ts-expect-error five indices are needed
      x(0, 0, 0, 0);
      // @ts-expect-error six are too many
      x(0, 0, 0, 0, 0, 0);
      // @ts-expect-error an index is a number
      w("0", 0, 0, 0);
      // @ts-expect-error the rank of any tensor is not known
      any(0);
      // @ts-expect-error shapes are not written to
      x.shape[0] = 3;
      // @ts-expect-error there is no sixth extent
      void x.shape[5];
      // @ts-expect-error a volume is no image
      const image: Image = x;
      return image;
    };
    expect(wrong).toBeTypeOf("function");
  });
});

describe("quoting forms", () => {
  it("give a tensor of as many indices as the arrow function has", () => {
    const y = () => tensor((n, c, d, h, v) => x(n, c, d, h, v));
    expectTypeOf(y).returns.toEqualTypeOf<Tensor<[n: number, c: number, d: number, h: number, v: number]>>();
    expectTypeOf(() => tensor(() => 3)).returns.toEqualTypeOf<Tensor<[]>>();
    expectTypeOf(() => tensor([2, 3], (i, j) => i + j)).returns.toEqualTypeOf<Tensor<[i: number, j: number]>>();
    expectTypeOf(() => sum((k, l) => k * l)).returns.toEqualTypeOf<number>();
    expectTypeOf(() => sum([3], (k) => k)).returns.toEqualTypeOf<number>();
  });

  it("type the indices of what they are given to", () => {
    const acs = (): Kernel3d => tensor((o, c, i, j, k) => (i === 1 ? w(o, c, j, k) : 0));
    expectTypeOf(acs).returns.toEqualTypeOf<Kernel3d>();
    const helper = fn((a: number, b: number) => a > b);
    expectTypeOf(helper).toEqualTypeOf<(a: number, b: number) => boolean>();
  });

  it("refuse what gives no number, and what is no function", () => {
    const wrong = () => {
      // @ts-expect-error a condition is no number
      tensor((i) => i > 0);
      // @ts-expect-error text is no number
      sum((k) => `${k}`);
      // @ts-expect-error a tensor is no number
      tensor((n, c, d, h) => w);
      // @ts-expect-error no function
      tensor([1, 2, 3]);
      // @ts-expect-error extents are numbers
      tensor(["1"], (i) => i);
      // @ts-expect-error the definition has four indices, a volume five
      const volume: Volume = tensor((n, c, h, v) => w(n, c, h, v));
      return volume;
    };
    expect(wrong).toBeTypeOf("function");
  });
});

describe("views", () => {
  it("keep the type of a tensor where the rank stays, and take one where it changes", () => {
    expectTypeOf(() => pad(x, 1)).returns.toEqualTypeOf<Volume>();
    expectTypeOf(() => slice(x, [null, null, [0, 1], null, null])).returns.toEqualTypeOf<Volume>();
    expectTypeOf(() => transpose(w, [1, 0, 2, 3])).returns.toEqualTypeOf<Kernel2d>();
    expectTypeOf(() => reshape<Matrix>(x, [1, 1])).returns.toEqualTypeOf<Matrix>();
    expectTypeOf(() => stack<Volume>([w, w], 2)).returns.toEqualTypeOf<Volume>();
    expectTypeOf(() => constant<Matrix>([[1, 2]])).returns.toEqualTypeOf<Matrix>();
    const wrong = () => {
      // @ts-expect-error no such mode
      pad(x, 1, { mode: "mirror" });
      // @ts-expect-error a mode stands in an object
      pad(x, 1, "edge");
      // @ts-expect-error a tensor is needed
      pad([1, 2], 1);
    };
    expect(wrong).toBeTypeOf("function");
  });
});

describe("compile", () => {
  const single = () =>
    compile(({ x, w }: { x: Volume; w: Kernel2d }) => tensor((n, o, d, h, v) => sum((c) => x(n, c, d, h, v) * w(o, c, 0, 0))), { x: [1, 3, 4, 4, 4], w: [2, 3, 1, 1] });
  const record = () => compile(({ x }: { x: Vector }) => ({ double: tensor((i) => 2 * x(i)), total: sum((i) => x(i)) }), { x: [3] });

  it("knows the inputs, and one result or a record of them", () => {
    expectTypeOf(single).returns.resolves.toEqualTypeOf<Compiled<{ x: Volume; w: Kernel2d }, Volume>>();
    type Single = Awaited<ReturnType<typeof single>>;
    type Record = Awaited<ReturnType<typeof record>>;
    expectTypeOf<Parameters<Single["run"]>[0]>().toEqualTypeOf<{ readonly x: InputValue; readonly w: InputValue }>();
    expectTypeOf<Awaited<ReturnType<Single["run"]>>>().toEqualTypeOf<Result>();
    expectTypeOf<Awaited<ReturnType<Record["run"]>>>().toEqualTypeOf<{ readonly double: Result; readonly total: Result }>();
    expectTypeOf<Result["shape"]>().toEqualTypeOf<readonly number[]>();
  });

  it("refuses missing and unknown shapes and inputs", () => {
    const wrong = async () => {
      // @ts-expect-error the shape of w is missing
      await compile(({ x, w }: { x: Vector; w: Vector }) => tensor((i) => x(i) * w(i)), { x: [3] });
      // @ts-expect-error an extent is a number
      await compile(({ x }: { x: Vector }) => tensor((i) => x(i)), { x: ["3"] });
      // @ts-expect-error a program returns tensors
      await compile(({ x }: { x: Vector }) => `${x.rank}`, { x: [3] });
      const program = await record();
      // @ts-expect-error x is missing
      await program.run({});
      // @ts-expect-error text is no data
      await program.run({ x: "123" });
      // @ts-expect-error there is no such result
      void (await program.run({ x: [1, 2, 3] })).half;
    };
    expect(wrong).toBeTypeOf("function");
  });

  it("the results that the types promise", async () => {
    const program = await compile(({ x }: { x: Vector }) => ({ double: tensor((i) => 2 * x(i)), total: sum((i) => x(i)) }), { x: [3] }, { device: "reference" });
    const { double, total } = await program.run({ x: [1, 2, 3] });
    expect([[...double.data], double.shape, [...total.data], total.shape]).toEqual([[2, 4, 6], [3], [6], []]);
    await program.dispose();
  });
});
