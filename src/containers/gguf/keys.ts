/** The metadata of a GGUF file by the keys of its architecture. */
import { AtomoeError } from '../../errors.ts';
import type { JsonObject } from '../../io/json-file.ts';
import type { GgufHeader, GgufValue } from './header.ts';

const MOST = 2 ** 31;

/** By which the frequencies of rotary positions are divided: the scaling of Llama 3. */
export const ROPE_FACTORS = 'rope_freqs.weight';

/** Tensors that scale rotary positions, which configs of Hugging Face have as lists or rules. */
export const ROPE_TENSORS = [ROPE_FACTORS, 'rope_factors_long.weight', 'rope_factors_short.weight'] as const;

/** Reads keys `ARCHITECTURE.NAME`, and what the tensors say. Errors name the file and the key. */
export class GgufKeys {
  readonly #label: string;
  readonly #header: GgufHeader;
  readonly #architecture: string;
  readonly #vectors: ReadonlyMap<string, readonly number[]>;
  readonly #asked = new Set<string>();

  /** @param vectors - values of the tensors that belong to the config, by name */
  constructor(
    label: string,
    header: GgufHeader,
    architecture: string,
    vectors: ReadonlyMap<string, readonly number[]> = new Map(),
  ) {
    this.#label = label;
    this.#header = header;
    this.#architecture = architecture;
    this.#vectors = vectors;
  }

  /** A key with its prefix, for errors. */
  fullName(name: string): string {
    return `${this.#architecture}.${name}`;
  }

  /** Whether the file has a key. */
  has(name: string): boolean {
    return this.#header.metadata.has(this.fullName(name));
  }

  /** The value of a key that nobody has asked for; undefined where there is none, or where it was read. */
  unread(name: string): GgufValue | undefined {
    return this.#asked.has(name) ? undefined : this.#header.metadata.get(this.fullName(name));
  }

  /** Elements of a head's key. */
  get headDim(): number {
    return (
      this.optionalCount('attention.key_length') ??
      this.count('embedding_length') / this.count('attention.head_count')
    );
  }

  /** Tokens of the vocabulary: the rows of the embedding. */
  get vocab(): number {
    const shape = this.#header.tensors.get('token_embd.weight')?.shape;
    if (shape?.length === 2 && shape[0] !== undefined) return shape[0];
    throw this.#bad('token_embd.weight', shape ? `of shape [${shape.join(', ')}]` : 'missing', 'a matrix');
  }

  /** Whether the embedding is the head, too. */
  get isTied(): boolean {
    return !this.#header.tensors.has('output.weight');
  }

  /** Layers, with those that only predict further tokens. Each has a tensor, so that loops over them end. */
  get allLayers(): number {
    const [count, most] = [this.count('block_count'), this.#header.tensors.size];
    return count <= most
      ? count
      : this.#refuse('block_count', count, `at most ${most}, the number of tensors,`);
  }

  /** Layers, without those behind them that only predict further tokens. */
  get layers(): number {
    return this.allLayers - (this.optionalCount('nextn_predict_layers') ?? 0);
  }

  /** The sliding window; null where there is none. */
  get window(): number | null {
    return this.optionalCount('attention.sliding_window') ?? null;
  }

  /** The values of a tensor of rotary positions; undefined where there is none. */
  vector(name: string): readonly number[] | undefined {
    return this.#vectors.get(name);
  }

  hasTensor(name: string): boolean {
    return this.#header.tensors.has(name);
  }

  /** @throws {AtomoeError} bad-file - neither true nor false */
  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    return this.#refuse(name, value, 'true or false');
  }

  /** @throws {AtomoeError} bad-file - missing, or no positive whole number */
  count(name: string): number {
    return this.optionalCount(name) ?? this.#refuse(name, undefined, 'a positive whole number');
  }

  /** Undefined where it is absent or 0. @throws {AtomoeError} bad-file - no whole number */
  optionalCount(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    // Some writers give one number for each layer.
    const single = Array.isArray(value) ? sameOfAll(value as readonly GgufValue[]) : value;
    if (single === 0) return undefined; // as writers say that there is none
    if (typeof single === 'number' && Number.isInteger(single) && single >= 1 && single < MOST) return single;
    return this.#refuse(name, value, 'a positive whole number');
  }

  /** A list of whole numbers, one for each layer, or one number for all. @throws {AtomoeError} bad-file - others */
  counts(name: string): readonly number[] {
    const value = this.#get(name) ?? [];
    const list = (Array.isArray(value) ? value : [value]) as readonly GgufValue[];
    const isCount = (each: GgufValue): each is number =>
      typeof each === 'number' && Number.isInteger(each) && each >= 0 && each < MOST;
    return list.every(isCount) ? list : this.#refuse(name, value, 'whole numbers');
  }

  /** A whole number of each layer, from a list or from one number for all. @throws {AtomoeError} bad-file - others */
  countsOfLayers(name: string): readonly number[] {
    const list = this.counts(name);
    if (list.length === 1) return Array.from({ length: this.layers }, () => list[0] ?? 0);
    return list.length === this.allLayers
      ? list.slice(0, this.layers)
      : this.#refuse(name, list, `a number for each of ${this.allLayers} layers`);
  }

