/** The functions of the WebAssembly kernels (simd/ has their sources), as the TypeScript side calls them. */
/** A byte address in the instance's memory, a multiple of 16 for arrays; 0 where an optional array is absent. */
export type Address = number;

/** A weight format by its number (`WeightFormat.simd`). */
export type FormatCode = number;

/**
 * Added to the numbers of q8_0 and q4_0, for `linear` and `glu`: the activations of up to seven rows are quantised, too, in
 * blocks of 32, to signed bytes. More rows are multiplied as they are.
 */
export const INT8 = 64;

/** Formats with this number or a higher one have `linear`, `glu` and `embedding` alone, without INT8. */
export const FIRST_CODED = 5;

type Linear = (
  ...args: [
    format: FormatCode,
    x: Address, // f32 [rows, cols]
    w: Address, // [outs, cols]: quants, or elements
    scales: Address,
    bias: Address, // f32 [outs], or 0
    y: Address, // f32 [rows, outs]
    rows: number,
    cols: number,
    outs: number,
    multiplier: number,
    scratch: Address, // SCRATCH_BYTES
    first: number, // outputs of this call
    end: number,
  ]
) => void;

type Glu = (
  ...args: [
    format: FormatCode,
    x: Address, // f32 [rows, hidden]
    gate: Address, // [width, hidden]
    gateScales: Address,
    up: Address, // [width, hidden]
    upScales: Address,
    gateBias: Address, // f32 [width]; 0: none
    upBias: Address, // f32 [width]; 0: none
    h: Address, // f32 [rows, width]
    rows: number,
    hidden: number,
    width: number,
    act: number,
    scratch: Address, // SCRATCH_BYTES
    first: number, // of the width
    end: number,
  ]
) => void;

type Embedding = (
  ...args: [
    format: FormatCode,
    ids: Address, // u32 [tokens]
    w: Address, // [vocab, cols]
    scales: Address,
    y: Address, // f32 [tokens, cols]
    vocab: number,
    cols: number,
    multiplier: number,
    first: number, // tokens of this call
    end: number,
  ]
) => void;

type AtomicScores = (
  ...args: [
    format: FormatCode,
    x: Address, // f32 [tokens, hidden]
    ids: Address, // u32 [tokens, topK]
    table: Address, // u32 [pages]: addresses of records, 0 where absent
    s: Address, // f32 [tokens, topK]
    hidden: number,
    topK: number,
    act: number,
    pageExperts: number,
    at: number, // of the input vectors in a record
    scalesAt: number,
    scratch: Address, // SCRATCH_BYTES
    first: number, // pairs of this call
    end: number,
  ]
) => void;

type AtomicScoresSorted = (
  ...args: [
    format: FormatCode,
    x: Address,
    sorted: Address, // u32 [pairs, 2]: id and number of each pair, by id
    table: Address,
    s: Address,
    hidden: number,
    topK: number,
    act: number,
    pageExperts: number,
    at: number,
    scalesAt: number,
    scratch: Address, // SCRATCH_BYTES
    first: number, // places in `sorted`
    end: number,
  ]
) => void;

type AtomicCombine = (
  ...args: [
    format: FormatCode,
    s: Address, // f32 [tokens, topK]
    ids: Address,
    weights: Address, // f32 [tokens, topK]
    table: Address,
    y: Address, // f32 [tokens, hidden]
    tokens: number,
    hidden: number,
    topK: number,
    pageExperts: number,
    at: number, // of the output vectors in a record
    scalesAt: number,
    scratch: Address, // SCRATCH_BYTES
    first: number, // of hidden, a multiple of 32
    end: number, // a multiple of 32, or hidden
  ]
) => void;

/** The kernels that read weights of any format that has a number. */
export interface FormatKernels {
  readonly linear: Linear;
  readonly glu: Glu;
  readonly embedding: Embedding;
  readonly atomic_scores: AtomicScores;
  readonly atomic_scores_sorted: AtomicScoresSorted;
  readonly atomic_combine: AtomicCombine;
}

