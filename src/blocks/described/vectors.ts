import type { RouteInputTensors } from '../../graph/ops/route.ts';
import type { Weight } from '../../graph/tensor.ts';
import type { VectorOf } from '../../kernels/routing/route-rule.ts';
import { refuse, type RoutingSite } from './routing-site.ts';
import type { Reference } from './stages.ts';

/** The number of the first row of the request, which must be known before all rows of the layer are. */
const REQUEST_ROW = 64;

/** Collects the rows of one number for each score that the stages of a rule name, in one weight. */
export class Vectors {
  readonly #site: RoutingSite;
  readonly #scored: number;
  readonly #rows: (() => Float32Array)[] = [];
  #request: RouteInputTensors['requestVectors'];
  #weights = 0;

  constructor(site: RoutingSite, scored: number) {
    this.#site = site;
    this.#scored = scored;
  }

  /** A tensor [experts] of the layer; null experts have `other`. */
  layer(reference: Reference, other = 0): VectorOf {
    const read = this.#site.layer(reference, this.#site.experts);
    return this.#add(() => this.#filled(read(), other));
  }

  /** Numbers of the description, at most as many as there are scores. */
  numbers(values: readonly number[], path: string, other = 0): VectorOf {
    if (values.length > this.#scored)
      refuse(path, `a list of ${values.length} numbers over ${this.#scored} scores`);
    return this.#add(() => this.#filled(values, other));
  }

  /** The tensor [scored] of the request. */
  request(name: string): VectorOf {
    this.#request = this.#site.request(name, { type: 'f32', fixed: this.#scored });
    return { vector: REQUEST_ROW };
  }

  /** The inputs of a node: the rows so far, and other tensors. */
  inputs(others: RouteInputTensors): RouteInputTensors {
    const vectors = this.#rows.length > 0 ? this.#weight() : this.#request;
    if (!vectors) return others;
    return { ...others, vectors, ...(this.#request ? { requestVectors: this.#request } : {}) };
  }

  /** Where the rows of the request begin, for rules. */
  get rows(): { readonly layerVectors?: number } {
    return this.#request ? { layerVectors: REQUEST_ROW } : {};
  }

  #weight(): Weight {
    const { builder, label } = this.#site;
    const rows = [...this.#rows];
    this.#weights += 1;
    return builder.computed(`${label} vectors ${this.#weights}`, rows.length, this.#scored, () => {
      const values = new Float32Array(rows.length * this.#scored);
      rows.forEach((row, index) => values.set(row(), index * this.#scored));
      return values;
    });
  }

  #add(row: () => Float32Array): VectorOf {
    return { vector: this.#rows.push(row) - 1 };
  }

  #filled(values: ArrayLike<number>, other: number): Float32Array {
    const row = new Float32Array(this.#scored).fill(other);
    row.set(values);
    return row;
  }
}
