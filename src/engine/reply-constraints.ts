/** What replies may be made to be: the shape of their text, calls of tools, and tokens that come more or less often. */

/** JSON of any object; JSON that a schema allows; or text that a pattern or a grammar (EBNF, as XGrammar reads it) matches. */
export type ResponseFormat =
  | { readonly type: 'text' | 'json_object' }
  | { readonly type: 'json_schema'; readonly json_schema: JsonSchemaFormat }
  | { readonly type: 'regex'; readonly pattern: string }
  | { readonly type: 'grammar'; readonly grammar: string }; // its first rule is `root`

/** OpenAI's `json_schema`. */
export interface JsonSchemaFormat {
  readonly name?: string;
  readonly description?: string;
  readonly schema?: Readonly<Record<string, unknown>>; // default: any JSON
  readonly strict?: boolean | null; // replies are JSON of the schema, strict or not
}

/** Whether a reply calls tools: as the model decides, never, at least one, or this one. */
export type ToolChoice =
  'auto' | 'none' | 'required' | { readonly type: 'function'; readonly function: { readonly name: string } };

/**
 * Options of a reply that change logits before a token is chosen. They read all logits of each step, and are decided by the
 * strategy of decoding `constrained`, so that they exclude `decoding` and `trace`.
 */
export interface ReplyConstraints {
  presencePenalty?: number; // taken from the logits of tokens that the reply has; -2 to 2; default 0
  frequencyPenalty?: number; // taken once for each time that the reply has the token; -2 to 2; default 0
  logitBias?: Readonly<Record<string, number>>; // added to the logits of tokens, by id; -100 never, 100 always
  /** The shape of the answer. Thoughts before it are free. The first such reply loads a library (about 394 kB of gzip). */
  responseFormat?: ResponseFormat;
  toolChoice?: ToolChoice; // default 'auto'
  parallelToolCalls?: boolean; // whether a reply that has to call tools may call several; default true
}
