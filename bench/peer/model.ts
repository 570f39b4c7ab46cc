/**
 * The model that both engines run: random 4-bit weights from one seed, made as quants and scales first. Every other
 * form (ONNX initialisers, a bf16 checkpoint that the engine quantises again) holds the very same values.
 */

export interface ModelShape {
  readonly layers: number;
  readonly hidden: number;
  readonly ffn: number; // width of an expert
  readonly experts: number;
  readonly topK: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly contextTokens: number;
  readonly theta: number;
  readonly eps: number;
}

/** The model that the bench's aims are stated for. */
export const BENCH_MODEL: ModelShape = {
  layers: 4,
  hidden: 1024,
  ffn: 512,
  experts: 32,
  topK: 4,
  heads: 16,
  kvHeads: 4,
  headDim: 64,
  vocab: 4096,
  contextTokens: 512,
  theta: 10_000,
  eps: 1e-5,
};

/** Weights that share a scale. */
export const BLOCK = 32;

/** A [rows, cols] matrix of 4-bit values: weight = scale * (quant - 8). */
export interface Q4Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly quants: Uint8Array<ArrayBuffer>; // [rows, cols / 2]: two to a byte, the first in the low half
  readonly scales: Float32Array<ArrayBuffer>; // [rows, cols / BLOCK]
}

export interface LayerWeights {
  readonly attentionNorm: Float32Array<ArrayBuffer>;
  readonly mlpNorm: Float32Array<ArrayBuffer>;
  readonly q: Q4Matrix;
  readonly k: Q4Matrix;
  readonly v: Q4Matrix;
  readonly o: Q4Matrix;
  readonly router: Q4Matrix; // [experts, hidden]
  readonly experts: readonly { readonly gate: Q4Matrix; readonly up: Q4Matrix; readonly down: Q4Matrix }[];
}

export interface ModelWeights {
  readonly shape: ModelShape;
  readonly embedding: Q4Matrix;
  readonly layers: readonly LayerWeights[];
  readonly norm: Float32Array<ArrayBuffer>;
  readonly head: Q4Matrix;
}

/** xorshift32: cheap enough for 200 million weights. */
function words(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b9) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const QUANT_DEVIATION = 2.5; // of the normal distribution that quants are drawn from, in steps

/** 256 equally likely quants in 1..15, normally distributed around 8. */
const QUANTS = Uint8Array.from({ length: 256 }, (_, i) => {
  const p = (i + 0.5) / 256;
  // Logistic quantile, scaled to the normal's deviation: near enough for weights.
  const z = (Math.log(p / (1 - p)) * Math.sqrt(3)) / Math.PI;
  return Math.max(1, Math.min(15, Math.round(8 + QUANT_DEVIATION * z)));
});

/**
 * A random matrix whose values survive both trips exactly:
 * - one quant of each block is 0, so the value of largest magnitude is -8 scales, from which ggml's rule finds the scale
 * - scales have 5 significant bits, so a product with a quant (3 bits, or a power of two) is exact in bf16
 *
 * Scales have either sign, so that the lone -8 of a block does not pull the mean.
 */
export function randomMatrix(rows: number, cols: number, seed: number, deviation = cols ** -0.5): Q4Matrix {
  const next = words(seed);
  const quants = new Uint8Array((rows * cols) / 2);
  const scales = new Float32Array((rows * cols) / BLOCK);
  for (let at = 0; at < quants.length; at += 2) {
    const bits = next();
    quants[at] = QUANTS[bits & 255]! | (QUANTS[(bits >>> 8) & 255]! << 4);
    quants[at + 1] = QUANTS[(bits >>> 16) & 255]! | (QUANTS[bits >>> 24]! << 4);
  }
  for (let block = 0; block < scales.length; block += 1) {
    const bits = next();
    const at = block * (BLOCK / 2) + (bits & 15);
    quants[at] = quants[at]! & ((bits >>> 4) & 1 ? 0xf0 : 0x0f);
    const size = (deviation / QUANT_DEVIATION) * (0.75 + ((bits >>> 8) & 255) / 512);
    scales[block] = fiveBits(size) * ((bits >>> 16) & 1 ? 1 : -1);
  }
  return { rows, cols, quants, scales };
}

/** Rounds a positive number to 5 significant bits. */
function fiveBits(value: number): number {
  const step = 2 ** (Math.floor(Math.log2(value)) - 4);
  return Math.round(value / step) * step;
}

/** Gains around 1, exact in bf16. */
function gains(count: number, seed: number): Float32Array<ArrayBuffer> {
  const next = words(seed);
  return Float32Array.from({ length: count }, () => 0.75 + (next() & 63) / 128);
}

/** All weights of the model. The same seed gives the same model everywhere. */
export function makeWeights(shape: ModelShape, seed = 1): ModelWeights {
  const { hidden, ffn, heads, kvHeads, headDim, vocab } = shape;
  let drawn = seed * 1_000_003;
  const matrix = (rows: number, cols: number, deviation?: number) =>
    randomMatrix(rows, cols, (drawn += 1), deviation);
  const gain = () => gains(hidden, (drawn += 1));
  const embedding = matrix(vocab, hidden, 1);
  const layers = Array.from({ length: shape.layers }, (): LayerWeights => {
    return {
      attentionNorm: gain(),
      mlpNorm: gain(),
      q: matrix(heads * headDim, hidden),
      k: matrix(kvHeads * headDim, hidden),
      v: matrix(kvHeads * headDim, hidden),
      o: matrix(hidden, heads * headDim),
      router: matrix(shape.experts, hidden),
      experts: Array.from({ length: shape.experts }, () => ({
        gate: matrix(ffn, hidden),
        up: matrix(ffn, hidden),
        down: matrix(hidden, ffn),
      })),
    };
  });
  return { shape, embedding, layers, norm: gain(), head: matrix(vocab, hidden) };
}

/** Values [from, from + count) of a matrix, row-major. */
export function dequantize(
  { quants, scales }: Q4Matrix,
  from: number,
  count: number,
): Float32Array<ArrayBuffer> {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i += 1) {
    const element = from + i;
    const quant = (quants[element >>> 1]! >>> (4 * (element & 1))) & 15;
    values[i] = scales[Math.floor(element / BLOCK)]! * (quant - 8);
  }
  return values;
}
