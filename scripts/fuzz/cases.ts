/** What can be damaged, and how a case is judged. */
import type { FileSource, FolderSource } from '../../src/io/source.ts';
import { study } from '../../src/experts/study/study.ts';
import { parseTrace } from '../../src/experts/study/trace-file.ts';
import { createEngine } from '../../src/engine/index.ts';
import { AtomoeError } from '../../src/errors.ts';
import { memoryFolder } from '../../src/io/memory.ts';
import { damagedGguf } from './gguf.ts';
import { CONFIG, GENERATION, TEMPLATE, TOKENIZER, TOKENIZER_CONFIG, VOCAB, type Files } from './model.ts';
import { mutateBytes, mutateJson, mutateText, type Json } from './mutate.ts';
import type { Chooser } from './random.ts';

/** The undamaged models. */
export interface Base {
  readonly whole: Files;
  readonly split: Files;
  readonly packed: Files;
}

/** One input. `mustRefuse`: it is wrong in a way that no reader may overlook. */
export interface Case {
  readonly what: string;
  readonly mustRefuse: boolean;
  run(): Promise<void>;
}

type Target = (base: Base, chooser: Chooser) => Case;

const text = (files: Files, name: string): string => {
  const content = files[name];
  if (content === undefined) throw new Error(`the base model has no ${name}`);
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
};
const bytes = (files: Files, name: string): Uint8Array => {
  const content = files[name];
  if (!(content instanceof Uint8Array)) throw new Error(`the base model has no bytes of ${name}`);
  return content;
};

/** Opens a model as a page does: plan, load, a reply of two tokens, dispose. */
async function talk(folder: FolderSource): Promise<void> {
  const engine = await createEngine({ device: 'cpu' });
  try {
    await engine.plan(folder, {});
    await engine.load(folder, { contextTokens: 48 });
    const session = engine.session();
    const prompt = engine.model?.hasChatTemplate ? [{ role: 'user' as const, content: 'A one' }] : 'A one';
    for await (const event of session.generate(prompt, { maxTokens: 2, seed: 1 })) {
      if (event.kind === 'token' && !(Number.isInteger(event.id) && event.id >= 0 && event.id < VOCAB))
        throw new Error(`the reply has token ${event.id}`);
    }
  } finally {
    engine.dispose();
  }
}

function model(what: string, files: Files, mustRefuse = false): Case {
  return { what, mustRefuse, run: () => talk(memoryFolder(files, 'fuzz')) };
}

/** The document of a file with random damage, as JSON or as text. */
function damaged(document: Json, chooser: Chooser): string {
  const json = JSON.stringify(mutateJson(document, chooser));
  return chooser.below(4) === 0 ? mutateText(json, chooser) : json;
}

/** A safetensors file as its header's document and its data. */
function splitHeader(file: Uint8Array): { header: Record<string, Json>; data: Uint8Array } {
  const size = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + size)));
  return { header, data: file.subarray(8 + size) };
}

function joinHeader(header: string, data: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + head.byteLength + data.byteLength);
  new DataView(file.buffer).setBigUint64(0, BigInt(head.byteLength), true);
  file.set(head, 8);
  file.set(data, 8 + head.byteLength);
  return file;
}

const WEIGHTS = 'model.safetensors';

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: [number, number];
}

/** Lies of one tensor's entry, each of which no reader may believe. */
const LIES: readonly ((entry: Entry, chooser: Chooser) => void)[] = [
  (entry, chooser) =>
    (entry.dtype = chooser.of(['I32', 'U8', 'I64', 'BOOL', 'F8_E4M3', 'constructor', 'F64'])),
  (entry) => entry.shape.push(2),
  (entry) => (entry.shape[0] = -(entry.shape[0] ?? 1)),
  (entry) => (entry.shape[0] = (entry.shape[0] ?? 1) + 0.5),
  (entry) => (entry.data_offsets[1] += 2 ** 40),
  (entry) => (entry.data_offsets[0] -= 4),
  (entry) => entry.data_offsets.reverse(),
  (entry, chooser) => (entry.data_offsets[1] += chooser.of([-1, 1, -4, 4])),
];

