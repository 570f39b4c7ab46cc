import { defineCoreOp } from '../op.ts';
import { fewTokens, manyTokens, type ExpertsIo } from './experts.ts';

/** Up to here each pair reads its expert's weights by itself. */
const FEW_TOKENS = 8;

/** y[t] = sum over ranks of weight * down(act(gate x) * up x), over the experts that each token chose. */
export const expertsNode = defineCoreOp<ExpertsIo>({
  name: 'experts',
  reads: ({ x, ids, weights }) => [x, ids, weights],
  writes: ({ y }) => [y],
  lower: (context, io) => (context.maxTokens > FEW_TOKENS ? manyTokens(context, io) : fewTokens(context, io)),
});
