import { alignUp } from '../gpu/buffer.ts';
import { plainStep, type Dispatch } from './node.ts';
import { elementCount, type Tensor } from './tensor.ts';
import type { Scalar } from '../kernels/common.ts';

/** One buffer to be made, and the tensors that take turns in it. */
export interface SharedBuffer {
  readonly isIndirect: boolean;
  readonly tensors: readonly Tensor[];
  readonly sizeBytes: number;
}

/** Bytes of one element of a tensor. */
export function elementBytes({ type }: Tensor, scalar: Scalar): 2 | 4 {
  return type === 'scalar' && scalar === 'f16' ? 2 : 4;
}

/** Rounded up to 16 bytes: kernels may bind any tensor as vec4s. Readers leave the padding out (`Plan.read`). */
export function tensorSizeBytes(tensor: Tensor, tokens: number, scalar: Scalar): number {
  return Math.max(16, alignUp(elementBytes(tensor, scalar) * elementCount(tensor, tokens), 16));
}

/**
 * Colours tensors by liveness. Two tensors share a buffer only when no dispatch touches one while the other is still
 * needed, so no dispatch binds one buffer for reading and for writing. Inputs and outputs have buffers of their own;
 * states belong to sessions and do not appear here.
 *
 * @param keepCuts - what a step still needs where it can stop (before the experts of a layer) is not overwritten by what
 *   follows: the step can continue from there again
 */
export function shareBuffers(
  dispatches: readonly Dispatch[],
  maxTokens: number,
  scalar: Scalar,
  { keepCuts = false }: { readonly keepCuts?: boolean } = {},
): SharedBuffer[] {
  const cuts = keepCuts ? cutsOf(dispatches) : [];
  const all = lives(dispatches).map((life) => ({
    ...life,
    isKept: cuts.some((cut) => life.first < cut && cut <= life.last),
  }));
  return colour(all, (tensor) => tensorSizeBytes(tensor, maxTokens, scalar));
}

/** When a tensor is written first and used last, as numbers of dispatches or nodes. */
export interface Life {
  readonly tensor: Tensor;
  first: number;
  last: number;
  readonly isKept?: boolean; // nothing that follows may overwrite it
}

/** Gives each tensor a buffer, or a turn in one whose tensors are no longer needed. */
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
    // Best fit: the smallest that holds it, else the largest, which grows.
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

/** Dispatches before which a step can stop: the first of each layer that reads expert records. */
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

function lives(dispatches: readonly Dispatch[]): Life[] {
  const byTensor = new Map<Tensor, Life>();
  dispatches.forEach((dispatch, index) => {
    for (const ref of Object.values(dispatch.buffers))
      if (ref.kind === 'tensor') extend(byTensor, ref, index);
    const grid = dispatch.grid(plainStep(1, 0));
    if ('indirect' in grid) extend(byTensor, grid.indirect, index);
  });
  const found = [...byTensor.values()];
  for (const group of waveGroups(dispatches)) for (const life of found) stretch(life, group);
  return found.sort((a, b) => a.first - b.first);
}

/** Runs of dispatches that may be repeated, as [first, last]. */
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

/** What is touched somewhere in a run that is repeated is needed all through it. */
function stretch(life: Life, [first, last]: readonly [number, number]): void {
  if (life.first >= first && life.first <= last) life.first = first;
  if (life.last >= first && life.last <= last) life.last = last;
}

function extend(byTensor: Map<Tensor, Life>, tensor: Tensor, index: number): void {
  if (tensor.role === 'state') return;
  const life = byTensor.get(tensor);
  if (life) life.last = index;
  else byTensor.set(tensor, { tensor, first: index, last: index });
}
