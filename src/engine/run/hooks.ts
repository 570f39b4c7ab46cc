/** The hooks of a request as steps use them. */
import { invariant } from '../../errors.ts';
import { elementCount, type Tensor } from '../../graph/tensor.ts';
import type { HostArray, ModelGraph } from '../../graph/node.ts';

/** Hooks of one request, as the inputs of graphs with hooks have them. */
export interface StepHooks {
  /** Layers with experts whose logits they change. */
  readonly editedBanks: ReadonlySet<number>;
  /** [bank]: what holds for all tokens; none in layers without hooks in the graph. */
  readonly layers: readonly (LayerInputs | undefined)[];
  /** The routes of the tokens that come after the first `past`, for the layer's input; none if no routes are replayed. */
  replay?(bank: number, past: number, tokens: number): Uint32Array<ArrayBuffer>;
  /** The experts that are replayed for the token at a position; undefined: it chooses for itself. */
  known?(bank: number, position: number): readonly number[] | undefined;
}

/** The values of a layer's inputs that hold for all tokens. */
export interface LayerInputs {
  readonly edits: Float32Array<ArrayBuffer>;
  readonly choice: Uint32Array<ArrayBuffer>;
}

/** Values of an input, from an element on. */
export interface InputPart {
  readonly tensor: Tensor;
  readonly first: number;
  readonly values: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;
}

/** What holds for a whole request: written once, unless another request's was written since. */
export function requestInputs({ routes }: ModelGraph, hooks: StepHooks): InputPart[] {
  return routes.flatMap(({ bank, hooks: inputs }) => {
    const values = hooks.layers[bank];
    if (!inputs || !values) return [];
    return [
      { tensor: inputs.edits, first: 0, values: values.edits },
      { tensor: inputs.choice, first: 0, values: values.choice },
    ];
  });
}

/** What belongs to the tokens of a step. */
export function tokenInputs(
  { routes }: ModelGraph,
  hooks: StepHooks,
  { past, tokens }: { readonly past: number; readonly tokens: number },
): InputPart[] {
  return routes.flatMap(({ bank, hooks: inputs }) => {
    const values = inputs && hooks.replay?.(bank, past, tokens);
    return values ? [{ tensor: inputs.choice, first: inputs.choice.fixed, values }] : [];
  });
}

/** All inputs of a step in whole arrays. */
export function hookArrays(
  graph: ModelGraph,
  hooks: StepHooks,
  step: { readonly past: number; readonly tokens: number },
): Map<Tensor, HostArray> {
  const arrays = new Map<Tensor, HostArray>();
  for (const { tensor, first, values } of [
    ...requestInputs(graph, hooks),
    ...tokenInputs(graph, hooks, step),
  ]) {
    const count = elementCount(tensor, step.tokens);
    const made =
      arrays.get(tensor) ??
      (values instanceof Float32Array ? new Float32Array(count) : new Uint32Array(count));
    invariant(first + values.length <= count, () => `${tensor.name} has ${count} elements`);
    made.set(values, first);
    arrays.set(tensor, made);
  }
  return arrays;
}
