/** The elements and what they are made of; importing this registers nothing. */
export type { LoadStatus } from '../engine/load/load-status.ts';
export { ChatElement, type ChatElementEvents, type EngineChoice } from './chat-element.ts';
export type {
  CamelListeners,
  ChatAttributes,
  ElementTypes,
  ExpertsElementEvents,
  Listeners,
  MemoryAttributes,
  SlotsAttributes,
  SlotsElementEvents,
} from './markup.ts';
export { ExpertsElement, type ExpertPick } from './expert-view.ts';
export {
  readConversation,
  readConversations,
  writeConversations,
  type SavedConversation,
} from './conversation-file.ts';
export { ENGLISH as CHAT_TEXTS, type ChatTexts } from './chat-texts.ts';
export type { ContextRule } from './context-rule.ts';
export { shownTurns, toMarkdown, type Conversation, type ReplyFigures, type Turn } from './conversation.ts';
export type { BusyExpert, ExpertId, ExpertShape, LikedWord } from './expert-activity.ts';
export { bytesBeforeFirstToken, describePlan, describeProgress, formatBytes, formatPart } from './format.ts';
export {
  describeBudget,
  holdsAll,
  MemoryBudget,
  speakBudget,
  type BudgetState,
  type MemoryBudgetOptions,
} from './memory-budget.ts';
export { MemoryElement } from './memory-element.ts';
export { FEATURES, type ChatFeature } from './features.ts';
export type { ChatRemote } from './remote-chat.ts';
export { PRESETS, type PresetName } from './presets.ts';
export type { ChatSettings } from './settings.ts';
export { isFilling } from './slot-history.ts';
export { SlotsElement } from './slot-view.ts';
export type { ChatPhase, ChatState, ContextUse, Message, Problem, ReplyReport } from './state.ts';
export { ChatStore, type ChatStoreOptions, type Unsubscribe } from './store.ts';
export type { Piece } from './words.ts';
