/** What tests of reshaped models share. */
import { buildGraph } from '../../blocks/family.ts';
import { safetensorsPieces } from '../../containers/safetensors-writer.ts';
import { runOnCpu, type CpuResources } from '../../graph/cpu.ts';
import { plainStep, type ModelGraph } from '../../graph/node.ts';
import { memoryFolder } from '../../io/memory.ts';
import type { FolderSource } from '../../io/source.ts';
import { loadOnCpu } from '../load/cpu-load.ts';
import { draftModel, type Drafted } from '../load/planning.ts';
import type { ReshapedModel } from './reshaped.ts';

/** A reshaped model as a folder in memory. */
export async function folderOf({ config, tensors }: ReshapedModel): Promise<FolderSource> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of safetensorsPieces(tensors)) pieces.push(piece);
  const weights = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return memoryFolder({ 'config.json': JSON.stringify(config), 'model.safetensors': weights }, 'reshaped');
}

/** What a run of a model may have changed in its graph and its weights. */
export interface Run {
  readonly graph: ModelGraph;
  readonly resources: CpuResources;
}

/** The logits of every position [tokens, vocab], and the chosen ids and weights [layer][tokens * most], by the reference. */
export async function runModel(
  drafted: Drafted,
  ids: readonly number[],
  change: (run: Run) => Run = (run) => run,
) {
  const { experts, context, contextTokens } = drafted;
  const graph = buildGraph(drafted, { logits: 'all', sample: false, contextTokens });
  const loaded = await loadOnCpu(graph, experts, context);
  const run = change({ graph, resources: { ...loaded, contextTokens } });
  const inputs = new Map([[graph.ids, Uint32Array.from(ids)]]);
  const get = runOnCpu(run.graph, run.resources, new Map(), plainStep(ids.length, 0), inputs);
  return {
    logits: Float32Array.from(get(graph.logits)),
    ids: graph.routes.map((route) => [...get(route.ids)]),
    weights: graph.routes.map((route) => [...get(route.weights)]),
  };
}

/** Opens a reshaped model. */
export async function draftReshaped(model: ReshapedModel): Promise<Drafted> {
  return draftModel(await folderOf(model), {});
}
