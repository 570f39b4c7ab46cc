import { activationCode } from '../../kernels/core/activation.ts';
import { expertGluReference } from '../../kernels/experts/expert-glu.reference.ts';
import { invariant } from '../../errors.ts';
import { defineOp } from '../op.ts';
import { fewTokens, manyTokens, type ExpertsIo } from './experts.ts';

/** Up to here each pair reads its expert's weights by itself. */
const FEW_TOKENS = 8;

/** y[t] = sum over ranks of weight * down(act(gate x) * up x), over the experts that each token chose. */
export const expertsNode = defineOp<ExpertsIo>({
  name: 'experts',
  reads: ({ x, ids, weights }) => [x, ids, weights],
  writes: ({ y }) => [y],
  lower: (context, io) => (context.maxTokens > FEW_TOKENS ? manyTokens(context, io) : fewTokens(context, io)),
  run(context, { x, ids, weights, y, bank, experts, topK, hidden, width, activation }) {
    const store = context.experts;
    invariant(store, () => 'the graph has experts, the engine holds none');
    const expert = (unit: number) => {
      if (unit >= experts) return undefined; // left out by the router
      const { gate, up, down } = store.unit(bank, unit);
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
});
