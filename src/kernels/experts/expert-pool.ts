import type { Access, Bindings, Part } from '../../gpu/program.ts';
import pool1 from '../../../shaders/lib/expert-pool-1.wgsl?raw';
import pool4 from '../../../shaders/lib/expert-pool-4.wgsl?raw';

/** Buffers that the expert slots of a kernel are in. */
export type PoolCount = 1 | 4;

/** Slot number of an expert that is not in GPU memory. */
export const ABSENT_SLOT = 0xffffffff;

/** What the table holds for the expert in slot `index` of pool `pool`. */
export function slotNumber(pool: number, index: number): number {
  return ((pool << 24) | index) >>> 0;
}

function poolNames(pools: PoolCount): string[] {
  return Array.from({ length: pools }, (_, pool) => `pool${pool}`);
}

/** A kernel's own bindings, then its pools. */
export function withPools(own: Bindings, pools: PoolCount): Bindings {
  const access: Access = 'read';
  return { ...own, ...Object.fromEntries(poolNames(pools).map((name) => [name, access])) };
}

/**
 * The declarations of the pools, which follow a kernel's `own` bindings, and of `params`, which follow the pools (the
 * shader declares `struct Params` and leaves the variable to this), and the functions of lib/expert-pool-*.wgsl.
 */
export function poolParts(own: Bindings, pools: PoolCount): Part[] {
  const first = Object.keys(own).length;
  const lines = poolNames(pools).map(
    (name, at) => `@group(0) @binding(${first + at}) var<storage, read> ${name}: array<vec4<u32>>;`,
  );
  lines.push(`@group(0) @binding(${first + pools}) var<uniform> params: Params;`);
  return [
    { name: 'pools', text: lines.join('\n') },
    { name: `lib/expert-pool-${pools}.wgsl`, text: pools === 1 ? pool1 : pool4 },
  ];
}
