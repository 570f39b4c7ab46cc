/** Made-up models of ordinary blocks, and what they compute in plain loops. Not part of the library. */
import { attended, normed, product, rotatedHalves } from './plain-loops.testing.ts';
import { uniform } from './talk/random.ts';

/** What a layer does that others of its model may not. */
export interface PlainLayer {
  readonly theta: number; // 0: no positions
  readonly window?: number; // default: all keys
  readonly isDense?: boolean; // instead of experts; default: false
}

/** An expert that a token has chosen. */
export interface Chosen {
  readonly expert: number;
  readonly weight: number;
}

/** Sizes and rules of a model. */
export interface PlainShape {
  readonly vocab: number;
  readonly hidden: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly rotaryDim?: number; // default: headDim
  readonly eps: number;
  readonly experts: number;
  readonly width: number;
  readonly shared: number; // 0: no shared expert
  readonly dense: number; // width of layers without experts
  readonly layers: readonly PlainLayer[];
  readonly hasHeadNorms?: boolean; // of q and k, before the rotation
  readonly hasSinks?: boolean;
  readonly hasGate?: boolean; // of what attention returns, before the output projection
  readonly hasPostNorms?: boolean; // of what is added to the stream
  readonly scale?: number; // of the scores of attention
  readonly head?: { readonly isTied?: boolean; readonly isUnit?: boolean }; // columns of length 1; default: neither
  readonly multipliers?: { readonly embedding: number; readonly residual: number; readonly logits: number };
  /** @param bias - random, for selections that have one */
  readonly route: (logits: readonly number[], bias: ArrayLike<number>) => readonly Chosen[];
}

/** The k largest of some scores. */
export function largest(scores: readonly number[], k: number): number[] {
  const order = [...scores.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0));
  return order.slice(0, k);
}

/** The choice of some experts with these weights over their sum. */
export function renormalised(
  experts: readonly number[],
  weights: readonly number[],
  scale = 1,
): readonly Chosen[] {
  const total = experts.reduce((sum, expert) => sum + (weights[expert] ?? 0), 0);
  return experts.map((expert) => ({ expert, weight: ((weights[expert] ?? 0) / total) * scale }));
}

export const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** The name of the head that `isUnit` multiplies by, as the converter to GGUF writes it. */
export const UNIT_HEAD = 'head.unit';

interface Cache {
  readonly keys: number[][];
  readonly values: number[][];
}

/** A model with random weights. */
export class PlainModel {
  readonly shape: PlainShape;
  readonly #weights = new Map<string, Float32Array>();

  constructor(shape: PlainShape) {
    this.shape = shape;
  }

  /** Rows and columns of a weight by its name here: `q`, `gate.3` of expert 3 or `up.dense`, without a layer. */
  sizes(name: string): readonly [rows: number, cols: number] {
    const { vocab, hidden, heads, kvHeads, headDim, experts, width, shared, dense } = this.shape;
    const [kind = '', which = ''] = name.split('.');
    const [queries, cached] = [heads * headDim, kvHeads * headDim];
    const inner = which === 'dense' ? dense : which === 'shared' ? shared : width;
    const table: Readonly<Record<string, readonly [number, number]>> = {
      embedding: [vocab, hidden],
      head: [vocab, hidden],
      q: [queries, hidden],
      k: [cached, hidden],
      v: [cached, hidden],
      o: [hidden, queries],
      qNorm: [1, headDim],
      kNorm: [1, headDim],
      sinks: [1, heads],
      attentionGate: [queries, hidden],
      router: [experts, hidden],
      bias: [1, experts],
      gate: [inner, hidden],
      up: [inner, hidden],
      down: [hidden, inner],
    };
    return table[kind] ?? [1, hidden]; // norms
  }

  /** The values of a weight: gains are about 1, all others about 0. @param layer - undefined: outside of layers */
  values(name: string, layer?: number): Float32Array {
    if (name === 'head' && this.shape.head?.isTied) return this.values('embedding');
    const key = `${layer ?? ''} ${name}`;
    const known = this.#weights.get(key);
    if (known) return known;
    if (name === UNIT_HEAD) return this.#unitHead();
    const [rows, cols] = this.sizes(name);
    const [mean, spread] = /norm/i.test(name) ? [1, 0.5] : [0, 0.7];
    const seed = new TextEncoder().encode(key).reduce((sum, byte) => (sum * 31 + byte) % 2 ** 31, 7);
    const values = Float32Array.from(
      { length: rows * cols },
      (_, at) => mean + spread * (uniform(seed, at) - 0.5),
    );
    this.#weights.set(key, values);
    return values;
  }

