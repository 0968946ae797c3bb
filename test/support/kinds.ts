/** Kinds of golden cases that run whole networks. Devices made for small programs, and a GPU played by a processor, leave them out. */
export const ofNetworks: ReadonlySet<string> = new Set(["model", "converter", "training"]);

/** The other kinds. */
export const small: readonly string[] = ["op", "loss", "metric", "transform", "generator", "recipe"];
