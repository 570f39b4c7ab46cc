import source from '../../../shaders/experts/sparse-dispatch.wgsl?raw';
import { invariant } from '../../errors.ts';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid and the size of `tiles`. */
export interface SparseDispatchSize {
  readonly pairs: number; // tokens * topK
  readonly experts: number;
}

/** Header of a tile's record in words: expert, first place, rows, 0. The pair numbers of its rows follow. */
export const TILE_HEADER_WORDS = 4;

/** Place of a pair without an expert. */
export const NOWHERE = 0xffffffff;

/** Maximum number of tiles of a step. */
export function maxTiles({ pairs, experts }: SparseDispatchSize, tileRows: number): number {
  const partial = Math.min(pairs, experts); // tiles that may be partial
  return partial + Math.floor((pairs - partial) / tileRows);
}

/** Size of `tiles` in u32 words. */
export function tilesWords(size: SparseDispatchSize, tileRows: number): number {
  return maxTiles(size, tileRows) * (TILE_HEADER_WORDS + tileRows);
}

/**
 * Sorts the pairs of a step by expert and divides them into tiles.
 *
 * ids [pairs] u32 -> counts [experts], offsets [experts + 1], sorted [pairs], place [pairs], tiles, args [3], all u32
 */
export const sparseDispatch = defineKernel({
  name: 'sparse-dispatch',
  bindings: {
    ids: 'read',
    counts: 'write',
    offsets: 'write',
    sorted: 'write',
    place: 'write',
    tiles: 'write',
    args: 'write',
  },
  params: { pairs: 'u32', experts: 'u32', tile_rows: 'u32', args_y: 'u32', args_z: 'u32' },
  variants: [
    { wg: 4, chunk: 128, capacity: 256 },
    { wg: 128, chunk: 256, capacity: 1024 },
  ],
  parts: () => [gridPart, { name: 'experts/sparse-dispatch.wgsl', text: source }],
  overrides: ({ wg, chunk, capacity }) => ({ WG: wg, CHUNK: chunk, CAPACITY: capacity }),
  key: ({ wg, chunk, capacity }) => `sparse-dispatch/wg${wg}/${chunk}/${capacity}`,
  grid: ({ pairs, experts }: SparseDispatchSize, { chunk, capacity }) => {
    invariant(experts <= capacity, () => `sparse-dispatch: ${experts} experts, at most ${capacity} here`);
    return foldGrid(Math.max(1, Math.ceil(pairs / chunk)));
  },
});
