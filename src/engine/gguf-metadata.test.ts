/** Metadata and tensors of GGUF files that contradict what would run, in the words of the file; and factors of rotary positions. */
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { editedGguf, f32Tensor, type GgufEdits, type WrittenTensor } from '../containers/gguf.testing.ts';
import { ropeFrequencies } from '../kernels/attention/rope-angles.ts';
import { memoryFolder } from '../io/memory.ts';
import { nodeFolder } from '../io/node-file.ts';
import { editedModel } from './edited-model.testing.ts';
import { LocalEngine } from './engine.ts';
import { draftModel } from './load/planning.ts';
import { largestError, readGolden, type FixtureGolden } from './testing.ts';

async function edited(family: string, edits: GgufEdits) {
  const bytes = new Uint8Array(await readFile(`fixtures/gguf/${family}.gguf`));
  return { ...memoryFolder({ 'm.gguf': await editedGguf(bytes, edits) }, 'mine'), entry: 'm.gguf' };
}

async function draft(family: string, edits: GgufEdits) {
  const { checkpoint, spec } = await draftModel(await edited(family, edits), {});
  checkpoint.dispose();
  return spec;
}

const zeros = (name: string, ...dims: number[]): WrittenTensor =>
  f32Tensor(name, dims, new Float32Array(dims.reduce((product, size) => product * size, 1)));
const added = (tensor: WrittenTensor): GgufEdits => ({ tensors: (tensors) => [...tensors, tensor] });
const without = (name: string): GgufEdits => ({
  tensors: (tensors) => tensors.filter((each) => each.name !== name),
});

describe('a key that contradicts what would run is refused', () => {
  test.each<[string, string, string, unknown]>([
    ['mixtral', 'llama', 'rope.dimension_count', 8],
    ['mixtral', 'llama', 'vocab_size', 95],
    ['mixtral', 'llama', 'expert_gating_func', 2],
    ['mixtral', 'llama', 'expert_weights_norm', false],
    ['mixtral', 'llama', 'attention.causal', false],
    ['mixtral', 'llama', 'final_logit_softcapping', 30.5],
    ['mixtral', 'llama', 'logit_scale', 0.5],
    ['qwen3_moe', 'qwen3moe', 'attention.value_length', 16],
    ['qwen3_moe', 'qwen3moe', 'attention.sliding_window', 64],
    ['qwen3_moe', 'qwen3moe', 'expert_weights_scale', 2.5],
    ['qwen3_moe', 'qwen3moe', 'rope.scaling.attn_factor', 1.5],
    ['gpt_oss', 'gpt-oss', 'expert_gating_func', 1],
    ['glm4_moe', 'glm4moe', 'expert_gating_func', 1],
    ['deepseek_v3', 'deepseek2', 'attention.value_length', 16],
    ['deepseek_v3', 'deepseek2', 'attention.key_length', 24],
    ['deepseek_v3', 'deepseek2', 'expert_gating_func', 3],
  ])('%s: %s.%s %s', async (family, architecture, key, value) => {
    const name = `${architecture}.${key}`;
    await expect(draft(family, { metadata: { [name]: value as number } })).rejects.toMatchObject({
      code: expect.stringMatching(/^(bad-file|unsupported-model)$/),
      message: expect.stringMatching(new RegExp(`^mine: m\\.gguf: ${name.replaceAll('.', '\\.')} is `)),
    });
  });

  test.each<[string, string, unknown]>([
    ['qwen3_moe', 'qwen3moe.attention.sliding_window', 128], // as long as the context
    ['qwen3_moe', 'qwen3moe.expert_gating_func', 1],
    ['qwen3_moe', 'qwen3moe.rope.dimension_count', 32],
    ['qwen3_moe', 'qwen3moe.attention.causal', true],
    ['mixtral', 'llama.expert_weights_scale', 0],
  ])('%s: %s %s changes nothing', async (family, key, value) => {
    expect(await draft(family, { metadata: { [key]: value as number } })).toEqual(await draft(family, {}));
  });

  test('what families can do is read', async () => {
    const routers = async (family: string, metadata: GgufEdits['metadata'] & {}) =>
      JSON.stringify((await draft(family, { metadata })).layers[0]);
    expect(await routers('qwen3_moe', {})).toContain('"normalise":"sum"');
    expect(await routers('qwen3_moe', { 'qwen3moe.expert_weights_norm': false })).toContain(
      '"normalise":"none"',
    );
    expect(await routers('olmoe', { 'olmoe.expert_weights_norm': true })).toContain('"normalise":"sum"');
    expect(await routers('olmoe', { 'olmoe.attention.clamp_kqv': 8 })).toContain('"clip":8');
    expect(await routers('mixtral', { 'llama.attention.sliding_window': 16 })).toContain('"window":16');
    // As llama.cpp reads them, a factor alone is a linear scaling.
    expect(await routers('mixtral', { 'llama.rope.scaling.factor': 4 })).toContain(
      '"scaling":{"kind":"linear","factor":4}',
    );
  });
});

