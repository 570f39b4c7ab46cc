import type { Graph, ModelGraph } from '../../graph/node.ts';
import type { Tensor } from '../../graph/tensor.ts';
import { embeddedOf } from './given-embedding.ts';

/** Tokens that are looked up in one step, at most. */
export const LOOKUP_TOKENS = 64;

/** The part of a model's graph that looks up the embeddings of tokens. */
export interface EmbeddingPart extends Graph {
  readonly embedded: Tensor; // f32 [tokens, hidden]
}

/** @throws {AtomoeError} unsupported-model - the family builds its graph in a way that no embedding can be given to */
export function embeddingPart(graph: ModelGraph): EmbeddingPart {
  const { ids } = graph;
  const embedded = embeddedOf(graph);
  const nodes = graph.nodes.filter(({ writes }) => writes.includes(embedded));
  const weights = nodes.flatMap(({ reads }) =>
    reads.flatMap((each) => (each.kind === 'weight' ? [each] : [])),
  );
  return { nodes, tensors: [ids, embedded], weights, ids, embedded };
}

/** Looks up any number of tokens, some at a time. @param rows - gives the embeddings of at most LOOKUP_TOKENS */
export async function lookUp(
  ids: readonly number[],
  rows: (ids: readonly number[]) => Promise<Float32Array<ArrayBuffer>>,
): Promise<Float32Array<ArrayBuffer>> {
  if (ids.length <= LOOKUP_TOKENS) return rows(ids);
  const first = await rows(ids.slice(0, LOOKUP_TOKENS));
  const all = new Float32Array((first.length / LOOKUP_TOKENS) * ids.length);
  all.set(first);
  for (let from = LOOKUP_TOKENS; from < ids.length; from += LOOKUP_TOKENS) {
    all.set(await rows(ids.slice(from, from + LOOKUP_TOKENS)), (first.length / LOOKUP_TOKENS) * from);
  }
  return all;
}
