import { isAbsolute, relative } from "node:path";

/** The name of a file in messages: relative to the working directory when it lies inside, with forward slashes. */
export const displayName = (file: string): string => {
  const name = relative(process.cwd(), file);
  return (name.startsWith("..") || isAbsolute(name) ? file : name).replaceAll("\\", "/");
};