/** Changes of a config that its weights contradict. */
const CONTRADICTIONS: readonly { readonly [key: string]: Json }[] = [
  { num_hidden_layers: 3 },
  { num_hidden_layers: 1e9 },
  { num_hidden_layers: 0 },
  { num_hidden_layers: 1.5 },
  { num_experts: 5 },
  { num_experts: 1e9 },
  { num_experts_per_tok: 5 },
  { vocab_size: VOCAB + 4 },
  { vocab_size: -1 },
  { hidden_size: 32 },
  { head_dim: 16 },
  { num_attention_heads: 4 },
  { num_attention_heads: 1e9 },
  { num_key_value_heads: 3 },
  { moe_intermediate_size: 16 },
  { max_position_embeddings: -5 },
  { rms_norm_eps: 'small' },
  { model_type: 'constructor' },
  { model_type: '__proto__' },
  { hidden_act: 'toString' },
  { quantization_config: { quant_method: 'gptq', bits: 4 } },
  { quantization_config: { quant_method: 'hqq', nbits: 4 } },
  { quantization_config: { quant_method: 'fp8', weight_block_size: [128, 128] } },
  { rope_scaling: { rope_type: 'toString', factor: 2 } },
];

/** Token ids that no vocabulary has. */
const NO_IDS = [VOCAB, VOCAB + 1, 2 ** 31, 2 ** 53, -1, 0.5];

const TARGETS: readonly Target[] = [
  function header({ whole }, chooser) {
    const { header, data } = splitHeader(bytes(whole, WEIGHTS));
    return model('header', { ...whole, [WEIGHTS]: joinHeader(damaged(header, chooser), data) });
  },
  function headerLie({ whole }, chooser) {
    const { header, data } = splitHeader(bytes(whole, WEIGHTS));
    const name = chooser.of(Object.keys(header));
    const entry = header[name];
    chooser.of(LIES)(entry as unknown as Entry, chooser);
    return model(
      `lie about ${name}`,
      { ...whole, [WEIGHTS]: joinHeader(JSON.stringify(header), data) },
      true,
    );
  },
  function missingTensor({ whole }, chooser) {
    const { header, data } = splitHeader(bytes(whole, WEIGHTS));
    const name = chooser.of(Object.keys(header));
    header[`${name}.other`] = header[name] ?? null;
    delete header[name];
    return model(`no ${name}`, { ...whole, [WEIGHTS]: joinHeader(JSON.stringify(header), data) }, true);
  },
  function weights({ whole }, chooser) {
    return model('bytes of the weights', {
      ...whole,
      [WEIGHTS]: mutateBytes(bytes(whole, WEIGHTS), chooser),
    });
  },
  function cutWeights({ whole }, chooser) {
    const file = bytes(whole, WEIGHTS);
    const cut = file.slice(0, chooser.below(file.byteLength));
    return model(`weights cut to ${cut.byteLength} bytes`, { ...whole, [WEIGHTS]: cut }, true);
  },
  function index({ split }, chooser) {
    const name = 'model.safetensors.index.json';
    return model('index', { ...split, [name]: damaged(JSON.parse(text(split, name)), chooser) });
  },
  function indexLie({ split }, chooser) {
    const name = 'model.safetensors.index.json';
    const index = JSON.parse(text(split, name));
    const tensor = chooser.of(Object.keys(index.weight_map));
    index.weight_map[tensor] = chooser.of<Json>([
      '../x.safetensors',
      'none.safetensors',
      null,
      7,
      '/etc/passwd',
      'a\u0000',
    ]);
    return model(`index lies about ${tensor}`, { ...split, [name]: JSON.stringify(index) }, true);
  },
  function config({ whole }, chooser) {
    return model('config', { ...whole, 'config.json': damaged(CONFIG, chooser) });
  },
  function contradiction({ whole }, chooser) {
    const changed = chooser.of(CONTRADICTIONS);
    const config = JSON.stringify({ ...CONFIG, ...changed });
    return model(`config ${JSON.stringify(changed)}`, { ...whole, 'config.json': config }, true);
  },
  function generation({ whole }, chooser) {
    return model('generation config', { ...whole, 'generation_config.json': damaged(GENERATION, chooser) });
  },
  function tokenizer({ whole }, chooser) {
    return model('tokenizer', { ...whole, 'tokenizer.json': damaged(TOKENIZER, chooser) });
  },
  function tokenId({ whole }, chooser) {
    const changed: typeof TOKENIZER = structuredClone(TOKENIZER);
    const id = chooser.of(NO_IDS);
    if (chooser.below(2) === 0) changed.model.vocab['Ġtwo'] = id;
    else changed.added_tokens.push({ ...chooser.of(changed.added_tokens), content: '<|new|>', id });
    return model(`token id ${id}`, { ...whole, 'tokenizer.json': JSON.stringify(changed) }, true);
  },
  function tokenizerConfig({ whole }, chooser) {
    return model('tokenizer config', {
      ...whole,
      'tokenizer_config.json': damaged(TOKENIZER_CONFIG, chooser),
    });
  },
  function tokenizerParts({ whole }, chooser) {
    const kind = chooser.of(['normalizer', 'pre_tokenizer', 'decoder']);
    const parts = Array.from({ length: 1 + chooser.below(4) }, () => chooser.of(NASTY_PARTS));
    const listed = { normalizers: parts, pretokenizers: parts, decoders: parts };
    const part = parts.length > 1 ? { type: 'Sequence', ...listed } : chooser.of(parts);
    return model(`tokenizer: ${kind} ${JSON.stringify(parts).slice(0, 200)}`, {
      ...whole,
      'tokenizer.json': JSON.stringify({ ...TOKENIZER, [kind]: part }),
      'chat_template.jinja': chooser.of(['{{ "A" * 20000 }}!', '{{ " A\n" * 9000 }}', 'A one']),
    });
  },
  function template({ whole }, chooser) {
    return model('template', { ...whole, 'chat_template.jinja': mutateTemplate(chooser) });
  },
  function gguf(_, chooser) {
    const { what, bytes, mustRefuse = false } = damagedGguf(chooser);
    const folder = { ...memoryFolder({ 'm.gguf': bytes }, 'fuzz'), entry: 'm.gguf' };
    return { what, mustRefuse, run: () => talk(folder) };
  },
  function manifest({ packed }, chooser) {
    return model('manifest', {
      ...packed,
      'atomoe.json': damaged(JSON.parse(text(packed, 'atomoe.json')), chooser),
    });
  },
  function record({ packed }, chooser) {
    const name = chooser.of(Object.keys(packed).filter((file) => file.endsWith('.bin')));
    return model(`bytes of ${name}`, { ...packed, [name]: mutateBytes(bytes(packed, name), chooser) });
  },
  function trace(_, chooser) {
    return traceCase('trace', damaged(TRACE, chooser));
  },
  function traceLie(_, chooser) {
    const changed = chooser.of<{ readonly [key: string]: Json }>([
      { layers: 2 ** 32 },
      { layers: 3 },
      { units: 2 ** 40 },
      { units: 1 },
      { topK: 2 ** 31 },
      { warmUp: 5 },
      { steps: [] },
      { steps: [[[0, 0], [1]]] },
    ]);
    return traceCase(`trace ${JSON.stringify(changed)}`, JSON.stringify({ ...TRACE, ...changed }), true);
  },
  function traceCsv(_, chooser) {
    return traceCase('trace as CSV', mutateText(TRACE_CSV, chooser));
  },
  function shortReads({ whole }, chooser) {
    return {
      what: 'a source that returns too little',
      mustRefuse: true,
      run: () => talk(shortFolder(whole, chooser)),
    };
  },
];

