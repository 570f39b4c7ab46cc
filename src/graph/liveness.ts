import { alignUp } from '../gpu/buffer.ts';
import { plainStep, type Dispatch } from './node.ts';
import { elementCount, type Tensor } from './tensor.ts';
import type { Scalar } from '../kernels/common.ts';

/** A buffer, and the tensors that share it over time. */
export interface SharedBuffer {
  readonly isIndirect: boolean;
  readonly tensors: readonly Tensor[];
  readonly sizeBytes: number;
}

/** Size of an element in bytes. */
export function elementBytes({ type }: Tensor, scalar: Scalar): 2 | 4 {
  return type === 'scalar' && scalar === 'f16' ? 2 : 4;
}

/** Size of a tensor in bytes, rounded up to 16, because kernels may bind it as vec4s. `Plan.read` omits the padding. */
export function tensorSizeBytes(tensor: Tensor, tokens: number, scalar: Scalar): number {
  return Math.max(16, alignUp(elementBytes(tensor, scalar) * elementCount(tensor, tokens), 16));
}

/**
 * Assigns tensors to shared buffers by liveness. Two tensors share a buffer only if no dispatch accesses one while the other
 * is still needed, so no dispatch binds one buffer for both reading and writing. Inputs and outputs have their own buffers;
 * states belong to sessions and are not included.
 *
 * @param keepCuts - tensors that a step needs at a cut (before the experts of a layer) are not overwritten by what
 *   follows, so that the step can be continued from the cut again
 */
export function shareBuffers(
  dispatches: readonly Dispatch[],
  maxTokens: number,
  scalar: Scalar,
  { keepCuts = false }: { readonly keepCuts?: boolean } = {},
): SharedBuffer[] {
  const cuts = keepCuts ? cutsOf(dispatches) : [];
  const all = lifetimes(dispatches).map((life) => ({
    ...life,
    isKept: cuts.some((cut) => life.first < cut && cut <= life.last),
  }));
  return colour(all, (tensor) => tensorSizeBytes(tensor, maxTokens, scalar));
}

/** The lifetime of a tensor: indices of the dispatches or nodes that write it first and use it last. */
export interface Life {
  readonly tensor: Tensor;
  first: number;
  last: number;
  readonly isKept?: boolean; // never overwritten by later dispatches
}

/** Assigns each tensor a new buffer, or one whose tensors are no longer needed (greedy interval colouring). */
export function colour(all: readonly Life[], sizeOf: (tensor: Tensor) => number): SharedBuffer[] {
  interface Open {
    isIndirect: boolean;
    isPrivate: boolean;
    tensors: Tensor[];
    sizeBytes: number;
    freeFrom: number;
  }
  const buffers: Open[] = [];
  for (const { tensor, first, last, isKept = false } of all) {
    const sizeBytes = sizeOf(tensor);
    const isIndirect = tensor.role === 'indirect';
    const isPrivate = tensor.role === 'input' || tensor.role === 'output';
    const candidates = isPrivate
      ? []
      : buffers.filter((open) => !open.isPrivate && open.isIndirect === isIndirect && open.freeFrom < first);
    // Best fit: the smallest sufficient buffer, else the largest, which is enlarged.
    candidates.sort(
      (a, b) => Number(a.sizeBytes < sizeBytes) - Number(b.sizeBytes < sizeBytes) || fit(a, b, sizeBytes),
    );
    const chosen = candidates[0];
    const freeFrom = isKept ? Infinity : last;
    if (chosen) {
      chosen.tensors.push(tensor);
      chosen.sizeBytes = Math.max(chosen.sizeBytes, sizeBytes);
      chosen.freeFrom = freeFrom;
    } else {
      buffers.push({ isIndirect, isPrivate, tensors: [tensor], sizeBytes, freeFrom });
    }
  }
  return buffers;
}

/** Indices of the dispatches before which a step can stop: the first of each layer that reads expert records. */
function cutsOf(dispatches: readonly Dispatch[]): number[] {
  let bank: number | undefined;
  return dispatches.flatMap(({ records }, index) => {
    if (!records || records.bank === bank) return [];
    bank = records.bank;
    return [index];
  });
}

function fit(a: { sizeBytes: number }, b: { sizeBytes: number }, sizeBytes: number): number {
  return a.sizeBytes >= sizeBytes ? a.sizeBytes - b.sizeBytes : b.sizeBytes - a.sizeBytes;
}

function lifetimes(dispatches: readonly Dispatch[]): Life[] {
  const byTensor = new Map<Tensor, Life>();
  dispatches.forEach((dispatch, index) => {
    for (const ref of Object.values(dispatch.buffers))
      if (ref.kind === 'tensor') extend(byTensor, ref, index);
    const grid = dispatch.grid(plainStep(1, 0));
    if ('indirect' in grid) extend(byTensor, grid.indirect, index);
  });
  const found = [...byTensor.values()];
  for (const group of waveGroups(dispatches)) for (const life of found) extendLife(life, group);
  return found.sort((a, b) => a.first - b.first);
}

/** Ranges of dispatches that may be repeated, as [first, last]. */
function waveGroups(dispatches: readonly Dispatch[]): [number, number][] {
  const groups: [number, number][] = [];
  dispatches.forEach(({ records }, index) => {
    if (!records?.inWaves) return;
    const open = groups.at(-1);
    if (open && open[1] === index - 1 && dispatches[index - 1]?.records?.bank === records.bank)
      open[1] = index;
    else groups.push([index, index]);
  });
  return groups;
}

/** Extends the lifetime of a tensor that is accessed in a repeated range to the whole range. */
function extendLife(life: Life, [first, last]: readonly [number, number]): void {
  if (life.first >= first && life.first <= last) life.first = first;
  if (life.last >= first && life.last <= last) life.last = last;
}

function extend(byTensor: Map<Tensor, Life>, tensor: Tensor, index: number): void {
  if (tensor.role === 'state') return;
  const life = byTensor.get(tensor);
  if (life) life.last = index;
  else byTensor.set(tensor, { tensor, first: index, last: index });
}
