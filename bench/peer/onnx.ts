/** The model as an ONNX file for ONNX Runtime's WebGPU operators: MatMulNBits, GroupQueryAttention, QMoE. */
import { BLOCK, dequantize, type LayerWeights, type ModelWeights, type Q4Matrix } from './model.ts';
import { bytes, float, integer, message, serialize, text, type Field } from './protobuf.ts';

const OPSET = 21;
const IR_VERSION = 10;
const MICROSOFT = 'com.microsoft';

const FLOAT = 1;
const UINT8 = 2;
const INT32 = 6;
const INT64 = 7;

type AttributeValue = number | string | { readonly float: number };

// Field numbers below are those of onnx.proto: TensorProto, AttributeProto, NodeProto, ValueInfoProto, GraphProto.

function tensor(name: string, type: number, dims: readonly number[], raw: Uint8Array): Field {
  return message(5, [...dims.map((dim) => integer(1, dim)), integer(2, type), text(8, name), bytes(9, raw)]);
}

function attribute(name: string, value: AttributeValue): Field {
  if (typeof value === 'string') return message(5, [text(1, name), text(4, value), integer(20, 3)]);
  if (typeof value === 'number') return message(5, [text(1, name), integer(3, value), integer(20, 2)]);
  return message(5, [text(1, name), float(2, value.float), integer(20, 1)]);
}

function valueInfo(field: number, name: string, type: number, dims: readonly (number | string)[]): Field {
  const shape = dims.map((dim) => message(1, [typeof dim === 'number' ? integer(1, dim) : text(2, dim)]));
  return message(field, [text(1, name), message(2, [message(1, [integer(1, type), message(2, shape)])])]);
}