/** The exports of an instance. Counts are u32, factors f32; `first` and `end`: the independent outputs of one call. */
export interface SimdKernels extends FormatKernels {
  sort_pairs(ids: Address, sorted: Address, scratch: Address, pairs: number, experts: number): void;
  attention(
    ...args: [
      q: Address, // f32 [tokens, heads, headDim]
      k: Address, // f32 [context, kvHeads, headDim]
      v: Address,
      sinks: Address, // f32 [heads]; 0: none
      y: Address, // f32 [tokens, heads, headDim]
      scratch: Address, // SCRATCH_BYTES + 4 * 8 * (past + tokens)
      tokens: number,
      past: number,
      heads: number,
      kvHeads: number,
      headDim: number,
      scale: number,
      window: number,
      chunk: number, // 0: none
      first: number, // (token, head) pairs of this call
      end: number,
    ]
  ): void;
  rope_kv(
    ...args: [
      qkv: Address,
      angles: Address,
      qGain: Address, // 0: no norm
      kGain: Address,
      q: Address,
      k: Address, // the caches, from their start
      v: Address,
      tokens: number,
      past: number,
      heads: number,
      kvHeads: number,
      headDim: number,
      rotaryDim: number,
      style: number, // 0 half, 1 pair
      norm: number, // 0 none, 1 head, 2 vector, 3 head and value
      eps: number,
      first: number, // tokens of this call
      end: number,
    ]
  ): void;
  latent_query(
    ...args: [
      q: Address, // f32 [tokens, heads, nope + rotary]
      w: Address, // f32 [heads * rank, nope]
      angles: Address,
      y: Address, // f32 [tokens, heads, rank + rotary]
      tokens: number,
      past: number,
      heads: number,
      nope: number,
      rank: number,
      rotary: number,
      style: number, // 0 half, 1 pair
      first: number, // heads of this call
      end: number,
    ]
  ): void;
  latent_keys(
    ...args: [
      x: Address, // f32 [tokens, rank + rotary]
      gain: Address, // f32 [rank]
      angles: Address,
      cache: Address, // from its start
      tokens: number,
      past: number,
      rank: number,
      rotary: number,
      style: number,
      eps: number,
      first: number, // tokens of this call
      end: number,
    ]
  ): void;
  latent_values(
    ...args: [
      o: Address, // f32 [tokens, heads, rank + rotary]
      w: Address, // f32 [heads * dims, rank]
      y: Address, // f32 [tokens, heads, dims]
      tokens: number,
      heads: number,
      dims: number,
      rank: number,
      rotary: number,
      first: number, // heads of this call
      end: number,
    ]
  ): void;
  delta_scan(
    ...args: [
      factors: Address, // f32 [tokens, heads, 2]: beta, and exp(g)
      mixed: Address, // f32 [tokens, 2 * keyHeads * keyDim + heads * dims]: q, k, v
      before: Address, // f32 [keyDim, heads * dims]
      after: Address, // the same, elsewhere
      y: Address, // f32 [tokens, heads * dims]
      tokens: number,
      keyHeads: number,
      keyDim: number,
      heads: number,
      dims: number, // a multiple of 16
      tiled: number, // 0 or 1
      first: number, // heads of this call
      end: number,
    ]
  ): void;
  state_scan(
    ...args: [
      factors: Address, // f32 [tokens, heads, 2]: dt, and exp(dt A)
      mixed: Address, // f32 [tokens, heads * dims + 2 * groups * states]: x, B, C
      skips: Address, // f32 [heads]: D
      before: Address, // f32 [states, heads * dims]
      after: Address, // the same, elsewhere
      y: Address, // f32 [tokens, heads * dims]
      tokens: number,
      heads: number,
      dims: number, // a multiple of 16
      groups: number,
      states: number,
      first: number, // heads of this call
      end: number,
    ]
  ): void;
  rms_norm(
    ...args: [
      x: Address,
      gain: Address,
      y: Address,
      rows: number,
      cols: number,
      eps: number,
      first: number,
      end: number,
    ]
  ): void;
  add_rms_norm(
    ...args: [
      x: Address,
      branch: Address,
      gain: Address,
      sum: Address,
      y: Address,
      rows: number,
      cols: number,
      eps: number,
      scale: number,
      first: number,
      end: number,
    ]
  ): void;
  add_normed(
    ...args: [
      x: Address,
      branch: Address,
      gain: Address,
      y: Address,
      rows: number,
      cols: number,
      eps: number,
      scale: number,
      factor: number,
      first: number,
      end: number,
    ]
  ): void;
  scale_rows(x: Address, factors: Address, y: Address, tokens: number, cols: number): void;
  soft_cap(x: Address, y: Address, count: number, cap: number): void;
  layer_norm(
    ...args: [
      x: Address,
      gain: Address,
      shift: Address,
      y: Address, // not x
      rows: number,
      cols: number,
      eps: number,
      first: number,
      end: number,
    ]
  ): void;
  glu_activation(
    gateUp: Address,
    y: Address,
    rows: number,
    width: number,
    act: number,
    first: number,
    end: number,
  ): void;
  add_shared(
    ...args: [
      a: Address,
      b: Address,
      gate: Address, // 0: none
      y: Address,
      tokens: number,
      cols: number,
      scale: number,
      first: number,
      end: number,
    ]
  ): void;
  gather_rows(x: Address, index: Address, y: Address, count: number, cols: number): void;
  combine(
    ...args: [
      out: Address,
      place: Address,
      weights: Address,
      y: Address,
      tokens: number,
      topK: number,
      hidden: number,
      first: number,
      end: number,
    ]
  ): void;
  gate_top_k(
    ...args: [
      logits: Address,
      bias: Address,
      ids: Address,
      weights: Address,
      tokens: number,
      experts: number,
      topK: number,
      score: number, // codes of ops/routing.ts
      select: number,
      weigh: number,
      groups: number,
      keep: number, // groups whose experts may be chosen
      eps: number,
      scale: number,
      factors: Address, // f32 [experts]; 0: none
      scratch: Address,
    ]
  ): void;
  product_route(
    ...args: [
      scores: Address,
      mean: Address, // 0: no norm
      variance: Address,
      ids: Address,
      weights: Address,
      sums: Address, // 0: unwanted
      tokens: number,
      heads: number,
      n: number,
      topK: number,
      eps: number,
      logSoftmax: number,
      weigh: number, // 0 exp, 1 softmax
      scratch: Address,
    ]
  ): void;
  sample(
    logits: Address,
    vocab: number,
    candidates: number,
    inverseTemperature: number,
    record: Address,
    scratch: Address,
  ): void;
  penalty(ids: Address, tokens: number, seen: Address, logits: Address, vocab: number, penalty: number): void;
}

/** What kernels may use of the scratch that is passed to them, beside what their own comments say. */
export const SCRATCH_BYTES = 2 ** 18;
