/** The standard decoder: embedding, layers of attention and experts, final norm, logits. */
import { invariant } from '../errors.ts';
import type { GraphBuilder } from '../graph/builder.ts';
import { onlyWhen, type ModelGraph, type RouteOutputs } from '../graph/node.ts';
import {
  addNormedNode,
  addRmsNormNode,
  addSharedNode,
  embeddingNode,
  lastRowNode,
  softCapNode,
} from '../graph/ops/basic.ts';
import { linearNode } from '../graph/ops/linear.ts';
import { addWeighedNode } from '../graph/ops/add-weighed.ts';
import { sampleNodes } from '../graph/ops/sample.ts';
import type { Tensor, Weight } from '../graph/tensor.ts';
import {
  isMoe,
  type BlockSpec,
  type ModelSpec,
  type NormSpec,
  type PostNormSpec,
  type SublayerSpec,
} from '../models/spec.ts';
import type { Mixer } from './block.ts';
import type { SublayerInput } from './mlp.ts';
import { expertsBranch } from './moe.ts';
import { addNorm } from './norm.ts';
import type { GraphPurpose } from './purpose.ts';
import { Site } from './site.ts';
import type { Blocks } from './table.ts';

/** The residual stream, and the branch that the next norm adds to it. */
interface Stream {
  readonly x: Tensor;
  readonly branch: Tensor | undefined;
  readonly weights?: string | undefined; // of the stream in the sum with the branch
  readonly post?: PostNormSpec | undefined; // of the branch
}

/** Builds the decoder graph of a model for a purpose: from token ids to logits, routes and, if requested, the sample record. */
export function buildDecoder(
  spec: ModelSpec,
  purpose: GraphPurpose,
  builder: GraphBuilder,
  blocks: Blocks,
): ModelGraph {
  const site = Site.first({ spec, purpose, builder }, '');
  const sublayers = labelledSublayers(spec);
  const moes = sublayers.flatMap(({ norm, block }) => (isMoe(block) ? [{ norm, moe: block }] : []));
  const embedded = addEmbedding(site, spec);
  let stream: Stream = { x: embedded, branch: undefined };
  const routes: RouteOutputs[] = []; // [bank]
  const entries: Tensor[] = []; // [specLayer]
  for (const { label, specLayer, norm, block, weights, post } of sublayers) {
    const here = site.at(label);
    const { x, normed } = addAndNormalise(site.at(`${label} ${block.kind}`), spec, stream, norm);
    const entry = (entries[specLayer] ??= x);
    let branch: Tensor;
    if (isMoe(block)) {
      const bank = routes.length;
      const place = { specLayer, bank, later: moes.slice(bank + 1) };
      const { y, route } = expertsBranch(here, blocks, { x, normed, entry }, block, place);
      routes.push(route);
      branch = y;
    } else branch = addMixer(here, blocks.mixer(block), normed, block);
    stream = { x, branch, weights, post };
  }
  const logits = addHead(site.at('final'), spec, stream);
  const io = { ids: builder.ids, logits, vocab: spec.vocab };
  const record = purpose.sample ? sampleNodes(builder, io) : undefined;
  return builder.build({ routes, logits, record, embedded });
}

/** Adds a mixer and its states, which are named after it. */
function addMixer(site: Site, mixer: Mixer, x: Tensor, block: BlockSpec): Tensor {
  const { builder, label, purpose } = site;
  const states = (mixer.state?.(block) ?? []).map((state) => {
    const { name, type = 'scalar', rewind = 'positions' } = state;
    const sized =
      'size' in state
        ? { fixed: state.size }
        : { fixed: purpose.contextTokens * state.perPosition, perPosition: state.perPosition };
    return [name, builder.tensor(`${label} ${name}`, { role: 'state', rewind, type, ...sized })] as const;
  });
  return mixer.add(site, x, block, Object.fromEntries(states));
}

/** All sublayers in order, with labels that are unique among their kind: `layer 3`, then `layer 3.1`. */
function labelledSublayers({
  layers,
}: ModelSpec): (SublayerSpec & { readonly label: string; readonly specLayer: number })[] {
  return layers.flatMap(({ sublayers }, index) =>
    sublayers.map((sublayer, at) => {
      const { kind } = sublayer.block;
      const before = sublayers.slice(0, at).filter(({ block }) => block.kind === kind).length;
      const label = before === 0 ? `layer ${index}` : `layer ${index}.${before}`;
      return { ...sublayer, label, specLayer: index };
    }),
  );
}