function raw(values: Float32Array | Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/** Collects nodes and initialisers. */
class GraphWriter {
  readonly fields: Field[] = [];

  node(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    domain = '',
  ): void {
    this.fields.push(
      message(1, [
        ...inputs.map((name) => text(1, name)),
        ...outputs.map((name) => text(2, name)),
        text(3, outputs[0] ?? op),
        text(4, op),
        ...Object.entries(attributes).map(([name, value]) => attribute(name, value)),
        text(7, domain),
      ]),
    );
  }

  floats(name: string, dims: readonly number[], values: Float32Array): string {
    this.fields.push(tensor(name, FLOAT, dims, raw(values)));
    return name;
  }

  integers(name: string, dims: readonly number[], values: readonly number[]): string {
    this.fields.push(tensor(name, INT64, dims, raw(BigInt64Array.from(values, BigInt))));
    return name;
  }

  quants(name: string, dims: readonly number[], values: Uint8Array): string {
    this.fields.push(tensor(name, UINT8, dims, values));
    return name;
  }

  /** y = x @ matrix^T with 4-bit weights; no zero points: 8. */
  matmul4(
    x: string,
    name: string,
    { rows, cols, quants, scales }: Q4Matrix,
    y: string,
    accuracy: number,
  ): void {
    const blocks = cols / BLOCK;
    const inputs = [
      x,
      this.quants(`${name}.quants`, [rows, blocks, BLOCK / 2], quants),
      this.floats(`${name}.scales`, [rows, blocks], scales),
    ];
    const attributes = { K: cols, N: rows, bits: 4, block_size: BLOCK, accuracy_level: accuracy };
    this.node('MatMulNBits', inputs, [y], attributes, MICROSOFT);
  }
}

/** Stacks matrices of experts, rows of the first two interleaved where there are two: gate, up, gate, up, ... */
function stackExperts(experts: readonly (readonly Q4Matrix[])[]): Q4Matrix {
  const [[first] = []] = experts;
  if (!first) throw new Error('no experts');
  const { cols } = first;
  const rows = experts.length * first.rows * (experts[0]?.length ?? 1);
  const quants = new Uint8Array((rows * cols) / 2);
  const scales = new Float32Array((rows * cols) / BLOCK);
  let row = 0;
  for (const matrices of experts) {
    for (let r = 0; r < first.rows; r += 1) {
      for (const matrix of matrices) {
        quants.set(matrix.quants.subarray((r * cols) / 2, ((r + 1) * cols) / 2), (row * cols) / 2);
        const perRow = cols / BLOCK;
        scales.set(matrix.scales.subarray(r * perRow, (r + 1) * perRow), row * perRow);
        row += 1;
      }
    }
  }
  return { rows, cols, quants, scales };
}

function transpose(values: Float32Array, rows: number, cols: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(
    { length: rows * cols },
    (_, i) => values[(i % rows) * cols + Math.floor(i / rows)]!,
  );
}

/** Cosines or sines of all positions and frequencies: [contextTokens, headDim / 2]. */
function angles(
  contextTokens: number,
  headDim: number,
  theta: number,
  wave: (x: number) => number,
): Float32Array {
  const half = headDim / 2;
  return Float32Array.from({ length: contextTokens * half }, (_, i) =>
    wave(Math.floor(i / half) * theta ** (-(2 * (i % half)) / headDim)),
  );
}

export interface OnnxOptions {
  /** Of MatMulNBits: 0 computes in f32, 4 may round activations to int8. */
  readonly accuracy: 0 | 4;
}

/**
 * Writes the whole model. Inputs `input_ids` [batch, tokens], `attention_mask` [batch, total] and the past keys and
 * values; outputs the logits of the last token [batch, 1, vocab] and the present keys and values.
 */
export function onnxModel(weights: ModelWeights, { accuracy }: OnnxOptions): Uint8Array<ArrayBuffer> {
  const { shape, embedding, layers, norm, head } = weights;
  const { vocab, hidden, contextTokens, headDim, theta } = shape;
  const graph = new GraphWriter();
  graph.floats('embedding', [vocab, hidden], dequantize(embedding, 0, vocab * hidden));
  graph.node('Gather', ['embedding', 'input_ids'], ['h0']);
  lengths(graph);
  graph.floats('cos', [contextTokens, headDim / 2], angles(contextTokens, headDim, theta, Math.cos));
  graph.floats('sin', [contextTokens, headDim / 2], angles(contextTokens, headDim, theta, Math.sin));
  let residual = 'h0';
  let added: string | undefined; // what the next norm adds to the residual
  for (const [index, layer] of layers.entries()) {
    ({ residual, added } = writeLayer(graph, weights, layer, index, residual, added, accuracy));
  }
  addNorm(graph, 'norm', norm, residual, added, shape.eps, 'normed');
  graph.integers('last', [1], [-1]);
  graph.integers('end', [1], [2 ** 31 - 1]);
  graph.integers('axis 1', [1], [1]);
  graph.node('Slice', ['normed', 'last', 'end', 'axis 1'], ['last_normed']);
  graph.matmul4('last_normed', 'head', head, 'logits', accuracy);
  return serialize([
    integer(1, IR_VERSION),
    text(2, 'atomoe bench'),
    message(7, [...graph.fields, text(2, 'moe'), ...interfaceOf(weights)]),
    message(8, [text(1, ''), integer(2, OPSET)]),
    message(8, [text(1, MICROSOFT), integer(2, 1)]),
  ]);
}

/** `seqlens_k` = tokens so far - 1, and `total_length`, both from the mask. */
function lengths(graph: GraphWriter): void {
  graph.integers('one', [1], [1]);
  graph.integers('index 1', [], [1]);
  graph.node('ReduceSum', ['attention_mask', 'one'], ['mask_sum'], { keepdims: 0 });
  graph.node('Sub', ['mask_sum', 'one'], ['mask_last']);
  graph.node('Cast', ['mask_last'], ['seqlens_k'], { to: INT32 });
  graph.node('Shape', ['attention_mask'], ['mask_shape']);
  graph.node('Gather', ['mask_shape', 'index 1'], ['total64']);
  graph.node('Cast', ['total64'], ['total_length'], { to: INT32 });
}

/** RMS norm, of the residual alone or of its sum with `added`. Returns the name of the (new) residual. */
function addNorm(
  graph: GraphWriter,
  name: string,
  gain: Float32Array,
  residual: string,
  added: string | undefined,
  eps: number,
  y: string,
): string {
  graph.floats(name, [gain.length], gain);
  const epsilon = { float: eps };
  if (added === undefined) {
    graph.node('SimplifiedLayerNormalization', [residual, name], [y], { axis: -1, epsilon, stash_type: 1 });
    return residual;
  }
  const sum = `${y}_sum`;
  const op = 'SkipSimplifiedLayerNormalization';
  graph.node(op, [residual, added, name], [y, '', '', sum], { epsilon }, MICROSOFT);
  return sum;
}

function writeLayer(
  graph: GraphWriter,
  { shape }: ModelWeights,
  layer: LayerWeights,
  index: number,
  before: string,
  added: string | undefined,
  accuracy: number,
): { residual: string; added: string } {
  const { hidden, heads, kvHeads, experts, eps } = shape;
  const at = (name: string) => `l${index}.${name}`;
  let residual = addNorm(graph, at('norm1'), layer.attentionNorm, before, added, eps, at('x'));
  for (const name of ['q', 'k', 'v'] as const) {
    graph.matmul4(at('x'), at(name), layer[name], at(`${name}_out`), accuracy);
  }
  const past = [`past_key_values.${index}.key`, `past_key_values.${index}.value`];
  const present = [`present.${index}.key`, `present.${index}.value`];
  graph.node(
    'GroupQueryAttention',
    [at('q_out'), at('k_out'), at('v_out'), ...past, 'seqlens_k', 'total_length', 'cos', 'sin'],
    [at('attention'), ...present],
    { num_heads: heads, kv_num_heads: kvHeads, do_rotary: 1, rotary_interleaved: 0, local_window_size: -1 },
    MICROSOFT,
  );
  graph.matmul4(at('attention'), at('o'), layer.o, at('o_out'), accuracy);
  residual = addNorm(graph, at('norm2'), layer.mlpNorm, residual, at('o_out'), eps, at('y'));
  const router = transpose(dequantize(layer.router, 0, experts * hidden), experts, hidden);
  graph.node('MatMul', [at('y'), graph.floats(at('router'), [hidden, experts], router)], [at('scores')]);
  graph.node('Reshape', [at('scores'), graph.integers(at('rows'), [2], [-1, experts])], [at('routed')]);
  writeExperts(graph, shape.topK, layer, at);
  return { residual, added: at('moe') };
}

function writeExperts(
  graph: GraphWriter,
  topK: number,
  { experts }: LayerWeights,
  at: (name: string) => string,
): void {
  const names = (name: string, matrix: Q4Matrix): string[] => {
    const { rows, cols, quants, scales } = matrix;
    const dims = [experts.length, rows / experts.length];
    return [
      graph.quants(at(`${name}.quants`), [...dims, cols / 2], quants),
      graph.floats(at(`${name}.scales`), [...dims, cols / BLOCK], scales),
    ];
  };
  const gateUp = names('gate_up', stackExperts(experts.map(({ gate, up }) => [gate, up])));
  const down = names('down', stackExperts(experts.map((expert) => [expert.down])));
  const attributes = {
    k: topK,
    expert_weight_bits: 4,
    block_size: BLOCK,
    activation_type: 'swiglu',
    swiglu_fusion: 1,
    activation_alpha: { float: 1 },
    activation_beta: { float: 0 },
    normalize_routing_weights: 1,
  };
  graph.node('QMoE', [at('y'), at('routed'), ...gateUp, '', ...down], [at('moe')], attributes, MICROSOFT);
}

function interfaceOf({ shape }: ModelWeights): Field[] {
  const { layers, kvHeads, headDim, vocab } = shape;
  const fields = [
    valueInfo(11, 'input_ids', INT64, ['batch_size', 'tokens']),
    valueInfo(11, 'attention_mask', INT64, ['batch_size', 'total']),
    valueInfo(12, 'logits', FLOAT, ['batch_size', 1, vocab]),
  ];
  for (let layer = 0; layer < layers; layer += 1) {
    for (const name of ['key', 'value']) {
      const dims = (length: string) => ['batch_size', kvHeads, length, headDim];
      fields.push(valueInfo(11, `past_key_values.${layer}.${name}`, FLOAT, dims('past')));
      fields.push(valueInfo(12, `present.${layer}.${name}`, FLOAT, dims('total')));
    }
  }
  return fields;
}
