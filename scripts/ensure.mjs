// Installs the dependencies when they are missing or differ from package-lock.json.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The root of the repository. */
export const root = fileURLToPath(new URL("../", import.meta.url));

const packages = (file) => {
  try {
    return JSON.parse(readFileSync(new URL(`../${file}`, import.meta.url), "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
};

/** Does node_modules hold what the lock file asks for? Optional packages may be absent: most are for other platforms. */
const isInstalled = () => {
  const wanted = packages("package-lock.json");
  const present = packages("node_modules/.package-lock.json");
  if (!wanted) throw new Error("package-lock.json is missing: restore it from the repository");
  if (!present) return false;
  return Object.entries(wanted).every(([path, { version, optional, devOptional }]) => {
    if (path === "") return true;
    return present[path] ? present[path].version === version : optional || devOptional;
  });
};

/** Runs `npm ci` when it is needed. */
export const ensure = () => {
  if (isInstalled()) return;
  console.error("Installing the dependencies (npm ci) ...");
  // No dependency needs its install script: binaries of esbuild and Dawn are in their packages, and the one of gl,
  // which is optional, would compile for minutes or fail where there is no compiler.
  const args = ["ci", "--ignore-scripts", "--no-audit", "--no-fund"];
  const npm = process.env.npm_execpath;
  const { status, error } = npm?.endsWith(".js")
    ? spawnSync(process.execPath, [npm, ...args], { cwd: root, stdio: "inherit" })
    : spawnSync("npm", args, { cwd: root, stdio: "inherit", shell: process.platform === "win32" });
  if (error) throw error;
  if (status !== 0) {
    console.error("npm ci failed; see its messages above. With the network back, run the command again.");
    process.exit(status ?? 1);
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) ensure();
