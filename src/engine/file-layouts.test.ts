/** One model as different tools save it: the same logits, whatever the file calls its tensors and how it stores them. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import type { FolderSource } from '../io/source.ts';
import { nodeFolder } from '../io/node-file.ts';
import { memoryFolder } from '../io/memory.ts';
import {
  editedModel,
  fuseExperts,
  rename,
  rounded,
  take,
  weightFile,
  zeros,
  type Edits,
  type StoredTensors,
} from './edited-model.testing.ts';
import { LocalEngine } from './engine.ts';
import { type FIXTURE_FAMILIES, firstDifference, largestError, readGolden } from './testing.ts';

type Family = (typeof FIXTURE_FAMILIES)[number];

const LAYERS = [0, 1, 2];

async function logitsOf(
  folder: FolderSource,
  ids: readonly number[],
  device: 'cpu' | 'reference' = 'cpu',
): Promise<Float32Array> {
  const engine = await LocalEngine.open({ device });
  try {
    await engine.load(folder);
    return await engine.logits(ids);
  } finally {
    engine.dispose();
  }
}

async function fixture(family: Family) {
  const folder = await nodeFolder(`fixtures/models/${family}`);
  return { folder, golden: await readGolden<{ ids: number[]; logits: number[][] }>(folder) };
}

/** Largest difference from transformers' logits of the fixture as it was. */
async function errorOf(family: Family, edits: Edits): Promise<number> {
  const { folder, golden } = await fixture(family);
  return largestError(await logitsOf(await editedModel(folder, edits), golden.ids), golden.logits.flat());
}

const fuseAll = (block: string, experts: number) => (tensors: StoredTensors) => {
  for (const layer of LAYERS) fuseExperts(tensors, `model.layers.${layer}.${block}`, experts);
};

const withoutPrefix = (tensors: StoredTensors) => rename(tensors, /^model\./, '');

const layouts: [what: string, Family, Edits][] = [
  ['fused experts', 'qwen3_moe', { tensors: fuseAll('mlp.', 8) }],
  ['fused experts', 'olmoe', { tensors: fuseAll('mlp.', 8) }],
  ['fused experts beside a shared one', 'qwen2_moe', { tensors: fuseAll('mlp.', 8) }],
  [
    'fused experts in one layer only',
    'qwen3_moe',
    { tensors: (tensors) => fuseExperts(tensors, 'model.layers.1.mlp.', 8) },
  ],
  [
    'fused experts, the block named as in transformers 5',
    'mixtral',
    {
      tensors: (tensors) => {
        for (const layer of LAYERS) {
          fuseExperts(tensors, `model.layers.${layer}.block_sparse_moe.`, 4, ['w1', 'w3', 'w2']);
        }
        rename(tensors, /block_sparse_moe/, 'mlp');
      },
    },
  ],
  [
    'names as in transformers 5',
    'granitemoe',
    {
      tensors: (tensors) => {
        rename(tensors, /input_linear\.weight$/, 'experts.gate_up_proj');
        rename(tensors, /output_linear\.weight$/, 'experts.down_proj');
        rename(tensors, /router\.layer\.weight$/, 'router.weight');
      },
    },
  ],
  ['names without model.', 'granitemoe', { tensors: withoutPrefix }],
  ['names without model.', 'mixtral', { tensors: withoutPrefix }],
  [
    'tied, and only the head is there',
    'granitemoe',
    { tensors: (tensors) => rename(tensors, /^model\.embed_tokens/, 'lm_head') },
  ],
  ['a tied flag beside a head of its own', 'olmoe', { config: { tie_word_embeddings: true } }],
  [
    'buffers of older tools, and what belongs to other models',
    'mixtral',
    {
      tensors: (tensors) => {
        tensors.set('model.layers.0.self_attn.rotary_emb.inv_freq', zeros('F32', 8));
        tensors.set('model.embed_tokens.position_ids', zeros('I64', 1, 4));
        tensors.set('vision_tower.layers.0.norm.weight', zeros('F32', 8));
        tensors.set('constructor', zeros('U8', 3));
      },
    },
  ],
  ['a bound of q, k and v that none reaches', 'olmoe', { config: { clip_qkv: 1e4 } }],
  ['no rope_theta', 'mixtral', { config: { rope_parameters: undefined } }],
  [
    'no hidden_act, no eps, no flags',
    'qwen3_moe',
    { config: { hidden_act: undefined, rms_norm_eps: undefined, attention_bias: undefined } },
  ],
];

