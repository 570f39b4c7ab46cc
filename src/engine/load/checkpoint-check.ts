/** Compares a model with its file, from headers alone: what is built of a file that fits in part speaks nonsense. */
import { AtomoeError } from '../../errors.ts';
import type { Checkpoint } from '../../containers/checkpoint.ts';
import type { ExpertLayer } from '../../blocks/read.ts';
import { piecesOf } from '../../experts/expert-rows.ts';
import type { Graph } from '../../graph/node.ts';
import { tensorsOf } from '../../graph/tensor.ts';
import type { FileTensors } from '../../models/file-tensors.ts';
import type { ModelSpec } from '../../models/spec.ts';
import { densePartsOf, type ReadContext } from './weights.ts';

/**
 * A file as families see it. What an index puts into a file that is missing counts as held: the model has it, and it is
 * missed where it is read.
 */
export function fileTensors({ label, names, tensor, lost }: Checkpoint): FileTensors {
  return {
    label,
    *names() {
      yield* names();
      for (const [name, { isFileMissing }] of lost) if (isFileMissing) yield name;
    },
    has: (name) => tensor(name) !== undefined || lost.get(name)?.isFileMissing === true,
  };
}

/**
 * Every dense weight is there in the shape that the graphs want, and nothing of the decoder is left over.
 *
 * @throws {AtomoeError} bad-file - a tensor is missing or of another shape; unsupported-model - of another type, or one
 *   that the model has no use for
 */
export function checkTensors(
  spec: ModelSpec,
  layers: readonly ExpertLayer[],
  graphs: readonly Graph[],
  context: ReadContext,
): void {
  const used = new Set(context.checkpoint.records ? [] : expertTensors(layers));
  for (const weight of graphs.flatMap(({ weights }) => weights)) {
    densePartsOf(weight, context);
    for (const tensor of tensorsOf(weight)) used.add(tensor);
  }
  refuseLeftovers(spec, used, context.checkpoint);
}

/** Names of the tensors that experts' records are read from. */
function* expertTensors(layers: readonly ExpertLayer[]): Generator<string> {
  for (const { experts, parts } of layers) {
    for (const { rows } of Object.values(parts))
      for (const { piece } of piecesOf(rows, experts)) yield piece.tensor;
  }
}

/** Buffers that older tools saved, and counters of training: they are not weights. */
const HARMLESS = /(?:^|\.)(?:inv_freq|position_ids|masked_bias|num_batches_tracked)$/;

/**
 * A tensor beside those that the model reads, in one of its layers or modules, is a part of it: a bias, a norm, an
 * adapter. Without it the output would be wrong. What is elsewhere (a vision tower, another head) is not
 * asked, unless the file has nothing else than a decoder.
 */
function refuseLeftovers(spec: ModelSpec, used: ReadonlySet<string>, checkpoint: Checkpoint): void {
  const file = fileTensors(checkpoint);
  const places = new Set([...used].flatMap((name) => [moduleOf(name), stackOf(name)]));
  places.delete('');
  const { skipped = [] } = spec;
  const isSkipped = (name: string) =>
    HARMLESS.test(name) || skipped.some((prefix) => name.startsWith(prefix));
  const isOfDecoder = (name: string) =>
    checkpoint.isDecoderOnly === true || places.has(moduleOf(name)) || places.has(stackOf(name));
  const leftovers = [...file.names()].filter(
    (name) => !used.has(name) && !isSkipped(name) && isOfDecoder(name),
  );
  const [first, ...others] = leftovers;
  if (first === undefined) return;
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  throw new AtomoeError(
    'unsupported-model',
    `${file.label}: the file has the tensor "${first}"${more}; a ${spec.family} model with this config has no use for ` +
      'it, and would say something else without it; correct config.json, or choose another checkpoint',
  );
}

/** `model.norm` of `model.norm.weight`. */
function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

/** `model.layers.` of `model.layers.7.mlp.gate.weight`; empty outside of layers. */
function stackOf(name: string): string {
  return /^(?:.*?\.)?layers\.(?=\d+\.)/.exec(name)?.[0] ?? '';
}
