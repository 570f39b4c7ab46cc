import {
  pairSortCount,
  pairSortScan,
  pairSortScatter,
  SORT_TOTAL_WORDS,
  sortBlocks,
  sortCountWords,
  sortPasses,
} from '../../kernels/atomic/pair-sort.ts';
import { dispatch, type Dispatch, type LowerContext, type Step } from '../node.ts';
import type { Tensor } from '../tensor.ts';

/** Dispatches that sort the pairs of a step by expert; a stable radix sort. */
export function pairSort(
  context: LowerContext,
  { ids, perToken, experts }: { ids: Tensor; perToken: number; experts: number },
): { sorted: Tensor; dispatches: Dispatch[] } {
  const shape = { type: 'u32', perToken: 2 * perToken } as const;
  const turns = [context.scratch('sorted', shape), context.scratch('half sorted', shape)] as const;
  const words = sortCountWords(context.maxTokens * perToken);
  const counts = context.scratch('digit counts', { type: 'u32', fixed: words });
  const totals = context.scratch('digit totals', { type: 'u32', fixed: SORT_TOTAL_WORDS });
  const at = `${experts} experts`;
  const size = ({ tokens }: Step) => ({ pairs: tokens * perToken });
  const dispatches: Dispatch[] = [];
  let keys = ids;
  for (const [index, pass] of sortPasses(experts).entries()) {
    const from = keys;
    const sorted = turns[index % 2 === 0 ? 0 : 1];
    const params = (step: Step) => ({ ...size(step), stride: index === 0 ? 1 : 2, ...pass });
    dispatches.push(
      context.choose(pairSortCount, pairSortCount.variants, at, (variant) =>
        dispatch(pairSortCount, variant, { buffers: { keys: from, counts }, params, size }),
      ),
      context.choose(pairSortScan, pairSortScan.variants, at, (variant) =>
        dispatch(pairSortScan, variant, {
          buffers: { counts, totals },
          params: (step) => ({ blocks: sortBlocks(size(step).pairs), digits: 2 ** pass.bits }),
          size: () => pass,
        }),
      ),
      context.choose(pairSortScatter, pairSortScatter.variants, at, (variant) =>
        dispatch(pairSortScatter, variant, {
          buffers: { keys: from, counts, totals, sorted },
          params,
          size,
        }),
      ),
    );
    keys = sorted;
  }
  return { sorted: keys, dispatches };
}