  /** The logits of every position. */
  logits(ids: readonly number[]): number[] {
    const { hidden, layers, multipliers } = this.shape;
    const { embedding = 1, residual = 1, logits = 1 } = multipliers ?? {};
    const caches = layers.map((): Cache => ({ keys: [], values: [] }));
    const table = this.values('embedding');
    return ids.flatMap((id, position) => {
      let x: number[] = [...table.subarray(id * hidden, (id + 1) * hidden)].map((value) => value * embedding);
      const add = (y: readonly number[]) => {
        x = x.map((value, i) => value + residual * (y[i] ?? 0));
      };
      for (const [layer, cache] of caches.entries()) {
        const attention = this.#attend(layer, cache, this.#normed('norm', x, layer), position);
        add(this.#behind('postNorm', attention, layer));
        add(this.#behind('mlpPostNorm', this.#mlp(layer, this.#normed('mlpNorm', x, layer)), layer));
      }
      return product(this.values(this.shape.head?.isUnit ? UNIT_HEAD : 'head'), this.#normed('norm', x)).map(
        (value) => value * logits,
      );
    });
  }

  /** The head with each of its columns divided by its length and a little more. */
  #unitHead(): Float32Array {
    const { vocab, hidden } = this.shape;
    const head = this.values('head');
    const unit = new Float32Array(head.length);
    for (let col = 0; col < hidden; col += 1) {
      let squares = 0;
      for (let row = 0; row < vocab; row += 1) squares += (head[row * hidden + col] ?? 0) ** 2;
      for (let row = 0; row < vocab; row += 1) {
        const at = row * hidden + col;
        unit[at] = (head[at] ?? 0) / (Math.sqrt(squares) + 1e-7);
      }
    }
    return unit;
  }

  #normed(name: string, x: readonly number[], layer?: number): number[] {
    return normed(x, this.values(name, layer), this.shape.eps);
  }

  #behind(name: string, x: readonly number[], layer: number): readonly number[] {
    return this.shape.hasPostNorms ? this.#normed(name, x, layer) : x;
  }

  #attend(layer: number, cache: Cache, x: readonly number[], position: number): number[] {
    const { heads, kvHeads, headDim, rotaryDim, scale, layers, hasGate, hasHeadNorms, hasSinks } = this.shape;
    const { theta = 0, window } = layers[layer] ?? {};
    const project = (name: string) => product(this.values(name, layer), x);
    const placed = (name: string) => {
      const y = project(name);
      const heads_ = Array.from({ length: y.length / headDim }, (_, head) =>
        y.slice(head * headDim, (head + 1) * headDim),
      );
      const inNorm = hasHeadNorms ? heads_.flatMap((each) => this.#normed(`${name}Norm`, each, layer)) : y;
      return theta === 0 ? inNorm : rotatedHalves(inNorm, headDim, theta, position, rotaryDim);
    };
    cache.keys.push(placed('k'));
    cache.values.push(project('v'));
    const o = attended(placed('q'), {
      ...cache,
      heads,
      kvHeads,
      ...(window === undefined ? {} : { window }),
      ...(scale === undefined ? {} : { scale }),
      ...(hasSinks ? { sinks: this.values('sinks', layer) } : {}),
    });
    const gate = hasGate ? project('attentionGate').map(sigmoid) : undefined;
    const mixed = o.map((value, i) => value * (gate?.[i] ?? 1));
    return product(this.values('o', layer), mixed);
  }

  #mlp(layer: number, x: readonly number[]): number[] {
    const { layers, shared, route } = this.shape;
    if (layers[layer]?.isDense) return this.#gated(layer, 'dense', x);
    const chosen = route(product(this.values('router', layer), x), this.values('bias', layer));
    const parts = chosen.map(({ expert, weight }) =>
      this.#gated(layer, String(expert), x).map((value) => weight * value),
    );
    if (shared > 0) parts.push(this.#gated(layer, 'shared', x));
    return x.map((_, i) => parts.reduce((sum, part) => sum + (part[i] ?? 0), 0));
  }

  #gated(layer: number, which: string, x: readonly number[]): number[] {
    const matrix = (name: string) => this.values(`${name}.${which}`, layer);
    const up = product(matrix('up'), x);
    const h = product(matrix('gate'), x).map((gate, i) => gate * sigmoid(gate) * (up[i] ?? 0));
    return product(matrix('down'), h);
  }
}
