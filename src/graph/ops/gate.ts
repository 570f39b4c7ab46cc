import { gate, gateParams, gateVariants } from '../../kernels/routing/gate.ts';
import { gateStages, type RouterRule } from '../../kernels/routing/rule.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor, Weight } from '../tensor.ts';

/** Inputs, outputs and attributes of a gate. */
export interface GateIo {
  readonly logits: Tensor; // f32 [tokens, experts]
  readonly bias: Weight; // f32 [experts], added for selection only
  readonly ids: Tensor; // u32 [tokens, topK]
  readonly weights: Tensor; // f32 [tokens, topK]
  readonly experts: number;
  readonly topK: number;
  readonly rule: RouterRule;
  readonly factors?: Weight | undefined; // f32 [experts], of the weights
}

/** Selects the experts of each token by a routing rule, best first, and computes their weights. */
export const gateNode = defineCoreOp<GateIo>({
  name: 'gate',
  reads: ({ logits, bias, factors }) => [logits, bias, factors],
  writes: ({ ids, weights }) => [ids, weights],
  lower(context, { logits, bias, ids, weights, experts, topK, rule, factors }) {
    const { score, select, weigh } = gateStages(rule);
    const shape = `${score}/${select}/${weigh} ${experts} top ${topK}`;
    return [
      context.choose(gate, gateVariants(rule, experts, factors !== undefined), shape, (variant) =>
        dispatch(gate, variant, {
          buffers: { logits, bias, ids, weights, ...(factors ? { factors } : {}) },
          params: ({ tokens }) => gateParams(rule, { tokens, experts, topK }),
          size: ({ tokens }) => ({ tokens, experts }),
        }),
      ),
    ];
  },
});
