/** What the engine tells people about a model, and what it reads beside the weights. */
import { readJson, readText } from '../formats/json-file.ts';
import type { FolderSource } from '../io/source.ts';
import { openTokenizer, type Tokenizer } from '../text/tokenizer.ts';
import type { ModelInfo, ModelPlan } from './api.ts';
import type { Drafted } from './planning.ts';

export function infoOf(
  { checkpoint, spec }: Drafted,
  plan: ModelPlan,
  tokenizer: Tokenizer | undefined,
): ModelInfo {
  const sparse = spec.layers.flatMap(({ mlp }) => (mlp.kind === 'dense' ? [] : [mlp]));
  const [first] = sparse;
  return {
    label: checkpoint.label,
    family: spec.family,
    plan,
    // A template that never looks at who speaks only strings texts together: such a model continues text.
    hasChatTemplate: /\brole\b/.test(tokenizer?.chatTemplate ?? ''),
    experts: {
      layers: sparse.length,
      perLayer: first?.experts ?? 0,
      ...(first?.kind === 'atomic' ? { grid: first.grid } : {}),
    },
  };
}

/** @returns undefined where the folder has no tokenizer: logits of ids work all the same */
export async function readTokenizer(
  folder: FolderSource,
  { checkpoint }: Drafted,
  signal: AbortSignal | undefined,
): Promise<Tokenizer | undefined> {
  const tokenizerJson = await readJson(folder, 'tokenizer.json', { signal });
  if (!tokenizerJson) return undefined;
  return openTokenizer({
    tokenizerJson,
    tokenizerConfig: await readJson(folder, 'tokenizer_config.json', { signal }),
    modelConfig: checkpoint.config,
    generationConfig: checkpoint.generationConfig,
    chatTemplate: await readText(folder, 'chat_template.jinja', { signal }),
  });
}
