import source from '../../../shaders/routing/expert-room.wgsl?raw';
import { foldGrid, gridPart } from '../common.ts';
import { defineKernel } from '../kernel.ts';

/** Problem size, which determines the grid: [tokens, k]. */
export interface ExpertRoomSize {
  readonly tokens: number;
  readonly k: number;
}

/**
 * Drops the choices of experts that earlier tokens of the sequence have filled, and keeps all choices for later steps.
 *
 * ids [tokens, k] u32, chosen [context, k] u32 -> given [tokens, k] u32, rows past .. past + tokens - 1 of chosen if `keeps` is 1
 */
export const expertRoom = defineKernel({
  name: 'expert-room',
  bindings: { ids: 'read', chosen: 'write', given: 'write' },
  params: { tokens: 'u32', past: 'u32', k: 'u32', room: 'u32', keeps: 'u32' },
  variants: [{ wg: 64 }],
  parts: () => [gridPart, { name: 'routing/expert-room.wgsl', text: source }],
  overrides: ({ wg }) => ({ WG: wg }),
  key: ({ wg }) => `expert-room/wg${wg}`,
  grid: ({ tokens, k }: ExpertRoomSize, { wg }) => foldGrid(Math.ceil((tokens * k) / wg)),
});
