/** The hooks of a request between the logits of a router and its routes. Only graphs with hooks have these ops. */
import { gate, gateParams, gateVariants } from '../../kernels/routing/gate.ts';
import { hookedGate } from '../../kernels/routing/hooked-gate.ts';
import { hookLogits } from '../../kernels/routing/hook-logits.ts';
import { gateStages } from '../../kernels/routing/rule.ts';
import { dispatch } from '../node.ts';
import { defineCoreOp } from '../op.ts';
import type { Tensor } from '../tensor.ts';
import type { GateIo } from './gate.ts';

export { FREE_TOKEN, hooksSize, packChoice } from '../../kernels/routing/hooked-gate.ts';
export { packEdits } from '../../kernels/routing/hook-logits.ts';

/** Tensors and attributes of edits of logits. */
export interface HookLogitsIo {
  readonly logits: Tensor; // f32 [tokens, experts], changed in place
  readonly edits: Tensor; // f32 [editsSize(experts)], input
  readonly experts: number;
}

/** Changes router logits by the bias, the steering and the mask of a request. */
export const hookLogitsNode = defineCoreOp<HookLogitsIo>({
  name: 'hook-logits',
  reads: ({ logits, edits }) => [logits, edits],
  writes: ({ logits }) => [logits],
  lower: (context, { logits, edits, experts }) => [
    context.choose(hookLogits, hookLogits.variants, `${experts} experts`, (variant) =>
      dispatch(hookLogits, variant, {
        buffers: { logits, edits },
        params: ({ tokens }) => ({ tokens, experts }),
        size: ({ tokens }) => ({ tokens }),
      }),
    ),
  ],
});

/** As the gate's, and the hooks. */
export interface HookedGateIo extends GateIo {
  readonly hooks: Tensor; // u32, `hooksSize`: input
}

/** A gate whose selection the hooks of a request may replace. */
export const hookedGateNode = defineCoreOp<HookedGateIo>({
  name: 'hooked-gate',
  reads: ({ logits, bias, factors, hooks }) => [logits, bias, factors, hooks],
  writes: ({ ids, weights }) => [ids, weights],
  lower(context, { logits, bias, hooks, ids, weights, experts, topK, rule, factors }) {
    const { score, select, weigh } = gateStages(rule);
    const shape = `${score}/${select}/${weigh} ${experts} top ${topK}`;
    // The choice is the gate's own: another form could sum in another order, and weights have the bits of the plain graph.
    return [
      context.choose(gate, gateVariants(rule, experts, factors !== undefined), shape, (variant) =>
        dispatch(hookedGate, variant, {
          buffers: { logits, bias, hooks, ids, weights, ...(factors ? { factors } : {}) },
          params: ({ tokens }) => gateParams(rule, { tokens, experts, topK }),
          size: ({ tokens }) => ({ tokens, experts }),
        }),
      ),
    ];
  },
});
