// expect: quote-search
import { tensor } from "indexical";

const rates = [1, 2, 4];

export const y = tensor([4], (i) => rates.filter((r) => r < i).length);
