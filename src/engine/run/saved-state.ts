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
 * The states behind the first `tokens` tokens: [tokens, perPosition] of those by position, all of those that a step replaces. The
 * marks of the repetition penalty are those of a reply, which sets them.
 */
export function statePartsOf(
  graph: ModelGraph,
  contextTokens: number,
  tokens: number,
  scalar: Scalar,
): StatePart[] {
  const next = new Set(graph.tensors.flatMap((tensor) => (tensor.next ? [tensor.next.name] : [])));
  const states = graph.tensors.filter(
    ({ role, name }) => role === 'state' && name !== SEEN && !next.has(name),
  );
  return states.map(({ name, type, fixed, next: isReplaced }) => {
    const elementBytes = type === 'scalar' && scalar === 'f16' ? 2 : 4;
    const byPosition = !isReplaced && fixed % contextTokens === 0;
    const elements = byPosition ? (fixed / contextTokens) * tokens : fixed;
    return { name, sizeBytes: 4 * Math.ceil((elementBytes * elements) / 4) };
  });
}
