import { activationCode, type Activation } from '../../kernels/activation.ts';
import { expertDown } from '../../kernels/expert-down.ts';
import { expertGateUp } from '../../kernels/expert-gate-up.ts';
import { dispatch, type Dispatch, type LowerContext } from '../node.ts';
import type { Tensor } from '../tensor.ts';
import { bindExperts } from './expert-refs.ts';

export interface ExpertsIo {
  readonly x: Tensor; // [tokens, hidden]
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly y: Tensor; // [tokens, hidden]
  readonly layer: number; // among the layers with experts
  readonly experts: number;
  readonly topK: number;
  readonly hidden: number;
  readonly width: number;
  readonly activation: Activation;
}

/** One pass over the chosen experts' first halves, one over their second halves and the weighted sum. */
export function fewTokens(context: LowerContext, io: ExpertsIo): Dispatch[] {
  const { x, ids, weights, y, layer, experts, topK, hidden, width, activation } = io;
  const bound = bindExperts(context, layer);
  const { format, pools, poolBuffers, table } = bound;
  const h = context.scratch('hidden of experts', { type: 'f32', perToken: topK * width });
  const shape = `${experts}x${width}x${hidden} top ${topK} ${format} pools ${pools}`;
  const fits = (variant: { scalar: string; format: string; pools: number }) =>
    variant.scalar === context.scalar && variant.format === format && variant.pools === pools;
  const common = {
    top_k: topK,
    experts,
    hidden,
    width,
    table_base: bound.tableBase,
    slot_vec4: bound.slotVec4,
  };
  return [
    context.choose(expertGateUp, expertGateUp.variants.filter(fits), shape, (variant) =>
      dispatch(expertGateUp, variant, {
        buffers: { x, ids, table, h, ...poolBuffers },
        params: ({ tokens }) => ({
          ...common,
          tokens,
          act: activationCode(activation),
          gate: bound.at('gate'),
          up: bound.at('up'),
          gate_scales: bound.scales('gate'),
          up_scales: bound.scales('up'),
        }),
        size: ({ tokens }) => ({ pairs: tokens * topK, hidden, width }),
      }),
    ),
    context.choose(expertDown, expertDown.variants.filter(fits), shape, (variant) =>
      dispatch(expertDown, variant, {
        buffers: { h, ids, weights, table, y, ...poolBuffers },
        params: ({ tokens }) => ({
          ...common,
          tokens,
          down: bound.at('down'),
          down_scales: bound.scales('down'),
        }),
        size: ({ tokens }) => ({ tokens, hidden, width }),
      }),
    ),
  ];
}
