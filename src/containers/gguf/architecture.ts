/** What is known of an architecture of GGUF files. */
import type { JsonObject } from '../../io/json-file.ts';
import type { GgufKeys } from './keys.ts';

/** A tensor that the file has in other pieces than the family: made in f32 when it is read. */
export interface DerivedTensor {
  readonly name: string; // within a layer, as the family calls it
  readonly from: readonly string[]; // names within a layer, as the file has them
  /** @param shapes - of the pieces; undefined where they do not belong together */
  readonly shape: (shapes: readonly (readonly number[])[]) => readonly number[] | undefined;
  readonly values: (
    pieces: readonly Float32Array[],
    shapes: readonly (readonly number[])[],
  ) => Float32Array<ArrayBuffer>;
}

/** How the files of an architecture become a model of one of the families. */
export interface Architecture {
  readonly modelType: string; // `model_type` of the family
  readonly base?: string; // of the names of layers; default: `model.`
  /** What the config has beside the usual keys. */
  readonly config: (keys: GgufKeys) => JsonObject;
  /**
   * Names of a layer's modules that are not the usual ones: GGUF's to Hugging Face's. `{expert}` where experts are stacked; a name
   * with a suffix is that of one tensor.
   */
  readonly modules?: Readonly<Record<string, string>>;
  /** The same of tensors outside of layers. */
  readonly outer?: Readonly<Record<string, string>>;
  /** Shapes that the files of some writers do not have, by the names of modules. */
  readonly shapes?: Readonly<Record<string, (shape: readonly number[]) => readonly number[]>>;
  /** A tensor of each layer that is made of others. */
  readonly derived?: DerivedTensor;
  /** llama.cpp's `expert_gating_func`, where the family has only one. */
  readonly gating?: number;
  /** Whether `config` has rotary positions that tensors scale. Otherwise such files are refused. */
  readonly readsRopeTensors?: boolean;
  /** The converter has put the rows of q and k in pairs: row 2i of a head was row i, row 2i + 1 was row i + headDim / 2. */
  readonly hasPairedRows?: boolean;
}

/** By `general.architecture`; llama.cpp's graphs decide what their files do not say, such as `norm_topk_prob`. */
export type Architectures = Readonly<Record<string, Architecture | ((keys: GgufKeys) => Architecture)>>;
