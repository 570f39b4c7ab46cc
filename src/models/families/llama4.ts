import type { Activation } from '../../kernels/core/activation.ts';
import type { ConfigReader } from '../config.ts';
import type { ConfigFamily } from '../family.ts';
import type { AttentionSpec, GatedExpertSpec } from '../spec.ts';
import {
  attention,
  decoder,
  denseMlp,
  gatedMlp,
  layerOf,
  layers,
  readActivation,
  readExpertCounts,
  readShell,
  readWidth,
  separateExperts,
  type ExpertSizes,
  type GatedMoeSpec,
  type Shell,
} from './common.ts';

/**
 * Llama 4: positions and chunks of keys in most layers, neither in the others, and one expert per token, whose input is
 * weighted, beside a shared one (Meta 2025).
 */
export const llama4: ConfigFamily = {
  modelTypes: ['llama4_text'],
  parse: (config, file) => {
    const shell = readShell(config, file, { style: 'pair' });
    const mixer = readAttention(config, shell);
    const activation = readActivation(config);
    const { experts, topK } = readExpertCounts(config);
    if (topK !== 1) config.unsupported(`num_experts_per_tok ${topK}`, 'num_experts_per_tok 1');
    const sizes = { experts, width: readWidth(config, 'intermediate_size'), hidden: shell.hidden };
    const isMoe = readMoeLayers(config, shell.layerCount);
    const denseWidth = isMoe.includes(false) ? readWidth(config, 'intermediate_size_mlp') : 0;
    const specs = layers(shell, (layer, prefix) => {
      const at = `${prefix}feed_forward.`;
      const mlp = isMoe[layer]
        ? routedExperts(at, shell, sizes, activation)
        : denseMlp(at, shell.hidden, denseWidth, activation);
      return layerOf(prefix, mixer(layer, prefix), mlp);
    });
    return decoder('llama4_text', config, shell, specs);
  },
};

/** Attention of each layer: with positions, a norm and chunks of keys, or over all keys, with a temperature of queries. */
function readAttention(config: ConfigReader, shell: Shell): (layer: number, prefix: string) => AttentionSpec {
  const bias = config.boolean(['attention_bias'], false);
  const isNormed = config.boolean(['use_qk_norm'], true);
  const interval = config.count(['no_rope_layer_interval'], 4);
  const given = listOf(config, 'no_rope_layers', config.integers(['no_rope_layers']), shell.layerCount);
  const types = listOf(config, 'layer_types', config.words('layer_types') ?? [], shell.layerCount);
  const chunk = config.isNull('attention_chunk_size') ? 0 : config.count(['attention_chunk_size'], 8192);
  const temperature = config.boolean(['attn_temperature_tuning'], true)
    ? { scale: config.number(['attn_scale'], 0.1), span: config.positive(['floor_scale'], 8192) }
    : undefined;
  return (layer, prefix) => {
    const isRotated = given ? given[layer] === 1 : (layer + 1) % interval !== 0; // the list says where there are positions
    const type = types?.[layer] ?? (isRotated ? CHUNKED : FULL);
    if (type !== CHUNKED && type !== FULL) {
      config.unsupported(`layer type "${type}"`, `${CHUNKED} and ${FULL}`);
    }
    const spec = attention(prefix, shell, { qkvBias: bias, outBias: bias, isRotated });
    return {
      ...spec,
      ...(type === CHUNKED && chunk > 0 ? { chunk } : {}),
      ...(isRotated && isNormed ? { norm: { kind: 'rotated' } } : {}),
      ...(!isRotated && temperature ? { temperature } : {}),
    };
  };
}

const CHUNKED = 'chunked_attention';
const FULL = 'full_attention';

/** A list with an element per layer; undefined if it is empty. */
function listOf<T>(
  config: ConfigReader,
  key: string,
  list: readonly T[],
  layers: number,
): readonly T[] | undefined {
  if (list.length === 0) return undefined;
  if (list.length === layers) return list;
  throw config.contradiction(
    { key: 'num_hidden_layers', value: layers },
    { key: `the length of ${key}`, value: list.length },
  );
}

/** Whether each layer has experts: those that `moe_layers` lists, else every `interleave_moe_layer_step`-th. */
function readMoeLayers(config: ConfigReader, layerCount: number): boolean[] {
  const listed = config.has('moe_layers') ? new Set(config.integers(['moe_layers'])) : undefined;
  const step = config.count(['interleave_moe_layer_step'], 1);
  return Array.from({ length: layerCount }, (_, layer) => listed?.has(layer) ?? (layer + 1) % step === 0);
}

function routedExperts(
  at: string,
  { file, hidden }: Shell,
  sizes: ExpertSizes,
  activation: Activation,
): GatedMoeSpec {
  const { experts, width } = sizes;
  return {
    kind: 'moe',
    experts,
    router: {
      score: { kind: 'linear', weight: `${at}router.weight` },
      select: { kind: 'topK', k: 1 },
      weigh: { normalise: 'sigmoid', on: 'input' },
    },
    expert: { kind: 'gated', width, activation, ...matricesOf(`${at}experts.`, sizes, file) },
    shared: gatedMlp(`${at}shared_expert.`, hidden, width, activation),
  };
}

/** Experts stored as [inputs, outputs], gate columns first; in GGUF files one by one as [outputs, inputs]. */
function matricesOf(
  at: string,
  sizes: ExpertSizes,
  file: Shell['file'],
): Pick<GatedExpertSpec, 'gate' | 'up' | 'down'> {
  const { experts, width, hidden } = sizes;
  const single = (matrix: string) => `${at}{expert}.${matrix}_proj.weight`;
  if (file?.has(single('gate').replace('{expert}', '0'))) return separateExperts(sizes, single);
  const both = { tensor: `${at}gate_up_proj`, shape: [experts, hidden, 2 * width], transposed: true };
  return {
    gate: { ...both, columns: { start: 0, step: 1 } },
    up: { ...both, columns: { start: width, step: 1 } },
    down: { tensor: `${at}down_proj`, shape: [experts, width, hidden], transposed: true },
  };
}
