import { suggest } from "../../dsl/suggest.js";
import { misused } from "../usage.js";

/** What may stand behind a name: `unet:classes=6,channels=1`. */
export type Settings = Readonly<Record<string, number | boolean | string>>;

/** Splits `NAME:KEY=VALUE,KEY=VALUE`. Numbers and true or false are taken as such. @throws cli-argument */
export const parseSettings = (text: string): { readonly name: string; readonly settings: Settings } => {
  const at = text.indexOf(":");
  if (at < 0) return { name: text, settings: {} };
  const settings: Record<string, number | boolean | string> = Object.create(null) as Record<string, number | boolean | string>;
  for (const part of text.slice(at + 1).split(",")) {
    const [, key, value] = /^\s*(\w+)\s*=\s*(.+?)\s*$/.exec(part) ?? misused("cli-argument", `${JSON.stringify(part)} in ${text} is no setting`, "Write NAME:KEY=VALUE,KEY=VALUE.");
    settings[key!] = value === "true" ? true : value === "false" ? false : Number.isNaN(Number(value)) ? value! : Number(value);
  }
  return { name: text.slice(0, at), settings };
};

/** Which settings an entry of a table takes, and their kinds. */
export type Allowed = Readonly<Record<string, "number" | "boolean" | "string" | readonly (string | number)[]>>;

/** The settings, of which each must be one that `name` takes, of its kind. @throws cli-argument */
export const checkedSettings = (name: string, settings: Settings, allowed: Allowed): Settings => {
  const names = Object.keys(allowed);
  const checked = Object.entries(settings).map(([key, value]) => {
    const kind = Object.hasOwn(allowed, key) ? allowed[key]! : misused("cli-argument", `${name} has no setting ${key}`, `It takes ${names.join(", ") || "none"}.${suggest(key, names)}`);
    if (typeof kind !== "string") return [key, kind.find((k) => String(k) === String(value)) ?? misused("cli-argument", `${name}: ${key} is ${String(value)}`, `It is one of ${kind.join(", ")}.`)];
    if (typeof value !== kind) misused("cli-argument", `${name}: ${key} is ${String(value)}`, `It is a ${kind}.`);
    return [key, value];
  });
  return Object.fromEntries(checked) as Settings;
};
