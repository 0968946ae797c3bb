// expect: read-not-proved
import { compile, tensor, type Matrix, type Vector } from "indexical";

const embed = ({ table, tokens }: { table: Matrix; tokens: Vector }) => tensor((t, c) => table(Math.round(tokens(t)), c));

await compile(embed, { table: [100, 8], tokens: [5] }, { device: "reference" });
