/** The part of a conversation that a model is given. */
import type { ChatMessage, ChatTool, Engine, ModelInfo } from '../engine/api.ts';
import { messagesOf, type ContextRule } from './context-rule.ts';
import type { Turn } from './conversation.ts';

/** How many tokens a reply may take where nobody says; the engine's own default. */
const REPLY_TOKENS = 256;

/** What a reply is given of a conversation. */
export interface Given {
  readonly turns: readonly Turn[]; // up to the message that is replied to
  readonly tools: readonly ChatTool[] | undefined;
  readonly begun: string | undefined; // the beginning of the answer, which the model goes on with
}

/** Makes the prompts of one conversation. */
export class PromptWindow {
  systemPrompt = '';
  rule: ContextRule = 'drop-oldest';
  /** Ids of turns that are left out. */
  leftOut: readonly number[] = [];

  /** Leaves out what would not fit, as the model counts. A model without a chat template is given one text. */
  async fit(
    given: Given,
    model: ModelInfo,
    engine: Pick<Engine, 'tokenize'>,
    maxTokens = REPLY_TOKENS,
  ): Promise<void> {
    if (!model.hasChatTemplate) {
      this.leftOut = [];
      return;
    }
    const { turnsToLeaveOut } = await import('./leave-out.ts');
    const { contextTokens } = model.plan;
    const { tools, begun } = given;
    const options = { ...(tools ? { tools } : {}), continueFinalMessage: begun !== undefined };
    this.leftOut = await turnsToLeaveOut(given.turns, this.leftOut, {
      rule: this.rule,
      tokens: contextTokens - Math.min(maxTokens, contextTokens / 2),
      takes: async (leftOut) => (await engine.tokenize(this.messages(given, leftOut), options)).length,
    });
  }

  /** What the model is given. */
  messages({ turns, tools, begun }: Given, leftOut = this.leftOut): readonly ChatMessage[] {
    const kept = turns.filter(({ id }) => !leftOut.includes(id));
    const messages = messagesOf(kept, this.systemPrompt, tools);
    return begun === undefined ? messages : [...messages, { role: 'assistant', content: begun }];
  }
}
