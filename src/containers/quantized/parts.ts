/** The tensors of a quantised file: its code takes those that belong together, and puts weights made of them in their place. */
import { AtomoeError } from '../../errors.ts';
import {
  BLOCK_DTYPES,
  DTYPE_BYTES,
  isBlockDtype,
  type StoredDtype,
  type WeightDtype,
} from '../../weights/dtypes.ts';
import { noTensor, type LostTensor } from '../checkpoint.ts';
import type { HeldTensor, OpenedTensors } from '../tensor-files.ts';

/** What a part has to be. */
interface Wanted {
  readonly dtypes: readonly StoredDtype[];
  readonly shape: readonly number[]; // -1: any size
}

/** A weight made of parts, as [rows, cols] in blocks or floats. */
interface Made {
  readonly dtype: WeightDtype;
  readonly rows: number;
  readonly cols: number;
  readonly source: HeldTensor; // of most of its bytes
  readonly compose: NonNullable<HeldTensor['compose']>;
}

/** The tensors of a file while some are replaced. */
export class Parts {
  readonly #label: string;
  readonly #opened: OpenedTensors;
  readonly #byName: Map<string, HeldTensor>;
  readonly #lost: Map<string, LostTensor>;
  readonly #unlisted = new Set<string>();
  /** Bytes of the codes of weights that are computed, and of what they become. */
  readonly #computed = { stored: 0, made: 0 };
  #made = 0;

  constructor(opened: OpenedTensors, label: string) {
    this.#label = label;
    this.#opened = opened;
    this.#byName = new Map(opened.byName);
    this.#lost = new Map(opened.lost);
  }

  /** The names that end so, without their end. */
  stems(suffix: string): string[] {
    return [...this.#opened.byName.keys()]
      .filter((name) => name.endsWith(suffix))
      .map((name) => name.slice(0, -suffix.length));
  }

  /** The tensor of this name, as the file has it. */
  find(name: string): HeldTensor | undefined {
    return this.#opened.byName.get(name);
  }

  /**
   * Takes a part away from the tensors that the model sees.
   *
   * @throws {AtomoeError} bad-file - it is missing, or has another shape; unsupported-model - another type
   */
  take(name: string, { dtypes, shape }: Wanted): HeldTensor {
    const held = this.find(name);
    if (!held) throw noTensor(this.#label, name, this.#opened.lost.get(name), this.#opened.byName.size);
    const { info } = held;
    const fits = info.shape.length === shape.length && shape.every((n, i) => n < 0 || n === info.shape[i]);
    if (!fits) throw misshapen(held, `[${shape.map((size) => (size < 0 ? 'any' : size)).join(', ')}]`);
    if (!dtypes.includes(info.dtype)) {
      throw new AtomoeError(
        'unsupported-model',
        `${described(held)}; wanted ${dtypes.join(', ')}; choose another version of the model`,
      );
    }
    this.#byName.delete(name);
    return held;
  }

  /** Leaves out a part that is not needed. */
  drop(name: string): void {
    this.#byName.delete(name);
  }

  /** Leaves a tensor out of the list of names: tools write it for modules of which the model has none, too. */
  unlist(name: string): void {
    this.#unlisted.add(name);
  }

  /** Adds a weight. */
  make(name: string, { dtype, rows, cols, source, compose }: Made): void {
    const isFloat = !isBlockDtype(dtype);
    const { block, sizeBytes } = isFloat ? { block: 1, sizeBytes: DTYPE_BYTES[dtype] } : BLOCK_DTYPES[dtype];
    const info = {
      ...source.info,
      name,
      dtype,
      shape: [rows, cols],
      sizeBytes: (rows * cols * sizeBytes) / block,
    };
    this.#made += 1;
    if (isFloat) {
      this.#computed.made += info.sizeBytes;
      this.#computed.stored += source.info.sizeBytes;
    }
    this.#byName.set(name, { info, source: source.source, compose });
  }

  /** A weight whose parts an index puts into a file that is not there is lost with them. */
  lose(from: string, to: (stem: string) => string): void {
    for (const [name, why] of this.#opened.lost)
      if (name.endsWith(from)) this.#lost.set(to(name.slice(0, -from.length)), why);
  }

  /**
   * What the model sees.
   *
   * @throws {AtomoeError} bad-file - nothing is quantised, and nothing is lost that might be
   */
  done(): OpenedTensors {
    if (this.#made === 0 && this.#lost.size === 0) {
      throw new AtomoeError(
        'bad-file',
        `${this.#label}: quantization_config says how the weights are quantised, and no tensor of the file is; config.json and ` +
          'weights do not belong together',
      );
    }
    const { stored, made } = this.#computed;
    const expanded =
      `no weight format holds some of these codes (columns ordered by activations, zero points of bytes, small groups with bfloat16 scales), ` +
      `so ${stored} bytes of them take ${made} bytes of memory, as floats; a version without takes what it has, and quantize less than floats`;
    return {
      ...this.#opened,
      byName: this.#byName,
      lost: this.#lost,
      unlisted: this.#unlisted,
      ...(made > 0 && { expanded }),
    };
  }
}

/** The error for a part whose shape does not fit the others. */
export function misshapen(held: HeldTensor, wanted: string): AtomoeError {
  return new AtomoeError(
    'bad-file',
    `${described(held)}; wanted ${wanted}; download the file and config.json again`,
  );
}

function described({ info: { file, name, dtype, shape } }: HeldTensor): string {
  return `${file}: tensor "${name}" is ${dtype} [${shape.join(', ')}]`;
}
