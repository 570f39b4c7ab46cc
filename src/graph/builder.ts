import { invariant } from '../errors.ts';
import type { TensorRows } from '../weights/tensor-rows.ts';
import {
  onlyWhen,
  type Graph,
  type ModelGraph,
  type ModelOutputs,
  type Node,
  type RequestedTensor,
  type Step,
} from './node.ts';
import {
  makeTensor,
  type DerivedPart,
  type Tensor,
  type TensorRole,
  type TensorShape,
  type Weight,
} from './tensor.ts';

/** Roles of tensors whose values are not written by the step's nodes. */
const GIVEN: ReadonlySet<TensorRole> = new Set(['input', 'state']);

/** Collects the nodes, tensors and weights of a graph. */
export class GraphBuilder {
  readonly ids = makeTensor('ids', { type: 'u32', role: 'input', perToken: 1 });
  readonly requested: RequestedTensor[] = []; // inputs that requests give
  readonly #nodes: Node[] = [];
  readonly #tensors: Tensor[] = [this.ids];
  readonly #weights = new Map<string, Weight>();
  readonly #written = new Set<Tensor>();
  readonly #replaced: Tensor[] = []; // states with parity
  #isNeeded: ((step: Step) => boolean) | undefined;

  /** Creates a tensor of the graph; states are identified by name. */
  tensor(name: string, shape: TensorShape): Tensor {
    const tensor = makeTensor(name, shape);
    this.#tensors.push(tensor);
    if (tensor.next) {
      this.#tensors.push(tensor.next);
      this.#replaced.push(tensor);
    }
    return tensor;
  }

  /** A matrix [rows, cols] in the file's precision or quantised. Parts are stacked by rows. */
  matrix(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight {
    return this.#checkpoint(name, rows, cols, false, parts);
  }

  /** A weight [rows, cols] stored as f32 regardless of the file's type: norms, routers, statistics, biases. */
  exact(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight {
    return this.#checkpoint(name, rows, cols, true, parts);
  }

  /** f32 values computed by the engine, such as rotary angles. */
  computed(name: string, rows: number, cols: number, values: () => Float32Array<ArrayBuffer>): Weight {
    return this.#remember({
      kind: 'weight',
      name,
      rows,
      cols,
      exact: true,
      source: { kind: 'computed', values },
    });
  }

  /** f32 values derived from tensors of the checkpoint once, when the model is loaded. */
  derived<const P extends Readonly<Record<string, DerivedPart | undefined>>>(
    name: string,
    rows: number,
    cols: number,
    parts: P,
    values: (parts: { readonly [N in keyof P]?: Float32Array }) => Float32Array<ArrayBuffer>,
  ): Weight {
    const present = Object.entries(parts).filter(
      (entry): entry is [string, DerivedPart] => entry[1] !== undefined,
    );
    const source = { kind: 'derived', parts: Object.fromEntries(present), values } as const;
    return this.#remember({ kind: 'weight', name, rows, cols, exact: true, source });
  }

  /** Appends a node. Each tensor it reads must be an input, a state, or written by an earlier node. */
  add(node: Node): void {
    for (const each of node.reads) {
      const isThere = each.kind === 'weight' || this.#isGiven(each) || this.#written.has(each);
      invariant(isThere, () => `${node.op} ${node.label} reads ${each.name}, which no earlier node writes`);
    }
    for (const each of node.writes) {
      invariant(!each.next, () => `${node.op} ${node.label} writes ${each.name}; write its next value`);
      this.#written.add(each);
    }
    this.#nodes.push(this.#isNeeded ? onlyWhen(this.#isNeeded, node) : node);
  }

  /** Nodes added by `build` run only in steps for which `isNeeded` is true. */
  when(isNeeded: (step: Step) => boolean, build: () => void): void {
    this.#isNeeded = isNeeded;
    try {
      build();
    } finally {
      this.#isNeeded = undefined;
    }
  }

  /** The graph of a whole model. Omit `routes` for a model without experts. */
  build({ routes = [], ...outputs }: Partial<ModelOutputs> & Pick<ModelOutputs, 'logits'>): ModelGraph {
    return { ...this.buildPart(), requested: this.requested, ...outputs, routes };
  }

  /** The graph of a part of a model, such as a single layer, whose caller knows its outputs. */
  buildPart(): Graph {
    for (const { name, next } of this.#replaced) {
      invariant(next && this.#written.has(next), () => `no node writes the next value of the state ${name}`);
    }
    return {
      nodes: this.#nodes,
      tensors: this.#tensors,
      weights: [...this.#weights.values()],
      ids: this.ids,
    };
  }

  #isGiven(tensor: Tensor): boolean {
    return GIVEN.has(tensor.role) && !this.#replaced.some(({ next }) => next === tensor);
  }

  #checkpoint(
    name: string,
    rows: number,
    cols: number,
    exact: boolean,
    parts: readonly (TensorRows | string)[],
  ): Weight {
    const list = parts.map((part) => (typeof part === 'string' ? { tensor: part } : part));
    const source = { kind: 'checkpoint', parts: list } as const;
    return this.#remember({ kind: 'weight', name, rows, cols, exact, source });
  }

  /** Weights requested twice are shared (a tied embedding). */
  #remember(weight: Weight): Weight {
    const known = this.#weights.get(weight.name);
    if (known) {
      invariant(
        known.rows === weight.rows &&
          known.cols === weight.cols &&
          known.exact === weight.exact &&
          sourceKey(known) === sourceKey(weight),
        () => `weight ${weight.name} is declared twice, with different shapes or rows`,
      );
      return known;
    }
    this.#weights.set(weight.name, weight);
    return weight;
  }
}

/** A key that is equal for weights with the same source. */
function sourceKey({ source }: Weight): string {
  return source.kind === 'computed' ? source.kind : JSON.stringify(source.parts);
}