describe('tensors', () => {
  test.each([
    ['of a layer', 'mixtral', 'blk.1.attn_gate.weight', 'blk.1.attn_gate.weight'],
    ['a bias of a layer', 'mixtral', 'blk.0.attn_q.bias', 'blk.0.attn_q.bias'],
    ['outside of layers', 'mixtral', 'output_norm.bias', 'output_norm.bias'],
    ['of another architecture', 'mixtral', 'token_embd_norm.weight', 'token_embd_norm.weight'],
    ['a scale of experts', 'qwen3_moe', 'blk.0.ffn_up_exps.scale', 'blk.0.ffn_up_exps.scale'],
  ])('that nothing uses are refused: %s', async (_, family, name, shown) => {
    await expect(draft(family, added(zeros(name, 64)))).rejects.toMatchObject({
      code: 'unsupported-model',
      message: expect.stringMatching(
        new RegExp(`^mine: m\\.gguf: the file has the tensor "${shown}"; .*choose another$`),
      ),
    });
  });

  test('two with one place in the model are refused', async () => {
    await expect(draft('glm4_moe', added(zeros('blk.0.ffn_norm.weight', 64)))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        /"blk\.0\.post_attention_norm\.weight" and "blk\.0\.ffn_norm\.weight" have the same place in the model/,
      ),
    });
  });

  test.each([
    ['mixtral', 'blk.2.attn_k.weight'],
    ['mixtral', 'blk.2.ffn_up_exps.weight'],
    ['mixtral', 'output_norm.weight'],
    ['deepseek_v3', 'blk.2.ffn_down_shexp.weight'],
    ['deepseek_v3', 'blk.2.ffn_gate_inp.weight'],
    ['lfm2_moe', 'token_embd_norm.weight'],
  ])('%s without %s: the error has its name', async (family, name) => {
    await expect(draft(family, without(name))).rejects.toMatchObject({
      code: 'bad-file',
      message: expect.stringMatching(
        new RegExp(`^mine: m\\.gguf: tensor "${name}" is missing .*choose another$`),
      ),
    });
  });

  test('of a wrong shape are named as in the file', async () => {
    const halved = (tensors: readonly WrittenTensor[]) =>
      tensors.map((each) => (each.name === 'blk.1.attn_k.weight' ? zeros(each.name, 64, 16) : each));
    await expect(draft('mixtral', { tensors: halved })).rejects.toThrow(
      /tensor "blk\.1\.attn_k\.weight" has shape \[16, 64\]; wanted .*choose another$/,
    );
  });
});

