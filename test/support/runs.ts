/** How often a random test draws: `usual` times, or as often as RUNS says. */
export const runs = (usual: number): number => Number(process.env["RUNS"] ?? usual);
