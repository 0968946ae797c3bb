export interface ScaffoldOptions {
  /** Of the folder and its package. */
  readonly name: string;
  /** What package.json says of `indexical`: a version, or `file:` and a folder. */
  readonly indexical: string;
}

/** The files of a new variant, by name. */
export const scaffold = ({ name, indexical }: ScaffoldOptions): Readonly<Record<string, string>> => ({
  "package.json": `${JSON.stringify(
    {
      name,
      version: "0.0.0",
      private: true,
      type: "module",
      scripts: {
        test: "node --import indexical/register --test variant.test.ts",
        explain: "indexical explain variant.ts#variant --shape x=1,2,5,5,5 --shape w=3,2,3,3,3",
        check: "indexical check variant.ts#variant variant.ts#definition --shape x=1,2,5,5,5 --shape w=3,2,3,3,3",
        typecheck: "tsc",
      },
      dependencies: { indexical },
      devDependencies: { "@types/node": "^20", typescript: "^6.0.3" },
    },
    undefined,
    2,
  )}\n`,
  "tsconfig.json": `${JSON.stringify(
    {
      compilerOptions: {
        target: "ES2022", module: "NodeNext", moduleResolution: "NodeNext", strict: true, noEmit: true,
        allowImportingTsExtensions: true, types: ["node"], skipLibCheck: true, preserveSymlinks: true,
      },
      include: ["*.ts"],
    },
    undefined,
    2,
  )}\n`,
  ".gitignore": "node_modules/\n",
  "variant.ts": variant,
  "variant.test.ts": test,
  "README.md": readme(name),
});

const variant = `import { pad, sum, tensor, type Kernel3d, type Volume } from "indexical";
import { conv3d } from "indexical/lib";

/** A 3 x 3 x 3 kernel without its edges and corners: the centre and its six neighbours, 7 taps of 27. */
export const cross = (w: Kernel3d): Kernel3d =>
  tensor(w.shape, (o, c, i, j, k) => (Math.abs(i - 1) + Math.abs(j - 1) + Math.abs(k - 1) <= 1 ? w(o, c, i, j, k) : 0));

/** The variant: a dense convolution whose kernel is mostly zeros. The compiler finds the zeros. */
export const variant = ({ x, w }: { x: Volume; w: Kernel3d }): Volume => conv3d(x, cross(w), { padding: 1 });

/** The same, tap by tap: what the test holds the variant against. */
export const definition = ({ x, w }: { x: Volume; w: Kernel3d }): Volume => {
  const p = pad(x, [0, 0, 1, 1, 1]);
  return tensor([x.shape[0], w.shape[0], x.shape[2], x.shape[3], x.shape[4]], (n, o, d, h, v) =>
    sum((c) =>
        p(n, c, d, h + 1, v + 1) * w(o, c, 0, 1, 1) + p(n, c, d + 2, h + 1, v + 1) * w(o, c, 2, 1, 1)
      + p(n, c, d + 1, h, v + 1) * w(o, c, 1, 0, 1) + p(n, c, d + 1, h + 2, v + 1) * w(o, c, 1, 2, 1)
      + p(n, c, d + 1, h + 1, v) * w(o, c, 1, 1, 0) + p(n, c, d + 1, h + 1, v + 2) * w(o, c, 1, 1, 2)
      + p(n, c, d + 1, h + 1, v + 1) * w(o, c, 1, 1, 1)));
};
`;

const test = `import assert from "node:assert/strict";
import { test } from "node:test";
import { compile, equivalent } from "indexical";
import { definition, variant } from "./variant.ts";

const shapes = { x: [1, 2, 5, 5, 5], w: [3, 2, 3, 3, 3] };

test("the variant is what it says it is", () => {
  const { verdict, message } = equivalent(variant, definition, shapes);
  assert.notEqual(verdict, "differs", message);
});

test("it computes seven taps of a volume of ones", async () => {
  const program = await compile(variant, shapes);
  const { data } = await program.run({ x: new Float32Array(2 * 125).fill(1), w: new Float32Array(3 * 2 * 27).fill(1) });
  // An inner voxel sees all seven taps of two channels; three neighbours of a corner lie outside.
  assert.equal(data[2 * 25 + 2 * 5 + 2], 14);
  assert.equal(data[0], 8);
  program.dispose();
});
`;

const readme = (name: string): string => `# ${name}

A convolution of your own, written as what it is.

\`\`\`
npm install
npm test              # the variant against its definition
npm run explain       # what the compiler makes of it: 7 taps of 27
npm run check         # whether variant and definition are equal
npm run typecheck
\`\`\`

Change \`cross\` in \`variant.ts\`, and \`definition\` with it. In a program of yours:

\`\`\`ts
import { compile } from "indexical";
import { variant } from "./variant.ts";

const program = await compile(variant, { x: [1, 4, 64, 64, 64], w: [6, 4, 3, 3, 3] });
const { data, shape } = await program.run({ x, w });
\`\`\`

TypeScript with quoted code runs under \`node --import indexical/register FILE\`; for a page, add \`indexical/plugin\` to Vite, Rollup, esbuild or webpack.
`;
