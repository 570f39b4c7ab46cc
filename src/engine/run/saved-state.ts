/** The states of a session as bytes: which parts matter, and how they are cut. */
import type { ModelGraph } from '../../graph/node.ts';
import { SEEN } from '../../graph/ops/sample.ts';
import type { Scalar } from '../../graph/tensor.ts';

/** One state of a session: of what is kept by position, the positions in use. */
export interface StatePart {
  readonly name: string;
  readonly sizeBytes: number; // a multiple of 4
}

/**
 * The states behind the first `tokens` tokens: [tokens, perPosition] of those by position, all of the others. The
 * marks of the repetition penalty are those of a reply, which sets them.
 */
export function statePartsOf(graph: ModelGraph, tokens: number, scalar: Scalar): StatePart[] {
  const next = new Set(graph.tensors.flatMap((tensor) => (tensor.next ? [tensor.next.name] : [])));
  const states = graph.tensors.filter(
    ({ role, name }) => role === 'state' && name !== SEEN && !next.has(name),
  );
  return states.map(({ name, type, fixed, perPosition }) => {
    const elementBytes = type === 'scalar' && scalar === 'f16' ? 2 : 4;
    const elements = perPosition === undefined ? fixed : perPosition * tokens;
    return { name, sizeBytes: 4 * Math.ceil((elementBytes * elements) / 4) };
  });
}
