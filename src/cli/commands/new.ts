import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { scaffold } from "../scaffold.js";
import { exit, misused } from "../usage.js";
import { version } from "../../version.js";

/** `indexical new`: a folder with a variant, its test, and how to run them. */
export const create = async (target: string): Promise<number> => {
  const folder = resolve(target);
  const name = basename(folder);
  if (!/^[a-z][a-z0-9-]*$/.test(name)) misused("cli-name", `${JSON.stringify(name)} can't be the name of a package`, "Use small letters, digits and hyphens, a letter first: indexical new cross-conv.");
  if (existsSync(folder) && readdirSync(folder).length > 0) misused("cli-name", `${folder} exists and is not empty`, "Give another name.");
  mkdirSync(folder, { recursive: true });
  for (const [file, text] of Object.entries(scaffold({ name, indexical: source() }))) writeFileSync(join(folder, file), text);
  const shapes = "--shape x=1,2,5,5,5 --shape w=3,2,3,3,3";
  const shown = relative(process.cwd(), folder) || ".";
  console.log(`${shown}/ holds variant.ts, variant.test.ts and how to run them.\n`);
  console.log("What it becomes, and whether it is what it says, at once:");
  console.log(`  indexical explain ${shown}/variant.ts#variant ${shapes}`);
  console.log(`  indexical check ${shown}/variant.ts#variant ${shown}/variant.ts#definition ${shapes}\n`);
  console.log("Its test, and an editor that knows the types:");
  console.log(`  cd ${shown} && npm install && npm test`);
  return exit.done;
};

/** Where the new folder gets indexical from: the registry, or this checkout when it was not installed from one. */
const source = (): string => {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  return /[\\/]node_modules[\\/]indexical[\\/]$/.test(root) ? `^${version}` : `file:${root.replaceAll("\\", "/").replace(/\/$/, "")}`;
};
