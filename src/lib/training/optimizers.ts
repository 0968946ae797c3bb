import { IndexicalError, tensor, type Scalar, type Vector } from "../../dsl/index.js";

/**
 * An optimiser as programs over flat parameters. `step` takes the parameter, its gradient, the learning rate, the number of the step (from 1)
 * and the state, and returns the parameter and the state after it. State starts at zero.
 */
export interface Optimizer<S extends string> {
  readonly state: readonly S[];
  step(inputs: StepInputs<S>): Readonly<Record<"parameter" | S, Vector>>;
}

export type StepInputs<S extends string> = Readonly<{ parameter: Vector; gradient: Vector; rate: Scalar; count: Scalar }> &
  Readonly<Record<S, Vector>>;

/** The gradient with the decay of the weights, which pulls them to zero: g + decay * p. */
const decayed = ({ parameter, gradient }: Pick<StepInputs<never>, "parameter" | "gradient">, weightDecay: number): Vector =>
  tensor((i) => gradient(i) + weightDecay * parameter(i));

const check = (options: Readonly<Record<string, number>>): void => {
  for (const [name, value] of Object.entries(options))
    if (!Number.isFinite(value) || value < 0)
      throw new IndexicalError("optimizer-option", `${name} is ${value}`, { remedy: "It must be a number of at least 0." });
};

export interface SgdOptions {
  readonly momentum?: number;
  readonly weightDecay?: number;
}

/** Stochastic gradient descent: velocity = momentum * velocity + g, parameter -= rate * velocity. As in PyTorch, without dampening. */
export const sgd = ({ momentum = 0, weightDecay = 0 }: SgdOptions = {}): Optimizer<"velocity"> => {
  check({ momentum, weightDecay });
  return {
    state: ["velocity"],
    step: (inputs) => {
      const { parameter, rate } = inputs;
      const g = decayed(inputs, weightDecay);
      const velocity = tensor((i) => momentum * inputs.velocity(i) + g(i));
      return { parameter: tensor((i) => parameter(i) - rate() * velocity(i)), velocity };
    },
  };
};

export interface AdamOptions {
  readonly betas?: readonly [first: number, second: number];
  readonly epsilon?: number;
  readonly weightDecay?: number;
}

/** Adam with the bias correction of its paper, arXiv 1412.6980; the decay of the weights is added to the gradient. As in PyTorch. */
export const adam = ({ betas: [first, second] = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0 }: AdamOptions = {}): Optimizer<"mean" | "square"> => {
  check({ "the first beta": first, "the second beta": second, epsilon, weightDecay });
  return {
    state: ["mean", "square"],
    step: (inputs) => {
      const { parameter, rate, count } = inputs;
      const g = decayed(inputs, weightDecay);
      const mean = tensor((i) => first * inputs.mean(i) + (1 - first) * g(i));
      const square = tensor((i) => second * inputs.square(i) + (1 - second) * g(i) * g(i));
      // beta^t as exp(t log beta): the count is a number only when the program runs.
      const rest = (beta: number) => tensor([], () => (beta === 0 ? 1 : -Math.expm1(count() * Math.log(beta))));
      const [meanRest, squareRest] = [rest(first), rest(second)];
      return {
        parameter: tensor((i) => parameter(i) - (rate() * (mean(i) / meanRest())) / (Math.sqrt(square(i) / squareRest()) + epsilon)),
        mean,
        square,
      };
    },
  };
};

export interface RmspropOptions {
  /** How much of the running square is kept. */
  readonly decay?: number;
  readonly epsilon?: number;
  readonly momentum?: number;
  readonly weightDecay?: number;
}

/** RMSprop: square = decay * square + (1 - decay) g^2, velocity = momentum * velocity + g / (sqrt(square) + epsilon), parameter -= rate * velocity. As in PyTorch. */
export const rmsprop = ({ decay = 0.99, epsilon = 1e-8, momentum = 0, weightDecay = 0 }: RmspropOptions = {}): Optimizer<"square" | "velocity"> => {
  check({ decay, epsilon, momentum, weightDecay });
  return {
    state: ["square", "velocity"],
    step: (inputs) => {
      const { parameter, rate } = inputs;
      const g = decayed(inputs, weightDecay);
      const square = tensor((i) => decay * inputs.square(i) + (1 - decay) * g(i) * g(i));
      const velocity = tensor((i) => momentum * inputs.velocity(i) + g(i) / (Math.sqrt(square(i)) + epsilon));
      return { parameter: tensor((i) => parameter(i) - rate() * velocity(i)), square, velocity };
    },
  };
};
