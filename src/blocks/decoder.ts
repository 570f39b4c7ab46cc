/** The standard decoder: embedding, layers of attention and experts, final norm, logits. */
import type { GraphBuilder } from '../graph/builder.ts';
import type { Graph } from '../graph/node.ts';
import { addRmsNormNode, embeddingNode, lastRowNode } from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import { rmsNormNode } from '../graph/ops/norm.ts';
import { sampleNodes } from '../graph/ops/sample.ts';
import type { Tensor } from '../graph/tensor.ts';
import type { GraphPurpose } from '../models/family.ts';
import type { LayerSpec, ModelSpec } from '../models/spec.ts';
import { attentionBranch } from './mixers/attention.ts';
import { gatedMlp } from './mlp.ts';
import { expertsBranch, type SublayerInput } from './moe.ts';
import { Site } from './site.ts';

/** The stream, and the branch that the next norm adds to it. */
interface Stream {
  readonly x: Tensor;
  readonly branch: Tensor | undefined;
}

/** The graph of a model for one use: tokens in; `logits`, routes and, where asked for, the sampling record out. */
export function buildDecoder(spec: ModelSpec, purpose: GraphPurpose, builder: GraphBuilder): Graph {
  const outputs: Record<string, Tensor> = {};
  const site = new Site({ spec, purpose, builder, outputs }, '');
  let stream = embedded(site, spec);
  let expertLayers = 0;
  for (const [index, layer] of spec.layers.entries()) {
    const later = spec.layers.slice(index + 1);
    stream = addLayer(site.at(`layer ${index}`), spec, stream, layer, { layer: expertLayers, later });
    if (layer.mlp.kind !== 'dense') expertLayers += 1;
  }
  const logits = addHead(site.at('final'), spec, stream);
  outputs['logits'] = logits;
  if (purpose.sample)
    outputs['record'] = sampleNodes(builder, { ids: builder.ids, logits, vocab: spec.vocab });
  return builder.build(outputs);
}

function embedded(site: Site, { embedding, vocab, hidden, embeddingMultiplier }: ModelSpec): Stream {
  const { builder } = site;
  const table = builder.matrix(embedding, vocab, hidden, embedding);
  const x = site.stream('embedded');
  builder.add(embeddingNode('tokens', { ids: builder.ids, table, y: x, multiplier: embeddingMultiplier }));
  return { x, branch: undefined };
}

function addLayer(
  site: Site,
  spec: ModelSpec,
  stream: Stream,
  { attentionNorm, attention, mlpNorm, mlp }: LayerSpec,
  place: Parameters<typeof expertsBranch>[3],
): Stream {
  const { label } = site;
  const attended = intoBranch(site.at(`${label} attention`), spec, stream, attentionNorm);
  const afterMixer = { x: attended.x, branch: attentionBranch(site, attended.normed, attention) };
  const mixed = intoBranch(site.at(`${label} mlp`), spec, afterMixer, mlpNorm);
  const branch =
    mlp.kind === 'dense'
      ? gatedMlp(site.at(`${label} mlp`), mixed.normed, mlp)
      : expertsBranch(site, mixed, mlp, place);
  return { x: mixed.x, branch };
}

/** The stream with the last branch added, and its norm: what the next branch reads. */
function intoBranch(
  site: Site,
  { residualMultiplier: scale }: ModelSpec,
  { x, branch }: Stream,
  gainName: string,
): SublayerInput {
  const { builder, label, hidden, eps } = site;
  const shape = { perToken: x.perToken, fixed: x.fixed };
  const gain = builder.exact(gainName, 1, hidden, gainName);
  const normed = builder.tensor(`${label} normed`, shape);
  if (!branch) {
    builder.add(rmsNormNode(label, { x, gain, y: normed, eps }));
    return { x, normed };
  }
  const sum = site.stream(`${label} stream`, shape);
  builder.add(addRmsNormNode(label, { x, branch, scale, gain, eps, sum, y: normed }));
  return { x: sum, normed };
}

/** Final norm and logits: of the last token, or of all. */
function addHead(site: Site, spec: ModelSpec, stream: Stream): Tensor {
  const { builder, purpose } = site;
  const { hidden, vocab } = spec;
  const isLast = purpose.logits === 'last';
  const { normed } = intoBranch(site, spec, isLast ? lastRows(site, stream) : stream, spec.norm);
  const head = builder.matrix(spec.head, vocab, hidden, spec.head);
  const size = isLast ? { fixed: vocab } : { perToken: vocab };
  const logits = builder.tensor('logits', { type: 'f32', role: 'output', ...size });
  builder.add(
    linearNode('logits', { x: normed, weight: head, y: logits, multiplier: spec.logitsMultiplier }),
  );
  return logits;
}

function lastRows(site: Site, { x, branch }: Stream): Stream {
  return { x: lastRow(site, 'stream', x), branch: branch && lastRow(site, 'branch', branch) };
}

function lastRow({ builder, label, hidden }: Site, what: string, x: Tensor): Tensor {
  const y = builder.tensor(`${label} ${what}`, { fixed: hidden, type: 'f32' });
  builder.add(lastRowNode(y.name, { x, y, cols: hidden }));
  return y;
}
