/** Models made of other models: a config, and tensors that are copied, picked or computed while they are written. */
import { noTensor, rowCount, type Checkpoint } from '../../containers/checkpoint.ts';
import { copyTensor, type TensorToWrite } from '../../containers/safetensors-writer.ts';
import { AtomoeError, invariant } from '../../errors.ts';
import { isJsonObject, type JsonObject } from '../../io/json-file.ts';
import { EXPERT_KEYS } from '../../models/families/common.ts';
import {
  isMoe,
  type LinearScoreSpec,
  type ModelSpec,
  type MoeSpec,
  type RouterSpec,
} from '../../models/spec.ts';
import { isFloatDtype, type FloatDtype } from '../../weights/dtypes.ts';
import { weightFormat } from '../../weights/formats/index.ts';
import { formatStoredAs } from '../../weights/matrix.ts';
import type { Drafted } from '../load/planning.ts';

/** A model to be written as safetensors. */
export interface ReshapedModel {
  readonly config: JsonObject;
  readonly tensors: readonly TensorToWrite[];
}

/** The sublayers with routed experts, in execution order. */
export function moesOf({ layers }: Pick<ModelSpec, 'layers'>): MoeSpec[] {
  return layers.flatMap(({ sublayers }) => sublayers.map(({ block }) => block)).filter(isMoe);
}

/**
 * The names of the tensors of a router that have a part for each expert.
 *
 * @throws {AtomoeError} unsupported-model - another router than a linear one
 */
export function tensorsOfRouter(router: RouterSpec, label: string): string[] {
  if (router.score.kind !== 'linear') {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: the router scores by "${router.score.kind}", whose tensors are not divided by experts; wanted a linear router; ` +
        'choose another model',
    );
  }
  const { score, select, weigh } = router as RouterSpec<LinearScoreSpec>;
  const { bias } = select;
  const names = [score.weight, score.bias, typeof bias === 'string' ? bias : bias?.tensor, weigh?.factors];
  return names.filter((name) => name !== undefined);
}

/**
 * The sublayers with experts of a model whose experts can be changed.
 *
 * @throws {AtomoeError} unsupported-model - there are none, they are pages of neurons, or layers differ; bad-input - a packed model
 */
export function changeable({ checkpoint, spec, expertLayers }: Drafted): {
  readonly experts: number;
  readonly moes: readonly MoeSpec[];
} {
  const { label } = checkpoint;
  const [first] = expertLayers;
  if (!first) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: this ${spec.family} model has no routed experts; wanted a model with some`,
    );
  }
  if (expertLayers.some(({ inPages }) => inPages)) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: its experts are single neurons of a grid, which cannot be taken out; wanted experts that are MLPs`,
    );
  }
  const other = expertLayers.find(({ experts }) => experts !== first.experts);
  if (other) {
    throw new AtomoeError(
      'unsupported-model',
      `${label}: layers have ${first.experts} and ${other.experts} experts; wanted as many in each layer`,
    );
  }
  if (checkpoint.records) {
    throw new AtomoeError(
      'bad-input',
      `${label} is packed; give the model that it was made of, and pack the result`,
    );
  }
  return { experts: first.experts, moes: moesOf(spec) };
}

/**
 * The config with another number of experts, for weights that are not quantised.
 *
 * @throws {AtomoeError} unsupported-model - it has the number under no known key
 */
export function withExpertCount(
  { config, label }: Checkpoint,
  { from, to }: { readonly from: number; readonly to: number },
): JsonObject {
  const isCount = (value: unknown): boolean =>
    value === from || (Array.isArray(value) && value.length > 0 && value.every((each) => each === from));
  const keys = [...EXPERT_KEYS, 'moe_num_primary_experts'].filter((key) => isCount(config[key]));
  if (keys.length === 0) {
    throw new AtomoeError(
      'unsupported-model',
      `${label} config.json: none of ${EXPERT_KEYS.join(', ')} is ${from}, the number of experts; add the one that the model uses`,
    );
  }
  const changed = keys.map(
    (key) => [key, Array.isArray(config[key]) ? config[key].map(() => to) : to] as const,
  );
  const { quantization_config: _, ...plain } = config;
  return { ...plain, ...Object.fromEntries(changed) };
}

/** The config with a section of its `atomoe` key. */
export function withSection(config: JsonObject, name: string, section: JsonObject): JsonObject {
  const { atomoe } = config;
  return { ...config, atomoe: { ...(isJsonObject(atomoe) ? atomoe : {}), [name]: section } };
}

/** A tensor under another name. */
export function renamed(tensor: TensorToWrite, name: string): TensorToWrite {
  return { name, dtype: tensor.dtype, shape: tensor.shape, pieces: () => tensor.pieces() };
}

/** Some of the parts of a tensor that has one for each expert: [experts, ...], or [1, experts]. */
export function keptParts(
  checkpoint: Checkpoint,
  name: string,
  {
    experts,
    kept,
    signal,
  }: {
    readonly experts: number;
    readonly kept: readonly number[];
    readonly signal?: AbortSignal | undefined;
  },
): TensorToWrite {
  const { dtype, shape } = copyTensor(checkpoint, name, { signal });
  const at = shape.findIndex((size) => size !== 1);
  invariant(shape[at] === experts, () => `${name} [${shape.join(', ')}] has no parts of ${experts} experts`);
  const rows = rowCount(shape) / experts;
  return {
    name,
    dtype,
    shape: shape.with(at, kept.length),
    async *pieces() {
      if (Number.isInteger(rows)) {
        for (const e of kept)
          yield (await checkpoint.read(name, { rowStart: e * rows, rowCount: rows, signal })).bytes;
        return;
      }
      const { bytes } = await checkpoint.read(name, { signal });
      const partBytes = bytes.byteLength / experts;
      for (const e of kept) yield bytes.slice(e * partBytes, (e + 1) * partBytes);
    },
  };
}

/** A tensor whose values are computed when it is written, rounded to its type. */
export function computedTensor(
  name: string,
  { dtype, shape }: { readonly dtype: FloatDtype; readonly shape: readonly number[] },
  values: () => Promise<Float32Array<ArrayBuffer>>,
): TensorToWrite {
  return {
    name,
    dtype,
    shape,
    async *pieces() {
      const made = await values();
      const { encode } = weightFormat(formatStoredAs(dtype));
      invariant(encode, () => `nothing is encoded as ${dtype}`);
      yield encode(made, 1, made.length);
    },
  };
}

/** The type of a tensor of the file, as which computed ones are stored: f32 for blocks of quantised weights. */
export function floatTypeOf(checkpoint: Checkpoint, name: string): FloatDtype {
  const info = checkpoint.tensor(name);
  if (!info) throw noTensor(checkpoint.label, name, checkpoint.lost.get(name), 0);
  return isFloatDtype(info.dtype) ? info.dtype : 'F32';
}
