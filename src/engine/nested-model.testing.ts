/** A small model of random floats, and the same packed in a format of nested bit planes. Not part of the library. */
import { memorySink } from '../containers/pack.testing.ts';
import { writePack } from '../containers/pack/writer.ts';
import { copyTensor } from '../containers/safetensors-writer.ts';
import { f32Safetensors } from '../containers/safetensors.testing.ts';
import { memoryFolder } from '../io/memory.ts';
import type { FolderSource, ReadOptions } from '../io/source.ts';
import { formatsText } from '../weights/record.ts';
import { denseNames } from './load/dense-names.ts';
import { draftModel } from './load/planning.ts';
import { uniform } from './talk/random.ts';

/** Sizes of which rows are whole blocks: groups of 128 columns, and of fewer. */
const SIZES = {
  layers: 2,
  hidden: 192,
  width: 64,
  experts: 8,
  topK: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  vocab: 96,
};

/** A qwen3_moe of random weights. */
export function floatModel(): FolderSource {
  const { layers, hidden, width, experts, topK, heads, kvHeads, headDim, vocab } = SIZES;
  const config = {
    ...{
      model_type: 'qwen3_moe',
      hidden_size: hidden,
      intermediate_size: width,
      moe_intermediate_size: width,
    },
    ...{
      num_hidden_layers: layers,
      num_attention_heads: heads,
      num_key_value_heads: kvHeads,
      head_dim: headDim,
    },
    ...{ num_experts: experts, num_experts_per_tok: topK, norm_topk_prob: true, decoder_sparse_step: 1 },
    ...{ mlp_only_layers: [], vocab_size: vocab, max_position_embeddings: 64, rope_theta: 10_000 },
    ...{ rms_norm_eps: 1e-6, hidden_act: 'silu', tie_word_embeddings: false, attention_bias: false },
    eos_token_id: vocab - 1,
  };
  const tensors: Record<string, { shape: number[]; values: number[] }> = {};
  let drawn = 0;
  // About normal, with a deviation of 1.
  const random = () => {
    let sum = 0;
    for (let i = 0; i < 12; i += 1) sum += uniform(3, drawn++) - 0.5;
    return sum;
  };
  const put = (name: string, ...shape: number[]) => {
    const count = shape.reduce((product, size) => product * size, 1);
    const scale = 1 / Math.sqrt(shape[1] ?? 1);
    const isNorm = shape.length === 1;
    tensors[name] = { shape, values: Array.from({ length: count }, () => (isNorm ? 1 : scale * random())) };
  };
  put('model.embed_tokens.weight', vocab, hidden);
  put('model.norm.weight', hidden);
  put('lm_head.weight', vocab, hidden);
  for (let layer = 0; layer < layers; layer += 1) {
    const at = `model.layers.${layer}`;
    put(`${at}.input_layernorm.weight`, hidden);
    put(`${at}.post_attention_layernorm.weight`, hidden);
    put(`${at}.self_attn.q_norm.weight`, headDim);
    put(`${at}.self_attn.k_norm.weight`, headDim);
    put(`${at}.self_attn.q_proj.weight`, heads * headDim, hidden);
    put(`${at}.self_attn.k_proj.weight`, kvHeads * headDim, hidden);
    put(`${at}.self_attn.v_proj.weight`, kvHeads * headDim, hidden);
    put(`${at}.self_attn.o_proj.weight`, hidden, heads * headDim);
    put(`${at}.mlp.gate.weight`, experts, hidden);
    for (let expert = 0; expert < experts; expert += 1) {
      put(`${at}.mlp.experts.${expert}.gate_proj.weight`, width, hidden);
      put(`${at}.mlp.experts.${expert}.up_proj.weight`, width, hidden);
      put(`${at}.mlp.experts.${expert}.down_proj.weight`, hidden, width);
    }
  }
  return memoryFolder({
    'config.json': new TextEncoder().encode(JSON.stringify(config)),
    'model.safetensors': f32Safetensors(tensors),
  });
}

/** The model packed as `npx atomoe pack --quantize` packs it. */
export async function packedModel(
  folder: FolderSource,
  quantize: string,
): Promise<Record<string, Uint8Array>> {
  const drafted = await draftModel(folder, { quantize });
  const { checkpoint, experts } = drafted;
  if (!experts) throw new Error('the model has no experts');
  const { layers, unitsPerLayer } = experts;
  const layout = experts.layout(0);
  if (formatsText(layout) !== quantize) throw new Error(`the experts are ${formatsText(layout)}`);
  const { sink, files } = memorySink();
  const config = await folder.open('config.json');
  await writePack(sink, {
    source: { label: 'random', totalBytes: checkpoint.totalBytes },
    dense: [...denseNames(drafted)].map((name) => copyTensor(checkpoint, name)),
    metadata: {},
    experts: { layout, layers, unitsPerLayer, read: (layer, unit) => experts.read(layer, unit) },
    copies: config ? [config] : [],
  });
  return files;
}

/** Bytes of a folder's files that are read, by their beginning. */
export interface Watched {
  readonly folder: FolderSource;
  readonly reads: { readonly name: string; readonly offsetBytes: number; readonly sizeBytes: number }[];
}

/** A folder that notes what is read of it. */
export function watched(files: Readonly<Record<string, Uint8Array>>): Watched {
  const reads: Watched['reads'] = [];
  const inner = memoryFolder(files);
  const open: FolderSource['open'] = async (name, options) => {
    const file = await inner.open(name, options);
    if (!file) return undefined;
    const { sizeBytes } = file;
    const read = (offsetBytes: number, count: number, how?: ReadOptions) => {
      reads.push({ name, offsetBytes, sizeBytes: count });
      return file.read(offsetBytes, count, how);
    };
    return { name, sizeBytes, read };
  };
  return { folder: { label: inner.label, open }, reads };
}
