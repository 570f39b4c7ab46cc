import type { GraphBuilder } from '../graph/builder.ts';
import type { Tensor, TensorShape, Weight } from '../graph/tensor.ts';
import type { LinearSpec, ModelSpec } from '../models/spec.ts';
import type { GraphPurpose } from './purpose.ts';

/** Which experts each token takes. */
export interface Routes {
  readonly ids: Tensor; // u32 [tokens, most]
  readonly weights: Tensor; // f32 [tokens, most]
  readonly scores?: Tensor; // f32 [tokens, most], where they are wanted and the router knows them
}

/** What all parts of one graph share while it is built. */
export interface Building {
  readonly spec: Pick<ModelSpec, 'hidden' | 'eps'>;
  readonly purpose: GraphPurpose;
  readonly builder: GraphBuilder;
}

/** Where a block is added to a graph: the graph, the sizes of the stream, and what names begin with. */
export class Site {
  readonly builder: GraphBuilder;
  readonly purpose: GraphPurpose;
  readonly hidden: number; // elements of a token's stream
  readonly eps: number; // of the model's norms
  readonly label: string; // tensors and nodes are named after it: `layer 3`
  readonly #building: Building;

  constructor(building: Building, label: string) {
    this.#building = building;
    this.builder = building.builder;
    this.purpose = building.purpose;
    this.hidden = building.spec.hidden;
    this.eps = building.spec.eps;
    this.label = label;
  }

  /** The same graph under another label. */
  at(label: string): Site {
    return new Site(this.#building, label);
  }

  /** The same graph, where a layer's experts are chosen and added. */
  moe(label: string, place: ConstructorParameters<typeof MoeSite>[2]): MoeSite {
    return new MoeSite(this.#building, label, place);
  }

  /**
   * A tensor of the residual stream, or one that is added to it; default: [tokens, hidden]. They are f32 where
   * activations are f16: single elements pass 65504 in trained models, and become infinite there.
   */
  stream(name: string, shape: Pick<TensorShape, 'perToken' | 'fixed'> = { perToken: this.hidden }): Tensor {
    return this.builder.tensor(name, { ...shape, type: 'f32' });
  }

  /** The matrix [rows, cols] of a linear layer, under the names of its parts. */
  matrix(linear: LinearSpec, rows: number, cols: number): Weight {
    const name = linear.weight.map(({ tensor }) => tensor).join(' + ');
    return this.builder.matrix(name, rows, cols, ...linear.weight);
  }

  /** The bias [count] of a linear layer, where it has one. */
  bias({ bias }: LinearSpec, count: number): Weight | undefined {
    if (!bias) return undefined;
    const names = bias.map((part) => (typeof part === 'string' ? part : part.tensor));
    // One row for each element: a vector's elements are its rows.
    return this.builder.exact(names.join(' + '), count, 1, ...bias);
  }
}

/** Where the routed experts of one layer are added. */
export class MoeSite extends Site {
  readonly experts: number; // of the layer
  readonly bank: number; // among the layers with experts
  readonly #name: string;

  /** @param place - `name` begins the names of the routes' tensors */
  constructor(
    building: Building,
    label: string,
    place: { readonly experts: number; readonly bank: number; readonly name: string },
  ) {
    super(building, label);
    this.experts = place.experts;
    this.bank = place.bank;
    this.#name = place.name;
  }

  /** Tensors for the routes of `most` experts a token; they keep their values to the end of the step, for observers. */
  routes(most: number): Routes {
    const ids = this.builder.tensor(`${this.#name} ids`, { type: 'u32', role: 'output', perToken: most });
    const weights = this.builder.tensor(`${this.#name} weights`, {
      type: 'f32',
      role: 'output',
      perToken: most,
    });
    return { ids, weights };
  }

  /** The same with a tensor for the scores of the chosen, where the graph is to keep them. */
  scoredRoutes(most: number): Routes {
    const routes = this.routes(most);
    if (!this.purpose.scores) return routes;
    const scores = this.builder.tensor(`${this.#name} scores`, {
      type: 'f32',
      role: 'output',
      perToken: most,
    });
    return { ...routes, scores };
  }
}