describe('errors of families name the key of the file', () => {
  test.each<[string, Record<string, number>, RegExp]>([
    ['olmoe', { 'olmoe.attention.head_count': 3 }, /olmoe\.embedding_length 64 over 3 heads/],
    ['qwen3_moe', { 'qwen3moe.embedding_length': 2 ** 22 }, /qwen3moe\.embedding_length is 4194304/],
    [
      'gpt_oss',
      { 'gpt-oss.expert_feed_forward_length': 2 ** 24 },
      /gpt-oss\.expert_feed_forward_length is 16777216/,
    ],
    ['qwen3_moe', { 'qwen3moe.expert_used_count': 9 }, /: 9 experts per token of 8/],
    ['deepseek_v3', { 'deepseek2.expert_group_count': 3 }, /: 2 of 8 experts, in 2 of 3 groups/],
    [
      'ernie4_5_moe',
      { 'ernie4_5-moe.attention.layer_norm_rms_epsilon': 0 },
      /ernie4_5-moe\.attention\.layer_norm_rms_epsilon is 0/,
    ],
  ])('%s %o', async (family, metadata, message) => {
    const error = await draft(family, { metadata }).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringMatching(message) });
    expect((error as Error).message).toMatch(/^mine: m\.gguf: /);
    expect((error as Error).message).not.toMatch(/config/);
  });
});

describe('factors of rotary positions', () => {
  const SCALING = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 };
  /** With which one pair stays, one is scaled in part, and the others wholly. */
  const ORIGINAL = 128;

  /** The divisors as llama.cpp's converter writes them: unscaled frequencies over scaled ones. */
  function factors(theta: number): Float32Array {
    const scaling = {
      kind: 'llama3',
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: ORIGINAL,
    } as const;
    const scaled = ropeFrequencies(theta, 16, scaling);
    return Float32Array.from(ropeFrequencies(theta, 16), (each, pair) => each / (scaled[pair] ?? 1));
  }

  test('give the logits of the same scaling in a config', async () => {
    const folder = await nodeFolder('fixtures/models/mixtral');
    const { ids, logits: unscaled } = await readGolden<FixtureGolden>(folder);
    const divisors = factors(1e6);
    expect(new Set(divisors).size).toBeGreaterThan(2);
    const logitsOf = async (model: Parameters<LocalEngine['load']>[0]) => {
      const engine = await LocalEngine.open({ device: 'reference' });
      await engine.load(model);
      const logits = await engine.logits(ids, 'at-once');
      engine.dispose();
      return logits;
    };
    const wanted = await logitsOf(
      await editedModel(folder, {
        config: {
          rope_parameters: { ...SCALING, original_max_position_embeddings: ORIGINAL, rope_theta: 1e6 },
        },
      }),
    );
    const found = await logitsOf(
      await edited('mixtral', added(f32Tensor('rope_freqs.weight', [8], divisors))),
    );
    // The divisors are rounded to f32.
    expect(largestError(found, wanted)).toBeLessThan(1e-5);
    expect(largestError(found, unscaled.flat())).toBeGreaterThan(1e-2);
  });

  test.each<[string, WrittenTensor, Record<string, number>, RegExp]>([
    ['too few', zeros('rope_freqs.weight', 4), {}, /4 rope factors; .* 8 positive ones/],
    ['zeros', zeros('rope_freqs.weight', 8), {}, /8 rope factors; .* 8 positive ones/],
    [
      'too many',
      zeros('rope_freqs.weight', 2 ** 15),
      {},
      /rope_freqs\.weight is 131072 bytes of F32, at most 65536/,
    ],
    [
      'another scaling',
      f32Tensor('rope_freqs.weight', [8], factors(1e6)),
      { 'llama.rope.scaling.factor': 2 },
      /rope_freqs\.weight and llama\.rope\.scaling\.factor both scale/,
    ],
    ['for long contexts', zeros('rope_factors_long.weight', 8), {}, /scaled by rope_factors_long\.weight/],
  ])('are refused: %s', async (_, tensor, metadata, message) => {
    await expect(draft('mixtral', { ...added(tensor), metadata })).rejects.toThrow(message);
  });
});