describe('the same logits as transformers', () => {
  test.each(layouts)('%s: %s', async (_what, family, edits) => {
    expect(await errorOf(family, edits)).toBeLessThan(1e-4);
  });

  test('a sliding window of 5 keys', async () => {
    const text = await readFile('fixtures/configs/mixtral-window-golden.json', 'utf8');
    const golden = JSON.parse(text) as { ids: number[]; lastLogits: number[][] };
    const { folder } = await fixture('mixtral');
    const logits = await logitsOf(await editedModel(folder, { config: { sliding_window: 5 } }), golden.ids);
    const want = golden.lastLogits.flat();
    expect(largestError(logits.slice(-want.length), want)).toBeLessThan(1e-4);
  });

  test.each([
    ['chunks of 5 keys', { attention_chunk_size: 5 }, 5],
    ['temperatures of 5 positions', { floor_scale: 5 }, 4],
  ])('%s change what follows, and nothing before', async (_what, config, first) => {
    const { folder, golden } = await fixture('llama4_text');
    const logits = await logitsOf(await editedModel(folder, { config }), golden.ids);
    const vocab = logits.length / golden.ids.length;
    const errors = golden.logits.map((row, position) =>
      largestError(logits.subarray(position * vocab, (position + 1) * vocab), row),
    );
    for (const error of errors.slice(0, first)) expect(error).toBeLessThan(1e-4);
    expect(errors[first]).toBeGreaterThan(1e-3);
  });

  test('shards, an index that names more than they hold, and a shard that is not needed', async () => {
    const { folder, golden } = await fixture('granitemoe');
    let shards: StoredTensors[] = [];
    await editedModel(folder, {
      tensors: (tensors) => {
        const split = (odd: boolean) => new Map([...tensors].filter((_, i) => (i % 2 === 1) === odd));
        shards = [split(false), split(true)];
      },
    });
    const [first = new Map(), second = new Map()] = shards;
    const named = [
      ...[...first.keys()].map((name) => [name, '1.safetensors']),
      ...[...second.keys()].slice(1).map((name) => [name, '2.safetensors']), // and not the first of them
      ['lm_head.weight', '2.safetensors'],
      ['model.layers.0.self_attn.rotary_emb.inv_freq', '1.safetensors'],
      ['vision_tower.weight', 'gone.safetensors'],
    ];
    const sharded = memoryFolder({
      'config.json': JSON.stringify(await readConfig(folder)),
      '1.safetensors': await weightFile(first),
      '2.safetensors': await weightFile(second),
      'model.safetensors.index.json': JSON.stringify({ weight_map: Object.fromEntries(named) }),
    });
    expect(largestError(await logitsOf(sharded, golden.ids), golden.logits.flat())).toBeLessThan(1e-4);
  });
});

/** Makes every expert a copy of the first: however a token is routed, its weights of sum 1 give what a dense MLP gives. */
const likeFirst = (tensors: StoredTensors) => {
  for (const name of tensors.keys()) {
    tensors.set(name, tensors.get(name.replace(/experts\.\d+\./, 'experts.0.'))!);
  }
};

/** The first expert of every layer as its only, dense MLP. */
const firstAsDense = (tensors: StoredTensors) => {
  const names = { w1: 'gate_proj', w2: 'down_proj', w3: 'up_proj' } as const;
  for (const name of [...tensors.keys()]) {
    const [, prefix, matrix = ''] = /^(.*layers\.\d+\.).*experts\.0\.(\w+)\.weight$/.exec(name) ?? [];
    const dense = names[matrix as keyof typeof names] ?? matrix;
    if (prefix !== undefined) tensors.set(`${prefix}mlp.${dense}.weight`, take(tensors, name));
    else if (/experts|gate\.weight/.test(name)) tensors.delete(name);
  }
};

