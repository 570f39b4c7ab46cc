import type { GraphBuilder } from '../graph/builder.ts';
import type { HookInputs } from '../graph/node.ts';
import type { MakeNode } from '../graph/op.ts';
import type { GateIo } from '../graph/ops/gate.ts';
import type { Tensor, TensorShape, Weight } from '../graph/tensor.ts';
import type { LinearSpec, ModelSpec } from '../models/spec.ts';
import type { GraphPurpose } from './purpose.ts';

/** The chosen experts of each token. */
export interface Routes {
  readonly ids: Tensor; // u32 [tokens, most]
  readonly weights: Tensor; // f32 [tokens, most]
  readonly scores?: Tensor; // f32 [tokens, most], if requested and supported by the router
  readonly inputs?: Tensor; // f32 [tokens]: factors of the experts' inputs; default: 1
}

/** The hooks of a layer, between the logits of its router and its routes. */
export interface RouterHooks {
  readonly inputs: HookInputs;
  /** Adds the changes of router logits [tokens, experts], in place. */
  edit(logits: Tensor): void;
  readonly gateNode: MakeNode<GateIo>; // in place of the gate's own
}

/** Opens the hooks of a layer of this many experts, of which a token takes at most `topK`. */
export type OpenHooks = (
  builder: GraphBuilder,
  layer: { readonly bank: number; readonly experts: number; readonly topK: number },
) => RouterHooks;

/** What the layers with experts of a graph read and decided so far, by their index among these. */
export interface RoutedLayers {
  readonly inputs: Tensor[]; // what their routers read: [tokens, hidden]
  readonly decided: Map<number, Routes>; // of layers that come later
}

/** Data common to all parts of a graph while it is built. */
export interface Building {
  readonly routed: RoutedLayers;
  readonly spec: Pick<ModelSpec, 'hidden' | 'eps' | 'gainOffset'>;
  readonly purpose: GraphPurpose;
  readonly builder: GraphBuilder;
}

/** The place in a graph where a block is added: the builder, sizes of the stream, and the prefix of names. */
export class Site {
  readonly builder: GraphBuilder;
  readonly purpose: GraphPurpose;
  readonly routed: RoutedLayers;
  readonly hidden: number; // size of the residual stream
  readonly eps: number; // of the model's norms
  readonly label: string; // prefix of the names of tensors and nodes: `layer 3`
  readonly #building: Building;

  constructor(building: Building, label: string) {
    this.#building = building;
    this.builder = building.builder;
    this.purpose = building.purpose;
    this.routed = building.routed;
    this.hidden = building.spec.hidden;
    this.eps = building.spec.eps;
    this.label = label;
  }

  /** The place of the first block of a graph. */
  static first(building: Omit<Building, 'routed'>, label: string): Site {
    return new Site({ ...building, routed: { inputs: [], decided: new Map() } }, label);
  }

  /** A site in the same graph with another label. */
  at(label: string): Site {
    return new Site(this.#building, label);
  }

  /** A site in the same graph for a layer's experts. */
  moe(label: string, place: ConstructorParameters<typeof MoeSite>[2]): MoeSite {
    return new MoeSite(this.#building, label, place);
  }

  /**
   * Creates a tensor of the residual stream, or one that is added to it; default: [tokens, hidden]. It is f32 even if
   * activations are f16, because single elements exceed 65504 in trained models and would become infinite.
   */
  stream(name: string, shape: Pick<TensorShape, 'perToken' | 'fixed'> = { perToken: this.hidden }): Tensor {
    return this.builder.tensor(name, { ...shape, type: 'f32' });
  }

  /** The gain [count] of a norm of the stream, or of queries or keys. */
  gain(name: string, count: number): Weight {
    const { gainOffset: offset = 0 } = this.#building.spec;
    if (offset === 0) return this.builder.exact(name, 1, count, name);
    const parts = { gain: { tensor: name, rows: count, cols: 1 } };
    return this.builder.derived(`${name} offset`, 1, count, parts, ({ gain = new Float32Array(0) }) =>
      gain.map((value) => value + offset),
    );
  }

  /** The matrix [rows, cols] of a linear layer, named after its parts. */
  matrix(linear: LinearSpec, rows: number, cols: number): Weight {
    const names = new Set(linear.weight.map(({ tensor }) => tensor));
    const name = [...names].join(' + ');
    return this.builder.matrix(name, rows, cols, ...linear.weight);
  }

  /** The bias [count] of a linear layer, if it has one. */
  bias({ bias }: LinearSpec, count: number): Weight | undefined {
    if (!bias) return undefined;
    const names = bias.map((part) => (typeof part === 'string' ? part : part.tensor));
    // One row per element: the elements of a vector are its rows.
    return this.builder.exact(names.join(' + '), count, 1, ...bias);
  }
}

/** The place in a graph where the routed experts of a layer are added. */
export class MoeSite extends Site {
  readonly experts: number; // number of experts of the layer
  readonly bank: number; // index among the layers with experts
  readonly hooks: RouterHooks | undefined;
  readonly #name: string;

  /** @param place - `name` is the prefix of the names of the routes' tensors */
  constructor(
    building: Building,
    label: string,
    place: {
      readonly experts: number;
      readonly bank: number;
      readonly name: string;
      readonly hooks?: RouterHooks | undefined;
    },
  ) {
    super(building, label);
    this.experts = place.experts;
    this.bank = place.bank;
    this.hooks = place.hooks;
    this.#name = place.name;
  }

  /** Creates tensors for the routes of `most` experts per token; they keep their values until the end of the step. */
  routes(most: number): Routes {
    const ids = this.builder.tensor(`${this.#name} ids`, { type: 'u32', role: 'output', perToken: most });
    const weights = this.builder.tensor(`${this.#name} weights`, {
      type: 'f32',
      role: 'output',
      perToken: most,
    });
    return { ids, weights };
  }

  /** As `routes`, with a tensor for the scores if the graph outputs them. */
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
