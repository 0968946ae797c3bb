import type { NormKind } from "../../../lib/networks/index.js";
import { unmapped, type Fields } from "../fields.js";

/** `BN`, `GN(32)`, or { type, num_groups } as the originals configure it. */
export const normOf = (ctor: Fields, fallback: NormKind): NormKind => {
  for (const key of ["norm", "norm_cfg"]) {
    if (!ctor.has(key)) continue;
    if (!ctor.isText(key)) {
      const config = ctor.fields(key);
      return config.string("type") === "GN" ? { groups: config.number("num_groups") } : "batch";
    }
    const name = ctor.string(key);
    const [, groups] = /^GN\((\d+)\)$/.exec(name) ?? [];
    if (groups !== undefined) return { groups: Number(groups) };
    return /^(BN|BN3d|SyncBN)$/.test(name) ? "batch" : unmapped(`norm ${name}`);
  }
  return fallback;
};
