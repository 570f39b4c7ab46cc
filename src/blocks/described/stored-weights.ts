/** Values that descriptions name, as weights of graphs. */

interface Stored {
  readonly name: string;
  readonly values: Float32Array<ArrayBuffer>;
}

/** Names for the weights of one or more graphs: equal values have one name, so that they are in memory once. */
export class StoredWeights {
  readonly #bySize = new Map<string, Stored[]>();
  #count = 0;

  /** The name under which equal values of this shape are known, or a new one with `name` in it. */
  find(name: string, rows: number, cols: number, values: Float32Array<ArrayBuffer>): Stored {
    const size = `${rows}x${cols}`;
    const ofSize = this.#bySize.get(size) ?? [];
    const known = ofSize.find((each) => each.values === values || hasEqualBits(each.values, values));
    if (known) return known;
    this.#count += 1;
    const stored = { name: `described ${name} ${this.#count}`, values };
    this.#bySize.set(size, [...ofSize, stored]);
    return stored;
  }
}

function hasEqualBits(a: Float32Array, b: Float32Array): boolean {
  const [first, second] = [a, b].map(
    ({ buffer, byteOffset, length }) => new Uint32Array(buffer, byteOffset, length),
  );
  return first !== undefined && first.every((bits, at) => bits === second?.[at]);
}
