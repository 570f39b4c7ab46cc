/** The part of a conversation that a model is given: what is left out, and how long texts are in its tokens. */
import type { ChatMessage, ChatTool, ModelInfo, Prompt, Usage } from '../engine/api.ts';
import { leaveOutMore, messagesOf, turnsToLeaveOut, type ContextRule } from './context-rule.ts';
import type { Turn } from './conversation.ts';

/** How many tokens a reply may take where nobody says; the engine's own default. */
const REPLY_TOKENS = 256;

/** Makes the prompts of one conversation. */
export class PromptWindow {
  systemPrompt = '';
  rule: ContextRule = 'drop-oldest';
  /** Ids of turns that are left out. */
  leftOut: readonly number[] = [];
  #tokensPerCharacter: number | undefined; // of the last prompt; undefined: there was none of this model

  /** Another model has other tokens. */
  forgetModel(): void {
    this.#tokensPerCharacter = undefined;
  }

  /**
   * Leaves out what would not fit.
   *
   * @param turns - the conversation up to the message that is replied to
   */
  fit(turns: readonly Turn[], model: ModelInfo | undefined, maxTokens = REPLY_TOKENS): void {
    if (!model?.hasChatTemplate) {
      this.leftOut = [];
      return;
    }
    const { contextTokens } = model.plan;
    this.leftOut = turnsToLeaveOut(turns, this.leftOut, {
      rule: this.rule,
      tokens: contextTokens - Math.min(maxTokens, contextTokens / 2),
      tokensPerCharacter: this.#tokensPerCharacter,
      systemPrompt: this.systemPrompt,
    });
  }

  /** After a prompt was refused as too long: leaves out more. @returns whether there was more */
  shorten(turns: readonly Turn[]): boolean {
    const leftOut = leaveOutMore(turns, this.leftOut, this.rule);
    this.leftOut = leftOut ?? this.leftOut;
    return leftOut !== undefined;
  }

  /** @param begun - the beginning of the answer, which the model goes on with */
  messages(
    turns: readonly Turn[],
    tools: readonly ChatTool[] | undefined,
    begun?: string,
  ): readonly ChatMessage[] {
    const kept = turns.filter(({ id }) => !this.leftOut.includes(id));
    const messages = messagesOf(kept, this.systemPrompt, tools);
    return begun === undefined ? messages : [...messages, { role: 'assistant', content: begun }];
  }

  /** Learns from a reply how long its prompt was. */
  measure(prompt: Prompt, { promptTokens }: Usage): void {
    if (typeof prompt === 'string') return;
    const length = (each: number | ChatMessage) =>
      typeof each === 'number' ? 0 : String(each.content).length;
    const characters = prompt.reduce<number>((sum, each) => sum + length(each), 0);
    this.#tokensPerCharacter = promptTokens / Math.max(1, characters);
  }
}
