/** A made-up PEER model of two layers. Not part of the library. */
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { uniform } from './talk/random.ts';

export const PEER_CONFIG = {
  model_type: 'peer',
  vocab_size: 40,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10_000,
  hidden_act: 'gelu',
  tie_word_embeddings: true,
  num_experts: 4096,
  num_expert_heads: 2,
  num_experts_per_head: 3,
  expert_key_size: 8,
  query_norm: 'batch_norm',
  query_norm_eps: 1e-5,
};

const [HIDDEN, GRID, KEY, QUERY] = [32, 64, 8, 2 * 2 * 8];

function layerShapes(layer: number): [string, number[]][] {
  const at = `model.layers.${layer}.`;
  const square = [HIDDEN, HIDDEN];
  return [
    [`${at}input_layernorm.weight`, [HIDDEN]],
    ...['q', 'k', 'v', 'o'].map((name): [string, number[]] => [`${at}self_attn.${name}_proj.weight`, square]),
    [`${at}post_attention_layernorm.weight`, [HIDDEN]],
    [`${at}mlp.query.weight`, [QUERY, HIDDEN]],
    ...['running_mean', 'running_var', 'weight', 'bias'].map((name): [string, number[]] => [
      `${at}mlp.query_norm.${name}`,
      [QUERY],
    ]),
    [`${at}mlp.keys_x`, [GRID, KEY]],
    [`${at}mlp.keys_y`, [GRID, KEY]],
    [`${at}mlp.down_embed.weight`, [GRID * GRID, HIDDEN]],
    [`${at}mlp.up_embed.weight`, [GRID * GRID, HIDDEN]],
  ];
}

const SHAPES: [string, number[]][] = [
  ['model.embed_tokens.weight', [PEER_CONFIG.vocab_size, HIDDEN]],
  ...[0, 1].flatMap(layerShapes),
  ['model.norm.weight', [HIDDEN]],
];

/** The files of its folder. */
export function peerFiles(): {
  'config.json': Uint8Array<ArrayBuffer>;
  'model.safetensors': Uint8Array<ArrayBuffer>;
} {
  const tensors = SHAPES.map(([name, shape], seed) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const values = spread(count, seed + 1, shape.length === 1 ? 1 : 0.3);
    // A variance is above 0.
    return [
      name,
      { shape, values: name.endsWith('running_var') ? values.map((v) => v * v + 0.1) : values },
    ] as const;
  });
  return {
    'config.json': new TextEncoder().encode(JSON.stringify(PEER_CONFIG)),
    'model.safetensors': f32Safetensors(Object.fromEntries(tensors)),
  };
}

/** Numbers of about this deviation, the same for the same seed. */
function spread(count: number, seed: number, deviation: number): number[] {
  return Array.from({ length: count }, (_, at) => (uniform(seed, at) - 0.5) * Math.sqrt(12) * deviation);
}