/** Adds the embeddings of the tokens, for steps that are not given any. */
function addEmbedding(site: Site, { embedding, vocab, hidden, embeddingMultiplier }: ModelSpec): Tensor {
  const { builder } = site;
  const table = builder.matrix(embedding, vocab, hidden, embedding);
  const x = site.stream('embedded');
  const lookup = embeddingNode('tokens', { ids: builder.ids, table, y: x, multiplier: embeddingMultiplier });
  builder.add(onlyWhen(({ isEmbedded = false }) => !isEmbedded, lookup));
  return x;
}

/** Adds the last branch to the stream and normalises it: the input of the next branch. @param own - as of `addNorm` */
function addAndNormalise(
  site: Site,
  { residualMultiplier: scale }: ModelSpec,
  { x, branch, weights, post }: Stream,
  norm: NormSpec,
  own?: Weight,
): Omit<SublayerInput, 'entry'> {
  const { builder, label, hidden, eps } = site;
  const shape = { perToken: x.perToken, fixed: x.fixed };
  const normed = builder.tensor(`${label} normed`, shape);
  if (!branch) {
    addNorm(site, x, norm, normed, own);
    return { x, normed };
  }
  const sum = site.stream(`${label} stream`, shape);
  if (post) {
    const gain = site.gain(post.gain, hidden);
    const factor = post.factor === undefined ? undefined : builder.exact(post.factor, 1, 1, post.factor);
    builder.add(addNormedNode(label, { x, branch, scale, gain, factor, eps, y: sum }));
  } else if (weights !== undefined) {
    const weight = builder.exact(weights, 1, hidden, weights);
    builder.add(addWeighedNode(label, { x, branch, weights: weight, scale, sum }));
  } else if (typeof norm === 'string') {
    const gain = own ?? site.gain(norm, hidden);
    builder.add(addRmsNormNode(label, { x, branch, scale, gain, eps, sum, y: normed }));
    return { x: sum, normed };
  } else {
    builder.add(addSharedNode(label, { a: x, b: branch, gate: undefined, y: sum, cols: hidden, scale }));
  }
  addNorm(site, sum, norm, normed, own);
  return { x: sum, normed };
}

/** Adds the final norm and the logits of the last token, or of all. */
function addHead(site: Site, spec: ModelSpec, stream: Stream): Tensor {
  const { builder, purpose } = site;
  const { hidden, vocab } = spec;
  const isLast = purpose.logits === 'last';
  const rows = isLast ? lastRows(site, stream) : stream;
  const { normed } = addAndNormalise(site, spec, rows, spec.norm, headGain(builder, spec));
  const head = builder.matrix(spec.head, vocab, hidden, spec.head);
  const size = isLast ? { fixed: vocab } : { perToken: vocab };
  const logits = builder.tensor('logits', { type: 'f32', role: 'output', ...size });
  const bias =
    spec.headBias === undefined ? undefined : builder.exact(spec.headBias, vocab, 1, spec.headBias);
  const { logitsMultiplier: multiplier, logitsCap: cap } = spec;
  const y = cap === undefined ? logits : builder.tensor('logits without cap', { type: 'f32', ...size });
  builder.add(linearNode('logits', { x: normed, weight: head, bias, y, multiplier }));
  if (cap !== undefined) builder.add(softCapNode('logits', { x: y, y: logits, cap }));
  return logits;
}

/**
 * The gain of the final norm before a head whose columns are divided by their lengths: over these instead, since each column is
 * multiplied by one element of the norm. So the head keeps its type, and an embedding that is tied to it its values.
 */
function headGain(
  builder: GraphBuilder,
  { norm, head, headColumnEps: eps, gainOffset: offset = 0, vocab, hidden }: ModelSpec,
): Weight | undefined {
  if (eps === undefined) return undefined;
  invariant(
    typeof norm === 'string',
    () => 'columns of a head are divided only behind a norm with a gain alone',
  );
  const parts = {
    gain: { tensor: norm, rows: hidden, cols: 1 },
    squares: { tensor: head, rows: vocab, cols: hidden, isSummed: true },
  };
  return builder.derived(
    `${norm} over columns of ${head}`,
    1,
    hidden,
    parts,
    ({ gain = NONE, squares = NONE }) =>
      gain.map((value, col) => (value + offset) / (Math.sqrt(squares[col] ?? 0) + eps)),
  );
}

const NONE = new Float32Array(0);

function lastRows(site: Site, { x, branch, weights, post }: Stream): Stream {
  return { weights, post, x: lastRow(site, 'stream', x), branch: branch && lastRow(site, 'branch', branch) };
}

function lastRow({ builder, label, hidden }: Site, what: string, x: Tensor): Tensor {
  const y = builder.tensor(`${label} ${what}`, { fixed: hidden, type: 'f32' });
  builder.add(lastRowNode(y.name, { x, y, cols: hidden }));
  return y;
}