/** Parts of a tokenizer that run long, grow, or are of the wrong kind. */
const NASTY_PARTS: readonly { readonly [key: string]: Json }[] = [
  ...[
    '(A+)+$',
    '(A|A)*B',
    '(?:A*)*B',
    'A*A*A*A*B',
    '(A?){60}B',
    '(?=[^B]*!)A',
    '(?<=A)A',
    '.*.*.*=.*',
    '(A)\\1',
    'A{1,99999999}',
  ].map((Regex) => ({ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false })),
  { type: 'Replace', pattern: { String: 'A' }, content: 'AA' },
  { type: 'Replace', pattern: { String: 'A' }, content: 'A'.repeat(1000) },
  { type: 'Replace', pattern: { Regex: 'A|(?:)' }, content: '\ufdfa' },
  { type: 'Replace', pattern: { Regex: '(A+)+$' }, content: '' },
  { type: 'Prepend', prepend: 'A'.repeat(1000) },
  { type: 'NFKD' },
  { type: 'ByteLevel' },
  { type: 'Metaspace', replacement: ' ' },
  { type: 'Metaspace', replacement: '  ' },
  { type: 'FixedLength', length: 1 },
  { type: 'FixedLength', length: 1e-9 },
  { type: 'Strip', content: 'A', start: 2 ** 40, stop: 2 ** 40 },
  { type: 'Fuse' },
  { type: 'ByteFallback' },
];