  /** A list of truth values, one for each layer. @throws {AtomoeError} bad-file - others */
  flags(name: string): readonly boolean[] {
    const value = this.#get(name);
    const list = (Array.isArray(value) ? value : []) as readonly GgufValue[];
    const areFlags = list.every((each): each is boolean => typeof each === 'boolean');
    return value !== undefined && areFlags ? list : this.#refuse(name, value, 'a list of true and false');
  }

  /** @throws {AtomoeError} bad-file - missing, or no finite number */
  number(name: string): number {
    return this.optionalNumber(name) ?? this.#refuse(name, undefined, 'a number');
  }

  /** @throws {AtomoeError} bad-file - no finite number */
  optionalNumber(name: string): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    return typeof value === 'number' && Number.isFinite(value)
      ? value
      : this.#refuse(name, value, 'a number');
  }

  /** An id of `tokenizer.ggml`; undefined where it is absent or beyond the vocabulary, as in files that mean none. */
  token(name: string): number | undefined {
    const value = this.#header.metadata.get(`tokenizer.ggml.${name}`);
    const isId = typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < this.vocab;
    return isId ? value : undefined;
  }

  /**
   * Refuses a key with another value than a fact of the model, or 0, as writers say that there is none.
   *
   * @throws {AtomoeError} bad-file
   */
  expect(name: string, fact: number, what: string): void {
    const value = this.#get(name);
    if (value !== undefined && value !== 0 && value !== fact) this.#refuse(name, value, `${fact}, ${what},`);
  }

  /**
   * The scaling of rotary positions as Hugging Face's configs have it; undefined where there is none.
   *
   * @throws {AtomoeError} unsupported-model - factors beside another scaling, or for long contexts only; bad-file - no text or number
   */
  ropeScaling(): JsonObject | undefined {
    const unread = ROPE_TENSORS.find((name) => name !== ROPE_FACTORS && this.hasTensor(name));
    if (unread !== undefined) {
      throw this.#unsupported(`rotary positions are scaled by ${unread}`, ROPE_FACTORS);
    }
    // As llama.cpp reads it: a factor alone means a linear scaling.
    const factor =
      this.optionalNumber('rope.scaling.factor') ?? this.optionalNumber('rope.scale_linear') ?? 0;
    const type = this.#get('rope.scaling.type') ?? 'linear';
    const isScaled = type !== 'none' && factor !== 0 && factor !== 1;
    const factors = this.vector(ROPE_FACTORS);
    if (factors) {
      if (isScaled)
        throw this.#unsupported(
          `${ROPE_FACTORS} and ${this.fullName('rope.scaling.factor')} both scale`,
          'one of them',
        );
      return { rope_type: 'factors', factors };
    }
    if (!isScaled) return undefined;
    const optional = {
      factor,
      original_max_position_embeddings: this.optionalCount('rope.scaling.original_context_length'),
      attention_factor: this.optionalNumber('rope.scaling.attn_factor'),
      beta_fast: this.optionalNumber('rope.scaling.yarn_beta_fast'),
      beta_slow: this.optionalNumber('rope.scaling.yarn_beta_slow'),
    };
    return {
      rope_type: typeof type === 'string' ? type : this.#refuse('rope.scaling.type', type, 'a text'),
      ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
    };
  }

  /** Refuses a key whose value the model would be run without. @throws {AtomoeError} unsupported-model - always */
  refuseUnread(name: string, value: GgufValue, wanted: string): never {
    throw this.#unsupported(`${this.fullName(name)} is ${shown(value)}`, wanted);
  }

  /** The error for tensors that contradict the metadata. */
  contradiction(tensor: string, shape: readonly number[], wanted: string): AtomoeError {
    return this.#bad(`tensor ${tensor}`, `of shape [${shape.join(', ')}]`, wanted);
  }

  #get(name: string): GgufValue | undefined {
    this.#asked.add(name);
    return this.#header.metadata.get(this.fullName(name));
  }

  #refuse(name: string, value: unknown, wanted: string): never {
    throw this.#bad(this.fullName(name), value, wanted);
  }

  #unsupported(what: string, wanted: string): AtomoeError {
    return new AtomoeError(
      'unsupported-model',
      `${this.#label}: ${what}; this architecture runs with ${wanted}; choose another model`,
    );
  }

  #bad(name: string, value: unknown, wanted: string): AtomoeError {
    const found = value === undefined ? 'missing' : shown(value);
    return new AtomoeError(
      'bad-file',
      `${this.#label}: ${name} is ${found}, ${wanted} is wanted; the file is damaged, download it again`,
    );
  }
}

function shown(value: unknown): string {
  return `"${String(value).slice(0, 60)}"`;
}

/** The value of a list whose elements are all the same. */
function sameOfAll(values: readonly GgufValue[]): GgufValue | undefined {
  return new Set(values).size === 1 ? values[0] : undefined;
}

/** Scaled rotary positions as a part of a config. */
export function scalingOf(keys: GgufKeys): JsonObject {
  const scaling = keys.ropeScaling();
  return scaling ? { rope_scaling: scaling } : {};
}
