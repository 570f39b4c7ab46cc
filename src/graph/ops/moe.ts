import { activationCode } from '../../kernels/activation.ts';
import { expertGluReference } from '../../kernels/expert-glu.reference.ts';
import { invariant } from '../../errors.ts';
import type { Node } from '../node.ts';
import { fewTokens, manyTokens, type ExpertsIo } from './experts.ts';

/** Up to here each pair reads its expert's weights by itself. */
const FEW_TOKENS = 8;

/** y[t] = sum over ranks of weight * down(act(gate x) * up x), over the experts that each token chose. */
export function expertsNode(label: string, io: ExpertsIo): Node {
  const { x, ids, weights, y, layer, topK, hidden, width, activation } = io;
  return {
    op: 'experts',
    label,
    lower: (context) => (context.maxTokens > FEW_TOKENS ? manyTokens(context, io) : fewTokens(context, io)),
    run: (context) => {
      const store = context.experts;
      invariant(store, () => 'the graph has experts, the engine holds none');
      const expert = (unit: number) => {
        if (unit >= io.experts) return undefined; // left out by the router
        const { gate, up, down } = store.unit(layer, unit);
        invariant(gate && up && down, () => 'an expert has gate, up and down');
        return { gate, up, down };
      };
      const options = { tokens: context.step.tokens, topK, hidden, width, act: activationCode(activation) };
      const result = expertGluReference(
        context.floats(x),
        context.words(ids),
        context.floats(weights),
        expert,
        options,
      );
      context.put(y, result);
    },
  };
}
