// expect: quote-await
import { tensor } from "indexical";

const scale = Promise.resolve(2);
// @ts-expect-error an async function gives a promise
export const scaled = tensor([4], async (i) => i * (await scale));