const zeroBiases = (tensors: StoredTensors) => {
  for (const name of [...tensors.keys()]) {
    const rows = tensors.get(name)!.shape[0]!;
    const bias = name.replace(/weight$/, 'bias');
    if (/[qkv]_proj/.test(name)) tensors.set(bias, zeros('F32', rows));
  }
};

/** Dense families, whose names and attention are those of a family with experts. */
test.each<[string, Family, Edits['tensors'][]]>([
  ['llama', 'mixtral', [firstAsDense]],
  ['mistral', 'mixtral', [firstAsDense]],
  ['qwen2', 'mixtral', [firstAsDense, zeroBiases]],
  ['qwen3', 'qwen3_moe', [firstAsDense]],
])('%s gives the logits of %s with equal experts', async (model_type, family, edits) => {
  const { folder, golden } = await fixture(family);
  const wanted = await logitsOf(await editedModel(folder, { tensors: likeFirst }), golden.ids);
  const dense = await editedModel(folder, {
    config: { model_type, intermediate_size: 32 },
    tensors: (tensors) => edits.forEach((edit) => edit?.(tensors)),
  });
  expect(largestError(await logitsOf(dense, golden.ids), wanted)).toBeLessThan(1e-5);
});

test('a bound of q, k and v changes the logits, alike in WebAssembly and by reference', async () => {
  const { folder, golden } = await fixture('olmoe');
  const clipped = await editedModel(folder, { config: { clip_qkv: 0.5 } });
  const found = await logitsOf(clipped, golden.ids);
  expect(largestError(found, golden.logits.flat())).toBeGreaterThan(1e-3);
  expect(largestError(found, await logitsOf(clipped, golden.ids, 'reference'))).toBeLessThan(1e-5);
});

test('layers that predict further tokens are not read', async () => {
  const { folder, golden } = await fixture('glm4_moe');
  const predictor = (tensors: StoredTensors) => {
    tensors.set('model.layers.3.eh_proj.weight', zeros('F32', 64, 128));
    tensors.set('model.layers.3.input_layernorm.weight', zeros('F32', 64));
  };
  const config = { num_nextn_predict_layers: 1 };
  expect(await errorOf('glm4_moe', { config, tensors: predictor })).toBeLessThan(1e-4);
  expect(await errorOf('glm4_moe', { config })).toBeLessThan(1e-4);
  const unknown = editedModel(folder, { tensors: predictor }).then((model) => logitsOf(model, golden.ids));
  await expect(unknown).rejects.toThrow(/num_hidden_layers is 3, the file has 4 layers/);
});

async function readConfig(folder: FolderSource): Promise<Record<string, unknown>> {
  const file = await folder.open('config.json');
  const bytes = await file!.read(0, file!.sizeBytes);
  return JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
}

describe('experts of several types', () => {
  const expert = /experts\.(\d)\.(\w+)\.weight$/;
  /** All experts rounded to bf16, and stored as that where `isHalf` says so. */
  const stored = (isHalf: (layer: number, e: number, matrix: string) => boolean): Edits => ({
    tensors: (tensors) => {
      for (const [name, tensor] of tensors) {
        const [, e, matrix = ''] = expert.exec(name) ?? [];
        const layer = Number(/layers\.(\d)/.exec(name)?.[1]);
        if (e === undefined) continue;
        tensors.set(name, rounded(tensor, 'BF16', isHalf(layer, Number(e), matrix) ? 'BF16' : 'F32'));
      }
    },
  });

  test.each<[string, Edits]>([
    ['of a layer', stored((_layer, e) => e !== 1)],
    ['of an expert', stored((_layer, _e, matrix) => matrix !== 'w3')],
    ['from layer to layer', stored((layer) => layer !== 2)],
    ['all alike', stored(() => true)],
  ])('%s: as if all were f32', async (_where, edits) => {
    const { folder, golden } = await fixture('mixtral');
    const wanted = await logitsOf(
      await editedModel(
        folder,
        stored(() => false),
      ),
      golden.ids,
    );
    const got = await logitsOf(await editedModel(folder, edits), golden.ids);
    expect(firstDifference(got, wanted)).toBe('equal');
  });
});

