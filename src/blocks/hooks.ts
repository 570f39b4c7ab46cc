/** The hooks of requests in graphs. Only what builds a graph with hooks loads this file, and the kernels behind it. */
import { hooksSize } from '../kernels/routing/hooked-gate.ts';
import { editsSize } from '../kernels/routing/hook-logits.ts';
import { onlyWhen } from '../graph/node.ts';
import { hookedGateNode, hookLogitsNode } from '../graph/ops/hooks.ts';
import type { OpenHooks } from './site.ts';

/** Creates the inputs of a layer's hooks, and the nodes that read them. */
export const openHooks: OpenHooks = (builder, { bank, experts, topK }) => {
  const edits = builder.tensor(`hooks ${bank} edits`, {
    type: 'f32',
    role: 'input',
    fixed: editsSize(experts),
  });
  const size = hooksSize({ experts, topK });
  const choice = builder.tensor(`hooks ${bank} choice`, { type: 'u32', role: 'input', ...size });
  return {
    inputs: { edits, choice },
    edit(logits) {
      const node = hookLogitsNode(`layer with experts ${bank}`, { logits, edits, experts });
      builder.add(onlyWhen(({ editedBanks }) => editedBanks?.has(bank) ?? false, node));
    },
    gateNode: (label, io) => hookedGateNode(label, { ...io, hooks: choice }),
  };
};
