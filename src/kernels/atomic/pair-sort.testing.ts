/** The whole sort, dispatch by dispatch. Not part of the library. */
import type { Gpu } from '../../gpu/device.ts';
import {
  pairSortCount,
  pairSortScan,
  pairSortScatter,
  SORT_TOTAL_WORDS,
  sortBlocks,
  sortCountWords,
  sortPasses,
} from './pair-sort.ts';
import { runKernel, type Values } from '../testing.ts';

const variant = { wg: 64 } as const;

export async function sortPairs(gpu: Gpu, ids: Values, experts: number): Promise<Values> {
  const pairs = ids.length;
  let keys = ids;
  for (const [pass, { shift, bits }] of sortPasses(experts).entries()) {
    const params = { pairs, stride: pass === 0 ? 1 : 2, shift, bits };
    const { counts } = await runKernel(gpu, pairSortCount, variant, {
      buffers: { keys, counts: { type: 'u32', count: sortCountWords(pairs) } },
      params,
      size: { pairs },
    });
    const scanned = await runKernel(gpu, pairSortScan, variant, {
      buffers: { counts, totals: { type: 'u32', count: SORT_TOTAL_WORDS } },
      params: { blocks: sortBlocks(pairs), digits: 2 ** bits },
      size: { shift, bits },
    });
    const { sorted } = await runKernel(gpu, pairSortScatter, variant, {
      buffers: { keys, ...scanned, sorted: { type: 'u32', count: 2 * pairs } },
      params,
      size: { pairs },
    });
    keys = sorted;
  }
  return keys;
}
