// expect: quote-this
import { tensor } from "indexical";

export class Scale {
  readonly factor = 2;
  readonly line = tensor([4], (i) => this.factor * i);
}
