/** Every text that `<atomoe-chat>` shows of its own, in one object: `chat.texts = { send: 'Senden' }` translates. */
import type { ErrorCode } from '../errors.ts';
import type { ModelPlan } from '../engine/api.ts';
import type { LoadStatus } from '../engine/load/load-status.ts';
import { describePlan, describeProgress, type ProgressText } from './format.ts';

/** The texts in English. Words in braces are replaced by values. */
export const ENGLISH = {
  chat: 'Chat with a language model',
  conversation: 'Conversation',
  message: 'Message',
  send: 'Send',
  stop: 'Stop',
  load: 'Load the model',
  cancel: 'Cancel',
  retry: 'Try again',
  planning: 'Reading what the model needs…',
  licence: 'Licence: {licence}.',
  stopped: 'Stopped.',
  newText: 'New text ↓',
  story: 'Story',
  you: 'You',
  assistant: 'Assistant',
  thoughts: 'Thoughts',
  thinking: 'Thinking…',
  isThinking: 'Thinking about a reply',
  isWriting: 'Writing a reply',
  isLoading: 'Loading the model',
  loading: 'Loading',
  actions: 'Actions for this message',
  copy: 'Copy',
  copied: 'Copied',
  notCopied: 'This page may not copy',
  regenerate: 'Again',
  regenerateLong: 'Write another reply',
  continue: 'Continue',
  edit: 'Edit',
  editLabel: 'Your message in other words',
  save: 'Save',
  delete: 'Delete',
  deleteLong: 'Delete this message and what followed',
  versions: 'Versions',
  version: '{number}/{count}',
  versionLong: 'Version {number} of {count}',
  previous: 'Previous version',
  next: 'Next version',
  tokens: '{count} tokens',
  speed: '{rate} tok/s',
  firstToken: 'first after {time}',
  seed: 'seed {seed}',
  useSeed: 'Use this seed for the next replies',
  seedUsed: 'The next replies use this seed',
  cut: 'The model is no longer given what is above: the conversation is longer than its context.',
  cutFaint: 'The model is no longer given the faint messages: the conversation is longer than its context.',
  context: 'Context in use',
  contextUse: '{used} of {total} tokens',
  copyAll: 'Copy all',
  new: 'New',
  newLong: 'Begin another conversation',
  settings: 'Settings',
  history: 'History',
  close: 'Close',
  calls: 'Calls {name}',
  copyCode: 'Copy code',
  image: 'Image: {alt}',
} as const;

/** What may be replaced; sentences about loads and errors are functions and a list. */
export type ChatTexts = { readonly [Name in keyof typeof ENGLISH]: string } & {
  /** What loading will take. */
  readonly plan: (plan: ModelPlan) => string;
  /** What a load is doing. */
  readonly progress: (load: LoadStatus) => ProgressText;
  /** Sentences for errors, by code; those that are missing are English. */
  readonly errors: Readonly<Partial<Record<ErrorCode | 'unexpected', string>>>;
  /** Texts of the settings and of the history, by their English ones. */
  readonly panels: Readonly<Record<string, string>>;
};

const DEFAULTS: ChatTexts = {
  ...ENGLISH,
  plan: describePlan,
  progress: describeProgress,
  errors: {},
  panels: {},
};

/** English, but for what is given. */
export function withTexts(texts: Partial<ChatTexts>): ChatTexts {
  return { ...DEFAULTS, ...texts };
}

/** Puts values into a text: `{name}`. */
export function fill(text: string, values: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}
