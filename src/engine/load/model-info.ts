/** What the engine reports about a model, and what it reads besides the weights. */
import { isJsonObject, parseJsonObject, readJson, readText } from '../../io/json-file.ts';
import type { GgufMetadata } from '../../containers/gguf/header.ts';
import type { FolderSource } from '../../io/source.ts';
import { GGUF_TOKENIZER_KEY, isNoTokenizer } from '../../text/gguf-kind.ts';
import type { Tokenizer } from '../../text/tokenizer.ts';
import type { ModelInfo, ModelPlan } from '../api.ts';
import type { Drafted } from './planning.ts';

/** What `Engine.model` reports of a loaded model. */
export function infoOf(
  { checkpoint, spec, expertLayers, numbers }: Drafted,
  plan: ModelPlan,
  tokenizer: Tokenizer | undefined,
): ModelInfo {
  const grid = expertLayers.find((layer) => layer.grid !== undefined)?.grid;
  return {
    label: checkpoint.label,
    family: spec.family,
    plan,
    // A template that never looks at who speaks only strings texts together: such a model continues text.
    hasChatTemplate: /\brole\b/.test(tokenizer?.chatTemplate ?? ''),
    experts: {
      layers: expertLayers.length,
      perLayer: plan.experts,
      ...(grid === undefined ? {} : { grid }),
      ...(numbers ? { original: numbers } : {}),
    },
  };
}

/**
 * @returns undefined where the folder has no tokenizer: logits of ids work all the same
 * @throws {AtomoeError} bad-file - a file that is damaged, or belongs to another model; unsupported-model
 */
export async function readTokenizer(
  folder: FolderSource,
  { checkpoint, spec }: Drafted,
  signal: AbortSignal | undefined,
): Promise<Tokenizer | undefined> {
  if (checkpoint.gguf) return openGgufTokenizer(checkpoint.gguf, { checkpoint, spec });
  const tokenizerJson = await readJson(folder, 'tokenizer.json', { signal });
  if (!tokenizerJson) return undefined;
  const loading = import('../../text/tokenizer.ts');
  loading.catch(() => {}); // awaited below, behind the smaller files
  const tokenizerConfig = await readJson(folder, 'tokenizer_config.json', { signal });
  const hasTokens = isJsonObject(tokenizerConfig?.['added_tokens_decoder']);
  // Newer models say it all in the other files, and transformers does not look here either.
  const tokensMap = hasTokens ? undefined : await readOptional(folder, 'special_tokens_map.json', signal);
  const files = {
    tokenizerJson,
    tokenizerConfig,
    ...(tokensMap === undefined
      ? {}
      : { specialTokensMap: parseJsonObject(tokensMap, `${folder.label}: special_tokens_map.json`) }),
    modelConfig: checkpoint.config,
    generationConfig: checkpoint.generationConfig,
    chatTemplate: await readOptional(folder, 'chat_template.jinja', signal),
    vocab: spec.vocab,
  };
  const { openTokenizer } = await loading;
  return openTokenizer(files);
}

/** The tokenizer that a GGUF file holds. */
async function openGgufTokenizer(
  metadata: GgufMetadata,
  { checkpoint, spec }: Pick<Drafted, 'checkpoint' | 'spec'>,
): Promise<Tokenizer | undefined> {
  if (isNoTokenizer(metadata.get(GGUF_TOKENIZER_KEY))) return undefined;
  const [{ tokenizerFromGguf }, { openTokenizer }] = await Promise.all([
    import('../../text/gguf-tokenizer.ts'),
    import('../../text/tokenizer.ts'),
  ]);
  const files = tokenizerFromGguf(metadata);
  return files && openTokenizer({ ...files, modelConfig: checkpoint.config, vocab: spec.vocab });
}

/** Hosts of single-page applications answer a request for a file that is not there with their own page. */
async function readOptional(
  folder: FolderSource,
  name: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const text = await readText(folder, name, { signal });
  return text !== undefined && /^\s*<(!doctype html|html|head)\b/i.test(text) ? undefined : text;
}
