/** The tokens of prompts as texts, for pages whose engine, with its own tokenizer, is in a worker. */
import { AtomoeError } from '../errors.ts';
import { httpFolder } from '../io/http.ts';
import { readJson } from '../io/json-file.ts';

/** A text as the texts of its tokens, those of the model's first token (BOS) as an empty one. */
export type ReadTokens = (text: string) => string[];

/**
 * Reads the tokenizer of a model folder with `tokenizer.json`.
 *
 * @throws {AtomoeError} bad-file - there is none, or it is wrong; network
 */
export async function openPromptTokens(modelUrl: string): Promise<ReadTokens> {
  const folder = httpFolder(modelUrl);
  const [{ openTokenizer }, tokenizerJson, tokenizerConfig] = await Promise.all([
    import('../text/tokenizer.ts'),
    readJson(folder, 'tokenizer.json'),
    readJson(folder, 'tokenizer_config.json'),
  ]);
  if (!tokenizerJson) {
    throw new AtomoeError(
      'bad-file',
      `${folder.label} has no tokenizer.json; choose a model folder that has one`,
    );
  }
  const tokenizer = await openTokenizer({ tokenizerJson, tokenizerConfig });
  return (text) =>
    tokenizer.encode(text).map((id) => (id === tokenizer.bosId ? '' : tokenizer.tokenText(id)));
}