/** What is wrong with the file or its config, and what the message must say. Nothing but headers is read. */
const misfits: [what: string, Family, Edits, code: string, RegExp][] = [
  [
    'fewer layers than the file',
    'mixtral',
    { config: { num_hidden_layers: 2 } },
    'bad-file',
    /num_hidden_layers is 2, the file has 3 layers/,
  ],
  [
    'more layers than the file',
    'mixtral',
    { config: { num_hidden_layers: 4 } },
    'bad-file',
    /num_hidden_layers is 4, the file has 3/,
  ],
  [
    'more experts than the config says',
    'mixtral',
    { config: { num_local_experts: 2 } },
    'bad-file',
    /gate.weight" has shape \[4, 64\]/,
  ],
  [
    'more fused experts than the config says',
    'granitemoe',
    {
      config: { num_local_experts: 4 },
      tensors: (tensors) => {
        for (const layer of LAYERS) {
          const name = `model.layers.${layer}.block_sparse_moe.router.layer.weight`;
          tensors.set(name, zeros('F32', 4, 64));
        }
      },
    },
    'bad-file',
    /input_linear.weight" has shape \[8, 64, 64\]; wanted \[4, 64, 64\]/,
  ],
  [
    'the last expert of the last layer is missing',
    'mixtral',
    { tensors: (tensors) => void take(tensors, 'model.layers.2.block_sparse_moe.experts.3.w2.weight') },
    'bad-file',
    /experts.3.w2.weight" is missing/,
  ],
  [
    'the last expert of the last layer is integers',
    'mixtral',
    {
      tensors: (tensors) =>
        void tensors.set('model.layers.2.block_sparse_moe.experts.3.w2.weight', zeros('I8', 64, 32)),
    },
    'unsupported-model',
    /experts.3.w2.weight" is I8; wanted F16, BF16 or F32/,
  ],
  [
    'heads split otherwise, as many rows in all',
    'mixtral',
    { config: { num_attention_heads: 2, num_key_value_heads: 3, head_dim: 16 } },
    'bad-file',
    /2 heads over 3 key-value heads/,
  ],
  [
    'another number of key-value heads, as many rows in all',
    'qwen3_moe',
    { config: { num_attention_heads: 2, num_key_value_heads: 1, head_dim: 64 } },
    'bad-file',
    /(q_norm|k_norm).weight" has shape \[32\]/,
  ],
  [
    'q and k changed places',
    'mixtral',
    {
      tensors: (tensors) => {
        const [q, k] = ['q', 'k'].map((name) =>
          take(tensors, `model.layers.0.self_attn.${name}_proj.weight`),
        );
        tensors.set('model.layers.0.self_attn.q_proj.weight', k!);
        tensors.set('model.layers.0.self_attn.k_proj.weight', q!);
      },
    },
    'bad-file',
    /q_proj.weight" has shape \[32, 64\]; wanted \[64, 64\]/,
  ],
  [
    'biases that the config does not know',
    'olmoe',
    { tensors: (tensors) => void tensors.set('model.layers.1.self_attn.q_proj.bias', zeros('F32', 64)) },
    'unsupported-model',
    /the file has the tensor "model.layers.1.self_attn.q_proj.bias"; a olmoe model/,
  ],
  [
    'biases that the file does not have',
    'olmoe',
    { config: { attention_bias: true } },
    'bad-file',
    /q_proj.bias" is missing/,
  ],
  [
    'a bias of the head, and one of the last norm',
    'olmoe',
    {
      tensors: (tensors) => {
        tensors.set('lm_head.bias', zeros('F32', 96));
        tensors.set('model.norm.bias', zeros('F32', 64));
      },
    },
    'unsupported-model',
    /"lm_head.bias" \(and 1 more\)/,
  ],
  [
    'norms that another family has',
    'mixtral',
    { tensors: (tensors) => void tensors.set('model.layers.0.self_attn.q_norm.weight', zeros('F32', 16)) },
    'unsupported-model',
    /q_norm.weight"; a mixtral model/,
  ],
  [
    'experts both fused and apart',
    'qwen3_moe',
    {
      tensors: (tensors) => {
        tensors.set('model.layers.0.mlp.experts.gate_up_proj', zeros('F32', 8, 64, 64));
        tensors.set('model.layers.0.mlp.experts.down_proj', zeros('F32', 8, 64, 32));
      },
    },
    'unsupported-model',
    /experts.0.*\(and 23 more\)/,
  ],
  [
    'fused experts that are transposed',
    'qwen3_moe',
    {
      tensors: (tensors) => {
        for (const layer of LAYERS) {
          const at = `model.layers.${layer}.mlp.`;
          fuseExperts(tensors, at, 8);
          tensors.set(`${at}experts.down_proj`, zeros('F32', 8, 32, 64));
        }
      },
    },
    'bad-file',
    /down_proj" has shape \[8, 32, 64\]; wanted \[8, 64, 32\]/,
  ],
  [
    'no head, and not tied',
    'olmoe',
    { tensors: (tensors) => void take(tensors, 'lm_head.weight') },
    'bad-file',
    /"lm_head.weight" is missing/,
  ],
  [
    'GPTQ without its config',
    'olmoe',
    {
      tensors: (tensors) => {
        take(tensors, 'model.layers.0.mlp.experts.0.gate_proj.weight');
        tensors.set('model.layers.0.mlp.experts.0.gate_proj.qweight', zeros('I32', 8, 32));
      },
    },
    'unsupported-model',
    /the weights are quantised, ".*gate_proj.qweight" is there instead/,
  ],
  [
    'eight-bit floats without their config',
    'olmoe',
    { tensors: (tensors) => void tensors.set('model.norm.weight', zeros('F8_E4M3', 64)) },
    'unsupported-model',
    /norm.weight" is F8_E4M3; wanted/,
  ],
  [
    'four-bit floats without their config',
    'olmoe',
    {
      tensors: (tensors) =>
        void tensors.set('model.layers.0.mlp.experts.0.up_proj.weight', zeros('F4', 32, 64)),
    },
    'unsupported-model',
    /up_proj.weight" is F4; wanted/,
  ],
];

