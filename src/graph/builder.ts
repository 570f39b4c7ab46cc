import { invariant } from '../errors.ts';
import type { TensorRows } from '../weights/tensor-rows.ts';
import { onlyWhen, type Graph, type ModelGraph, type ModelOutputs, type Node, type Step } from './node.ts';
import {
  makeTensor,
  type DerivedPart,
  type Tensor,
  type TensorRole,
  type TensorShape,
  type Weight,
} from './tensor.ts';

/** Roles of tensors whose values do not come from the step's own nodes. */
const GIVEN: ReadonlySet<TensorRole> = new Set(['input', 'state']);

/** Collects the nodes, tensors and weights of a graph. */
export class GraphBuilder {
  readonly ids = makeTensor('ids', { type: 'u32', role: 'input', perToken: 1 });
  readonly #nodes: Node[] = [];
  readonly #tensors: Tensor[] = [this.ids];
  readonly #weights = new Map<string, Weight>();
  readonly #written = new Set<Tensor>();
  readonly #replaced: Tensor[] = []; // states that are kept by parity
  #isNeeded: ((step: Step) => boolean) | undefined;

  tensor(name: string, shape: TensorShape): Tensor {
    const tensor = makeTensor(name, shape);
    this.#tensors.push(tensor);
    if (tensor.next) {
      this.#tensors.push(tensor.next);
      this.#replaced.push(tensor);
    }
    return tensor;
  }

  /** A matrix that keeps the file's precision or is quantised. Parts are stacked by rows. */
  matrix(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight {
    return this.#checkpoint(name, rows, cols, false, parts);
  }

  /** A weight that is f32 whatever the file holds: norms, routers, statistics, biases. */
  exact(name: string, rows: number, cols: number, ...parts: readonly (TensorRows | string)[]): Weight {
    return this.#checkpoint(name, rows, cols, true, parts);
  }

  /** f32 values that the engine makes itself, such as rope angles. */
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

  /** f32 values that are made of tensors of the checkpoint once, when the model is loaded. */
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

  /** Appends a node; what it reads is an input, a state, or was written by an earlier node. */
  add(node: Node): void {
    for (const each of node.reads) {
      const isThere = each.kind === 'weight' || this.#isGiven(each) || this.#written.has(each);
      invariant(isThere, () => `${node.op} ${node.label} reads ${each.name}, which no node before it writes`);
    }
    for (const each of node.writes) {
      invariant(!each.next, () => `${node.op} ${node.label} writes ${each.name}; it is replaced by its next`);
      this.#written.add(each);
    }
    this.#nodes.push(this.#isNeeded ? onlyWhen(this.#isNeeded, node) : node);
  }

  /** Nodes that `build` adds run in those steps only that want them. */
  when(isNeeded: (step: Step) => boolean, build: () => void): void {
    this.#isNeeded = isNeeded;
    try {
      build();
    } finally {
      this.#isNeeded = undefined;
    }
  }

  /** The graph of a whole model. Without `routes`, none of its layers has experts. */
  build({ routes = [], ...outputs }: Partial<ModelOutputs> & Pick<ModelOutputs, 'logits'>): ModelGraph {
    return { ...this.buildPart(), ...outputs, routes };
  }

  /** A graph that is less than a model, such as a single layer: its builder knows its outputs. */
  buildPart(): Graph {
    for (const { name, next } of this.#replaced) {
      invariant(next && this.#written.has(next), () => `no node writes what comes next of the state ${name}`);
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

  /** The same weight may be asked for twice (a tied embedding). */
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

/** Equal for weights that are read from the same places. */
function sourceKey({ source }: Weight): string {
  return source.kind === 'computed' ? source.kind : JSON.stringify(source.parts);
}
