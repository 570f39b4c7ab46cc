import { defineCoreOp } from '../op.ts';
import { fewTokens, manyTokens, type ExpertsIo } from './experts.ts';

/** Maximum number of tokens whose pairs read the weights of their experts separately. */
const FEW_TOKENS = 8;

/** y[t] = sum over ranks of weight * down(act(gate x) * up x), over the chosen experts of each token. */
export const expertsNode = defineCoreOp<ExpertsIo>({
  name: 'experts',
  reads: ({ x, ids, weights }) => [x, ids, weights],
  writes: ({ y }) => [y],
  lower: (context, io) => (context.maxTokens > FEW_TOKENS ? manyTokens(context, io) : fewTokens(context, io)),
});