/** Pieces of Jinja that run long, nest, or name what objects have of their own. */
const SNIPPETS = [
  '{% for i in range(1000000000) %}x{% endfor %}',
  '{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor %}{% endfor %}',
  '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
  '{% set ns = namespace(s="x") %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}{{ ns.s }}',
  '{{ "x" * 1000000000 }}',
  '{{ messages.constructor }}',
  '{{ messages.__proto__.x }}',
  '{{ messages[0].toString() }}',
  '{{ raise_exception("no \u001b[2J%") }}',
  '{{ messages | tojson(indent=1000000000) }}',
  '{{ ("(" * 5000) }}',
  '{{ strftime_now("%") }}',
  '{{ none.x }}',
  '{{ 1 / 0 }}',
  '{{ messages | sort }}',
  '{{ "%d" % "x" }}',
  '{%',
  '{{',
  '{% endfor %}',
  '{{ (((((((((((((((((1))))))))))))))))) }}',
];

function mutateTemplate(chooser: Chooser): string {
  if (chooser.below(2) === 0) return mutateText(TEMPLATE, chooser);
  const at = chooser.below(TEMPLATE.length + 1);
  return chooser.below(2) === 0
    ? chooser.of(SNIPPETS) + TEMPLATE
    : TEMPLATE.slice(0, at) + chooser.of(SNIPPETS) + TEMPLATE.slice(at);
}

const TRACE: { [key: string]: Json } = {
  format: 'atomoe-routes',
  version: 1,
  label: 't',
  layers: 2,
  units: 4,
  topK: 2,
  unitBytes: [100, 100],
  prime: [
    [1, 2, 3, 0],
    [0, 0, 4, 2],
  ],
  primeTokens: 3,
  steps: [
    [[0, 1], [3]],
    [[2, 3], []],
  ],
};

const TRACE_CSV = `# model=x/y.gguf n_expert=4 n_expert_used=2
# layer=0 expert_bytes=100
phase,step,layer,slot,expert
0,0,0,0,1
0,0,0,1,2
1,1,0,0,3
1,1,0,1,0
1,2,0,0,3
`;

function traceCase(what: string, content: string, mustRefuse = false): Case {
  const run = async () => void (await study(parseTrace(content, 'fuzz'), ['ema', 'lru', 'belady'], [1, 2]));
  return { what, mustRefuse, run };
}

/** A folder whose weights end early, now and then, though their size is right. */
function shortFolder(files: Files, chooser: Chooser): FolderSource {
  const folder = memoryFolder(files, 'fuzz');
  const short = chooser.below(3);
  let reads = 0;
  return {
    label: folder.label,
    async open(name, options): Promise<FileSource | undefined> {
      const file = await folder.open(name, options);
      if (!file || name !== WEIGHTS) return file;
      return {
        ...file,
        read: async (offsetBytes, sizeBytes, readOptions) => {
          const all = await file.read(offsetBytes, sizeBytes, readOptions);
          reads += 1;
          return reads > short ? all.slice(0, Math.max(0, all.byteLength - 1)) : all;
        },
      };
    },
  };
}

/** The case of a number. */
export function caseOf(base: Base, chooser: Chooser): Case {
  return chooser.of(TARGETS)(base, chooser);
}

/** How a case ended. */
export type Verdict = 'accepted' | 'refused' | 'wrongly accepted' | 'untyped';

/** @returns the verdict and, where it is bad, what happened */
export async function judge({ mustRefuse, run }: Case): Promise<{ verdict: Verdict; why: string }> {
  try {
    await run();
    return mustRefuse
      ? { verdict: 'wrongly accepted', why: 'nothing was refused' }
      : { verdict: 'accepted', why: '' };
  } catch (error) {
    if (!(error instanceof AtomoeError)) {
      return {
        verdict: 'untyped',
        why: error instanceof Error ? (error.stack ?? error.message) : String(error),
      };
    }
    const { message } = error;
    const isPlain = message.length <= 1100 && !/\p{Cc}/u.test(message);
    return {
      verdict: isPlain ? 'refused' : 'untyped',
      why: isPlain ? message : `message: ${JSON.stringify(message)}`,
    };
  }
}