describe('a file that does not fit its config is refused from its headers', () => {
  test.each(misfits)('%s: %s', async (_what, family, edits, code, message) => {
    const { folder } = await fixture(family);
    const engine = await LocalEngine.open({ device: 'cpu' });
    const error: unknown = await engine
      .plan(await editedModel(folder, edits))
      .then(() => expect.fail('was accepted'))
      .catch((reason: unknown) => reason);
    engine.dispose();
    expect(error).toMatchObject({ name: 'AtomoeError', code });
    expect((error as Error).message).toMatch(message);
  });

  test('a quantised model is refused by its config alone', async () => {
    const quantization_config = { quant_method: 'hqq', nbits: 4 };
    const config = JSON.stringify({ model_type: 'mixtral', quantization_config });
    const engine = await LocalEngine.open({ device: 'cpu' });
    const alone = memoryFolder({ 'config.json': config });
    await expect(engine.load(alone)).rejects.toThrow(
      /quantised by hqq .*; Atomoe reads mxfp4.*F32, F16 and BF16/,
    );
    engine.dispose();
  });

  test('an own head in a shard that is missing is missed, though the config ties', async () => {
    const { folder } = await fixture('granitemoe');
    let all: StoredTensors = new Map();
    await editedModel(folder, { tensors: (tensors) => (all = tensors) });
    const weight_map = {
      ...Object.fromEntries([...all.keys()].map((name) => [name, '1.safetensors'])),
      'lm_head.weight': '2.safetensors',
    };
    const sharded = memoryFolder({
      'config.json': JSON.stringify(await readConfig(folder)),
      '1.safetensors': await weightFile(all),
      'model.safetensors.index.json': JSON.stringify({ weight_map }),
    });
    const engine = await LocalEngine.open({ device: 'cpu' });
    await expect(engine.plan(sharded)).rejects.toThrow(
      /puts tensor "lm_head.weight" into 2.safetensors, which is missing/,
    );
    engine.dispose();
  });
});
