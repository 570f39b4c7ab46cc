import { rarePart } from '../forms/parts.ts';
import type { Access, Bindings, Part } from '../../gpu/program.ts';
import pool1 from '../../../shaders/lib/expert-pool-1.wgsl?raw';

/** Number of buffers that contain the expert slots of a kernel. */
export type PoolCount = 1 | 4;

/** Slot number of an expert that is not in GPU memory. */
export const ABSENT_SLOT = 0xffffffff;

/** The table entry of an expert in slot `index` (below 2^24) of pool `pool`. */
export function slotNumber(pool: number, index: number): number {
  return ((pool << 24) | index) >>> 0;
}

function poolNames(pools: PoolCount): string[] {
  return Array.from({ length: pools }, (_, pool) => `pool${pool}`);
}

/** A kernel's own bindings, followed by its pools. */
export function withPools(own: Bindings, pools: PoolCount): Bindings {
  const access: Access = 'read';
  return { ...own, ...Object.fromEntries(poolNames(pools).map((name) => [name, access])) };
}

/**
 * WGSL declarations of the pools, bound after a kernel's `own` bindings, and the functions of lib/expert-pool-*.wgsl. The
 * program is linked with the binding of its parameters, behind the pools.
 */
export function poolParts(own: Bindings, pools: PoolCount): Part[] {
  const first = Object.keys(own).length;
  const lines = poolNames(pools).map(
    (name, at) => `@group(0) @binding(${first + at}) var<storage, read> ${name}: array<vec4<u32>>;`,
  );
  return [
    { name: 'pools', text: lines.join('\n') },
    pools === 1 ? { name: 'lib/expert-pool-1.wgsl', text: pool1 } : rarePart('lib/expert-pool-4'),
  ];
}
