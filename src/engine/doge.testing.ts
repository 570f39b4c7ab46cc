/** What Doge computes, in plain loops in f64, one token at a time: as the class does when it decodes. Not part of the library. */
import { openCheckpoint } from '../containers/index.ts';
import type { FolderSource } from '../io/source.ts';
import { attended, normed, product, rotatedHalves, softmax } from './plain-loops.testing.ts';

type Values = Readonly<Record<string, Float32Array>>;

const silu = (x: number): number => x / (1 + Math.exp(-x));

/** The logits of every position [tokens * vocab]. */
export async function dogeLogits(folder: FolderSource, ids: readonly number[]): Promise<number[]> {
  const checkpoint = await openCheckpoint(folder);
  const values: Record<string, Float32Array> = {};
  for (const name of checkpoint.names()) values[name] = await checkpoint.readF32(name);
  checkpoint.dispose();
  const sizes = checkpoint.config as unknown as Sizes;
  const layers = Array.from({ length: sizes.num_hidden_layers }, () => new Layer(sizes));
  return ids.flatMap((id, position) => {
    const embedding = of(values, 'model.embed_tokens.weight');
    let x: number[] = [...embedding.subarray(id * sizes.hidden_size, (id + 1) * sizes.hidden_size)];
    for (const [index, layer] of layers.entries())
      x = layer.step(x, under(values, `model.layers.${index}.`), position);
    return product(embedding, normed(x, of(values, 'model.norm.weight'), sizes.rms_norm_eps));
  });
}

interface Sizes {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly num_experts: number;
  readonly num_experts_per_tok: number;
  readonly rms_norm_eps: number;
}

const THETA = 10_000;

function of(values: Values, name: string): Float32Array {
  const found = values[name];
  if (!found) throw new Error(`no ${name}`);
  return found;
}

function under(values: Values, prefix: string): Values {
  const own = Object.entries(values).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

/** A layer with the keys, values and biases of the positions so far. */
class Layer {
  readonly #sizes: Sizes;
  readonly #keys: number[][] = [];
  readonly #values: number[][] = [];
  readonly #bias: number[][] = [];

  constructor(sizes: Sizes) {
    this.#sizes = sizes;
  }

  step(x: readonly number[], own: Values, position: number): number[] {
    const eps = this.#sizes.rms_norm_eps;
    const y = this.#attend(normed(x, of(own, 'input_layernorm.weight'), eps), own, position);
    const middle = x.map((value, i) => value * (of(own, 'input_residual')[i] ?? 0) + (y[i] ?? 0));
    const z = this.#mix(normed(middle, of(own, 'post_attention_layernorm.weight'), eps), own);
    return middle.map((value, i) => value * (of(own, 'post_attention_residual')[i] ?? 0) + (z[i] ?? 0));
  }

  #attend(x: readonly number[], own: Values, position: number): number[] {
    const { num_attention_heads: heads, num_key_value_heads: kvHeads, hidden_size: hidden } = this.#sizes;
    const headDim = hidden / heads;
    const project = (name: string) => product(of(own, `self_attn.${name}_proj.weight`), x);
    const placed = (name: string) => {
      const gain = of(own, `self_attn.${name}_norm.weight`);
      const list = project(name);
      const inHeads = Array.from({ length: list.length / headDim }, (_, head) =>
        normed(list.slice(head * headDim, (head + 1) * headDim), gain, this.#sizes.rms_norm_eps),
      );
      return rotatedHalves(inHeads.flat(), headDim, THETA, position);
    };
    const v = project('v');
    this.#keys.push(placed('k'));
    this.#values.push(v);
    const slope = of(own, 'self_attn.A');
    const steps = product(of(own, 'self_attn.dt_proj.weight'), v);
    this.#bias.push(steps.map((step, head) => Math.exp((slope[head] ?? 0) * Math.log1p(Math.exp(step)))));
    const cache = { keys: this.#keys, values: this.#values, bias: this.#bias };
    return product(of(own, 'self_attn.o_proj.weight'), attended(placed('q'), { ...cache, heads, kvHeads }));
  }

  #mix(x: readonly number[], own: Values): number[] {
    const { num_experts: experts, num_experts_per_tok: k } = this.#sizes;
    const matrix = (name: string) => of(own, `mlp.${name}.weight`);
    const up = product(matrix('up_proj'), x);
    const y = product(
      matrix('down_proj'),
      product(matrix('gate_proj'), x).map((gate, i) => silu(gate) * (up[i] ?? 0)),
    );
    const grid = Math.sqrt(experts);
    const scores = product(matrix('router_gate'), x);
    const sums = Array.from({ length: experts }, (_, expert) => ({
      expert,
      score: (scores[Math.floor(expert / grid)] ?? 0) + (scores[grid + (expert % grid)] ?? 0),
    }));
    const chosen = sums.sort((a, b) => b.score - a.score).slice(0, k);
    const weights = softmax(chosen.map(({ score }) => score));
    for (const [rank, { expert }] of chosen.entries()) {
      const row = (name: string) => matrix(name).subarray(expert * x.length, (expert + 1) * x.length);
      const [h = 0] = product(row('down_embed'), x);
      for (const [i, value] of row('up_embed').entries())
        y[i] = (y[i] ?? 0) + (weights[rank] ?? 0) * silu(h) * value;
    }
    return y;
  }
}
