/** What a container opens to: a model's configs, its tensors by name, and the experts' records where they are ready. */
import { AtomoeError } from '../errors.ts';
import type { JsonObject } from '../io/json-file.ts';
import type { ReadOptions } from '../io/source.ts';
import type { StoredDtype } from '../weights/dtypes.ts';
import type { RecordLayout } from '../weights/record.ts';
import type { GgufMetadata } from './gguf/header.ts';

/** Where a tensor is stored, and as what. */
export interface TensorInfo {
  readonly name: string;
  readonly file: string; // the name of the file that holds it
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly offsetBytes: number; // from the start of the file
  readonly sizeBytes: number;
}

/** Rows are what the last dimension makes: a [E, R, C] tensor has E * R of them, a vector one for each element. */
export interface TensorReadOptions extends ReadOptions {
  rowStart?: number; // default 0
  rowCount?: number; // default: the rest
  /** Lets NaN and infinities pass. By default every float that is read is checked. */
  allowNonFinite?: boolean;
}

/** The bytes of a tensor, or of some of its rows. */
export interface TensorBytes {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array<ArrayBuffer>; // little-endian, row-major
}

/** Why a tensor that the index names is not there. */
export interface LostTensor {
  readonly file: string; // that the index names
  readonly isFileMissing: boolean; // or the file is there, and the tensor is not in it
}

/** Records whose planes can be read on their own. */
export interface RecordLevels {
  /** [level]: the bytes from a record's start that have the base and `level` planes of each part. */
  readonly ends: readonly number[];
  /**
   * The bytes of levels `first` to `end` - 1 of a record, checked against their hashes.
   *
   * @throws as the read of a record
   */
  read(
    layer: number,
    unit: number,
    levels: { readonly first: number; readonly end: number },
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Uint8Array<ArrayBuffer>>;
}

/** Routed experts as they go to GPU memory, one record for each unit. */
export interface ReadyRecords {
  readonly layout: RecordLayout;
  readonly layers: number; // that have experts
  readonly unitsPerLayer: number;
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly totalBytes: number; // of these files
  readonly unrangedBytes: number; // of those that their source gives only whole
  /** [layer][place]: the units of each layer in the order of the file, where that is not by unit. */
  readonly order?: readonly (readonly number[])[];
  /** Where records have several levels. */
  readonly levels?: RecordLevels;
  /**
   * One record, checked against its hash where there is one.
   *
   * @returns layout.sizeBytes bytes
   * @throws {AtomoeError} integrity - the bytes are wrong; network and the like from the source
   */
  read(
    layer: number,
    unit: number,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<Uint8Array<ArrayBuffer>>;
  dispose(): void;
}

/** An opened model: headers are read, weights are not. */
export interface Checkpoint {
  readonly label: string;
  readonly config: JsonObject;
  readonly generationConfig: JsonObject | undefined;
  readonly metadata: Readonly<Record<string, string>>; // of the first weight file
  readonly files: readonly { readonly name: string; readonly sizeBytes: number }[];
  readonly totalBytes: number; // of all weight files
  readonly unrangedBytes: number; // of those that their source gives only whole
  /** The routed experts, where the container holds them as records; its tensors are all the others. */
  readonly records?: ReadyRecords;
  /** The metadata of a GGUF file, which holds the tokenizer. */
  readonly gguf?: GgufMetadata;
  /** An error about the model with the file's own names, where families know it by others; or a promise of it. */
  readonly inOwnWords?: (error: unknown) => unknown;
  /** Every tensor belongs to the decoder: other modules of a model are in files of their own. */
  readonly isDecoderOnly?: true;
  /** Which damage would go unseen, where the container could have seen it, and what to do about it. */
  readonly unverified?: string;
  /** Why weights take more memory than the file's bytes, how much, and what to do about it. */
  readonly expanded?: string;
  names(): IterableIterator<string>;
  tensor(name: string): TensorInfo | undefined;
  /** Whether some rows of a tensor cost no more to read than their bytes; else any of them may cost all. */
  readsRows?(name: string): boolean;
  /** What an index names and no file holds: indexes of real models name more than anybody needs. */
  readonly lost: ReadonlyMap<string, LostTensor>;
  /**
   * @throws {AtomoeError} bad-file - no such tensor, or its rows do not exist; non-finite - a NaN or an infinity in it;
   *   network, integrity and the like from the source
   */
  read(name: string, options?: TensorReadOptions): Promise<TensorBytes>;
  /** The same as f32, whatever the stored type. Unlike `read` it costs four bytes an element. */
  readF32(name: string, options?: TensorReadOptions): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}

/** Rows as `TensorReadOptions` counts them. */
export function rowCount(shape: readonly number[]): number {
  if (shape.length <= 1) return shape[0] ?? 1;
  return shape.slice(0, -1).reduce((product, size) => product * size, 1);
}

/** Says why a tensor that is needed is not there. */
export function noTensor(
  label: string,
  name: string,
  lost: LostTensor | undefined,
  count: number,
): AtomoeError {
  if (lost) {
    const why = lost.isFileMissing ? 'which is missing' : 'which does not hold it';
    return new AtomoeError(
      'bad-file',
      `${label}: model.safetensors.index.json puts tensor "${name}" into ${lost.file}, ${why}; download the index and ` +
        `${lost.file} again`,
    );
  }
  return new AtomoeError(
    'bad-file',
    `${label}: tensor "${name}" is missing among the ${count} of the file; the config asks for it, download both ` +
      `again`,
  );
}
