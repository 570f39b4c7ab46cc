/**
 * How byte-level tokenizers split a text before they merge. A tokenizer.json writes its patterns out; a GGUF has the name
 * of a pre-tokenizer of llama.cpp, whose patterns are here, in the form that the models' own tokenizer.json has.
 */
import { AtomoeError } from '../errors.ts';
import type { Json } from './check-tokenizer.ts';

/** What a name stands for. */
export interface PreTokenizer {
  /** Applied one after the other, each to the pieces that the former left. */
  readonly patterns: readonly string[];
  /** The model's tokenizer.json composes characters first. */
  readonly composes?: boolean;
  /** A piece that is a token is not made by merges. */
  readonly ignoresMerges?: boolean;
  /** A text begins with BOS unless the file says otherwise. */
  readonly addsBos?: boolean;
}

const CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const REST = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;

const gpt2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const digit = String.raw`\p{N}`;
const threeDigits = String.raw`\p{N}{1,3}`;

/** cl100k and its descendants, which differ in how they cut digits. */
const cl100k = (digits: string) =>
  String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${REST}`;

/** o200k and its descendants: a word may change from capitals to small letters once. */
function o200k(digits: string, { contraction = `${CONTRACTION}?`, slash = '/', not = '' } = {}): string {
  const [high, low] = [letters(String.raw`\p{Lu}\p{Lt}`, not), letters(String.raw`\p{Ll}`, not)];
  const word = (first: string, second: string) =>
    String.raw`[^\r\n\p{L}\p{N}]?${high}${first}${low}${second}${contraction}`;
  const signs = String.raw` ?[^\s\p{L}\p{N}]+[\r\n${slash}]*`;
  return `${word('*', '+')}|${word('+', '*')}|${digits}|${signs}|${REST}`;
}

/** Letters of a case or without one, and marks. @param not - what they are not */
function letters(kind: string, not: string): string {
  const set = String.raw`[${kind}\p{Lm}\p{Lo}\p{M}]`;
  return not === '' ? set : `(?:(?!${not})${set})`;
}

const han = String.raw`\p{Script=Han}`;
const deepseek3 = String.raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_${'`'}{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|${REST}`;
const kana = String.raw`[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+`;
const hangul = String.raw`[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+`;

/** DeepSeek's list of cased letters: those of Unicode 11 without Georgian, small Armenian and most later scripts. */
const CASED = String.raw`(?:\u0295|(?![\u0560-\u0588\u10c7\u10cd\u10d0-\u10ff\u1c80-\u1c8a\u2d00-\u2d2d\ua790-\ua7fa\uab30-\uab68\u{10570}-\u{105bc}\u{10d50}-\u{10d85}\u{16e40}-\u{16ed3}\u{1d400}-\u{1d7cb}\u{1df00}-\u{1df2a}])[\p{Lu}\p{Ll}\p{Lt}])`;

const DEEPSEEK = [
  String.raw`[\r\n]`,
  String.raw`\s?${CASED}+`,
  String.raw`\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+`,
  String.raw`\s+$`,
  hangul,
  String.raw`\p{N}+`,
];
const DEEPSEEK_CODER = [String.raw`[\r\n]`, String.raw`\s?\p{L}+`, String.raw`\s?\p{P}+`, hangul, digit];

const bailing = String.raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+`;
const qwen35 = String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|${REST}`;
const exaone = String.raw`${CONTRACTION}|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+`;

/** Groups of three from the right. Only the begin of a number looks to its end, so that a long one takes no longer. */
const groupedDigits = String.raw`(?<!\p{N})\p{N}{1,2}(?=(?:\p{N}{3})+(?!\p{N}))|\p{N}{3}|\p{N}+`;
const asian = String.raw`[\u4e00-\u9fff\u3400-\u4db6\uf900-\ufaff\u3040-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+`;

/** What llama.cpp does for files from before pre-tokenizers had names. */
const UNNAMED = [String.raw`[\p{P}\$\+<=>\^~\|]+`, gpt2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'];

const llama3: PreTokenizer = { patterns: [cl100k(threeDigits)], ignoresMerges: true, addsBos: true };

const KINDS: readonly (readonly [names: string, kind: PreTokenizer])[] = [
  ['default', { patterns: UNNAMED }],
  ['gpt-2 olmo phi-2 mpt exaone4 mellum gigachat a.x-4.0 trillion granite-docling', { patterns: [gpt2] }],
  ['refact mellum2 starcoder command-r smollm codeshell exaone minerva-7b', { patterns: [digit, gpt2] }],
  ['qwen2 deepseek-r1-qwen', { patterns: [cl100k(digit)], composes: true }],
  ['hunyuan megrez stablelm2 solar-open grok-2', { patterns: [cl100k(digit)] }],
  ['qwen35', { patterns: [qwen35], composes: true }],
  ['llama-bpe llama3 llama-v3 lfm2 falcon3 pixtral', llama3],
  ['dbrx smaug-bpe glm4 chatglm-bpe', { patterns: [cl100k(threeDigits)] }],
  ['gpt-4o llama4 minimax-m2 kanana2', { patterns: [o200k(threeDigits)] }],
  ['tekken', { patterns: [o200k(digit, { contraction: '' })], ignoresMerges: true, addsBos: true }],
  ['deepseek-llm', { patterns: DEEPSEEK }],
  ['deepseek-coder', { patterns: DEEPSEEK_CODER }],
  ['deepseek-v3 hunyuan-dense joyai-llm hy_v4', { patterns: [threeDigits, kana, deepseek3] }],
  ['bailingmoe bailingmoe2 llada-moe', { patterns: [bailing] }],
  ['kimi-k2', { patterns: [`${han}+|${o200k(threeDigits, { slash: '', not: han })}`] }],
  ['afmoe', { patterns: [groupedDigits, asian, deepseek3] }],
  ['tiny_aya cohere2moe', { patterns: [String.raw`\d{1,3}(?=(?:\d{3})*\b)`, o200k(threeDigits)] }],
  ['laguna', { patterns: [String.raw`[^\n]+|[\n]+`, cl100k(digit)] }],
  ['exaone-moe', { patterns: [exaone] }],
];

const BY_NAME: ReadonlyMap<string, PreTokenizer> = new Map(
  KINDS.flatMap(([names, kind]) => names.split(' ').map((name) => [name, kind] as const)),
);

/**
 * @param name - `tokenizer.ggml.pre`
 * @throws {AtomoeError} unsupported-model
 */
export function preTokenizerOf(name: string): PreTokenizer {
  const known = BY_NAME.get(name);
  if (known) return known;
  throw new AtomoeError(
    'unsupported-model',
    `the GGUF header: tokenizer.ggml.pre is ${JSON.stringify(name.slice(0, 60))}; wanted one of ` +
      `${[...BY_NAME.keys()].join(', ')}; choose another model`,
  );
}

/** The `pre_tokenizer` of a tokenizer.json. */
export function preTokenizerJson({ patterns }: PreTokenizer): Json {
  const splits = patterns.map((pattern) => ({
    type: 'Split',
    pattern: { Regex: pattern },
    behavior: 'Isolated',
    invert: false,
  }));
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return { type: 'Sequence', pretokenizers: [...splits, bytes] };
}
