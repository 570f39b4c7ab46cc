import { activationCode, type Activation } from '../../kernels/activation.ts';
import { atomicCombine } from '../../kernels/atomic-combine.ts';
import { atomicExpertsReference } from '../../kernels/atomic-experts.reference.ts';
import { atomicScores } from '../../kernels/atomic-scores.ts';
import { dispatch, type Dispatch, type LowerContext, type Node } from '../node.ts';
import type { Tensor } from '../tensor.ts';
import { invariant } from '../../errors.ts';
import { bindExperts } from './expert-refs.ts';

export interface AtomicExpertsIo {
  readonly x: Tensor; // [tokens, hidden]
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly y: Tensor; // [tokens, hidden]
  readonly layer: number; // among the layers with experts
  readonly experts: number;
  readonly topK: number;
  readonly hidden: number;
  readonly activation: Activation;
}

/** y[t] = sum over ranks of weight * act(in . x[t]) * out, for the one-neuron experts that each token chose. */
export function atomicExpertsNode(label: string, io: AtomicExpertsIo): Node {
  const { x, ids, weights, y, layer, experts, topK, hidden, activation } = io;
  const act = activationCode(activation);
  return {
    op: 'atomic-experts',
    label,
    lower: (context) => tokenCentric(context, io),
    run: (context) => {
      const store = context.experts;
      invariant(store, () => 'the graph has experts, the engine holds none');
      const y1 = atomicExpertsReference(context.floats(x), context.words(ids), context.floats(weights), {
        tokens: context.step.tokens,
        hidden,
        topK,
        act,
        pageExperts: experts / store.unitsPerLayer,
        page: (page) => {
          const { in: input, out: output } = store.unit(layer, page);
          invariant(input && output, () => 'a page has input and output vectors');
          return { in: input, out: output };
        },
      });
      context.put(y, y1);
    },
  };
}

/** Each token gathers its experts' vectors: for few pairs per active expert. */
function tokenCentric(context: LowerContext, io: AtomicExpertsIo): Dispatch[] {
  const { x, ids, weights, y, layer, experts, topK, hidden, activation } = io;
  const bound = bindExperts(context, layer);
  const { format, pools, poolBuffers, table } = bound;
  const pageExperts = experts / (context.experts?.unitsPerLayer ?? 1);
  const neurons = context.scratch('neurons', { type: 'u32', perToken: 2 * topK });
  const shape = `${hidden} top ${topK} ${format} pools ${pools}`;
  const fits = (variant: { scalar: string; format: string; pools: number }) =>
    variant.scalar === context.scalar && variant.format === format && variant.pools === pools;
  const common = { hidden, top_k: topK, page_experts: pageExperts, slot_vec4: bound.slotVec4 };
  return [
    context.choose(atomicScores, atomicScores.variants.filter(fits), shape, (variant) =>
      dispatch(atomicScores, variant, {
        buffers: { x, ids, table, neurons, ...poolBuffers },
        params: ({ tokens }) => ({
          ...common,
          tokens,
          act: activationCode(activation),
          table_base: bound.tableBase,
          in_base: bound.at('in'),
          in_scales: bound.scales('in'),
        }),
        size: ({ tokens }) => ({ tokens, topK, hidden }),
      }),
    ),
    context.choose(atomicCombine, atomicCombine.variants.filter(fits), shape, (variant) =>
      dispatch(atomicCombine, variant, {
        buffers: { neurons, ids, weights, y, ...poolBuffers },
        params: ({ tokens }) => ({
          ...common,
          tokens,
          out_base: bound.at('out'),
          out_scales: bound.scales('out'),
        }),
        size: ({ tokens }) => ({ tokens, hidden }),
      }),
    ),
  ];
}
